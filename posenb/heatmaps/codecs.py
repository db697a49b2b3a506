"""Heatmap codecs: points to maps, maps to points.

Encoders take points in image pixels and give maps whose pixels are ``stride`` image pixels wide; decoders go back.
"""

from __future__ import annotations

import torch
from torch import Tensor

METHODS = ("argmax", "quarter", "dark", "soft")


def gaussian(
    points: Tensor,
    size: tuple[int, int],
    stride: float,
    sigma: float,
) -> Tensor:
    """Gaussian heatmaps with peak 1 at the exact, sub-pixel place (Tompson et al. 2014).

    Args:
        points: ``(B, K, 2)`` in image pixels. NaN gives an empty map.
        size: (H, W) of the maps.
        stride: image pixels a map pixel.
        sigma: standard deviation in map pixels.

    Returns:
        ``(B, K, H, W)``.
    """
    # far away instead of NaN: its exponential is exactly 0
    centers = torch.nan_to_num(points / stride, nan=-1e6)[..., None]
    y = torch.arange(size[0], device=points.device, dtype=points.dtype) + 0.5
    x = torch.arange(size[1], device=points.device, dtype=points.dtype) + 0.5
    rate = -0.5 / sigma**2
    # a Gaussian is a product of two profiles: exp runs on H + W numbers, not H x W
    across = ((x - centers[..., 0, :]) ** 2 * rate).exp_()
    down = ((y - centers[..., 1, :]) ** 2 * rate).exp_()
    return down[..., :, None] * across[..., None, :]


def highly_differentiated(
    points: Tensor, size: tuple[int, int], stride: float, alpha: float = 0.7, threshold: int = 8
) -> Tensor:
    """Highly differentiated heatmaps: alpha^d at chessboard distance d (Zhang et al. 2022, section 3.2.1).

    Distances count whole map pixels from the one that contains the point; a point on the right or lower border counts
    to the pixel beyond it, whose peak the map does not show. Else the peak is 1 at that pixel, its eight
    neighbours have alpha, and what is further than the threshold is 0: a square of 2 threshold + 1 pixels a side.

    Args:
        points: ``(B, K, 2)`` in image pixels. NaN gives an empty map.
        size: (H, W) of the maps.
        stride: image pixels a map pixel.
        alpha: what a pixel further away is worth, in (0, 1).
        threshold: the largest distance that counts, itself included.

    Returns:
        ``(B, K, H, W)``.

    Raises:
        ValueError: for another alpha.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
    # far away instead of NaN: beyond every threshold
    cells = torch.nan_to_num((points / stride).floor(), nan=-1e6)[..., None]
    y = torch.arange(size[0], device=points.device, dtype=points.dtype)
    x = torch.arange(size[1], device=points.device, dtype=points.dtype)
    across = (x - cells[..., 0, :]).abs()
    down = (y - cells[..., 1, :]).abs()
    distance = torch.maximum(down[..., :, None], across[..., None, :])
    return torch.where(distance <= threshold, alpha**distance, 0.0)


def multi_label(weights: Tensor) -> Tensor:
    """Which pixels may be called the joint, bool: those of the highly differentiated map that are not 0."""
    return weights > 0


def argmax(maps: Tensor) -> tuple[Tensor, Tensor]:
    """The highest pixel of each map: points ``(B, K, 2)`` in map pixels (pixel centres), scores ``(B, K)``."""
    return decode(maps, 1, "argmax")


def decode(maps: Tensor, stride: float, method: str = "dark") -> tuple[Tensor, Tensor]:
    """Points in image pixels from maps.

    Args:
        maps: ``(B, K, H, W)``, at least 3 x 3.
        stride: image pixels a map pixel.
        method: 'argmax' the highest pixel;
            'quarter' that, moved by a quarter of a pixel towards the higher neighbour (Newell et al. 2016);
            'dark' the peak of the paraboloid through the logarithm about it, exact for a Gaussian (after Zhang et al.
            2020, without their smoothing of the map; it moves by half a pixel at most);
            'soft' the mean position under the map, negative values dropped and the sum made 1: the soft-argmax where
            the map is a softmax (Luvizon et al. 2017). Exact, and differentiable, but pulled to the middle of the map
            by whatever lies in the background.

    Returns:
        points ``(B, K, 2)`` in image pixels, scores ``(B, K)``: the maps' maxima.

    Raises:
        ValueError: for another method.
    """
    # half precision has no sub-pixel places in a large map
    maps = maps.to(torch.promote_types(maps.dtype, torch.float32))
    if method == "soft":
        return _soft_argmax(maps) * stride, maps.amax(dim=(-2, -1))
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, not {method!r}")
    scores, x, y = _peak(maps)
    points = torch.stack([x, y], dim=-1).to(maps.dtype) + 0.5
    if method == "quarter":
        points = points + _quarter(maps, x, y)
    elif method == "dark":
        points = points + _dark(maps, x, y)
    return points * stride, scores


def _peak(maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Value, column and row of each map's maximum."""
    scores, index = maps.flatten(-2).max(dim=-1)
    return scores, index % maps.shape[-1], index // maps.shape[-1]


def _neighbourhood(maps: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The 3 x 3 pixels about (x, y), ``(B, K, 3, 3)``, and whether they all lie in the map ``(B, K)``."""
    height, width = maps.shape[-2:]
    inside = (x > 0) & (x < width - 1) & (y > 0) & (y < height - 1)
    corner = (y.clamp(1, height - 2) - 1) * width + x.clamp(1, width - 2) - 1
    steps = torch.arange(3, device=maps.device)
    offsets = (steps[:, None] * width + steps).flatten()
    values = maps.flatten(-2).gather(-1, corner[..., None] + offsets)
    return values.unflatten(-1, (3, 3)), inside


def _quarter(maps: Tensor, x: Tensor, y: Tensor) -> Tensor:
    around, inside = _neighbourhood(maps, x, y)
    slope = torch.stack([around[..., 1, 2] - around[..., 1, 0], around[..., 2, 1] - around[..., 0, 1]], dim=-1)
    return 0.25 * slope.sign() * inside[..., None]


def _dark(maps: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Newton's step of the log map at its maximum; none where the map is not peaked there."""
    around, inside = _neighbourhood(maps, x, y)
    top = around.amax(dim=(-2, -1), keepdim=True)
    log = (around / top.clamp(min=1e-12)).clamp(min=1e-6).log()
    dx, dy = (log[..., 1, 2] - log[..., 1, 0]) / 2, (log[..., 2, 1] - log[..., 0, 1]) / 2
    dxx = log[..., 1, 2] + log[..., 1, 0] - 2 * log[..., 1, 1]
    dyy = log[..., 2, 1] + log[..., 0, 1] - 2 * log[..., 1, 1]
    dxy = (log[..., 2, 2] + log[..., 0, 0] - log[..., 2, 0] - log[..., 0, 2]) / 4
    determinant = dxx * dyy - dxy**2
    peaked = inside & (determinant > 1e-12) & (dxx < 0) & (top[..., 0, 0] > 0)
    determinant = torch.where(peaked, determinant, 1.0)
    step = torch.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], dim=-1) / determinant[..., None]
    # the highest pixel is within half a pixel of a sampled peak; a longer step is noise
    return step.clamp(-0.5, 0.5) * peaked[..., None]


def _soft_argmax(maps: Tensor) -> Tensor:
    density = maps.clamp(min=0)
    density = density / density.sum(dim=(-2, -1), keepdim=True).clamp(min=1e-12)
    y = torch.arange(maps.shape[-2], device=maps.device, dtype=maps.dtype) + 0.5
    x = torch.arange(maps.shape[-1], device=maps.device, dtype=maps.dtype) + 0.5
    return torch.stack([(density.sum(dim=-2) * x).sum(-1), (density.sum(dim=-1) * y).sum(-1)], dim=-1)
