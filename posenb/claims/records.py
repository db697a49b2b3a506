"""Measuring claims, and the records of what came out: this machine's own, and the book's published ones."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import jsonschema
import torch

from posenb import __version__
from posenb.claims.judging import NOT_JUDGED, bootstrap, judge
from posenb.claims.registry import find
from posenb.errors import UserError
from posenb.files import save_json
from posenb.home import home
from posenb.runs import commit


def measure(identifier: str, profile: str, dataset: str, seeds: Sequence[int], device: str = "auto") -> dict[str, Any]:
    """Measure a claim over seeds and keep the record under ``home()/records``; runs that are stored are reused.

    Returns:
        the record, which agrees with :func:`schema`.

    Raises:
        UserError: for an unknown claim.
    """
    claim = find(identifier)
    measurements = [claim.measure(profile, dataset, seed, device) for seed in seeds]
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
    path = records_folder() / f"{claim.id}.{dataset}.{profile}.json"
    save_json(record, path)
    return json.loads(path.read_text())  # as everybody else reads it: NaN has become null


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


def _train_one(identifier: str, profile: str, dataset: str, seed: int, device: str) -> None:
    """For its runs, which end up in the store."""
    find(identifier).measure(profile, dataset, seed, device)


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
