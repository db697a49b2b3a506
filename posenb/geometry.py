"""Pixel-space transforms: 3 x 3 matrices, and the one warp for points, images and heatmaps.

A matrix maps input pixels to output pixels. Coordinates are continuous, the centre of the first pixel is (.5, .5),
so a map of stride s sees ``x / s`` and nothing needs an offset.
"""

from __future__ import annotations

import cv2
import torch
import torch.nn.functional as F
from torch import Tensor

# OpenCV addresses images with 16-bit signed integers
_OPENCV_MOST_ROWS = 32_767
# the finest steps of a pixel that a float32 holds exactly up to that row
_OPENCV_STEPS = 512


def affine(angle: Tensor, scale: Tensor, center: tuple[float, float], flip: Tensor | None = None) -> Tensor:
    """Matrices that mirror, turn and scale about a centre, which stays where it is.

    Args:
        angle: ``(B,)`` degrees; positive turns the picture counter-clockwise as seen.
        scale: ``(B,)``; above 1 enlarges.
        center: (x, y) in pixels.
        flip: ``(B,)`` bool; where True the picture is first mirrored left-right about the centre.

    Returns:
        ``(B, 3, 3)``, input pixels to output pixels.
    """
    cos, sin = scale * torch.deg2rad(angle).cos(), scale * torch.deg2rad(angle).sin()
    mirror = torch.ones_like(cos) if flip is None else 1 - 2 * flip.to(cos.dtype)
    x, y = center
    # y points down, so counter-clockwise as seen is [[cos, sin], [-sin, cos]]
    a, b, d, e = cos * mirror, sin, -sin * mirror, cos
    rows = (a, b, x - a * x - b * y, d, e, y - d * x - e * y)
    last = torch.tensor([0.0, 0.0, 1.0], dtype=cos.dtype, device=cos.device).expand(len(cos), 3)
    return torch.cat([torch.stack(rows, dim=-1), last], dim=-1).view(-1, 3, 3)


def translation(dx: Tensor, dy: Tensor) -> Tensor:
    """``(B, 3, 3)`` matrices that shift by (dx, dy) pixels, each ``(B,)``."""
    matrix = torch.eye(3, dtype=dx.dtype, device=dx.device).repeat(len(dx), 1, 1)
    matrix[:, 0, 2], matrix[:, 1, 2] = dx, dy
    return matrix


def transform_points(points: Tensor, matrix: Tensor) -> Tensor:
    """Points ``(B, K, 2)`` moved by matrices ``(B, 3, 3)``. NaN stays NaN."""
    return points @ matrix[:, :2, :2].mT + matrix[:, None, :2, 2]


def warp(images: Tensor, matrix: Tensor, size: tuple[int, int], padding: str = "border") -> Tensor:
    """Resample pictures so that what was at p is at ``matrix @ p``; bilinear.

    Args:
        images: ``(B, C, H, W)`` float, or uint8 with 3 channels (rounded back to uint8).
        matrix: ``(B, 3, 3)``, input pixels to output pixels, affine.
        size: (H, W) of the result.
        padding: what lies outside the input: 'border' repeats its edge, 'zeros' is black (or no response).

    Raises:
        ValueError: for another padding.
    """
    if padding not in ("border", "zeros"):
        raise ValueError(f"padding must be 'border' or 'zeros', not {padding!r}")
    if images.dtype != torch.uint8:
        return _warp_torch(images, matrix, size, padding)
    if images.device.type == "cpu" and padding == "border":
        return _warp_opencv(images, matrix, size)
    return _warp_torch(images.float(), matrix, size, padding).round_().to(torch.uint8)


def _warp_torch(images: Tensor, matrix: Tensor, size: tuple[int, int], padding: str) -> Tensor:
    (height, width), (rows, columns) = images.shape[-2:], size
    # affine_grid speaks of [-1, 1] over the picture, and asks where an output pixel comes from
    to_unit = matrix.new_tensor([[2 / width, 0, -1], [0, 2 / height, -1], [0, 0, 1]])
    from_unit = matrix.new_tensor([[columns / 2, 0, columns / 2], [0, rows / 2, rows / 2], [0, 0, 1]])
    source = (to_unit @ torch.linalg.inv(matrix) @ from_unit)[:, :2]
    grid = F.affine_grid(source, [len(images), 1, rows, columns], align_corners=False)
    # half precision cannot say where in a large picture
    dtype = torch.promote_types(images.dtype, torch.float32)
    out = F.grid_sample(images.to(dtype), grid.to(dtype), padding_mode=padding, align_corners=False)
    return out.to(images.dtype)


def _warp_opencv(images: Tensor, matrix: Tensor, size: tuple[int, int]) -> Tensor:
    """The batch as one tall picture, resampled by a single call: faster than torch on a CPU at every size."""
    count, _, height, width = images.shape
    most = max(1, _OPENCV_MOST_ROWS // max(height, size[0]))
    if count > most:
        parts = zip(images.split(most), matrix.split(most), strict=True)
        return torch.cat([_warp_opencv(part, some, size) for part, some in parts])
    # in steps, so that rounding does not depend on how far down the tall picture an image lies
    inverse = (torch.linalg.inv(matrix.double()) * _OPENCV_STEPS).float()
    a, b, c, d, e, f = (inverse[:, i, j, None, None] for i in (0, 1) for j in (0, 1, 2))
    rows = torch.arange(size[0], dtype=torch.float32)[:, None] + 0.5
    columns = torch.arange(size[1], dtype=torch.float32) + 0.5
    top = torch.arange(count, dtype=torch.float32)[:, None, None] * height
    # OpenCV's pixel centres are integers, hence the half; clamping repeats the edge and keeps neighbours apart
    half, right, bottom = _OPENCV_STEPS / 2, (width - 1) * _OPENCV_STEPS, (height - 1) * _OPENCV_STEPS
    x = torch.addcmul(b * rows + (c - half), a, columns).clamp_(0, right).round_().mul_(1 / _OPENCV_STEPS)
    y = torch.addcmul(e * rows + (f - half), d, columns).clamp_(0, bottom).round_().mul_(1 / _OPENCV_STEPS).add_(top)
    tall = images.permute(0, 2, 3, 1).contiguous().view(count * height, width, 3).numpy()
    flat = (count * size[0], size[1])
    out = cv2.remap(tall, x.view(flat).numpy(), y.view(flat).numpy(), cv2.INTER_LINEAR)
    return torch.from_numpy(out).view(count, *size, 3).permute(0, 3, 1, 2)
