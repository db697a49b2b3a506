"""The `posenb claims` command: verdicts, and whether they still stand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from posenb.claims import Claim


def claims(
    claim: Annotated[str | None, typer.Argument(help="An id such as ADA-1; none: all.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: a list of claims with their records.")] = False,
    publish: Annotated[bool, typer.Option("--publish", help="Copy this machine's records to book/published/.")] = False,
    repeat: Annotated[
        int | None, typer.Option(help="Train run number N of the claim's full records again, and compare.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """The papers' claims with our verdicts.

    Verdicts are computed again from the values of each seed, and a record that was altered, or that today's code would
    not give, is marked.
    """
    from posenb import claims as registry

    if publish:
        for path in registry.publish():
            print(f"wrote {path}")
        return
    chosen = [registry.find(claim)] if claim else list(registry.CLAIMS.values())
    if repeat is not None:
        raise typer.Exit(_repeat(chosen, repeat, device))
    if as_json:
        print(json.dumps([registry.summary(one) for one in chosen], indent=1))
        return
    for one in chosen:
        print(f"{one.id}  {one.text}\n    paper: {one.paper}\n    statistic: {one.statistic}")
        print(f"    figure: book/{one.page} of the built site")
        found = list(registry.records(one.id))
        for record in found:
            problem = registry.problem(record)
            stale = f" STALE: {problem}" if problem else ""
            print(f"    {record['dataset']}, {record['profile']}: {registry.sentence(record)}{stale}")
        if not found:
            print(f"    not measured yet: posenb reproduce --claims {one.id} --profile full")


def _repeat(chosen: Sequence[Claim], pick: int, device: str) -> int:
    """Train one run of each of the claims' full records again; the exit code: 1 where another PCK came out."""
    from posenb import claims as registry

    code = 0
    for one in chosen:
        standing = [
            record
            for record in registry.records(one.id)
            if record["profile"] == "full" and record["runs"] and not registry.problem(record)
        ]
        if not standing:
            print(f"{one.id}: no record at full that stands and has runs to repeat")
        for record in standing:
            again = registry.repeat(record, pick, device)
            # other numbers of threads, and other processors, add in another order
            same = abs(again.now - again.recorded) <= 0.02
            said = "agrees" if same else "DOES NOT AGREE"
            print(f"{one.id}: {again.title}: PCK@0.2 {again.recorded:.4f} recorded, {again.now:.4f} now: {said}")
            code |= not same
    return code
