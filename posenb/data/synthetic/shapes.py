"""Polygons of many pictures at once: tapered limbs, tubes, ellipsoids, caps, and lists of them in painter's order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posenb.data.synthetic.draws import Array, Bools

_CAP = np.deg2rad([54.0, 18.0, -18.0, -54.0])


@dataclass
class Shapes:
    """Polygons to paint, far ones first.

    Attributes:
        vertices: arrays ``(N, V, 2)``, one a polygon, in continuous pixels.
        colours: arrays ``(N, 3)``, RGB in [0, 255].
        depths: arrays ``(N,)``; a greater one is painted later, and equal ones in the order of adding.
        active: arrays ``(N,)`` bool; False leaves the polygon out of that picture.
    """

    vertices: list[Array] = field(default_factory=list)
    colours: list[Array] = field(default_factory=list)
    depths: list[Array] = field(default_factory=list)
    active: list[Bools] = field(default_factory=list)

    def add(self, vertices: Array, colour: Array, depth: Array | float = 0.0, active: Bools | bool = True) -> None:
        """Add one polygon ``(N, V, 2)`` to each picture."""
        count = len(vertices)
        self.vertices.append(vertices)
        self.colours.append(np.broadcast_to(colour, (count, 3)))
        self.depths.append(np.broadcast_to(np.asarray(depth, np.float64), (count,)))
        self.active.append(np.broadcast_to(np.asarray(active), (count,)))

    def scatter(self, other: Shapes, rows: Bools, keep: Bools) -> None:
        """Add the polygons of fewer pictures: those where ``rows (N,)`` is True. Only ``keep (N,)`` become active."""
        for vertices, colour, depth, active in zip(
            other.vertices, other.colours, other.depths, other.active, strict=True
        ):
            shown = _spread(active, rows).astype(bool) & keep
            self.add(_spread(vertices, rows), _spread(colour, rows), _spread(depth, rows), shown)


def _spread(values: Array | Bools, rows: Bools) -> Array:
    whole = np.zeros((len(rows), *values.shape[1:]))
    whole[rows] = values
    return whole


def unit(vectors: NDArray[np.floating[Any]]) -> Array:
    """Vectors ``(..., D)`` of length 1; a zero vector stays zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def limbs(
    start: Array,
    end: Array,
    radii: Array,
    light: Array,
    tones: tuple[float, ...],
    ends: tuple[float, float] = (1.0, 1.0),
) -> Array:
    """Tapered limbs with round ends in several tones, ``(T, N, 2 S + 8, 2)``.

    Args:
        start, end: ``(N, 2)``, the joints at its ends.
        radii: ``(N, S)``, its half width at S places evenly from start to end.
        light: ``(N, 2)``, unit vectors towards the light; lesser tones lean to that side.
        tones: shares of the half width. Painted dark at 1 and lighter at less, a limb looks round.
        ends: how far the ends reach over start and end, in half widths: 1 for a joint, near 0 for a sleeve's hem.
    """
    stations = radii.shape[1]
    along = unit(end - start)
    across = np.stack([-along[:, 1], along[:, 0]], -1)
    place = np.linspace(0, 1, stations)[None, :, None]
    middle = start[:, None] * (1 - place) + end[:, None] * place
    wide = radii[..., None] * across[:, None]
    tone = np.array(tones)[:, None, None, None]
    shift = (across * light).sum(-1)[:, None, None] * 0.9 * (1 - tone)

    def rounded(center: Array, radius: Array, sign: float, length: float) -> Array:
        # full length along the limb, so that two tones meet at a joint without a rim
        out = length * np.cos(_CAP)[:, None] * along[:, None] * sign
        aside = (np.sin(_CAP)[:, None] * sign * tone + shift) * across[:, None]
        return center[:, None] + radius[:, None, None] * (out + aside)

    far, near = rounded(end, radii[:, -1], 1.0, ends[1]), rounded(start, radii[:, 0], -1.0, ends[0])
    right, left = middle + wide * (shift + tone), middle + wide * (shift - tone)
    return np.concatenate([right, far, left[:, :, ::-1], near], 2)


def limb(start: Array, end: Array, radii: Array) -> Array:
    """One tapered limb, ``(N, 2 S + 8, 2)``; see ``limbs``."""
    return limbs(start, end, radii, np.zeros_like(start), (1.0,))[0]


def cut(radii: Array, share: Array) -> Array:
    """The half widths ``(N, S)`` of a limb's first ``share (N,)``, of those ``(N, S)`` of the whole."""
    stations = radii.shape[1]
    place = np.linspace(0, stations - 1, stations) * share[:, None]
    low = np.minimum(place.astype(np.int64), stations - 2)
    rest = place - low
    return np.take_along_axis(radii, low, 1) * (1 - rest) + np.take_along_axis(radii, low + 1, 1) * rest


def tube(
    centers: Array, sideways: Array, forward: Array, shift: Array | None = None, tone: float = 1.0, reach: float = 1.0
) -> Array:
    """The outline of a tube whose cross sections are ellipses in space, ``(N, 2 L + 6, 2)``: a trunk, a skirt.

    Args:
        centers: ``(N, L, 3)``, the middles of L cross sections.
        sideways, forward: ``(N, L, 3)``, their half axes.
        shift: ``(N, 2)``, moves the middle, in shares of the half width; with ``tone``, the share that is painted.
        reach: how much of the end sections' own outline is added; 0 for a stripe.
    """
    tangent = np.gradient(centers[..., :2], axis=1)
    # a tube seen end on has no direction of its own: the mean of its sections' sides gives one
    spare = np.stack([sideways[..., 1], -sideways[..., 0]], -1)
    spare *= np.sign((spare * (centers[:, -1:] - centers[:, :1])[..., :2]).sum(-1, keepdims=True) + 1e-9)
    along = unit(tangent + 0.02 * spare)
    across = np.stack([-along[..., 1], along[..., 0]], -1)

    def support(direction: Array, level: slice) -> Array:
        a, f = sideways[:, level, :2], forward[:, level, :2]
        on_a, on_f = (a * direction).sum(-1, keepdims=True), (f * direction).sum(-1, keepdims=True)
        return (a * on_a + f * on_f) / np.sqrt(on_a**2 + on_f**2 + 1e-12)

    every = slice(None)
    right, left = support(across, every), support(-across, every)
    moved = np.zeros_like(right) if shift is None else right * (shift[:, None] * across).sum(-1, keepdims=True)
    flat = centers[..., :2] + moved

    def end(level: int, sign: float) -> list[Array]:
        at = slice(level, level + 1) if level >= 0 else slice(level, None)
        directions = (np.cos(t) * along[:, at] * sign + np.sin(t) * across[:, at] * sign for t in (0.9, 0.0, -0.9))
        return [flat[:, at] + reach * tone * support(direction, at) for direction in directions]

    body = [flat + tone * right, *end(-1, 1.0), (flat + tone * left)[:, ::-1], *end(0, -1.0)]
    return np.concatenate(body, 1)


def ellipsoid(center: Array, axes: Array, corners: int = 20) -> Array:
    """The outline of ellipsoids, ``(N, corners, 2)``; ``axes (N, 3, 3)`` has the half axes as columns."""
    flat = axes[:, :2]
    cov = flat @ flat.transpose(0, 2, 1)
    a = np.sqrt(cov[:, 0, 0])
    b = cov[:, 0, 1] / a
    c = np.sqrt(np.maximum(cov[:, 1, 1] - b**2, 1e-12))
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    x = a[:, None] * np.cos(turn)
    y = b[:, None] * np.cos(turn) + c[:, None] * np.sin(turn)
    return center[:, None, :2] + np.stack([x, y], -1)


def cap(center: Array, axes: Array, direction: Array, angle: float, corners: int = 20) -> Array:
    """The seen part of a round patch on ellipsoids, ``(N, corners, 2)``; rim points behind move onto the outline.

    Args:
        center: ``(N, 3)``. axes: ``(N, 3, 3)``, the half axes as columns.
        direction: ``(N, 3)``, unit, the patch's middle on the unit sphere of the axes.
        angle: its radius in degrees.
    """
    helper = np.where(np.abs(direction[:, :1]) < 0.9, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    u = unit(np.cross(direction, helper))
    v = np.cross(direction, u)
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False)[None, :, None]
    rim = np.cos(np.deg2rad(angle)) * direction[:, None] + np.sin(np.deg2rad(angle)) * (
        np.cos(turn) * u[:, None] + np.sin(turn) * v[:, None]
    )
    # a point of the sphere is seen where its product with w is positive
    w = unit(np.linalg.inv(axes)[:, :, 2])[:, None]
    depth = (rim * w).sum(-1, keepdims=True)
    rim = np.where(depth < 0, unit(rim - depth * w), rim)
    return center[:, None, :2] + (rim @ axes.transpose(0, 2, 1))[..., :2]


def facing(axes: Array, place: Array) -> Array:
    """How far the surface of ellipsoids at ``place (3,)`` of the unit sphere faces the viewer, ``(N,)`` in [-1, 1]."""
    return unit(np.linalg.inv(axes)[:, :, 2]) @ unit(place)


def near_limb(points: Array, start: Array, end: Array, first: Array, last: Array) -> Bools:
    """Whether tapered limbs cover points: ``(N, J)`` for ``points (N, J, 2)`` and limbs ``(N, 2)``, ``(N,)``."""
    axis = end - start
    place = ((points - start[:, None]) * axis[:, None]).sum(-1) / np.maximum((axis**2).sum(-1), 1e-9)[:, None]
    place = place.clip(0, 1)
    nearest = start[:, None] + place[..., None] * axis[:, None]
    radius = first[:, None] * (1 - place) + last[:, None] * place
    return ((points - nearest) ** 2).sum(-1) < radius**2


def inside(points: Array, polygon: Array) -> Bools:
    """Whether polygons ``(N, V, 2)`` cover points ``(N, J, 2)``: ``(N, J)``, by counting crossings."""
    x, y = points[:, :, None, 0], points[:, :, None, 1]
    ax, ay = polygon[:, None, :, 0], polygon[:, None, :, 1]
    following = np.roll(polygon, -1, axis=1)
    bx, by = following[:, None, :, 0], following[:, None, :, 1]
    spans = (ay > y) != (by > y)
    height = np.where(by == ay, 1.0, by - ay)
    return (spans & (x < (bx - ax) * (y - ay) / height + ax)).sum(-1) % 2 == 1
