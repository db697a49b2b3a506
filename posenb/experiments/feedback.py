"""What iterative error feedback does step by step: trajectories of a run on its test images, and their accuracy.

Everything is kept image by image, so that claims can be bootstrapped over images.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import torch
from torch import Tensor

from posenb import runs
from posenb.data.dataset import PoseDataset
from posenb.errors import UserError
from posenb.experiments import accuracy
from posenb.files import load_tensors, save_tensors
from posenb.methods.error_feedback import ErrorFeedback
from posenb.skeletons import Skeleton

Array = accuracy.Array

# Raised whenever a measurement gives other numbers than before
VERSION = 1

UPPER = ("head_top", "left_shoulder", "right_shoulder")
ENDS = ("left_wrist", "right_wrist", "left_ankle", "right_ankle")
# what counts as hard: a torso turned by so many degrees, so many joints hidden, so many outside of the picture
TURNED, HIDDEN, CUT = 60.0, 4, 2


@torch.inference_mode()
def trajectories(run: runs.Run, steps: int, device: torch.device | str = "cpu", batch: int = 128) -> Tensor:
    """The guesses of a run of error feedback on its final evaluation's images, ``(steps + 1, N, K, 2)``.

    In the precision of the run, as its final evaluation. Kept beside the run: several claims read the same.
    """
    path = run.path / f"trajectories-{VERSION}-{steps}.pt"
    # one that is damaged is measured again
    with suppress(OSError):
        return load_tensors(path)["points"]
    device = torch.device(device)
    method = feedback_method(run).to(device)
    images = run.spec.data.load("final").images
    with torch.autocast(device.type, torch.bfloat16, enabled=run.spec.budget.precision == "bf16-mixed"):
        parts = [method.trajectory(part.to(device), steps).float().cpu() for part in images.split(batch)]
    points = torch.cat(parts, dim=1)
    save_tensors({"points": points}, path)
    return points


def feedback_method(run: runs.Run) -> ErrorFeedback:
    """The method of a run.

    Raises:
        UserError: where it is not error feedback.
    """
    if not isinstance(run.method, ErrorFeedback):
        raise UserError(f"run {run.spec.key} is {run.spec.method}, which has no trajectories: choose error_feedback")
    return run.method


def image_means(values: Array, joints: tuple[int, ...] | None = None) -> Array:
    """The mean over (some) labelled joints of values ``(..., N, K)``, ``(..., N)``; images without any are left out."""
    chosen = values if joints is None else values[..., list(joints)]
    some = np.isfinite(chosen).reshape(-1, *chosen.shape[-2:])[0].any(axis=-1)
    return np.nanmean(chosen[..., some, :], axis=-1)


def by_joint(points: Tensor, data: PoseDataset) -> dict[str, list[float]]:
    """PCK@0.2 of each joint over steps, left and right of a kind together (Fig. 3)."""
    found = accuracy.right(points, data)
    return {kind: np.nanmean(found[..., joints], axis=(1, 2)).tolist() for kind, joints in kinds(data.skeleton).items()}


def kinds(skeleton: Skeleton) -> dict[str, list[int]]:
    """Joints by their names without sides."""
    found: dict[str, list[int]] = {}
    for k, name in enumerate(skeleton.joints):
        found.setdefault(name.removeprefix("left_").removeprefix("right_"), []).append(k)
    return found


def indices(skeleton: Skeleton, names: Sequence[str]) -> list[int]:
    """Indices of those joints that the set has: COCO's has no top of the head."""
    return [k for k, name in enumerate(skeleton.joints) if name in names]


def turn(points: Tensor, skeleton: Skeleton) -> Tensor:
    """Degrees ``(N,)`` from upright of the torso's axis, from between the hips to between the shoulders."""
    hips = points[:, list(skeleton.index("left_hip", "right_hip"))].mean(dim=1)
    shoulders = points[:, list(skeleton.index("left_shoulder", "right_shoulder"))].mean(dim=1)
    x, y = (shoulders - hips).unbind(-1)
    return torch.rad2deg(torch.atan2(x, -y)).abs()


def from_behind(points: Tensor, skeleton: Skeleton) -> Tensor:
    """Whether the left shoulder lies left of the right one in the picture, ``(N,)``: the mean pose's lies right."""
    left, right = skeleton.index("left_shoulder", "right_shoulder")
    return points[:, left, 0] < points[:, right, 0]


def hard_groups(data: PoseDataset) -> dict[str, Tensor]:
    """Which images ``(N,)`` show a turned, a hidden or a truncated person; NaN points count as not turned.

    Turned is a torso 60 degrees or more from upright, or seen from behind: the mean pose has to turn by up to 180.
    """
    data = data.cropped()
    size = torch.tensor(data.size[::-1], dtype=torch.float32)
    outside = ~data.visible | ((data.points < 0) | (data.points > size)).any(dim=-1)
    return {
        "turned": (turn(data.points, data.skeleton) >= TURNED) | from_behind(data.points, data.skeleton),
        "hidden": data.occluded.sum(dim=1) >= HIDDEN,
        "truncated": outside.sum(dim=1) >= CUT,
    }


def way_left(points: Tensor, data: PoseDataset) -> tuple[Array, Array]:
    """Mean distance to the labels, in reference lengths, of the first and of the last guess of each image, ``(N,)``."""
    data = data.cropped()
    distance = (points[[0, -1]] - data.points).norm(dim=-1) / data.reference[:, None]
    first, last = torch.where(data.visible, distance, torch.nan).nanmean(dim=-1).double().numpy()
    return first, last


def longest_walks(points: Tensor, data: PoseDataset, count: int) -> list[int]:
    """The images of whole people in which the mean distance to the labels has fallen the most, over all steps."""
    first, last = way_left(points, data)
    fallen = torch.from_numpy(np.nan_to_num(first - last, nan=-np.inf))
    whole = data.visible.all(dim=1)
    return fallen.where(whole, fallen.min() - 1).argsort(descending=True)[:count].tolist()


def examples(points: Tensor, data: PoseDataset, failures: int = 2) -> dict[str, int]:
    """An image for each hard group that has any, no image twice, and some failures: name to number.

    Of a group the one where the largest share of the way is gone; failures are those that end furthest from their
    labels.
    """
    first, last = way_left(points, data)
    gone = torch.from_numpy(np.nan_to_num(1 - last / first, nan=-np.inf))
    found: dict[str, int] = {}
    for name, chosen in hard_groups(data).items():
        left = chosen.clone()
        left[list(found.values())] = False
        if left.any():
            found[name] = int(gone.where(left, -torch.inf).argmax())
    worst = [int(k) for k in np.argsort(-np.nan_to_num(last, nan=-np.inf)) if k not in found.values()]
    return found | {f"failure {k + 1}": number for k, number in enumerate(worst[:failures])}


@torch.inference_mode()
def correction_field(
    method: ErrorFeedback, image: Tensor, points: Tensor, joint: int, side: int = 11
) -> tuple[Tensor, Tensor]:
    """What the network would do with one joint, put at every place of a grid, the others where ``points`` has them.

    Args:
        method: trained, on the CPU.
        image: ``(3, H, W)`` in [0, 1].
        points: ``(K, 2)``.
        joint: which of them is moved about.
        side: places along each axis.

    Returns:
        places and corrections, ``(side, side, 2)``, in pixels.
    """
    height, width = image.shape[-2:]
    ticks = torch.linspace(0, 1, side + 2)[1:-1]
    y, x = torch.meshgrid(ticks * height, ticks * width, indexing="ij")
    places = torch.stack([x, y], dim=-1)
    start = points.repeat(side * side, 1, 1)
    start[:, joint] = places.flatten(0, 1)
    path = method.trajectory(image.expand(side * side, -1, -1, -1), 1, start)
    return places, (path[1] - path[0])[:, joint].view(side, side, 2)


def resultant_length(arrows: Tensor) -> float:
    """How far ``arrows (..., 2)`` point one way: the length of the mean of their unit vectors, 0 to 1."""
    return torch.nn.functional.normalize(arrows.reshape(-1, 2), dim=-1).mean(dim=0).norm().item()
