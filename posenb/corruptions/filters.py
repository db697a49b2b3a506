"""Convolution and zooming of pictures ``(B, H, W, C)``: OpenCV on a CPU, torch elsewhere, one definition for both."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float32]

# OpenCV filters kernels of 130 taps and more by Fourier transforms, several times slower; it skips taps of zero
_MOST_TAPS = 129
_STRIP = 10

_BORDERS = {"replicate": cv2.BORDER_REPLICATE, "reflect": cv2.BORDER_REFLECT_101}


def gaussian_kernel(sigma: float) -> Array:
    """Taps ``(2 r + 1,)``, r = 4 sigma rounded, sum 1: as scipy.ndimage and scikit-image cut it."""
    radius = int(4 * sigma + 0.5)
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return np.asarray(taps / taps.sum(), np.float32)


def gaussian(pictures: Tensor, sigma: float) -> Tensor:
    """uint8 pictures blurred by a Gaussian of ``sigma`` pixels, rounded to uint8; the border is repeated."""
    kernel = gaussian_kernel(sigma)
    if pictures.device.type != "cpu":
        return _gaussian_torch(pictures, kernel)
    out = np.empty(pictures.shape, np.uint8)
    for target, picture in zip(out, pictures.numpy(), strict=True):
        cv2.sepFilter2D(picture, -1, kernel, kernel, dst=target, borderType=cv2.BORDER_REPLICATE)
    return torch.from_numpy(out)


def _gaussian_torch(pictures: Tensor, kernel: Array) -> Tensor:
    rows = _convolve_torch(pictures.float(), kernel[None, None, :], "replicate")
    return to_bytes(_convolve_torch(rows, kernel[None, :, None], "replicate"))


def convolve(pictures: Tensor, kernels: Array, border: str) -> Tensor:
    """Pictures correlated with a kernel each, float32.

    Args:
        pictures: ``(B, H, W, C)`` uint8 or float32.
        kernels: ``(B, h, w)``, or ``(1, h, w)`` for all; h and w odd, the middle is at the pixel.
        border: 'replicate' repeats the edge; 'reflect' mirrors the picture about its edge pixels, which are not
            repeated.
    """
    if pictures.device.type == "cpu":
        return _convolve_opencv(pictures, kernels, border)
    return _convolve_torch(pictures.float(), kernels, border)


def _convolve_torch(pictures: Tensor, kernels: Array, border: str) -> Tensor:
    count, height, width, channels = pictures.shape
    rows, columns = kernels.shape[1] // 2, kernels.shape[2] // 2
    planes = F.pad(pictures.permute(0, 3, 1, 2), (columns, columns, rows, rows), border)
    # most of a line's kernel is zero for all pictures, and would be computed with
    down, right = (np.flatnonzero(kernels.any(axis=axes)) for axes in ((0, 2), (0, 1)))
    used = kernels[:, down[0] : down[-1] + 1, right[0] : right[-1] + 1]
    planes = planes[..., down[0] : height + down[-1], right[0] : width + right[-1]]
    weight = torch.from_numpy(used).to(pictures.device).expand(count, -1, -1)
    weight = weight.repeat_interleave(channels, dim=0)[:, None]
    out = F.conv2d(planes.reshape(1, count * channels, *planes.shape[-2:]), weight, groups=count * channels)
    return out.view(count, channels, height, width).permute(0, 2, 3, 1)


def _convolve_opencv(pictures: Tensor, kernels: Array, border: str) -> Tensor:
    height, width, channels = pictures.shape[1:]
    rows, columns = kernels.shape[1] // 2, kernels.shape[2] // 2
    out = np.empty(pictures.shape, np.float32)
    # arrays that are used again: new ones of this size cost as much as the work
    padded = np.empty((height + 2 * rows, width + 2 * columns, channels), np.float32)
    room = np.empty_like(padded).reshape(-1)
    blocks = [list(_blocks(kernel)) for kernel in kernels]
    for index, (total, picture) in enumerate(zip(out, pictures.numpy(), strict=True)):
        padded[:] = cv2.copyMakeBorder(picture, rows, rows, columns, columns, _BORDERS[border]).reshape(padded.shape)
        for number, (top, left, block) in enumerate(blocks[index % len(blocks)]):
            view = padded[top : top + height + len(block) - 1, left : left + width + block.shape[1] - 1]
            part = room[: view.size].reshape(view.shape)
            cv2.filter2D(view, -1, block, dst=part, anchor=(0, 0))
            if number:
                np.add(total, part[:height, :width], out=total)
            else:
                total[:] = part[:height, :width]
    return torch.from_numpy(out)


def _blocks(kernel: Array) -> Iterator[tuple[int, int, Array]]:
    """The kernel's non-zero part cut into blocks that OpenCV filters directly: row, column, taps."""
    used = np.flatnonzero(kernel.any(axis=0))
    first, last = int(used[0]), int(used[-1]) + 1
    edges = np.linspace(first, last, -(-(last - first) // _STRIP) + 1).astype(int)
    for left, right in pairwise(edges):
        lines = np.flatnonzero(kernel[:, left:right].any(axis=1))
        if len(lines) == 0:
            continue
        top, bottom, most = int(lines[0]), int(lines[-1]) + 1, _MOST_TAPS // int(right - left)
        for start in range(top, bottom, most):
            yield start, int(left), np.ascontiguousarray(kernel[start : min(start + most, bottom), left:right])


def clipped_zoom(size: int, zoom: float) -> tuple[float, float]:
    """Where an axis of ``size`` pixels, zoomed about its middle and cut to its size, comes from: first index, step.

    As ImageNet-C does it: the middle ``ceil(size / zoom)`` pixels, stretched so that the outer pixels' centres stay the
    outer pixels' centres (scipy.ndimage.zoom, order 1), then what is too much is cut off, half of it at the start.
    """
    kept = int(np.ceil(size / zoom))
    made = round(kept * zoom)
    step = (kept - 1) / (made - 1)
    return (size - kept) // 2 + (made - size) // 2 * step, step


def zoomed(picture: Array, zoom: float, out: Array | None = None) -> Array:
    """One array ``(H, W)`` or ``(H, W, C)`` zoomed about its middle and cut to its size, bilinear; into ``out``."""
    (y, step_y), (x, step_x) = (clipped_zoom(size, zoom) for size in picture.shape[:2])
    matrix = np.array([[step_x, 0, x], [0, step_y, y]])
    size = (picture.shape[1], picture.shape[0])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(picture, matrix, size, out, flags, cv2.BORDER_REPLICATE))


def zoom_sum(pictures: Tensor, zooms: NDArray[np.float64]) -> Tensor:
    """The sum of the pictures zoomed by each factor, float32."""
    if pictures.device.type != "cpu":
        return _zoom_sum_torch(pictures, zooms)
    out = np.zeros(pictures.shape, np.float32)
    enlarged = np.empty(pictures.shape[1:], np.float32)
    for total, picture in zip(out, pictures.numpy().astype(np.float32), strict=True):
        for zoom in zooms:
            cv2.accumulate(zoomed(picture, zoom, enlarged), total)
    return torch.from_numpy(out)


def _zoom_sum_torch(pictures: Tensor, zooms: NDArray[np.float64]) -> Tensor:
    planes = pictures.permute(0, 3, 1, 2).float()
    total = torch.zeros_like(planes)
    for zoom in zooms:
        rows, columns = (_zoom_matrix(size, zoom).to(planes.device) for size in planes.shape[-2:])
        total += rows @ planes @ columns.mT
    return total.permute(0, 2, 3, 1)


def _zoom_matrix(size: int, zoom: float) -> Tensor:
    """``(size, size)``: what each pixel of the zoomed axis takes from each pixel of the axis."""
    first, step = clipped_zoom(size, zoom)
    place = first + step * torch.arange(size, dtype=torch.float64)[:, None]
    return (1 - (place - torch.arange(size)).abs()).clamp(min=0).float()


def to_bytes(pictures: Tensor) -> Tensor:
    """Floats in [0, 255] rounded to uint8; what lies outside is cut off."""
    # by way of int16, which a CPU does several times faster than at once
    return pictures.round().clamp_(0, 255).to(torch.int16).to(torch.uint8)
