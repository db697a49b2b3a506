"""Where people stand: backdrops with texture, floors, furniture, trees and houses, and things that get in the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posenb.data.synthetic.draws import BLOCK, Array, Draws
from posenb.data.synthetic.outfits import SKIN, darker, lighter, palette
from posenb.data.synthetic.shapes import Shapes, limb, limbs

_STUDIO = palette("dfe6ec e9e2d6 d5e3da ead9d3 cfd6e6 e6e6e2 bccad6 d9cfc0 c8d8d4 b9b5c9")
_WALL = palette("e6ddd0 cfd8dc b8c9c2 d9c7b8 c5b7c9 9fb3c4 e3d3a9 a9b8a0 8c97a3 c98f7a")
_FLOOR = palette("8a6a4d a8835f 6d5646 b59f86 7b7f85 9aa3a8 5f6b6e c4b49a 7a4f3f 8d9a8a")
_SKY = palette("9cc7e8 bcd9ee d7e6ef f1d6b8 b4c4d4 7fb2dd e7c9c0 c3cfd6")
_GROUND = palette("7fa25a 6a8f4e 93ad62 a8a065 c7b083 8b8f88 9c9488 5f8157 d8c799 b5a58c")
THINGS = palette(
    "7c5a41 a9794e c9a26d 4f5d69 8796a5 b9c1c7 c25b4e d98e56 e3bf62 6f9a63 4a7a6a 5a93b5 3f5d8a 7b6aa0 b97a94 "
    "eee8dc 33373d"
)
LEAVES = palette("4f7d45 6b9a4f 3f6b4a 8aa653 5b8a6b a7a34e c08a45")

STUDIO, ROOM, PARK, STREET, PITCH = range(5)


@dataclass(frozen=True)
class Backdrop:
    """What lies behind the people of one block.

    Attributes:
        top, bottom: ``(N, 3)`` colours of the wall or sky, at the image's top and bottom.
        texture: ``(N, 16, 16, 3)`` uint8 about 128, to be enlarged over the backdrop and added.
        shapes: polygons over the wall, in pixels.
    """

    top: Array
    bottom: Array
    texture: np.ndarray
    shapes: Shapes


def sample_backdrop(
    draws: Draws, size: tuple[int, int], feet: Array, height: Array, center: Array, difficulty: float
) -> Backdrop:
    """Backdrops of a block of pictures.

    Args:
        size: (H, W) of the picture in pixels.
        feet: ``(BLOCK,)``, y of the main person's soles. height: their height in pixels. center: their x.
        difficulty: in [0, 1]; at 0 all are plain studio walls, at 1 most are cluttered places.
    """
    kind = draws.choice([max(0.12, 1 - 1.6 * difficulty)] + [1.3 * difficulty] * 4)
    wall = np.choose(kind[:, None], [pick(draws, c) for c in (_STUDIO, _WALL, _SKY, _SKY, _SKY)])
    top = wall * draws.uniform(0.86, 1.04)[:, None] + 5 * draws.normal(3)
    bottom = np.where(
        np.isin(kind, (PARK, STREET, PITCH))[:, None], lighter(wall, 0.4), wall * draws.uniform(0.8, 1.06)[:, None]
    )
    shapes = Shapes()
    horizon = feet - height * draws.uniform(0.04, 0.34)
    _outdoors(draws, shapes, kind, size, horizon, height)
    _room(draws, shapes, kind, size, horizon, height)
    _street(draws, shapes, kind, size, horizon, height)
    _clutter(draws, shapes, size, difficulty)
    shade = ellipse(center, feet, height * draws.uniform(0.16, 0.26), height * 0.025)
    ground = np.where((kind == STUDIO)[:, None], darker(bottom, 0.22), np.full(3, 60.0))
    shapes.add(shade, ground, 0.0, draws.chance(0.75))
    return Backdrop(top.clip(0, 255), bottom.clip(0, 255), _texture(draws, 3 + 16 * difficulty), shapes)


def pick(draws: Draws, colours: Array) -> Array:
    return colours[draws.choice([1.0] * len(colours))] + 6 * draws.normal(3)


def quad(x0: Array, y0: Array, x1: Array, y1: Array, slant: Array | float = 0.0) -> Array:
    """Boxes ``(N, 4, 2)``; ``slant`` lowers the right side."""
    corners = [(x0, y0), (x1, y0 + slant), (x1, y1 + slant), (x0, y1)]
    return np.stack([np.stack(np.broadcast_arrays(x, y), -1) for x, y in corners], 1)


def ellipse(x: Array, y: Array, a: Array, b: Array, corners: int = 14) -> Array:
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return np.stack([x[:, None] + a[:, None] * np.cos(turn), y[:, None] + b[:, None] * np.sin(turn)], -1)


def _points(x: Array, y: Array) -> Array:
    return np.stack(np.broadcast_arrays(x, y), -1)


def _outdoors(
    draws: Draws, shapes: Shapes, kind: np.ndarray, size: tuple[int, int], horizon: Array, height: Array
) -> None:
    """Clouds, hills, ground, trees; the lines of a pitch."""
    h, w = size
    open_air = np.isin(kind, (PARK, PITCH))
    for _ in range(2):
        x, y, a = draws.uniform(0, w), draws.uniform(0, 0.3 * h), draws.uniform(0.1, 0.3) * w
        shapes.add(ellipse(x, y, a, 0.22 * a), np.full(3, 246.0), 0.0, open_air & draws.chance(0.5))
    ridge = np.linspace(0, 1, 9)
    for rise, shade in ((0.16, 0.30), (0.08, 0.0)):
        phase, waves = draws.uniform(0, 6.28)[:, None], draws.uniform(3, 9)[:, None]
        y = horizon[:, None] - rise * h * (1 + np.sin(phase + waves * ridge)) * draws.uniform(0.3, 1.0)[:, None]
        hill = np.concatenate(
            [np.stack(np.broadcast_arrays(ridge * w, y), -1), np.tile([[[w, 2.0 * h], [0, 2.0 * h]]], (BLOCK, 1, 1))], 1
        )
        colour = lighter(pick(draws, LEAVES), 0.25 + shade)
        shapes.add(hill, colour, 0.0, open_air & draws.chance(0.7))
    ground = pick(draws, _GROUND)
    floor = quad(np.zeros(BLOCK), horizon, np.full(BLOCK, float(w)), np.full(BLOCK, 2.0 * h))
    shapes.add(floor, ground, 0.0, open_air)
    for _ in range(3):
        x, tall = draws.uniform(-0.05, 1.05) * w, draws.uniform(0.45, 1.1) * height
        seen = (kind == PARK) & draws.chance(0.6)
        foot = horizon + draws.uniform(0.0, 0.06) * h
        trunk = limb(_points(x, foot), _points(x, foot - 0.6 * tall), tall[:, None] * np.array([0.05, 0.035]))
        shapes.add(trunk, darker(palette("7a5a3e")[0], 0.15), 0.0, seen)
        crown, leaf = tall * draws.uniform(0.2, 0.34), pick(draws, LEAVES)
        shapes.add(ellipse(x, foot - 0.8 * tall, crown, crown * 1.15), darker(leaf, 0.2), 0.0, seen)
        shapes.add(ellipse(x - 0.15 * crown, foot - 0.86 * tall, 0.75 * crown, 0.85 * crown), leaf, 0.0, seen)
    band = quad(np.zeros(BLOCK), horizon - 0.09 * height, np.full(BLOCK, float(w)), horizon)
    shapes.add(band, pick(draws, THINGS), 0.0, (kind == PITCH) & draws.chance(0.6))
    for _ in range(2):
        x, y, slope = draws.uniform(0, w), horizon + draws.uniform(0.02, 0.3) * h, draws.uniform(-0.2, 0.2)
        a, b = _points(x - w, y - slope * w), _points(x + w, y + slope * w)
        shapes.add(limb(a, b, h * np.full((BLOCK, 2), 0.008)), np.full(3, 236.0), 0.0, kind == PITCH)


def _room(draws: Draws, shapes: Shapes, kind: np.ndarray, size: tuple[int, int], horizon: Array, height: Array) -> None:
    """A floor, a skirting board, a window or picture, a door, a sofa, a lamp."""
    h, w = size
    room = kind == ROOM
    zero, full = np.zeros(BLOCK), np.full(BLOCK, float(w))
    slant = draws.uniform(-0.06, 0.06) * h
    shapes.add(quad(zero, horizon, full, zero + 2 * h, slant), pick(draws, _FLOOR), 0.0, room)
    shapes.add(
        quad(zero, horizon - 0.02 * height, full, horizon, slant), np.full(3, 232.0), 0.0, room & draws.chance(0.6)
    )
    for _ in range(2):
        x, y = draws.uniform(0, 0.8) * w, horizon - draws.uniform(0.5, 1.0) * height
        a, b = draws.uniform(0.14, 0.3) * height, draws.uniform(0.18, 0.36) * height
        seen, edge = room & draws.chance(0.6), 0.02 * height
        shapes.add(quad(x - edge, y - edge, x + a + edge, y + b + edge), pick(draws, THINGS), 0.0, seen)
        view = pick(draws, _SKY)
        shapes.add(quad(x, y, x + a, y + b), view, 0.0, seen)
        shapes.add(quad(x, y + 0.6 * b, x + 0.46 * a, y + b), lighter(view, 0.4), 0.0, seen)
    x, a, seen = draws.uniform(0, 1) * w, 0.24 * height, room & draws.chance(0.3)
    door = pick(draws, THINGS)
    shapes.add(quad(x, horizon - 0.9 * height, x + a, horizon + 0.02 * height), darker(door), 0.0, seen)
    shapes.add(quad(x + 0.1 * a, horizon - 0.86 * height, x + 0.9 * a, horizon + 0.02 * height), door, 0.0, seen)
    x, a, seen, sofa = draws.uniform(-0.2, 0.8) * w, 0.5 * height, room & draws.chance(0.45), pick(draws, THINGS)
    seat = horizon + 0.06 * height
    shapes.add(quad(x, seat - 0.34 * height, x + a, seat), darker(sofa, 0.2), 0.0, seen)
    shapes.add(quad(x - 0.06 * height, seat - 0.18 * height, x + a + 0.06 * height, seat), sofa, 0.0, seen)
    x, seen = draws.uniform(0, 1) * w, room & draws.chance(0.35)
    top, shade = horizon - draws.uniform(0.5, 0.75) * height, 0.09 * height
    pole = limb(_points(x, horizon + 0.03 * height), _points(x, top), height[:, None] * np.full(2, 0.01))
    shapes.add(pole, np.full(3, 60.0), 0.0, seen)
    lamp = np.stack(
        [
            _points(x - 0.5 * shade, top - shade),
            _points(x + 0.5 * shade, top - shade),
            _points(x + shade, top + 0.4 * shade),
            _points(x - shade, top + 0.4 * shade),
        ],
        1,
    )
    shapes.add(lamp, lighter(pick(draws, THINGS), 0.45), 0.0, seen)


def _street(
    draws: Draws, shapes: Shapes, kind: np.ndarray, size: tuple[int, int], horizon: Array, height: Array
) -> None:
    """Houses with windows, a pavement and a road."""
    h, w = size
    street = kind == STREET
    for k in range(3):
        x0 = (k / 3 + draws.uniform(-0.08, 0.04)) * w
        x1, y0 = x0 + draws.uniform(0.26, 0.42) * w, horizon - draws.uniform(0.5, 1.3) * height
        front = pick(draws, _WALL) * 0.92
        shapes.add(quad(x0, y0, x1, horizon + 1), front, 0.0, street)
        pane, wide, window = 0.16 * (x1 - x0), x1 - x0, darker(pick(draws, _SKY), 0.4)
        for column in (0.16, 0.58):
            for row in (0.08, 0.34):
                x, y = x0 + column * wide, y0 + row * height
                shapes.add(quad(x, y, x + 1.5 * pane, y + 0.15 * height), window, 0.0, street)
    zero, full = np.zeros(BLOCK), np.full(BLOCK, float(w))
    slant = draws.uniform(-0.04, 0.04) * h
    road = pick(draws, palette("8d9095 7a7d82 a39f98 6b6e74"))
    shapes.add(quad(zero, horizon, full, zero + 2 * h, slant), lighter(road, 0.3), 0.0, street)
    kerb = horizon + draws.uniform(0.06, 0.2) * height
    shapes.add(quad(zero, kerb, full, zero + 2 * h, slant), road, 0.0, street)
    shapes.add(
        quad(zero, kerb + 0.1 * height, full, kerb + 0.12 * height, slant),
        np.full(3, 225.0),
        0.0,
        street & draws.chance(0.4),
    )


def _clutter(draws: Draws, shapes: Shapes, size: tuple[int, int], difficulty: float) -> None:
    """Things of no kind, boxes and balls and boards, and bare arms of people who are not in the picture."""
    h, w = size
    longer = max(h, w)
    for k in range(4):
        x, y, a = draws.uniform(0, w), draws.uniform(0, h), draws.uniform(0.05, 0.13) * longer
        seen, colour = draws.chance(0.5 * difficulty), pick(draws, THINGS)
        if k % 2:
            shapes.add(ellipse(x, y, a, a), darker(colour), 0.0, seen)
            shapes.add(ellipse(x - 0.12 * a, y - 0.12 * a, 0.82 * a, 0.82 * a), colour, 0.0, seen)
        else:
            turn, flat = draws.uniform(0, np.pi), draws.uniform(0.2, 1.0)
            along, across = (
                _points(a * s * np.cos(turn + t), a * s * np.sin(turn + t)) for s, t in ((1, 0), (flat, np.pi / 2))
            )
            middle = _points(x, y)
            board = np.stack(
                [middle + along + across, middle + along - across, middle - along - across, middle - along + across], 1
            )
            shapes.add(board, darker(colour), 0.0, seen)
            shapes.add(middle[:, None] + 0.8 * (board - middle[:, None]), colour, 0.0, seen)
    for _ in range(2):
        from_left, seen = draws.chance(0.5), draws.chance(0.5 * difficulty)
        start = _points(np.where(from_left, -0.05, 1.05) * w, draws.uniform(0, h))
        reach, turn = draws.uniform(0.15, 0.4) * longer, draws.uniform(-0.7, 0.7)
        end = start + _points(np.where(from_left, 1, -1) * reach * np.cos(turn), reach * np.sin(turn))
        elbow, thick = (start + end) / 2, longer * draws.uniform(0.025, 0.06)[:, None]
        light = np.tile([0.0, -1.0], (BLOCK, 1))
        for a, b, radii, colour in (
            (start, end, np.array([1.0, 0.9, 0.7, 0.9]), pick(draws, SKIN)),
            (start, elbow, np.array([1.2, 1.15, 1.1]), pick(draws, THINGS)),
        ):
            dark, lit = limbs(a, b, thick * radii, light, (1.0, 0.8), (1.0, 0.4))
            shapes.add(dark, darker(colour), 0.0, seen)
            shapes.add(lit, colour, 0.0, seen)


def _texture(draws: Draws, strength: float) -> np.ndarray:
    """Octaves of noise, ``(BLOCK, 16, 16, 3)`` uint8 about 128."""
    total = np.zeros((BLOCK, 16, 16))
    for cells in (3, 6, 16):
        coarse = draws.normal(cells, cells)
        place = np.linspace(0, cells - 1, 16)
        weights = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(cells)))
        total += weights @ coarse @ weights.T * (3 / cells) ** 0.4
    amount = strength * draws.uniform(0.3, 1.0)[:, None, None]
    tint = 1 + 0.12 * draws.normal(3)
    values = 128 + (total * amount)[..., None] * tint[:, None, None]
    return values.clip(0, 255).astype(np.uint8)
