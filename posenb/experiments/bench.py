"""One Bench: every method measured alike, image by image, and the claims ALL-1 to ALL-3.

Every statistic is stated in its function's docstring before anything is measured; the claim says that it is above 0.
All runs of a seed start from the same network and are tested on the same images, so all differences are paired. The
papers have none of these claims: they are what the methods' papers taken together would lead one to expect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr

from posenb import runs
from posenb.claims import Measurement
from posenb.experiments import stability
from posenb.experiments.accuracy import right
from posenb.experiments.bench_specs import COMBINED, FEW, IMAGES, OTHER, ROWS, specs
from posenb.experiments.cost import costs
from posenb.experiments.feedback import image_means
from posenb.experiments.self_adversarial import poses
from posenb.runs import Run

Array = NDArray[np.float64]

METRICS = ("pck", "auc", "ruc", "corrupted", "odd", "swapped", "few")
"""What is measured of every method; 'corrupted' is AUC on corrupted images, 'few' PCK with few labels."""

LESS_IS_BETTER = ("odd", "swapped")
"""Of these measures."""

COSTS = ("flops", "kept", "seconds")
"""What is measured of a training step, in units of supervised training's."""

CARRIED = [METRICS.index(name) for name in ("pck", "auc", "ruc", "corrupted")]
"""ALL-3's columns."""

AIMS = {"adversarial": "pck", "self_adversarial": "pck", "feedback": "pck", "stable": "ruc", "dual": "few"}
"""What each paper's method is to raise."""


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


def bench(profile: str, dataset: str, seed: int, device: str = "auto", few: bool = True) -> tuple[Array, pd.DataFrame]:
    """All rows of the bench, trained where they are missing.

    Args:
        profile, dataset, seed, device: as everywhere.
        few: also those of ``FEW`` with few labels; where there is none, that column is NaN.

    Returns:
        image by image ``(N, rows, M)``; and the means over images with the costs: a row a method, columns ``METRICS``
        and ``COSTS``, the latter in units of supervised training's.
    """
    names = list(ROWS)
    found = trained(profile, dataset, seed, device, names)
    others = trained(profile, dataset, seed, device, [f"few, {name}" for name in FEW]) if few else {}
    images = np.stack(
        [measured(run, others.get(f"few, {name}"), IMAGES[profile]) for name, run in found.items()], axis=1
    )
    cost = pd.DataFrame([vars(one) for one in costs([run.spec for run in found.values()], device)], names)
    return images, _rows(images.mean(axis=0), names).join(cost / cost.loc["supervised"])


def _rows(mean: Array, names: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(mean, list(names), list(METRICS))


def least_gain(mean: Array, names: Sequence[str]) -> float:
    """ALL-1's statistic from means over images ``(rows, M)``."""
    return min(gains(mean, names).values())


def gains(mean: Array, names: Sequence[str]) -> dict[str, float]:
    """By method, what it gains over supervised training in what it is to raise (``AIMS``)."""
    table = _rows(mean, names)
    return {name: float(table.loc[name, aim] - table.loc["supervised", aim]) for name, aim in AIMS.items()}


def measure_all1(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """The least of five gains over supervised training by cross-entropy: in PCK@.2 by adversarial augmentation, by self
    adversarial training and by error feedback, in RUC by stable heatmaps, in PCK@.2 with few labels by dual networks.
    """
    names = tuple(ROWS)
    images, whole = bench(profile, dataset, seed, device)
    wanted = specs(profile, dataset, seed)
    return Measurement(
        least_gain(images.mean(axis=0), names),
        images,
        lambda mean: least_gain(mean, names),
        [wanted[name].key for name in (*names, *(f"few, {name}" for name in FEW))],
        {"rows": whole.to_dict(orient="index"), "gains": gains(images.mean(axis=0), names)},
    )


def kept_gains(mean: Array, names: Sequence[str]) -> dict[str, float]:
    """By combination, the smaller of what it gains: in PCK over MST alone, and in RUC over its other part."""
    table = _rows(mean, names)
    return {
        both: float(
            min(table.loc[both, "pck"] - table.loc["mst", "pck"], table.loc[both, "ruc"] - table.loc[other, "ruc"])
        )
        for both, other in COMBINED.items()
    }


def measure_all2(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """The least of four: what PCK@.2 gains over MST alone by dual networks, and by adversarial augmentation, beside it;
    what RUC gains over dual networks, and over adversarial augmentation, by MST beside them."""
    names = ("mst", *COMBINED.values(), *COMBINED)
    found = trained(profile, dataset, seed, device, names)
    images = np.stack([measured(run, None, IMAGES[profile]) for run in found.values()], axis=1)
    kept = kept_gains(images.mean(axis=0), names)
    return Measurement(
        min(kept.values()),
        images,
        lambda mean: min(kept_gains(mean, names).values()),
        [run.spec.key for run in found.values()],
        {"kept": kept, "rows": _rows(images.mean(axis=0), names).to_dict(orient="index")},
    )


def agreement(means: Array) -> float:
    """Of means ``(2, rows, C)`` on two data sets: Spearman's rank correlation of the rows' gains over the first row,
    a mean over the C columns. 0 where all rows of a data set are equal."""
    change = means[:, 1:] - means[:, :1]
    one, other = change
    return float(np.mean([_rank_correlation(one[:, k], other[:, k]) for k in range(change.shape[2])]))


def _rank_correlation(one: Array, other: Array) -> float:
    if not np.ptp(one) or not np.ptp(other):
        return 0.0
    return float(spearmanr(one, other).statistic)


def measure_all3(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """Spearman's rank correlation, over all methods, of what each gains over supervised training on the one data set
    and on the other; the mean over PCK@.2, AUC, RUC and AUC on corrupted images."""
    sets = (dataset, OTHER[dataset])
    found = {name: trained(profile, name, seed, device, tuple(ROWS)) for name in sets}
    parts = [
        np.stack([measured(run, None, IMAGES[profile])[..., CARRIED] for run in of.values()], axis=1)
        for of in found.values()
    ]
    count = min(len(part) for part in parts)
    images = np.stack([part[:count] for part in parts], axis=1)
    rows: dict[str, Any] = {name: part.mean(axis=0).tolist() for name, part in zip(sets, parts, strict=True)}
    keys = [run.spec.key for of in found.values() for run in of.values()]
    return Measurement(agreement(images.mean(axis=0)), images, agreement, keys, {"names": list(ROWS), "rows": rows})


def table(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """ALL-1's records, each a mean over seeds: index (data set, row), columns ``METRICS`` and ``COSTS``."""
    found = {}
    for record in records:
        of_seeds = [pd.DataFrame.from_dict(curves["rows"], orient="index") for curves in record["curves"]]
        found[record["dataset"]] = sum(of_seeds) / len(of_seeds)
    return pd.concat(found, names=["data set", "row"]) if found else pd.DataFrame(columns=[*METRICS, *COSTS])
