"""How accurate runs of adversarial augmentation are, against each other (ADA-4, 5, 8, 9, 11 to 14).

A statistic is signed so that the claim says "above 0". Everything is kept image by image, so that claims can be
bootstrapped over images. Hits ``(2, K)`` are means of :func:`posenb.experiments.accuracy.hits`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from posenb import metrics
from posenb.claims import Measurement, Parts
from posenb.data.dataset import PoseDataset
from posenb.evaluation import Predictions
from posenb.experiments import accuracy
from posenb.metrics.keypoints import pck_curve
from posenb.metrics.tables import joint_table
from posenb.runs import Run

HARD_JOINTS = ("wrist", "knee", "ankle")
"""Those that the paper calls more difficult to localise (section 5.3)."""

THRESHOLDS = tuple(round(0.02 * k, 2) for k in range(1, 26))
"""Where curves of PCK are read off, fractions of the reference length."""

ROWS = {"random": "Random Aug.", "asr": "+ASR", "aho": "+AHO", "both": "+ASR+AHO"}
"""The rows of the paper's Table 1, by the names of runs."""

Array = accuracy.Array


def gain(runs: Mapping[str, Run]) -> Measurement:
    """ADA-8, 9, 11, 12, 13's statistic: PCK@.2 of the first run less the highest of the others, on the same images."""

    def statistic(mean: Array) -> list[float]:
        first, *rest = (accuracy.pck(of_run) for of_run in mean)
        return [first - other for other in rest]

    return compared(runs, statistic)


def component_gains(means: Array) -> tuple[float, ...]:
    """From hits of (random, asr, aho, both), ``(4, 2, K)``: asr - random, aho - random, both - asr, both - aho, in
    PCK@.2."""
    none, first, second, all_ = (accuracy.pck(of_run) for of_run in means)
    return first - none, second - none, all_ - first, all_ - second


def component_gain(runs: Mapping[str, Run]) -> Measurement:
    """ADA-4's statistic, from (random, asr, aho, both) of one network or more: the smallest of the gains of all."""

    def statistic(mean: Array) -> list[float]:
        return [gain for network in mean.reshape(-1, 4, *mean.shape[1:]) for gain in component_gains(network)]

    return compared(runs, statistic)


def hard_joint_gain(runs: Mapping[str, Run]) -> Measurement:
    """ADA-5's statistic, from (random, both): the smaller of two, the mean gain in PCK@.2 of wrists, knees and ankles,
    and that less the other joints' gain."""
    run = next(iter(runs.values()))
    hard = np.array([joint.endswith(HARD_JOINTS) for joint in run.method.setting.skeleton.joints])

    def statistic(mean: Array) -> tuple[float, float]:
        before, after = mean
        gained, rest = (accuracy.pck(after[:, of]) - accuracy.pck(before[:, of]) for of in (hard, ~hard))
        return gained, gained - rest

    return compared(runs, statistic)


def compared(runs: Mapping[str, Run], statistic: Callable[[Array], Parts]) -> Measurement:
    """A statistic of hits of several runs; for the figures, their accuracy by part and by threshold."""
    images = np.stack([accuracy.final_hits(run) for run in runs.values()], axis=1)  # (N, runs, 2, K)
    curves = {
        "pck": {name: run.metrics["pck"] for name, run in runs.items()},
        "parts": {name: parts(run) for name, run in runs.items()},
        "thresholds": list(THRESHOLDS),
        "by_threshold": {name: by_threshold(run) for name, run in runs.items()},
    }
    return Measurement(
        statistic(images.mean(axis=0)), images, statistic, [run.spec.key for run in runs.values()], curves
    )


def parts(run: Run) -> dict[str, float]:
    """PCK@.2 in per cent by part of the body, and their mean: a row of the paper's Table 1."""
    data = run.spec.data.load("final").cropped()
    score = metrics.pck(run.predictions.points, data.points, data.visible, data.reference, 0.2)
    return joint_table(score, data.skeleton)


def by_threshold(run: Run) -> dict[str, list[float]]:
    """PCK over :data:`THRESHOLDS` of all joints, and of each of :data:`HARD_JOINTS`: a line of the paper's Fig. 6."""
    data = run.spec.data.load("final").cropped()
    curve = pck_curve(run.predictions.points, data.points, data.visible, data.reference, THRESHOLDS)
    names = data.skeleton.joints
    groups = {part: [k for k, name in enumerate(names) if name.endswith(part)] for part in HARD_JOINTS}
    return {"all joints": curve.mean.tolist()} | {
        part: curve.per_joint[:, of].nanmean(dim=1).tolist() for part, of in groups.items()
    }


def component_table(seeds: Sequence[Mapping[str, Mapping[str, float]]]) -> pd.DataFrame:
    """Table 1's layout, in per cent: a row a run, a column a part of the body, means over seeds.

    Args:
        seeds: of each seed, what :func:`parts` gives, by 'random' or 'dense, random': a network may stand before it.
    """
    rows = {}
    for key in seeds[0]:
        network, _, name = key.rpartition(", ")
        means = pd.DataFrame([seed[key] for seed in seeds]).mean()
        rows[f"{network}: {ROWS[name]}" if network else ROWS[name]] = means
    table = pd.DataFrame(rows).T.map("{:.1f}".format)
    return table.reset_index(names="PCK@0.2, %")


def variant_gains(records: Iterable[Mapping[str, Any]]) -> dict[str, Array]:
    """What every variant gains over random augmentation in PCK@.2, a number a seed, from records of :func:`compared`.

    Runs of two records may have been trained on two machines, so only those of one are compared: what another record
    adds is counted from a variant that is known already, and that variant's own gain put on top. A record without one
    is left out.
    """
    found: dict[str, Array] = {}
    for record in records:
        names = [(name, name.removeprefix("small, ")) for name in record["curves"][0]["pck"]]
        scores = {bare: np.array([seed["pck"][name] for seed in record["curves"]]) for name, bare in names}
        known = next((name for name in scores if name in (found or ("random",))), None)
        if known is None:
            continue
        base = found.get(known, np.zeros_like(scores[known]))
        for name, of_seeds in scores.items():
            count = min(len(base), len(of_seeds))
            found.setdefault(name, base[:count] + (of_seeds - scores[known])[:count])
    return {name: gains for name, gains in found.items() if name != "random"}


def confusion(pred: Predictions, data: PoseDataset) -> Array:
    """For ADA-14: of each image ``(N, 2)``, how many joints are taken for their mirror image, and how many are wrong.

    Counted are joints that have a left and a right, both labelled. Wrong: further off than .2 of the reference length.
    Taken for the other: wrong, and nearer to the other's place than to their own.
    """
    data = data.cropped()
    flip = torch.tensor(data.skeleton.flip)
    paired = flip != torch.arange(len(flip))
    own = (pred.points - data.points).norm(dim=-1)
    other = (pred.points - data.points[:, flip]).norm(dim=-1)
    wrong = (own > 0.2 * data.reference[:, None]) & data.visible & data.visible[:, flip] & paired
    return torch.stack([(wrong & (other < own)).sum(dim=1), wrong.sum(dim=1)], dim=1).double().numpy()


def confusion_less(random: Run, adversarial: Run) -> Measurement:
    """ADA-14's statistic: the share of wrong joints that are taken for their mirror image, random less adversarial."""
    pairs = ((run, run.spec.data.load("final")) for run in (random, adversarial))
    images = np.stack([confusion(run.predictions, data) for run, data in pairs], axis=1)

    def statistic(mean: Array) -> float:
        shares = mean[:, 0] / np.maximum(mean[:, 1], 1e-12)
        return float(shares[0] - shares[1])

    keys = [random.spec.key, adversarial.spec.key]
    return Measurement(statistic(images.mean(axis=0)), images, statistic, keys, {"counts": images.sum(axis=0).tolist()})
