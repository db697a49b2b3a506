"""Painting: lists of polygons become uint8 images, drawn at twice the size with anti-aliased edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from posenb.data.synthetic.draws import Array, Draws
from posenb.data.synthetic.scenery import Backdrop
from posenb.data.synthetic.shapes import Shapes

_FINE = 2  # canvas pixels a pixel of the image
_SHIFT = 4  # OpenCV takes coordinates in 1/16 of a canvas pixel
_COARSE = 80  # a backdrop's longer side: it comes out a little out of focus, like a photograph's


@dataclass(frozen=True)
class Film:
    """What the camera does to the pictures of one block; ``(N,)`` each, and one sheet of grain."""

    gain: Array
    lift: Array
    blur: Array
    """Of some pictures, in pixels; 0 for sharp ones."""
    grain: np.ndarray
    shift: np.ndarray


def sample_film(draws: Draws, size: tuple[int, int], difficulty: float) -> Film:
    """Contrast, brightness, blur and grain, all growing with the difficulty."""
    h, w = size
    # one sheet for all pictures, of which each shows another part
    rng = np.random.default_rng(0)
    grey = rng.normal(0, 0.7 + 3 * difficulty, (h + 64, w + 64, 1))
    sheet = grey + rng.normal(0, 0.4 + 1.2 * difficulty, (h + 64, w + 64, 3))
    gain = 1 - difficulty * draws.uniform(0, 0.5)
    lift = (1 - gain) * draws.uniform(40, 200)
    return Film(
        gain=gain,
        lift=lift,
        blur=np.where(draws.chance(0.3 * difficulty), draws.uniform(0.45, 0.8), 0.0) * max(1.0, max(size) / 160),
        grain=np.round(sheet).astype(np.int16),
        shift=draws.uniform(0, 64, 2).astype(np.int64),
    )


def fixed_point(vertices: Array, scale: float) -> np.ndarray:
    """Continuous pixels as OpenCV's fixed-point canvas coordinates, in which an integer is a pixel's centre."""
    return np.round((vertices * scale - 0.5) * 2**_SHIFT).clip(-(2**24), 2**24).astype(np.int32)


def fill(canvas: np.ndarray, polygon: np.ndarray, colour: Sequence[float]) -> None:
    """Fill one polygon ``(V, 2)`` of fixed-point coordinates, with smooth edges."""
    cv2.fillPoly(canvas, (polygon,), colour, cv2.LINE_AA, _SHIFT)


class _Layer:
    """One list of shapes of a block, ready to be painted picture by picture."""

    def __init__(self, shapes: Shapes, scale: float, count: int) -> None:
        ends = np.cumsum([vertices.shape[1] for vertices in shapes.vertices]).tolist()
        self._span = list(zip([0, *ends[:-1]], ends, strict=True))
        self._vertices = fixed_point(np.concatenate([vertices[:count] for vertices in shapes.vertices], 1), scale)
        self._colours = np.stack([colour[:count] for colour in shapes.colours], 1).clip(0, 255)
        depth = np.where(np.stack(shapes.active, 1), np.stack(shapes.depths, 1), np.inf)[:count]
        self._order = np.argsort(depth, axis=1, kind="stable")
        self._shown = np.isfinite(depth).sum(1).tolist()

    def paint(self, canvas: np.ndarray, i: int) -> None:
        """Paint the polygons of picture i, far ones first."""
        order, vertices = self._order[i, : self._shown[i]], self._vertices[i]
        for k, colour in zip(order.tolist(), self._colours[i, order].tolist(), strict=True):
            first, last = self._span[k]
            fill(canvas, vertices[first:last], colour)


def paint(out: np.ndarray, backdrop: Backdrop, layers: list[Shapes], film: Film) -> None:
    """Paint the first pictures of a block into ``out (n, H, W, 3)`` uint8, RGB."""
    count, h, w, _ = out.shape
    shrink = min(1.0, _COARSE / max(h, w))
    small = (max(8, round(w * shrink)), max(8, round(h * shrink)))
    behind = _Layer(backdrop.shapes, small[0] / w, count)
    before = [_Layer(layer, _FINE, count) for layer in layers if layer.vertices]
    walls = np.stack([backdrop.top, backdrop.bottom], 1)[:, :, None].clip(0, 255).astype(np.uint8)
    canvas = np.empty((h * _FINE, w * _FINE, 3), np.uint8)
    scene, texture = (np.empty((small[1], small[0], 3), np.uint8) for _ in range(2))
    gains, lifts, blurs = film.gain.tolist(), film.lift.tolist(), film.blur.tolist()
    for i in range(count):
        cv2.resize(walls[i], small, dst=scene, interpolation=cv2.INTER_LINEAR)
        behind.paint(scene, i)
        cv2.resize(backdrop.texture[i], small, dst=texture, interpolation=cv2.INTER_LINEAR)
        cv2.addWeighted(scene, 1, texture, 1, -128, dst=scene)
        cv2.resize(scene, (w * _FINE, h * _FINE), dst=canvas, interpolation=cv2.INTER_LINEAR)
        for layer in before:
            layer.paint(canvas, i)
        image = cv2.resize(canvas, (w, h), interpolation=cv2.INTER_AREA)
        if blurs[i]:
            image = cv2.GaussianBlur(image, (0, 0), blurs[i])
        x, y = film.shift[i]
        cv2.addWeighted(image, gains[i], film.grain[y : y + h, x : x + w], 1, lifts[i], dst=out[i], dtype=cv2.CV_8U)
