"""Things that stand before people and hide joints."""

from __future__ import annotations

import numpy as np

from posenb.data.synthetic.draws import BLOCK, Array, Bools, Draws
from posenb.data.synthetic.outfits import darker, lighter
from posenb.data.synthetic.scenery import LEAVES, THINGS, ellipse, pick, quad
from posenb.data.synthetic.shapes import Shapes


def sample_obstacles(
    draws: Draws, points: Array, height: Array, difficulty: float
) -> tuple[Shapes, list[tuple[Array, Bools]]]:
    """Things before the person: a pole, a box, a ball, leaves, a table.

    Args:
        points: ``(BLOCK, J, 2)``, the person's joints in pixels. height: ``(BLOCK,)``, their height in pixels.

    Returns:
        shapes: the polygons; what hides joints: outlines ``(BLOCK, V, 2)`` with ``(BLOCK,)`` bool.
    """
    shapes, hiding = Shapes(), []
    joint = draws.choice([1.0] * points.shape[1])
    target = points[np.arange(BLOCK), joint] + 0.06 * height[:, None] * draws.normal(2)
    x, y = target[:, 0], target[:, 1]
    kind = draws.choice([1.0] * 5)
    present = draws.chance(0.65 * max(0.0, difficulty - 0.08))
    colour = pick(draws, THINGS)
    low, high = points[..., 1].min(1), points[..., 1].max(1)
    half = height * draws.uniform(0.05, 0.13)

    def put(outline: Array, tint: Array, active: Bools, hides: bool) -> None:
        shapes.add(outline, tint, 0.0, active)
        if hides:
            hiding.append((outline, active))

    pole = present & (kind == 0)
    slim = half * 0.45
    put(quad(x - slim, low - height, x + slim, high + height), darker(colour), pole, True)
    put(quad(x - slim, low - height, x + 0.4 * slim, high + height), colour, pole, False)
    box = present & (kind == 1)
    put(quad(x - 1.2 * half, y - half, x + 1.2 * half, y + half), colour, box, True)
    put(quad(x - 1.2 * half, y - half, x + 1.2 * half, y - 0.6 * half), lighter(colour, 0.3), box, False)
    ball = present & (kind == 2)
    put(ellipse(x, y, half, half), darker(colour), ball, True)
    put(ellipse(x - 0.15 * half, y - 0.15 * half, 0.8 * half, 0.8 * half), colour, ball, False)
    put(ellipse(x - 0.32 * half, y - 0.32 * half, 0.28 * half, 0.28 * half), lighter(colour, 0.5), ball, False)
    bush, leaf = present & (kind == 3), pick(draws, LEAVES)
    for k in range(4):
        dx, dy, grow = draws.uniform(-0.9, 0.9) * half, draws.uniform(-0.7, 0.7) * half, draws.uniform(0.5, 0.9) * half
        put(ellipse(x + dx, y + dy, grow, grow, 10), darker(leaf, 0.25) if k % 2 else leaf, bush, True)
    table = present & (kind == 4)
    top, reach = low + (high - low) * draws.uniform(0.55, 0.85), height * draws.uniform(0.3, 0.7)
    put(quad(x - reach, top, x + reach, high + height), darker(colour, 0.3), table, True)
    put(quad(x - 1.05 * reach, top - 0.03 * height, x + 1.05 * reach, top + 0.015 * height), colour, table, True)
    return shapes, hiding
