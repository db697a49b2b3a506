"""One Bench: every method measured alike, image by image, and the claims ALL-1 to ALL-3.

Every statistic is stated in its function's docstring before anything is measured; the claim says that it is above 0.
All runs of a seed start from the same network and are tested on the same images, so all differences are paired. What a
method gains is counted over its control, the same training without it
(:data:`~posenb.experiments.bench_specs.CONTROL`). The papers have none of these claims: they are what the methods'
papers taken together would lead one to expect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posenb import runs
from posenb.claims import Measurement
from posenb.experiments import stability
from posenb.experiments.accuracy import right
from posenb.experiments.bench_specs import CARRY, COMBINED, CONTROL, CONTROLS, FEW, IMAGES, OTHER, PARTS, ROWS, specs
from posenb.experiments.cost import costs
from posenb.experiments.feedback import image_means
from posenb.experiments.self_adversarial import poses
from posenb.runs import Run
from posenb.spec import Spec

Array = NDArray[np.float64]

METRICS = ("pck", "auc", "ruc", "corrupted", "odd", "swapped", "few")
"""What is measured of every method; 'corrupted' is AUC on corrupted images, 'few' PCK with few labels."""

LESS_IS_BETTER = ("odd", "swapped")
"""Of these measures."""

COSTS = ("flops", "kept", "seconds")
"""What is measured of a training step, in units of supervised training's."""

CARRIED = [METRICS.index(name) for name in ("pck", "auc", "ruc", "corrupted")]
"""ALL-3's columns."""

AIMS = {
    "adversarial": ("pck",),
    "self_adversarial": ("pck",),
    "feedback": ("pck",),
    "stable": ("ruc", "corrupted"),  # an answer that never moves has RUC 1
    "dual": ("few",),
}
"""What each paper's method is to raise; of two measures, both."""


def measured(run: Run, few: Run | None, count: int) -> Array:
    """A run on the first ``count`` test images, ``(N, M)``: each of ``METRICS`` image by image.

    Args:
        run: trained on many labels.
        few: its like, trained on few; None leaves that column NaN.
        count: images; those without a labelled joint or a reference length are left out.
    """
    stable = stability.measure(run, count)
    posed = poses(run, count)
    columns = [stable.pck, stable.auc, stable.stable.mean(axis=(1, 2)), stable.corrupted_auc.mean(axis=(1, 2))]
    columns += [posed.odd, np.nan_to_num(posed.swapped)]
    if few is None:
        columns.append(np.full(len(posed.odd), np.nan))
    else:
        columns.append(image_means(right(few.predictions.points, few.spec.data.load("final"))[:count]))
    return np.stack(columns, axis=1)


def trained(profile: str, dataset: str, seed: int, device: str, names: Sequence[str]) -> dict[str, Run]:
    """The named runs of :func:`~posenb.experiments.bench_specs.specs`, trained where they are missing."""
    wanted = specs(profile, dataset, seed)
    return {name: runs.train(wanted[name], device=device) for name in names}


def bench(profile: str, dataset: str, seed: int, device: str = "auto") -> pd.DataFrame:
    """The rows of the bench, trained where they are missing: means over images, and costs. None has few labels.

    Returns:
        a row a method, columns ``METRICS`` and ``COSTS``, the latter in units of supervised training's.
    """
    images = compared(profile, dataset, seed, device, tuple(ROWS))
    return _with_costs(images.mean(axis=0), specs(profile, dataset, seed), device)


def _with_costs(mean: Array, wanted: Mapping[str, Spec], device: str) -> pd.DataFrame:
    """Means ``(len(ROWS), M)`` beside what a step of each row costs."""
    names = list(ROWS)
    cost = pd.DataFrame([vars(one) for one in costs([wanted[name] for name in names], device)], names)
    return _rows(mean, names).join(cost / cost.loc["supervised"])


def compared(
    profile: str, dataset: str, seed: int, device: str, names: Sequence[str], few: Sequence[str] = ()
) -> Array:
    """Rows and controls by name, image by image ``(N, rows, M)``; those of ``few`` with few labels, too."""
    found = trained(profile, dataset, seed, device, names)
    others = trained(profile, dataset, seed, device, [f"few, {name}" for name in few])
    parts = [measured(run, others.get(f"few, {name}"), IMAGES[profile]) for name, run in found.items()]
    return np.stack(parts, axis=1)


def _rows(mean: Array, names: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(mean, list(names), list(METRICS))


def aimed_gains(mean: Array, names: Sequence[str]) -> dict[str, list[float]]:
    """ALL-1's statistic from means over images ``(rows, M)``: by method, what it gains over its control in what it is
    to raise (``AIMS``)."""
    table = _rows(mean, names)
    change = {name: table.loc[name] - table.loc[CONTROL[name]] for name in AIMS}
    return {name: change[name][list(aims)].tolist() for name, aims in AIMS.items()}


def measure_all1(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """The least of five gains, each over the same training without the method: in PCK@.2 by adversarial augmentation,
    by self adversarial training and by error feedback; in PCK@.2 with few labels by dual networks; by stable heatmaps
    the lesser of those in RUC and in AUC on corrupted images."""
    names = (*ROWS, *CONTROLS)
    images = compared(profile, dataset, seed, device, names, FEW)
    mean, wanted = images.mean(axis=0), specs(profile, dataset, seed)
    gains = aimed_gains(mean, names)
    return Measurement(
        _each(gains),
        images,
        lambda mean: _each(aimed_gains(mean, names)),
        [wanted[name].key for name in (*names, *(f"few, {name}" for name in FEW))],
        {
            "rows": _with_costs(mean[: len(ROWS)], wanted, device).to_dict(orient="index"),
            "gains": {name: min(of_aims) for name, of_aims in gains.items()},
        },
    )


def kept_gains(mean: Array, names: Sequence[str]) -> dict[str, list[float]]:
    """ALL-2's statistic: by combination, what it gains in PCK over MST without its other part, dual networks' with few
    labels; and in RUC over its other part."""
    table = _rows(mean, names)
    kept = {}
    for both, other in COMBINED.items():
        aim = "few" if other == "dual" else "pck"
        accurate = table.loc[both, aim] - table.loc[CONTROL[both], aim]
        kept[both] = [float(accurate), float(table.loc[both, "ruc"] - table.loc[other, "ruc"])]
    return kept


def measure_all2(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """The least of four: what PCK@.2 gains over the same MST without it by dual networks, with few labels, and by
    adversarial augmentation; what RUC gains over dual networks, and over adversarial augmentation, by MST beside them.
    """
    few = ("mst+dual", "mst+labels")
    images = compared(profile, dataset, seed, device, PARTS, few)
    kept = kept_gains(images.mean(axis=0), PARTS)
    wanted = specs(profile, dataset, seed)
    return Measurement(
        _each(kept),
        images,
        lambda mean: _each(kept_gains(mean, PARTS)),
        [wanted[name].key for name in (*PARTS, *(f"few, {name}" for name in few))],
        {
            "kept": {name: min(both) for name, both in kept.items()},
            "rows": _rows(images.mean(axis=0), PARTS).to_dict(orient="index"),
        },
    )


def _each(gains: Mapping[str, Sequence[float]]) -> list[float]:
    return list(chain.from_iterable(gains.values()))


def changes(mean: Array) -> Array:
    """From means ``(len(CARRY), C)`` what each method gains over its control, ``(len(CONTROL), C)``."""
    places = [CARRY.index(control) for control in CONTROL.values()]
    return mean[: len(CONTROL)] - mean[places]


def agreement(means: Array) -> float:
    """Of means ``(2, len(CARRY), C)`` on two data sets: the share of the methods' gains in the C columns that have the
    same sign on both, less the share of those with opposite signs.

    Signs and not sizes: else the one method that changes most would decide for all.
    """
    one, other = (changes(mean) for mean in means)
    return float(np.sign(one * other).mean())


def measure_all3(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """Of what each method gains over its control in PCK@.2, AUC, RUC and AUC on corrupted images: the share of gains
    with the same sign on both data sets, less the share of those with opposite signs."""
    sets = (dataset, OTHER[dataset])
    parts = [compared(profile, name, seed, device, CARRY)[..., CARRIED] for name in sets]
    count = min(len(part) for part in parts)
    images = np.stack([part[:count] for part in parts], axis=1)
    found = {name: changes(part.mean(axis=0)).tolist() for name, part in zip(sets, parts, strict=True)}
    keys = [specs(profile, name, seed)[row].key for name in sets for row in CARRY]
    curves: dict[str, Any] = {"names": list(CONTROL), "gains": found}
    return Measurement(agreement(images.mean(axis=0)), images, agreement, keys, curves)


def of_seeds(record: Mapping[str, Any]) -> list[pd.DataFrame]:
    """ALL-1's record, seed by seed: a row a method, columns ``METRICS`` and ``COSTS``."""
    return [pd.DataFrame.from_dict(curves["rows"], orient="index") for curves in record["curves"]]


def table(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """ALL-1's records, each a mean over seeds: index (data set, row), columns ``METRICS`` and ``COSTS``."""
    found = {record["dataset"]: sum(of_seeds(record)) / len(record["curves"]) for record in records}
    return pd.concat(found, names=["data set", "row"]) if found else pd.DataFrame(columns=[*METRICS, *COSTS])


def gains_table(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """ALL-1's five gains in words: the method, its control, what it is to raise, and on each data set the gain of each
    seed."""
    rows = ROWS | CONTROLS
    titles = {"pck": "PCK@0.2", "ruc": "RUC", "corrupted": "AUC on corrupted pictures", "few": "PCK@0.2, few labels"}
    lines = []
    for name, aims in AIMS.items():
        words = {
            "method": rows[name].label,
            "the same without it": rows[CONTROL[name]].label,
            "is to raise": " and ".join(titles[aim] for aim in aims),
        }
        seeds = {
            f"gain on {record['dataset']}": ", ".join(f"{curves['gains'][name]:+.3f}" for curves in record["curves"])
            for record in records
        }
        lines.append(words | seeds)
    return pd.DataFrame(lines)
