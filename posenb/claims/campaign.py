"""Many claims measured one after the other, each from the store where it can, and told of line by line."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from posenb import queue, runs
from posenb.claims.claim import Claim
from posenb.claims.records import measure, sentence
from posenb.errors import UserError, first_line

# enough for an interval where a claim needs many runs
SWEEP_SEEDS = 3


def seeds(claim: Claim, count: int) -> range:
    """The seeds that a claim is judged over where the profile has ``count``: sweeps take three at most."""
    return range(min(count, SWEEP_SEEDS) if claim.sweep else count)


def announce(chosen: Sequence[tuple[Claim, str]], profile: str, count: int) -> list[str]:
    """What measuring claims, each on a data set, would train: a line a claim, and a sum."""
    lines, whole = [], []
    for claim, dataset in chosen:
        needed = queue.with_starts(claim.specs_over(profile, dataset, seeds(claim, count)))
        whole += needed
        absent = sum(not runs.is_stored(spec) for spec in needed)
        lines.append(
            f"{claim.id} on {dataset}: would be measured over {len(seeds(claim, count))} seed(s); "
            + (f"{len(needed)} runs, {absent} of them to be trained" if needed else "no runs")
        )
    absent_runs = queue.missing(whole)
    images = sum(spec.budget.steps * spec.budget.batch for spec in absent_runs)
    lines.append(f"{len(absent_runs)} runs to be trained in all, on {images / 1e6:.1f} million images")
    return lines


def measure_all(
    chosen: Sequence[tuple[Claim, str]],
    profile: str,
    count: int,
    device: str = "auto",
    jobs: int = 1,
    tell: Callable[[str], None] = print,
) -> list[str]:
    """Measure claims, each on a data set, over ``count`` seeds; a claim that fails does not stop the others.

    Returns:
        the ids of those that failed.
    """
    failed = []
    for claim, dataset in chosen:
        over = seeds(claim, count)
        tell(f"{claim.id} on {dataset}: measuring over {len(over)} seed(s)")
        try:
            record = measure(claim.id, profile, dataset, over, device, jobs)
            tell(f"{claim.id} on {dataset}: {sentence(record)}")
        except Exception as error:
            kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
            tell(f"{claim.id} on {dataset}: FAILED: {kind}{first_line(error)}")
            failed.append(claim.id)
    return failed
