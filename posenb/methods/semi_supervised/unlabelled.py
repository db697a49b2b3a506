"""Unlabelled images: their views, what a teacher says of them, and the loss of the student who shall say the same."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from posenb import augment
from posenb.augment import Draw
from posenb.data.dataset import Batch
from posenb.geometry import transform_points
from posenb.heatmaps import argmax, gaussian
from posenb.losses import heatmap_mse
from posenb.skeletons import Skeleton


class View(NamedTuple):
    """One view of B stored images: what was drawn, and the pictures ``(B, 3, H, W)`` in [0, 1]."""

    drawn: Draw
    images: Tensor


class Lesson(NamedTuple):
    """What the student is taught, in its own view.

    Attributes:
        maps: ``(B, K, h, w)``, without gradient.
        counted: ``(B, K, h, w)`` bool, broadcast: pixels of which the teacher can say something.
        points: ``(B, K, 2)``, where the teacher sees the joints, in pixels of the student's view.
    """

    maps: Tensor
    counted: Tensor
    points: Tensor


def open_view(
    stored: Tensor,
    drawn: Draw,
    size: tuple[int, int],
    skeleton: Skeleton,
) -> View:
    """A view of stored images ``(B, 3, H, W)`` uint8. It takes no labels, so it cannot read any."""
    device = stored.device
    points = torch.zeros(len(stored), len(skeleton), 2, device=device)
    nothing = torch.zeros(len(stored), len(skeleton), dtype=torch.bool, device=device)
    batch = Batch(stored, points, nothing, nothing)
    return View(drawn.to(device), augment.apply(batch, drawn, size, skeleton).images)


def lesson(
    maps: Tensor,
    easy: Draw,
    hard: Draw,
    stored: tuple[int, int],
    size: tuple[int, int],
    skeleton: Skeleton,
    mask: bool = True,
    sigma: float | None = None,
) -> Lesson:
    """The teacher's maps of the easy view as they look in the hard one: T_{e->h}, Algorithm 1, line 8.

    Args:
        maps: ``(B, K, h, w)`` of the easy view.
        easy, hard: what was drawn for the views.
        stored, size: (H, W) of stored images, and of views.
        skeleton: which joint is whose mirror image.
        mask: count neither pixels that the easy view does not show nor joints that the teacher places outside the
            hard view; else they count as empty.
        sigma: None hands the maps themselves over; a number, the Gaussian (in map pixels) at the maps' maxima.
    """
    stride = size[0] / maps.shape[-2]
    map_size = (maps.shape[-2], maps.shape[-1])
    matrix = augment.between(easy, hard, stored, size)
    mirrored = easy.flip != hard.flip
    points = transform_points(argmax(maps)[0] * stride, matrix)
    swapped = points[:, list(skeleton.flip)]
    points = torch.where(mirrored[:, None, None], swapped, points)
    if sigma is None:
        taught = augment.warp_maps(maps, matrix, stride, mirrored, skeleton.flip)
    else:
        taught = gaussian(points, map_size, stride, sigma)
    counted = torch.ones(len(maps), 1, 1, 1, dtype=torch.bool, device=maps.device)
    if mask:
        far = points.new_tensor([size[1], size[0]])
        inside = ((points >= 0) & (points <= far)).all(dim=-1)
        counted = inside[..., None, None]
        if sigma is None:
            counted = counted & augment.seen(matrix, stride, map_size)
    return Lesson(taught.detach(), counted.expand_as(taught), points.detach())


def consistency_loss(maps: list[Tensor], taught: Lesson) -> Tensor:
    """||H_h - T(H_e)||^2, Algorithm 1, line 10: the mean over images, joints and pixels, and over the stacks."""
    everybody = taught.maps.new_ones(taught.maps.shape[:2], dtype=torch.bool)
    target = taught.maps * taught.counted
    return torch.stack([heatmap_mse(stack * taught.counted, target, everybody) for stack in maps]).mean()
