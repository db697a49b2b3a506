"""Blurs, as in ImageNet-C (Hendrycks and Dietterich 2019). Pictures are ``(B, H, W, 3)`` uint8 here."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from torch import Generator, Tensor

from posenb.corruptions import filters
from posenb.corruptions.draws import uniform
from posenb.corruptions.filters import Array


def gaussian_blur(pictures: Tensor, sigma: float, generators: Sequence[Generator]) -> Tensor:
    """A Gaussian of ``sigma`` pixels, cut at 4 sigma; the border is repeated."""
    return filters.gaussian(pictures, sigma)


def defocus_blur(pictures: Tensor, setting: tuple[float, float], generators: Sequence[Generator]) -> Tensor:
    """A disk of ``setting[0]`` pixels radius, its edge softened by ``setting[1]``; the border is mirrored."""
    return filters.to_bytes(filters.convolve(pictures, _disk(*setting)[None], "reflect"))


def zoom_blur(pictures: Tensor, setting: tuple[float, float], generators: Sequence[Generator]) -> Tensor:
    """The mean of the picture and its enlargements by 1, 1 + step ... below ``setting[0]``, step = ``setting[1]``."""
    stop, step = setting
    # arange's rounding decides whether the stop is one of them, as in the published code: for 1.11 it is
    zooms = np.arange(1, stop, step)
    total = filters.zoom_sum(pictures, zooms).add_(pictures.float())
    return filters.to_bytes(total.div_(len(zooms) + 1))


def motion_blur(pictures: Tensor, setting: tuple[int, float], generators: Sequence[Generator]) -> Tensor:
    """Half a Gaussian along a line, in a direction that is U(-45, 45) degrees for each picture.

    The published code calls ImageMagick, which rounds each tap's place to a pixel; here taps lie between pixels.
    """
    radius, sigma = setting
    angles = uniform(-45, 45, generators)
    return filters.to_bytes(filters.convolve(pictures, line_kernels(angles, radius, sigma), "replicate"))


def line_kernels(angles: Tensor, radius: int, sigma: float) -> Array:
    """Kernels ``(B, 2 r + 1, 2 r + 1)`` float32 of lines from the middle outwards, each of sum 1.

    Tap i, of weight exp(-i² / (2 sigma²)), i = 0 ... 2 radius, is shared by the four pixels about
    (i cos(angle), i sin(angle)): x to the right, y down, angle in degrees ``(B,)``. Taps of less than a ten-thousandth
    of the first are left out.
    """
    taps = np.arange(2 * radius + 1)
    weights = np.exp(-0.5 * (taps / sigma) ** 2)
    taps, weights = taps[weights > 1e-4], weights[weights > 1e-4]
    reach, turn = len(taps), np.deg2rad(angles.cpu().double().numpy())[:, None]
    kernels = np.zeros((len(turn), 2 * reach + 1, 2 * reach + 1))
    x, y = reach + taps * np.cos(turn), reach + taps * np.sin(turn)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    index = np.arange(len(turn))[:, None]
    for down in (0, 1):
        for right in (0, 1):
            share = (1 - np.abs(top + down - y)) * (1 - np.abs(left + right - x))
            np.add.at(kernels, (index, top + down, left + right), weights * share)
    return (kernels / weights.sum()).astype(np.float32)


@cache
def _disk(radius: float, softness: float) -> Array:
    """The pixels within ``radius`` of the middle, softened by a Gaussian: 3 x 3 taps, 5 x 5 above a radius of 8."""
    # the array's size matters: a disk that touches its border is mirrored there when it is softened
    reach = max(8, int(radius))
    place = np.arange(-reach, reach + 1)
    disk = (place[:, None] ** 2 + place**2 <= radius**2).astype(np.float32)
    side = 3 if radius <= 8 else 5
    return np.asarray(cv2.GaussianBlur(disk / disk.sum(), (side, side), softness), np.float32)
