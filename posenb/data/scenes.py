"""People of unknown size in larger pictures, seen through one of nine boxes (Carreira et al. 2016, section 3).

A marking point on the person is given, the person's size is not. Each box is a square about that point.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from posenb.data.dataset import PoseDataset
from posenb.data.synthetic import Scene
from posenb.geometry import transform_points, warp

BOXES = 9
WIDE = 0  #: the largest box, which shows the most
MIDDLE = BOXES // 2
ROOM = 1.2  #: the side of the box that fits a person, in statures


def sides(size: tuple[int, int]) -> Tensor:
    """Sides ``(9,)`` of the boxes for pictures of (H, W): 1.4 to .3 of the smaller side, equally far apart in their
    logarithm, as in the released code."""
    return min(size) * 1.4 * (0.3 / 1.4) ** torch.linspace(0, 1, BOXES)


def fitting(stature: Tensor, size: tuple[int, int]) -> Tensor:
    """The box whose side is nearest to 1.2 statures, for statures ``(N,)`` in pixels of pictures of (H, W)."""
    return (sides(size) - ROOM * stature[:, None]).abs().argmin(dim=1)


def markers(people: PoseDataset) -> Tensor:
    """The marking point of each person, ``(N, 2)``: the middle between thorax and pelvis."""
    return people.points[:, list(people.skeleton.index("thorax", "pelvis"))].mean(dim=1)


def matrices(people: PoseDataset, box: Tensor, size: int, margin: int = 0) -> Tensor:
    """``(N, 3, 3)`` from pixels of the pictures to those of the boxes ``(N,)``, drawn with ``size`` pixels a side."""
    scale = size / sides(people.size)[box]
    corner = size / 2 + margin - scale[:, None] * markers(people)
    matrix = torch.eye(3).repeat(len(box), 1, 1)
    matrix[:, 0, 0] = matrix[:, 1, 1] = scale
    matrix[:, :2, 2] = corner
    return matrix


def boxed(scene: Scene, box: Tensor, size: int, margin: int = 0) -> PoseDataset:
    """Each person in its box of number ``box (N,)``, resized to ``size`` pixels, with a margin of surroundings.

    Joints that lie further outside than a sample may have them lose their labels; statures are in the new pixels.
    """
    people = scene.dataset
    matrix = matrices(people, box, size, margin)
    side = size + 2 * margin
    # drawn twice as large, then averaged: a large box is made several times smaller
    double = torch.diag(torch.tensor([2.0, 2.0, 1.0])) @ matrix
    parts = zip(people.images.split(256), double.split(256), strict=True)
    large = (warp(part, some, (2 * side, 2 * side)) for part, some in parts)
    images = torch.cat([avg_pool2d(part.float(), 2).round_().to(torch.uint8) for part in large])
    points = transform_points(people.points, matrix)
    near = ((points >= -side) & (points <= 2 * side)).all(dim=-1)
    scale = matrix[:, 0, 0]
    return replace(
        people,
        images=images.contiguous(memory_format=torch.channels_last),
        points=points,
        visible=people.visible & near,
        occluded=people.occluded & near,
        reference=people.reference * scale,
        head=people.head * scale,
        stature=scene.height * scale,
        margin=margin,
    )
