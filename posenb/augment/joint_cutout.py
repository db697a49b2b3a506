"""Joint Cutout (Xie et al. 2021): patches over some of the predicted joints, so that the student must infer them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Generator, Tensor

HALF = (10.0, 20.0)
"""Half a patch's width and height, in pixels of an image 256 high; the released code's. The paper gives no size."""
JITTER = 10.0
"""Standard deviation of a patch's place about its joint, in the same pixels; the released code's."""


class Patches(NamedTuple):
    """What is drawn for B images: ``rank (B, K)`` (the m highest are covered), ``offset`` and ``half (B, m, 2)``."""

    rank: Tensor
    offset: Tensor
    half: Tensor


def draw_patches(count: int, joints: int, m: int, generator: Generator) -> Patches:
    """Draw m different joints of K for each of ``count`` images, and the places and sizes of their patches.

    The released code draws with replacement, and from channels that are never trained; the paper says neither.

    Raises:
        ValueError: for an m that is not from 0 to K.
    """
    if not 0 <= m <= joints:
        raise ValueError(f"m must be from 0 to the {joints} joints, not {m}")
    return Patches(
        rank=torch.rand(count, joints, generator=generator),
        offset=torch.randn(count, m, 2, generator=generator),
        half=torch.rand(count, m, 2, generator=generator),
    )


def covered(points: Tensor, size: tuple[int, int], patches: Patches) -> Tensor:
    """Which pixels the patches cover, ``(B, 1, H, W)`` bool: those whose centre lies in one.

    Args:
        points: ``(B, K, 2)`` in pixels, the joints to choose from.
        size: (H, W) of the images.
        patches: what was drawn, on any device.
    """
    patches = Patches(*(part.to(points.device) for part in patches))
    m, pixel = patches.half.shape[1], size[0] / 256
    chosen = patches.rank.topk(m, dim=-1).indices
    centres = points.gather(1, chosen[..., None].expand(-1, -1, 2)) + patches.offset * JITTER * pixel
    half = (HALF[0] + patches.half * (HALF[1] - HALF[0])) * pixel
    x = torch.arange(size[1], device=points.device) + 0.5
    y = torch.arange(size[0], device=points.device) + 0.5
    across = (x - centres[..., :1]).abs() <= half[..., :1]
    down = (y - centres[..., 1:]).abs() <= half[..., 1:]
    return (down[..., :, None] & across[..., None, :]).any(dim=1)[:, None]


def cover(images: Tensor, points: Tensor, patches: Patches) -> Tensor:
    """Images ``(B, 3, H, W)`` with the patches in their own mean colour."""
    mean = images.mean(dim=(-2, -1), keepdim=True)
    return torch.where(covered(points, (images.shape[-2], images.shape[-1]), patches), mean, images)


def joint_cutout(images: Tensor, points: Tensor, m: int, generator: Generator) -> Tensor:
    """Images with patches over m of their joints each.

    Args:
        images: ``(B, 3, H, W)``, float.
        points: ``(B, K, 2)`` in their pixels, such as a network's answers.
        m: joints an image; the paper's best is 5 (Fig. 11).
        generator: on the CPU.

    Returns:
        As the images. With m = 0 the same.

    Raises:
        ValueError: for an m that is not from 0 to K.
    """
    return cover(images, points, draw_patches(points.shape[0], points.shape[1], m, generator))
