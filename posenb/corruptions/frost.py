"""Frost. The published corruption blends in photographs of frozen panes; this texture is our own, drawn by rule.

Fern-like crystals, straight stems with branches on both sides, stand brightly in front of cloudy ice. Sizes are
fractions of the picture's shorter side, so a texture looks alike at any resolution. Only the two blending weights are
the published ones: results on frost cannot be compared with those on ImageNet-C's.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from posenb.corruptions.draws import LEVELS, words
from posenb.corruptions.filters import to_bytes

Bytes = NDArray[np.uint8]

_FERNS = 20
_BRANCHES = 9  # on each side of a stem
_CLOUDS = (4, 11, 25)  # cells along the shorter side
_SUBPIXELS = 4  # bits, of the places of OpenCV's lines


def frost(pictures: Tensor, setting: tuple[float, float], generators: Sequence[Generator]) -> Tensor:
    """The picture times ``setting[0]`` plus a frost texture times ``setting[1]``."""
    kept, added = setting
    height, width = pictures.shape[1:3]
    ice = torch.stack([torch.from_numpy(texture(height, width, generator)) for generator in generators])
    return to_bytes(pictures.float().mul_(kept).add_(ice.to(pictures.device).float(), alpha=added))


def texture(height: int, width: int, generator: Generator) -> Bytes:
    """A frosted pane ``(H, W, 3)``, RGB, painted on the CPU."""
    side = min(height, width)
    cells = [(max(2, height * n // side), max(2, width * n // side)) for n in _CLOUDS]
    ferns, *grids = _drawn([(_FERNS, 5 + _BRANCHES), *cells], generator)
    coarse, middle, fine = (
        cv2.resize((grid * 255).astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC) for grid in grids
    )
    crystals = _painted(ferns, height, width)
    body = cv2.addWeighted(coarse, 0.62, middle, 0.38, 0)
    halo = side // 16 | 1
    glow = cv2.blur(cv2.blur(crystals, (halo, halo)), (halo, halo))
    pane = cv2.addWeighted(body, 0.38, cv2.LUT(fine, _RIDGES), 0.18, 45)
    # thick ice shines more
    shine = cv2.addWeighted(crystals, 0.12, cv2.multiply(crystals, body, scale=1 / 255), 0.45, 0)
    pane = cv2.add(cv2.addWeighted(pane, 1, glow, 0.4, 0), shine)
    return np.asarray(cv2.applyColorMap(pane, _COLOURS), np.uint8)


def _drawn(shapes: Sequence[tuple[int, int]], generator: Generator) -> list[NDArray[np.float64]]:
    """Numbers in [0, 1), an array of each shape."""
    sizes = [rows * columns for rows, columns in shapes]
    flat = words((sum(sizes),), [generator]).cpu().numpy()[0] / LEVELS
    parts = np.split(flat, np.cumsum(sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def _painted(ferns: NDArray[np.float64], height: int, width: int) -> Bytes:
    """White ferns on black. Of each: where it starts, direction, length, angle of its branches, their lengths."""
    side = min(height, width)
    start, turn, lean = ferns[:, :2] * (width, height), 2 * np.pi * ferns[:, 2], np.deg2rad(40 + 25 * ferns[:, 4])
    stem = _towards(turn) * (side * (0.2 + 0.4 * ferns[:, 3]))[:, None]
    place = np.linspace(0.08, 0.95, _BRANCHES)
    node = start[:, None] + place[:, None] * stem[:, None]
    length = 0.4 * (1 - place) * (0.7 + 0.4 * ferns[:, 5:]) * np.linalg.norm(stem, axis=-1)[:, None]
    branches = [
        np.stack([node, node + length[..., None] * _towards(turn + across)[:, None]], axis=-2).reshape(-1, 2, 2)
        for across in (-lean, lean)
    ]
    canvas = np.zeros((height, width), np.uint8)
    thick = max(1, round(side / 256))
    # a line of one pixel is wide in a small picture, and so less bright
    share = min(1.0, side / 112)
    for lines, light in ((np.concatenate(branches), 180), (np.stack([start, start + stem], axis=1), 255)):
        places = np.rint(lines * 2**_SUBPIXELS).astype(np.int32)
        cv2.polylines(canvas, list(places), False, light * share, thick, cv2.LINE_AA, _SUBPIXELS)
    return canvas


def _towards(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _colours() -> Bytes:
    """From the dark blue-green of thin ice to white, ``(256, 1, 3)``."""
    light = np.linspace(0, 1, 256)[:, None]
    thin = light * (0.55, 0.9, 1.1)
    return np.asarray(np.rint(255 * (thin * (1 - light) + light**2).clip(0, 1))[:, None], np.uint8)


_COLOURS = _colours()
_RIDGES = (255 - np.abs(2 * np.arange(256) - 255)).astype(np.uint8)
