"""The claims on the collapse in semi-supervised training: one function a claim measures one seed.

Every statistic is stated in its function's docstring before anything is measured; the claim says that it is above 0.
Runs of a seed start from the same networks, see the same labelled images in the same order, and are tested on the same
ones, so all differences are paired. Accuracy is PCK@.2 as a fraction. The response is the mean over images and joints
of the heatmaps' maxima, on the first unlabelled images, seen without augmentation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from posenb import runs
from posenb.claims import Measurement, Parts
from posenb.data.dataset import PoseDataset
from posenb.experiments import accuracy
from posenb.experiments import semi_supervised as ssl
from posenb.experiments import semi_supervised_specs as plan
from posenb.runs import Run

Array = ssl.Array
# a run that keeps less than this share of its response has collapsed
KEPT = 0.5


def trained(names: Sequence[str], profile: str, dataset: str, seed: int, device: str) -> dict[str, Run]:
    """The named runs of :func:`~posenb.experiments.semi_supervised_specs.specs`, trained where they are missing."""
    wanted = plan.specs(profile, dataset, seed)
    return {name: runs.train(wanted[name], device=device) for name in names}


def unlabelled(profile: str, dataset: str, labels: int | None = None) -> PoseDataset:
    """The unlabelled images on which responses are measured."""
    images = plan.specs(profile, dataset)["same"].data
    return ssl.unlabelled_images(replace(images, train=labels or images.train), plan.IMAGES[profile])


def compare(found: dict[str, Run], statistic: Callable[[Array], Parts]) -> Measurement:
    """A statistic of the runs' accuracies, from a mean over test images of their hits ``(runs, 2, K)``."""
    images = np.stack([accuracy.final_hits(run) for run in found.values()], axis=1)
    scores = {name: run.metrics["pck"] for name, run in found.items()}
    return Measurement(
        statistic(images.mean(axis=0)), images, statistic, [run.spec.key for run in found.values()], {"pck": scores}
    )


def _collapse(
    found: dict[str, Run], images: PoseDataset, statistic: Callable[[Array, Array], Parts], start: bool = False
) -> Measurement:
    """A statistic of responses ``(runs,)`` at the end and accuracies ``(runs,)``; also curves over training.

    Responses are of unlabelled images, accuracies of test images: of each the first N, as many as there are of both.
    With ``start`` the network that all runs started from stands before them.
    """
    lines = {name: ssl.timeline(run, images, run.spec.data.load("final")) for name, run in found.items()}
    stages = [(line.response[-1], line.hits[-1]) for line in lines.values()]
    if start:
        first = next(iter(lines.values()))
        stages.insert(0, (first.response[0], first.hits[0]))
    count = min(len(images), *(len(hits) for _, hits in stages))
    response = np.stack([answers[:count] for answers, _ in stages], axis=1)[:, :, None, None]
    right = np.stack([hits[:count] for _, hits in stages], axis=1)
    # the response as a further joint: right where it is high, always labelled
    ones = np.ones_like(response)
    rows = np.concatenate([right, np.concatenate([response, ones], axis=2)], axis=3)

    def of_mean(mean: Array) -> Parts:
        return statistic(mean[:, 0, -1], np.array([accuracy.pck(one[:, :-1]) for one in mean]))

    whole = np.array([accuracy.pck(hits.mean(axis=0)) for _, hits in stages])
    ends = np.array([answers.mean() for answers, _ in stages])
    curves: dict[str, Any] = {
        "steps": {name: line.steps for name, line in lines.items()},
        "response": {name: line.response.mean(axis=1).tolist() for name, line in lines.items()},
        "pck": {name: line.pck() for name, line in lines.items()},
    }
    return Measurement(statistic(ends, whole), rows, of_mean, [run.spec.key for run in found.values()], curves)


def measure_ssl1(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """At the end of training, the smaller of: the supervised run's response less that of the standard method, as a
    fraction of the former; the supervised run's PCK@.2 less that of the standard method."""
    found = trained(("supervised", "same"), profile, dataset, seed, device)
    return _collapse(found, unlabelled(profile, dataset), _fallen)


def _fallen(response: Array, accuracy: Array) -> tuple[float, float]:
    return 1 - response[1] / response[0], accuracy[0] - accuracy[1]


def measure_ssl2(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """On responses of the standard method, over its four weights: the smaller of: that at the end with the smallest
    weight less that with the largest; that of the common start less the highest of the four at the end."""
    names = ("supervised", *(f"lambda {weight:g}" for weight in plan.LAMBDAS))
    found = trained(names, profile, dataset, seed, device)

    def statistic(response: Array, accuracy: Array) -> list[float]:
        begun, _, *weighted = response
        return [weighted[0] - weighted[-1], *(begun - one for one in weighted)]

    return _collapse(found, unlabelled(profile, dataset), statistic, start=True)


def measure_ssl3(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """SSL-1's statistic with few, more and many labels: the least of the three."""
    parts = []
    for number, labels in enumerate(plan.label_counts(profile, dataset), 1):
        names = (f"labels {number}, supervised", f"labels {number}, same")
        found = trained(names, profile, dataset, seed, device)
        parts.append(_collapse(found, unlabelled(profile, dataset, labels), _fallen))
    count = min(len(part.images) for part in parts)
    images = np.stack([part.images[:count] for part in parts], axis=1)

    def statistic(means: Array) -> Array:
        return np.concatenate([part.statistic(mean) for part, mean in zip(parts, means, strict=True)])

    curves: dict[str, Any] = {"labels": list(plan.label_counts(profile, dataset))}
    for field in ("response", "pck"):
        curves[field] = {name: line for part in parts for name, line in part.curves[field].items()}
    return Measurement(
        np.concatenate([part.parts for part in parts]),
        images,
        statistic,
        [key for part in parts for key in part.runs],
        curves,
    )


def measure_ssl4(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """The smallest of: PCK@.2 of easy-hard consistency less that of the supervised run; the same less that of the
    standard method of the same weight; its response at the end less half of the supervised run's, as a fraction of the
    latter."""
    found = trained(("supervised", "easy-hard", "lambda 1"), profile, dataset, seed, device)
    return _collapse(found, unlabelled(profile, dataset), _kept)


def _kept(response: Array, accuracy: Array) -> tuple[float, float, float]:
    alone, ours, standard = accuracy
    return ours - alone, ours - standard, response[1] / response[0] - KEPT


def measure_ssl5(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """In PCK@.2, the smaller of: the mean of the dual networks less easy-hard consistency; 2 points less the difference
    between the two networks. All without Joint Cutout and RandAugment."""
    found = trained(("easy-hard", "dual", "dual+cutout", "dual+randaugment"), profile, dataset, seed, device)
    first, second = ssl.student_hits(found["dual"])
    rows = [accuracy.final_hits(found["easy-hard"]), first, second]
    images = np.stack(rows, axis=1)

    def statistic(mean: Array) -> tuple[float, float]:
        single, one, other = (accuracy.pck(of_run) for of_run in mean)
        return (one + other) / 2 - single, accuracy.MARGIN - abs(one - other)

    mean = images.mean(axis=0)
    both = {
        name: [accuracy.pck(one.mean(axis=0)) for one in ssl.student_hits(run)]
        for name, run in found.items()
        if name != "easy-hard"
    }
    return Measurement(
        statistic(mean),
        images,
        statistic,
        [run.spec.key for run in found.values()],
        {"pck": {"easy-hard": accuracy.pck(mean[0])} | both},
    )


def above_ends(names: Sequence[str], middle: str) -> Callable[[Array], tuple[float, float]]:
    """Of accuracies in the order of a sweep: one that was named beforehand less each of the two ends."""
    place = names.index(middle)

    def statistic(mean: Array) -> tuple[float, float]:
        scores = [accuracy.pck(of_run) for of_run in mean]
        return scores[place] - scores[0], scores[place] - scores[-1]

    return statistic


def measure_ssl6(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """PCK@.2 of the dual networks' first over m = 0, 2, 5, 8, 12 joints that Joint Cutout covers: that with the paper's
    best, 5, less the better of the ends."""
    names = [f"cutout {m}" for m in plan.CUTOUTS]
    return compare(trained(names, profile, dataset, seed, device), above_ends(names, f"cutout {plan.BEST_CUTOUT}"))


def measure_ssl7(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """PCK@.2 of the dual networks' first over RandAugment's magnitudes 2, 10, 20, 30: with the paper's best, 20, less
    the better of the ends."""
    names = [f"magnitude {m:g}" for m in plan.MAGNITUDES]
    best = above_ends(names, f"magnitude {plan.BEST_MAGNITUDE:g}")
    return compare(trained(names, profile, dataset, seed, device), best)


def measure_ssl8(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """PCK@.2 of dual networks with Joint Cutout whose unlabelled images are another data set's and leave the running
    statistics alone, less that of the supervised run on the same labels; the least over three networks."""
    names = [f"network {number}, {kind}" for number in (1, 2, 3) for kind in ("supervised", "cross", "mixed")]

    def statistic(mean: Array) -> list[float]:
        scores = [accuracy.pck(of_run) for of_run in mean]  # of each network three, the last beside the claim
        return [cross - alone for alone, cross in zip(scores[::3], scores[1::3], strict=True)]

    return compare(trained(names, profile, dataset, seed, device), statistic)
