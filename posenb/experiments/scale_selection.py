"""Poses of people whose size nobody gives: choose a box by a shallow network, then apply the pose network (IEF-7)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from posenb import runs
from posenb.data import SYNTHETIC_SEEDS, scenes, synthetic
from posenb.data.synthetic import Scene
from posenb.errors import UserError
from posenb.geometry import transform_points
from posenb.methods.scale_selection import ScaleSelection


class Chosen(NamedTuple):
    """Boxes ``(N,)`` and poses ``(N, K, 2)`` in pixels of the scenes, by how the box was found.

    The ways are 'chosen' by the shallow network, 'true' (nearest to 1.2 statures), and 'middle', the same for all.
    """

    boxes: dict[str, Tensor]
    points: dict[str, Tensor]


def final_scene(run: runs.Run) -> Scene:
    """The pictures that the run's final evaluation has its samples from."""
    data = run.spec.data
    return synthetic.scene(
        data.test or 1000, seed=SYNTHETIC_SEEDS["test"], difficulty=data.options.get("difficulty", 0.5)
    )


@torch.inference_mode()
def apply(pose: runs.Run, scale: runs.Run, scene: Scene, device: torch.device | str = "cpu") -> Chosen:
    """Boxes and poses of a scene's people.

    Args:
        pose: a run on the data set 'scene', in fitting boxes.
        scale: a run of scale selection.
        scene: N people.
        device: where the networks run.

    Raises:
        UserError: where ``scale`` is a run of something else.
    """
    selection = scale.method
    if not isinstance(selection, ScaleSelection):
        raise UserError(f"run {scale.spec.key} is {scale.spec.method}: choose one of scale_selection")
    selection.to(device)
    size, count = scene.dataset.size, len(scene.dataset)
    wide = scenes.boxed(scene, torch.full((count,), scenes.WIDE), scale.spec.data.size)
    chosen = torch.cat([selection.choose(part.to(device)).cpu() for part in wide.images.split(128)])
    boxes = {
        "chosen": chosen,
        "true": scenes.fitting(scene.height, size),
        "middle": torch.full((count,), scenes.MIDDLE),
    }
    return Chosen(boxes, {way: poses(pose, scene, box, device) for way, box in boxes.items()})


@torch.inference_mode()
def poses(pose: runs.Run, scene: Scene, box: Tensor, device: torch.device | str = "cpu") -> Tensor:
    """A pose run's answers ``(N, K, 2)`` in pixels of the scenes, each person seen through the box of ``box (N,)``."""
    method, side = pose.method.to(device), pose.spec.data.size
    seen = scenes.boxed(scene, box, side)
    found = torch.cat([method.predict(part.to(device))[0].cpu() for part in seen.images.split(128)])
    return transform_points(found, torch.linalg.inv(scenes.matrices(scene.dataset, box, side)))
