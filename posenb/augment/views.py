"""Two views of the same stored images, and heatmaps carried from one view to the other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from posenb.augment.affine import Draw, matrices
from posenb.geometry import warp


def between(first: Draw, second: Draw, stored: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """``(B, 3, 3)`` from pixels of the first view to pixels of the second, both (H, W) = ``size`` cut from ``stored``.

    The T of consistency training (Xie et al. 2021, Algorithm 1: T_{e->h}).
    """
    return matrices(second, stored, size) @ torch.linalg.inv(matrices(first, stored, size))


def warp_maps(
    maps: Tensor, matrix: Tensor, stride: float, mirrored: Tensor | None = None, flip: Sequence[int] = ()
) -> Tensor:
    """Heatmaps of one view as they look in another; what the first view does not show has no response.

    Args:
        maps: ``(B, K, h, w)`` of the first view.
        matrix: ``(B, 3, 3)``, pixels of the first view to pixels of the second: see :func:`between`.
        stride: image pixels a map pixel.
        mirrored: ``(B,)`` bool, where exactly one of the views is a mirror image: left joints are right ones there.
        flip: the skeleton's left-right permutation, needed with ``mirrored``.

    Returns:
        ``(B, K, h, w)``.
    """
    # x / stride needs no offset: pixel centres are at halves in images and in maps
    in_map_pixels = matrix.clone()
    in_map_pixels[:, :2, 2] /= stride
    moved = warp(maps, in_map_pixels, (maps.shape[-2], maps.shape[-1]), padding="zeros")
    if mirrored is None:
        return moved
    return torch.where(mirrored[:, None, None, None], moved[:, list(flip)], moved)


def seen(matrix: Tensor, stride: float, size: tuple[int, int]) -> Tensor:
    """Which pixels of the second view's maps, (h, w) = ``size``, the first view shows whole: ``(B, 1, h, w)`` bool.

    Elsewhere a warped map is empty, which says nothing of the picture.
    """
    whole = torch.ones(len(matrix), 1, *size, device=matrix.device)
    return warp_maps(whole, matrix, stride) > 0.999
