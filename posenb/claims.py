"""The registry of the papers' claims, the statistics that judge them, and the records of what came out.

A claim's statistic is one number a run, signed so that the claim says "above 0". Over paired seeds it gets a 95% t
interval, and over test images a bootstrap interval beside it. The verdict follows from the first interval alone, by
:func:`judge`; nobody types one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from importlib.resources import files
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from posenb import __version__
from posenb.errors import UserError
from posenb.files import save_json
from posenb.home import home
from posenb.runs import commit

REPRODUCED, NOT_REPRODUCED, INCONCLUSIVE = "reproduced", "not reproduced", "inconclusive"
NOT_JUDGED = "not judged"


@dataclass(frozen=True)
class Measurement:
    """What one seed gave.

    Attributes:
        value: the statistic.
        images: per-image quantities ``(N, ...)`` whose mean over images gives the statistic, for the bootstrap.
        statistic: from that mean to the value.
        runs: keys of the runs it was measured on.
        curves: numbers for the figures, as JSON values.
    """

    value: float
    images: NDArray[np.float64]
    statistic: Callable[[NDArray[np.float64]], float]
    runs: list[str]
    curves: dict[str, Any]


@dataclass(frozen=True)
class Claim:
    """A claim of a paper, and how it is judged; stated before anything is measured.

    Attributes:
        id: as in the list of claims, such as 'ADA-1'.
        chapter: the chapter that shows it.
        text: what is claimed.
        paper: where, and with which figure.
        statistic: in words; the claim says it is above 0.
        measure: 'package.module:function', called with (profile, dataset, seed, device).
        margin: for "equally good": the claim is that the statistic lies within +-margin of 0.
    """

    id: str
    chapter: str
    text: str
    paper: str
    statistic: str
    measure: str
    margin: float | None = None


CLAIMS = {
    claim.id: claim
    for claim in (
        Claim(
            id="ADA-1",
            chapter="01_foundations",
            text="Trained with random rotation, the pose loss over rotation angle keeps its bowl shape, low at 0 "
            "degrees and high at the ends, at every stage of training.",
            paper="Peng et al. 2018, Fig. 5, bottom row (drawn, without numbers)",
            statistic="the smaller of the mean losses at -60 and +60 degrees, less the mean loss at 0, as a fraction "
            "of the latter; the smallest over four stages of training",
            measure="posenb.experiments.rotation:measure_ada1",
        ),
    )
}


@dataclass(frozen=True)
class Verdict:
    """Mean and 95% interval over seeds, and the verdict. The interval of one seed has no ends: NaN."""

    mean: float
    low: float
    high: float
    verdict: str


def judge(values: Sequence[float], margin: float | None = None) -> Verdict:
    """The verdict on one number a seed.

    Above 0: 'reproduced' where the interval's lower end is above 0, 'not reproduced' where its upper end is below 0.
    With a ``margin``: 'reproduced' where the whole interval lies within +-margin, 'not reproduced' where none of it
    does. Else 'inconclusive'; with fewer than three seeds 'not judged'.
    """
    mean = float(np.mean(values))
    if len(values) < 3:
        return Verdict(mean, float("nan"), float("nan"), NOT_JUDGED)
    half = float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    low, high = mean - half, mean + half
    if margin is None:
        verdict = REPRODUCED if low > 0 else NOT_REPRODUCED if high < 0 else INCONCLUSIVE
    elif -margin <= low and high <= margin:
        verdict = REPRODUCED
    else:
        verdict = NOT_REPRODUCED if low > margin or high < -margin else INCONCLUSIVE
    return Verdict(mean, low, high, verdict)


def bootstrap(measurements: Sequence[Measurement], draws: int = 1000) -> tuple[float, float]:
    """95% interval of the statistic's mean over seeds when the test images are drawn again, the same for all seeds."""
    generator = np.random.default_rng(0)
    count = len(measurements[0].images)
    flat = [m.images.reshape(count, -1) for m in measurements]
    values = np.empty(draws)
    for k in range(draws):
        weight = np.bincount(generator.integers(count, size=count), minlength=count) / count
        means = [(weight @ rows).reshape(m.images.shape[1:]) for rows, m in zip(flat, measurements, strict=True)]
        values[k] = np.mean([m.statistic(mean) for m, mean in zip(measurements, means, strict=True)])
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def measure(identifier: str, profile: str, dataset: str, seeds: Sequence[int], device: str = "auto") -> dict[str, Any]:
    """Measure a claim over seeds and keep the record under ``home()/records``; runs that are stored are reused.

    Returns:
        the record, which agrees with :func:`schema`.

    Raises:
        UserError: for an unknown claim.
    """
    claim = find(identifier)
    measurements = [_measure_one(claim.id, profile, dataset, seed, device) for seed in seeds]
    verdict = judge([m.value for m in measurements], claim.margin)
    judged = verdict.verdict != NOT_JUDGED
    record = {
        "claim": claim.id,
        "dataset": dataset,
        "profile": profile,
        "statistic": claim.statistic,
        "seeds": list(seeds),
        "values": [m.value for m in measurements],
        "mean": verdict.mean,
        "interval": [verdict.low, verdict.high] if judged else None,
        "image_interval": list(bootstrap(measurements)),
        "verdict": verdict.verdict if profile != "smoke" else NOT_JUDGED,
        "runs": [key for m in measurements for key in m.runs],
        "curves": [m.curves for m in measurements],
        "provenance": {
            "posenb": __version__,
            "commit": commit(),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    }
    jsonschema.validate(record, schema())
    save_json(record, records_folder() / f"{claim.id}.{dataset}.{profile}.json")
    return record


def measure_parallel(
    identifier: str, profile: str, dataset: str, seeds: Sequence[int], device: str = "auto", jobs: int = 1
) -> dict[str, Any]:
    """:func:`measure`, its runs first trained by ``jobs`` processes that share the cores."""
    if jobs > 1:
        threads = max(1, (os.cpu_count() or 1) // jobs)
        context = get_context("spawn")
        with ProcessPoolExecutor(jobs, context, torch.set_num_threads, (threads,)) as pool:
            waiting = [pool.submit(_train_one, identifier, profile, dataset, seed, device) for seed in seeds]
            for future in waiting:
                future.result()
    return measure(identifier, profile, dataset, seeds, device)


def _measure_one(identifier: str, profile: str, dataset: str, seed: int, device: str) -> Measurement:
    module, _, function = find(identifier).measure.partition(":")
    return getattr(import_module(module), function)(profile, dataset, seed, device)


def _train_one(identifier: str, profile: str, dataset: str, seed: int, device: str) -> None:
    """For its runs, which end up in the store."""
    _measure_one(identifier, profile, dataset, seed, device)


def sentence(record: Mapping[str, Any]) -> str:
    """A record in one line."""
    count = len(record["seeds"])
    interval = record["interval"]
    spread = f"95% interval {interval[0]:.3g} to {interval[1]:.3g}, " if interval else ""
    low, high = record["image_interval"]
    return (
        f"{record['verdict']} ({record['mean']:.3g}, {spread}over images {low:.3g} to {high:.3g}; "
        f"{count} seed{'s' if count > 1 else ''})"
    )


def find(identifier: str) -> Claim:
    """The claim of this id.

    Raises:
        UserError: where the registry has none.
    """
    if identifier.upper() not in CLAIMS:
        raise UserError(f"no claim {identifier!r} is registered; there are {', '.join(CLAIMS)}")
    return CLAIMS[identifier.upper()]


@cache
def schema() -> dict[str, Any]:
    """The JSON schema of a record."""
    return json.loads(files("posenb").joinpath("record.schema.json").read_text())


def records_folder() -> Path:
    """Where records of this machine's own measurements lie."""
    return home() / "records"


def published_folder() -> Path:
    """Where the book's committed records lie."""
    return home() / "book" / "published"


def records(identifier: str | None = None) -> Iterator[dict[str, Any]]:
    """All records, of one claim or of every one; this machine's own stand before published ones of the same name.

    Raises:
        UserError: for a record that does not agree with the schema; the message names the file.
    """
    paths = {path.name: path for folder in (published_folder(), records_folder()) for path in folder.glob("*.json")}
    for _, path in sorted(paths.items()):
        try:
            record = json.loads(path.read_text())
            jsonschema.validate(record, schema())
        except (ValueError, jsonschema.ValidationError) as error:
            problem = str(error).splitlines()[0]
            raise UserError(f"{path} is no valid record ({problem}); delete it or measure it again") from None
        if identifier in (None, record["claim"]):
            yield record


def record(identifier: str, dataset: str, profiles: Sequence[str] = ("full", "quick")) -> dict[str, Any] | None:
    """The record of a claim on a data set at the first of these profiles that has one."""
    found = {r["profile"]: r for r in records(identifier) if r["dataset"] == dataset}
    return next((found[profile] for profile in profiles if profile in found), None)


def publish() -> list[Path]:
    """Copy this machine's records at full or paper size to the book's committed ones; returns what was written."""
    written = []
    for found in records():
        if found["profile"] in ("full", "paper"):
            name = f"{found['claim']}.{found['dataset']}.{found['profile']}.json"
            save_json(found, published_folder() / name)
            written.append(published_folder() / name)
    return written
