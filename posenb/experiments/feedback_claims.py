"""The claims on iterative error feedback: one function a claim measures one seed.

Every statistic is stated in its function's docstring before anything is measured; the claim says that it is above 0.
PCK is PCK@0.2 of the torso, the mean over an image's labelled joints first; left and right are the person's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posenb import runs
from posenb.claims import Measurement
from posenb.errors import UserError
from posenb.experiments import accuracy, feedback, scale_selection
from posenb.experiments.feedback_specs import MEASURED, OURS, SCENE, specs

Array = NDArray[np.float64]
TRAINED = 4


def trained(names: Sequence[str], profile: str, dataset: str, seed: int, device: str) -> dict[str, runs.Run]:
    """The named runs, trained where they are missing."""
    wanted = specs(profile, dataset, seed)
    return {name: runs.train(wanted[name], device=device) for name in names}


def over_steps(run: runs.Run, steps: int) -> Array:
    """Each image's PCK over steps, ``(N, steps + 1)``."""
    right = accuracy.right(feedback.trajectories(run, steps), run.spec.data.load("final"))
    return feedback.image_means(right).T


def final_joints(run: runs.Run) -> Array:
    """Which joints the run's final answer gets right, ``(N, K)``; NaN without a label."""
    return accuracy.right(run.predictions.points, run.spec.data.load("final"))


def _keys(found: dict[str, runs.Run]) -> list[str]:
    return [run.spec.key for run in found.values()]


def measure_ief1(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """The smaller of: the least gain in PCK of the first three correction steps; 2 points less what the fourth step
    changes, up or down."""
    found = trained(["ief"], profile, dataset, seed, device)
    images = over_steps(found["ief"], MEASURED)

    def statistic(mean: Array) -> Array:
        gains = np.diff(mean[: TRAINED + 1])
        return np.append(gains[:-1], accuracy.MARGIN - abs(gains[-1]))

    joints = feedback.by_joint(feedback.trajectories(found["ief"], MEASURED), found["ief"].spec.data.load("final"))
    curves: dict[str, Any] = {"pck": images.mean(axis=0).tolist(), "joints": joints}
    return Measurement(statistic(images.mean(axis=0)), images, statistic, _keys(found), curves)


def measure_ief2(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """PCK of iterative error feedback less the better one's of direct and iterative direct prediction."""
    found = trained(["ief", "direct", "iterative_direct"], profile, dataset, seed, device)
    images = np.stack([feedback.image_means(final_joints(run)) for run in found.values()], axis=1)
    table = dict(zip(found, images.mean(axis=0).tolist(), strict=True))
    return Measurement(_best(images.mean(axis=0)), images, _best, _keys(found), {"pck": table})


def _best(mean: Array) -> Array:
    return mean[0] - mean[1:]


def measure_ief3(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """The smaller of: PCK after four steps with fixed path consolidation less that without; what PCK falls from step
    four to step eight without it, less what it falls with it.

    Our addition, the network trained where its own steps lead, is measured beside them and not judged.
    """
    found = trained(["ief", "no_fpc", *OURS], profile, dataset, seed, device)
    images = np.stack([over_steps(run, MEASURED) for run in found.values()], axis=1)

    def statistic(mean: Array) -> tuple[float, float]:
        with_end, without_end, *_ = mean[:, TRAINED]
        with_far, without_far, *_ = mean[:, MEASURED]
        return with_end - without_end, (without_end - without_far) - (with_end - with_far)

    table = dict(zip(found, images.mean(axis=0).tolist(), strict=True))
    return Measurement(statistic(images.mean(axis=0)), images, statistic, _keys(found), {"pck": table})


def measure_ief4(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """On PCK of the left knee alone, the least of three gains: from direct prediction to error feedback on the knee, to
    that on knee and hip, to that on all joints."""
    found = trained(["direct", "knee", "knee_hip", "ief"], profile, dataset, seed, device)
    knee = found["ief"].spec.data.load("final").skeleton.index("left_knee")
    images = np.stack([feedback.image_means(final_joints(run), knee) for run in found.values()], axis=1)
    table = dict(zip(found, images.mean(axis=0).tolist(), strict=True))
    return Measurement(_steps(images.mean(axis=0)), images, _steps, _keys(found), {"knee": table})


def _steps(mean: Array) -> Array:
    return np.diff(mean)


def measure_ief5(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """PCK of head top and shoulders less that of wrists and ankles, after the last step."""
    found = trained(["ief"], profile, dataset, seed, device)
    run = found["ief"]
    data = run.spec.data.load("final")
    right = accuracy.right(feedback.trajectories(run, MEASURED), data)
    groups = [feedback.indices(data.skeleton, names) for names in (feedback.UPPER, feedback.ENDS)]
    # sums of right and of labelled joints, so that images without one of the groups count in the other
    last = [right[TRAINED][:, joints] for joints in groups]
    images = np.stack([part for one in last for part in (np.nansum(one, axis=1), np.isfinite(one).sum(axis=1))], axis=1)

    def statistic(mean: Array) -> float:
        return float(mean[0] / mean[1] - mean[2] / mean[3])

    names = ("upper", "ends")
    curves = {name: np.nanmean(right[..., joints], axis=(1, 2)) for name, joints in zip(names, groups, strict=True)}
    # our addition: after how many steps each has nine tenths of its gain
    early = {f"{name}_steps": _steps_needed(curve[: TRAINED + 1]) for name, curve in curves.items()}
    shown = {name: curve.tolist() for name, curve in curves.items()} | early
    return Measurement(statistic(images.mean(axis=0)), images, statistic, _keys(found), shown)


def _steps_needed(curve: Array) -> int:
    """The first step after which nine tenths of the gain to the best one are there."""
    return int(np.argmax(curve >= curve[0] + 0.9 * (curve.max() - curve[0])))


def measure_ief6(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """The least, over people turned by 60 degrees or more or seen from behind, with four or more hidden joints, and
    with two or more joints outside of the picture, of: the share of the way from the mean pose to the labels that is
    gone after the last step, less one half. Groups of fewer than ten images are left out; without any, all count."""
    found = trained(["ief"], profile, dataset, seed, device)
    run = found["ief"]
    data = run.spec.data.load("final")
    first, last = feedback.way_left(feedback.trajectories(run, TRAINED), data)
    known = np.isfinite(first)
    groups = {name: chosen.numpy() & known for name, chosen in feedback.hard_groups(data).items()}
    groups = {name: chosen for name, chosen in groups.items() if chosen.sum() >= 10} or {"all": known}
    # of each group's images the ways before and after, 0 for the others
    ways = [np.where(chosen, way, 0.0) for chosen in groups.values() for way in (first, last)]
    images = np.stack(ways, axis=1).reshape(-1, len(groups), 2)

    def statistic(mean: Array) -> Array:
        return 1 - mean[:, 1] / mean[:, 0] - 0.5

    mean = images.mean(axis=0)
    gone = dict(zip(groups, (1 - mean[:, 1] / mean[:, 0]).tolist(), strict=True))
    counts = {name: int(chosen.sum()) for name, chosen in groups.items()}
    return Measurement(statistic(mean), images, statistic, _keys(found), {"gone": gone, "images": counts})


def measure_ief7(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """On scenes with people of unknown size, the smaller of: PCK in the boxes that the shallow network chooses less
    that in the middle box for all; 2 points less what the true boxes are better than the chosen ones."""
    if dataset not in ("body", "scene"):
        raise UserError(f"IEF-7 needs people of unknown size, which {dataset} does not have: measure it on 'body'")
    found = trained(SCENE, profile, dataset, seed, device)
    scene = scale_selection.final_scene(found["scene_ief"])
    chosen = scale_selection.apply(found["scene_ief"], found["scale"], scene)
    ways = {way: accuracy.right(points, scene.dataset) for way, points in chosen.points.items()}
    images = np.stack([feedback.image_means(right) for right in ways.values()], axis=1)
    off = (chosen.boxes["chosen"] - chosen.boxes["true"]).abs()
    table = dict(zip(ways, images.mean(axis=0).tolist(), strict=True))
    within = {"exact": (off == 0).double().mean().item(), "within_one": (off <= 1).double().mean().item()}
    return Measurement(_enough(images.mean(axis=0)), images, _enough, _keys(found), {"pck": table} | within)


def _enough(mean: Array) -> tuple[float, float]:
    chosen, true, middle = mean
    return chosen - middle, accuracy.MARGIN - (true - chosen)
