"""Snow and spatter, as in ImageNet-C (Hendrycks and Dietterich 2019). Pictures are ``(B, H, W, 3)`` uint8 here.

What falls is drawn and painted on the CPU, a small array a picture; it is laid over the pictures on their device.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from posenb.corruptions import filters
from posenb.corruptions.blur import line_kernels
from posenb.corruptions.draws import normal, uniform
from posenb.corruptions.filters import Array

_LUMA = (0.299, 0.587, 0.114)
WATER = (175.0, 238.0, 238.0)  # pale turquoise
MUD = (63.0, 42.0, 20.0)  # brown


def snow(pictures: Tensor, setting: tuple[float, ...], generators: Sequence[Generator]) -> Tensor:
    """Flakes over a whitened picture, and the same flakes turned by 180 degrees.

    ``setting``: mean and standard deviation of a field of normal numbers, its enlargement, the threshold below which
    nothing falls, radius and sigma of the motion blur towards the ground, and how much of the picture is kept where it
    is whitened.
    """
    *fall, kept = setting
    flakes = _on(pictures, _flakes(pictures.shape[1:3], fall, generators))
    x = pictures.float()
    grey = x @ x.new_tensor(_LUMA)[:, None].repeat(1, 3)
    white = torch.maximum(x, grey.mul_(1.5).add_(127.5))
    return filters.to_bytes(x.mul_(kept).add_(white, alpha=1 - kept).add_(flakes))


def _flakes(size: Sequence[int], fall: Sequence[float], generators: Sequence[Generator]) -> list[Array]:
    """What snow adds to each picture, ``(H, W)`` in [0, 510]."""
    mean, std, zoom, threshold, radius, sigma = fall
    fields = _fields(size, mean, std, generators)
    enlarged = [filters.zoomed(field, zoom) if zoom != 1 else field for field in fields]
    layer = torch.from_numpy(np.stack([_above(threshold, field) for field in enlarged]))
    kernels = line_kernels(uniform(-135, -45, generators), int(radius), sigma)
    # the published layer is an 8-bit picture
    blurred = filters.convolve(layer[..., None], kernels, "replicate")[..., 0].mul_(255).round_()
    return [field + field[::-1, ::-1] for field in blurred.numpy()]


def spatter(pictures: Tensor, setting: tuple[float, ...], generators: Sequence[Generator]) -> Tensor:
    """Drops of water that add light, or opaque mud.

    ``setting``: mean and standard deviation of a field of normal numbers, the sigma of its blur, the threshold above
    which there is liquid, then for water the light of the brightest drop, for mud the sigma that softens its edge, and
    whether it is mud.
    """
    mean, std, sigma, threshold, strength, mud = setting
    liquid = [_blurred(field, sigma) for field in _fields(pictures.shape[1:3], mean, std, generators)]
    paint = _mud if mud else _water
    mask = _on(pictures, [paint(field, threshold, strength) for field in liquid]).flatten(2)
    x = pictures.float().flatten(2)  # rows of RGB RGB ...
    colour = x.new_tensor(MUD if mud else WATER).repeat(pictures.shape[2])
    seen = x.mul_(1 - mask) if mud else x
    return filters.to_bytes(seen.add_(mask.mul_(colour))).view(pictures.shape)


def _fields(size: Sequence[int], mean: float, std: float, generators: Sequence[Generator]) -> NDArray[np.float32]:
    """Normal numbers ``(B, H, W)``."""
    return normal(tuple(size), generators).cpu().mul_(std).add_(mean).numpy()


def _above(threshold: float, field: Array) -> Array:
    """What exceeds the threshold, at most 1; 0 elsewhere."""
    return np.asarray(cv2.threshold(np.minimum(field, 1), threshold, 0, cv2.THRESH_TOZERO)[1])


def _on(pictures: Tensor, layers: Sequence[Array]) -> Tensor:
    """Layers ``(H, W)`` for each channel of the pictures, ``(B, H, W, 3)``, on their device."""
    colour = np.stack([cv2.cvtColor(layer, cv2.COLOR_GRAY2RGB) for layer in layers])
    return torch.from_numpy(colour).to(pictures.device)


def _blurred(field: Array, sigma: float) -> Array:
    kernel = filters.gaussian_kernel(sigma)
    return np.asarray(cv2.sepFilter2D(field, -1, kernel, kernel, borderType=cv2.BORDER_REPLICATE))


def _mud(field: Array, threshold: float, sigma: float) -> Array:
    cover = _blurred((field > threshold).astype(np.float32), sigma)
    cover[cover < 0.8] = 0
    return cover


def _water(field: Array, threshold: float, strength: float) -> Array:
    """Light ``(H, W)`` of drops whose rims, found as edges of the liquid, are lit from one side."""
    liquid = (_above(threshold, field) * 255).astype(np.uint8)
    distance = cv2.distanceTransform(255 - cv2.Canny(liquid, 50, 150), cv2.DIST_L2, 5)
    near = cv2.blur(np.minimum(distance, 20), (3, 3)).astype(np.uint8)
    relief = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])
    lit = cv2.blur(cv2.filter2D(cv2.equalizeHist(near), cv2.CV_8U, relief), (3, 3))
    light = np.asarray(cv2.multiply(liquid, lit, dtype=cv2.CV_32F), np.float32)
    # a picture on which nothing fell stays as it is
    return light * np.float32(strength / max(float(light.max()), 1.0))
