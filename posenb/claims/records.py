"""Measuring claims, and the records of what came out: this machine's own, and the book's published ones."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import numpy as np
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for

from posenb import __version__, queue, runs
from posenb.claims.claim import Claim
from posenb.claims.judging import NOT_JUDGED, bootstrap, judge
from posenb.claims.registry import find
from posenb.errors import UserError
from posenb.files import save_json, without_nan
from posenb.home import checkout, home
from posenb.runs import commit
from posenb.spec import Spec


def measure(
    identifier: str, profile: str, dataset: str, seeds: Sequence[int], device: str = "auto", jobs: int = 1
) -> dict[str, Any]:
    """Measure a claim over seeds and keep the record under ``home()/records``; runs that are stored are reused.

    Args:
        identifier: of the claim.
        profile, dataset: of all seeds.
        seeds: of the runs.
        device: 'auto', 'cpu', 'cuda' or 'mps'.
        jobs: runs trained at a time; they share the cores.

    Returns:
        the record, which agrees with :func:`schema`.

    Raises:
        UserError: for an unknown claim, where a run failed, or where nothing could be counted; an earlier record stays.
    """
    claim = find(identifier)
    specs = claim.specs_over(profile, dataset, seeds)
    if jobs > 1:
        for trained in queue.train(specs, device, jobs):
            if trained.error:
                raise UserError(f"{trained.spec.title}: {trained.error}")
    measurements = [claim.measure(profile, dataset, seed, device) for seed in seeds]
    parts = [np.atleast_1d(m.parts).tolist() for m in measurements]
    several = {"parts": parts} if len(parts[0]) > 1 else {}
    verdict = judge([m.value for m in measurements], several.get("parts"))
    judged = verdict.verdict != NOT_JUDGED
    record = {
        "claim": claim.id,
        "dataset": dataset,
        "profile": profile,
        "statistic": claim.statistic,
        "seeds": list(seeds),
        "values": [m.value for m in measurements],
        **several,
        "mean": verdict.mean,
        "interval": [verdict.low, verdict.high] if judged else None,
        "image_interval": list(bootstrap(measurements)),
        "verdict": verdict.verdict if profile != "smoke" else NOT_JUDGED,
        "runs": [key for m in measurements for key in m.runs],
        "trained": {spec.key: _trained(spec) for spec in queue.with_starts(specs)},
        "curves": [m.curves for m in measurements],
        "provenance": {
            "posenb": __version__,
            "commit": commit(),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    }
    record = without_nan(record)  # as everybody else will read it
    try:
        _validator().validate(record)
    except jsonschema.ValidationError as error:
        where = ".".join(str(part) for part in error.absolute_path)
        raise UserError(f"{claim.id} on {dataset} is not recorded: {where} is no number, nothing was counted") from None
    save_json(record, records_folder() / _name(record))
    return record


def _trained(spec: Spec) -> dict[str, Any]:
    """What a record keeps of a run, so that it can be told, found stale, and trained again to compare."""
    run = runs.train(spec)
    provenance = run.provenance
    return {
        "title": spec.title,
        "pck": run.metrics["pck"],
        "seconds": provenance["seconds"],
        "device": provenance["device"],
        "threads": provenance["threads"],
        "commit": provenance["commit"],
    }


def problem(record: Mapping[str, Any]) -> str:
    """Why a record no longer stands: it was altered, or code, options or statistic changed. Empty where it stands."""
    claim = find(record["claim"])
    parts = record.get("parts")
    again = judge(record["values"], parts)
    if parts and not np.allclose(np.min(parts, axis=1), record["values"], rtol=0, atol=1e-9):
        return "its values are not the least of their parts"
    if record["profile"] != "smoke" and again.verdict != record["verdict"]:
        return f"its values say {again.verdict!r}"
    if abs(again.mean - record["mean"]) > 1e-9 * max(1.0, abs(again.mean)):
        return f"its values have the mean {again.mean:.3g}"
    if record["interval"] and not np.allclose(record["interval"], [again.low, again.high], atol=1e-12):
        return f"its values have the interval {again.low:.3g} to {again.high:.3g}"
    if record["statistic"] != claim.statistic:
        return "it was measured by another statistic"
    try:
        keys = {spec.key for spec in claim.specs_over(record["profile"], record["dataset"], record["seeds"])}
    except UserError as error:  # such as of a data set that is not here
        return str(error)
    if keys != set(record["runs"]):
        return "today's code would train other runs"
    return ""


class Repeated(NamedTuple):
    """A run of a record trained again: its title, PCK@0.2 as recorded, and as it is now."""

    title: str
    recorded: float
    now: float


def repeat(record: Mapping[str, Any], pick: int = 0, device: str = "auto") -> Repeated:
    """Train one of a record's runs again, in the place of the store's, to see that its numbers come out.

    Args:
        record: that stands (see :func:`problem`), with at least one run.
        pick: which one; any whole number.
        device: 'auto', 'cpu', 'cuda' or 'mps'.
    """
    claim = find(record["claim"])
    specs = claim.specs_over(record["profile"], record["dataset"], record["seeds"])
    spec = specs[pick % len(specs)]
    again = runs.train(spec, device=device, fresh=True)
    return Repeated(spec.title, record["trained"][spec.key]["pck"], again.metrics["pck"])


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


def summary(claim: Claim) -> dict[str, Any]:
    """A claim with all its records, as JSON values; ``problem`` says where one no longer stands."""
    fields = ("dataset", "profile", "verdict", "mean", "interval", "image_interval", "seeds", "values")
    found = [
        {name: record[name] for name in fields}
        | {"problem": problem(record), "seconds": sum(run["seconds"] for run in record["trained"].values())}
        | record["provenance"]
        for record in records(claim.id)
    ]
    about = {"id": claim.id, "page": f"book/{claim.page}", "text": claim.text, "paper": claim.paper}
    return about | {"statistic": claim.statistic, "records": found}


@cache
def schema() -> dict[str, Any]:
    """The JSON schema of a record."""
    return json.loads(files("posenb").joinpath("record.schema.json").read_text())


@cache
def _validator() -> Validator:
    return validator_for(schema())(schema())


def _name(record: Mapping[str, Any]) -> str:
    return f"{record['claim']}.{record['dataset']}.{record['profile']}.json"


def records_folder() -> Path:
    """Where records of this machine's own measurements lie."""
    return home() / "records"


def published_folder() -> Path:
    """Where the book's committed records lie; they belong to the text, wherever ``$POSENB_HOME`` keeps the runs."""
    return (checkout() or home()) / "book" / "published"


def records(identifier: str | None = None) -> Iterator[dict[str, Any]]:
    """All records, of one claim or of every one; this machine's own stand before published ones of the same name.

    Raises:
        UserError: for a record that does not agree with the schema, or has another's name; the message names the file.
    """
    wanted = f"{identifier or '*'}.*.json"
    paths = {path.name: path for folder in (published_folder(), records_folder()) for path in folder.glob(wanted)}
    for name, path in sorted(paths.items()):
        try:
            record = json.loads(path.read_text())
            _validator().validate(record)
            if name != _name(record):
                raise ValueError(f"it holds {_name(record)}")
        except (ValueError, jsonschema.ValidationError) as error:
            problem = str(error).splitlines()[0]
            raise UserError(f"{path} is no valid record ({problem}); delete it or measure it again") from None
        yield record


def record(identifier: str, dataset: str, profiles: Sequence[str] = ("full", "quick")) -> dict[str, Any] | None:
    """The record of a claim on a data set at the first of these profiles that has one."""
    found = {r["profile"]: r for r in records(identifier) if r["dataset"] == dataset}
    return next((found[profile] for profile in profiles if profile in found), None)


def publish() -> list[Path]:
    """Copy this machine's records, but those at smoke, to the book's committed ones; returns what was written."""
    written = []
    for found in records():
        if found["profile"] != "smoke":
            written.append(published_folder() / _name(found))
            save_json(found, written[-1])
    return written
