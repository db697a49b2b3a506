"""Poses of the body as joint angles: a table of natural key poses, and how a sample departs from them."""

from __future__ import annotations

import numpy as np

from posenb.data.synthetic.draws import Array, Draws, Ints

# Angles in degrees. Positive: the trunk leans forward, tilts to the person's right, bends forward, sideways to the
# right, twists to the left; the head nods forward, cocks to the right, turns to the left. An arm is raised forward and
# sideways, turned outwards, bent at the elbow; a leg is raised forward, spread, turned outwards, bent at the knee, and
# its toes point down.
_TRUNK = ("lean", "tilt", "bend", "side", "twist", "nod", "cock", "turn")
_ARM, _LEG = ("raise", "spread", "twist", "elbow"), ("thigh", "open", "out", "knee", "toe")
_SIDES = ("left", "right")
ANGLES = (
    *_TRUNK,
    *(f"{side}_{angle}" for side in _SIDES for angle in _ARM),
    *(f"{side}_{angle}" for side in _SIDES for angle in _LEG),
)

_LIMITS = np.array(
    [(-180, 180), (-180, 180), (-25, 70), (-30, 30), (-40, 40), (-30, 35), (-25, 25), (-60, 60)]
    + [(-60, 180), (-15, 170), (-90, 100), (0, 145)] * 2
    + [(-40, 125), (-12, 70), (-20, 50), (0, 145), (-20, 55)] * 2,
    dtype=np.float64,
)
_SPREAD = np.array(
    [0.5, 0.4, 0.5, 0.4, 0.6, 0.7, 0.5, 1.0] + [1.3, 0.9, 1.2, 1.3] * 2 + [0.9, 0.5, 0.4, 0.9, 0.5] * 2,
)

# name | tier | trunk | left arm | right arm | left leg | right leg. Tier 0 poses are drawn at every difficulty,
# tier 1 ones come with it, tier 2 ones only where it is high.
_KEY_POSES = """
stand             | 0 | 0 0 0 0 0 0 0 0 | 2 7 -15 12 | 2 7 -15 12 | 0 4 6 3 0 | 0 4 6 3 0
stand wide        | 0 | 0 0 2 0 0 3 0 8 | 2 18 -20 18 | 2 16 -20 20 | 2 12 10 4 0 | 0 12 10 4 0
weight on one leg | 0 | 0 2 3 -6 -4 2 4 10 | 4 9 -20 16 | -4 12 -10 30 | -2 2 8 0 0 | 14 8 16 22 4
hands on hips     | 0 | 0 0 0 0 0 0 0 0 | -22 48 -62 98 | -22 48 -62 98 | 0 7 8 2 0 | 0 7 8 2 0
wave              | 0 | 0 0 0 -3 0 0 5 5 | 10 100 85 75 | 2 7 -15 12 | 0 4 6 3 0 | 2 6 10 4 0
walk              | 0 | 3 0 2 0 6 0 0 0 | -24 7 -8 14 | 26 6 -14 24 | 24 2 3 6 -8 | -18 2 4 18 14
stride            | 0 | 5 0 2 0 8 0 0 0 | -34 8 -8 30 | 36 8 -20 50 | 34 2 3 12 -10 | -24 2 4 26 22
arms crossed      | 0 | 0 0 2 0 0 3 0 0 | 34 16 -72 100 | 30 16 -70 104 | 0 4 6 3 0 | 2 9 12 4 0
phone             | 0 | 0 0 6 0 0 18 0 0 | 34 10 -28 100 | 6 7 -20 15 | 0 4 6 3 0 | 0 4 6 3 0
hands up          | 0 | 0 0 -3 0 0 -6 0 0 | 12 132 60 30 | 12 132 60 30 | 0 8 6 3 0 | 0 8 6 3 0
T                 | 0 | 0 0 0 0 0 0 0 0 | 4 86 20 8 | 4 86 20 8 | 0 6 6 2 0 | 0 6 6 2 0
point             | 0 | 2 0 0 0 -10 0 0 15 | 84 22 10 6 | -6 10 -20 25 | 10 5 4 6 0 | -8 5 8 4 4
run               | 1 | 12 0 4 0 12 -6 0 0 | -46 14 -4 88 | 48 8 -22 92 | 62 2 0 78 4 | -24 2 0 46 30
sprint            | 1 | 20 0 4 0 14 -14 0 0 | -56 14 -4 84 | 66 6 -18 88 | 82 3 0 92 0 | -30 2 0 24 42
run, push off     | 1 | 10 0 2 0 -8 -4 0 0 | 34 8 -20 90 | -34 12 -4 86 | 22 2 0 22 -6 | -14 2 0 92 34
jump              | 1 | 0 0 -4 0 0 -8 0 0 | 14 142 40 12 | 14 142 40 12 | -8 26 8 16 38 | -8 26 8 16 38
jump, tucked      | 1 | 6 0 10 0 0 -6 0 0 | 60 46 10 40 | 60 46 10 40 | 78 14 10 104 24 | 62 14 10 112 24
sit               | 1 | -4 0 8 0 0 2 0 0 | 32 8 -22 42 | 32 8 -22 42 | 88 10 6 88 0 | 88 10 6 88 0
sit back          | 1 | -16 0 14 0 0 4 0 12 | -14 22 -10 12 | 26 10 -30 50 | 76 14 10 62 0 | 92 4 0 100 0
squat             | 1 | 24 0 8 0 0 -20 0 0 | 78 10 -10 18 | 78 10 -10 18 | 100 20 16 108 -10 | 100 20 16 108 -10
lunge             | 1 | 4 0 0 0 0 0 0 0 | -6 40 -50 80 | -6 40 -50 80 | 74 4 2 78 0 | -18 4 2 52 30
lunge sideways    | 1 | 10 0 4 -10 0 0 0 10 | 30 60 0 20 | 20 70 0 30 | 34 30 24 62 0 | 4 38 6 2 0
throw             | 1 | -6 -4 -6 -8 -24 0 0 22 | 74 40 10 16 | -10 104 84 82 | 30 14 4 14 -6 | -12 12 10 26 12
pitch             | 1 | 26 0 14 6 24 -14 0 -14 | -30 30 -10 60 | 112 28 -10 18 | 52 6 0 46 0 | -24 4 0 34 36
serve             | 1 | -8 4 -14 -8 8 -24 0 6 | 158 16 0 6 | 6 112 88 104 | 14 8 6 20 20 | -6 8 8 28 24
forehand          | 1 | 8 0 2 0 -34 2 0 36 | 54 30 -10 30 | -12 74 -6 34 | 30 22 14 42 4 | 16 22 12 40 14
batting           | 1 | 14 0 8 0 -30 -4 0 50 | 70 -6 -40 62 | 34 44 -30 106 | 28 16 6 34 0 | 24 18 10 40 0
kick              | 1 | -12 4 4 4 16 6 0 0 | 44 56 10 24 | -32 44 0 20 | -4 4 6 14 4 | 72 8 4 24 34
kick, swung back  | 1 | 12 -4 -4 0 -18 6 0 0 | 46 70 0 20 | -16 58 0 30 | 16 4 4 24 0 | -34 8 4 82 36
guard             | 1 | 6 0 6 0 16 4 0 -10 | 52 10 -20 118 | 44 12 -26 128 | 24 10 6 26 0 | -10 12 12 24 12
punch             | 1 | 8 0 4 0 -22 0 0 16 | 88 6 -10 8 | 36 14 -30 130 | 30 10 6 34 0 | -16 12 12 22 20
reach up          | 1 | 0 0 -4 6 4 -20 0 0 | 168 8 0 10 | 6 12 -10 20 | 0 4 4 2 24 | 4 6 6 10 26
stretch           | 1 | 0 0 2 24 0 0 12 0 | 8 152 40 40 | -18 44 -60 96 | 0 12 8 2 0 | 0 12 8 2 0
dance             | 1 | -2 4 -4 -12 10 0 10 20 | 12 118 40 40 | 24 54 30 50 | -2 6 10 4 20 | 52 22 24 92 34
tree              | 1 | 0 0 0 0 0 0 0 0 | 8 158 60 42 | 8 158 60 42 | 0 1 4 0 0 | 44 52 46 122 30
skate             | 1 | 36 0 14 0 10 -26 0 0 | -40 24 -10 20 | 52 18 -30 40 | 66 6 4 74 -6 | -10 26 12 12 16
bend down         | 2 | 46 0 40 0 0 -4 0 0 | 70 8 -10 10 | 66 8 -10 14 | 46 6 4 12 0 | 44 6 4 16 0
kneel             | 2 | 4 0 6 0 0 0 0 0 | 30 10 -30 60 | 10 10 -20 30 | 84 6 2 86 0 | -6 4 0 92 50
crouch            | 2 | 36 0 28 0 0 -20 0 0 | 64 12 -20 40 | 64 12 -20 46 | 116 14 10 130 -4 | 112 14 10 132 10
warrior           | 2 | 66 0 2 0 0 -28 0 0 | 160 14 0 6 | 160 14 0 6 | 66 2 2 10 0 | -22 4 0 6 40
split jump        | 2 | 10 0 -4 0 0 -6 0 0 | 40 96 20 10 | -10 96 10 14 | 92 10 4 12 40 | -36 8 10 24 44
high kick         | 2 | -24 18 -2 10 16 6 0 12 | 40 44 -10 96 | -10 66 0 40 | 6 6 20 8 4 | 60 64 10 10 36
lie               | 2 | -84 0 4 0 0 8 0 12 | 20 24 -20 30 | 60 10 -40 70 | 6 8 8 10 24 | 34 8 8 60 10
push up           | 2 | 72 0 0 0 0 -22 0 0 | 78 14 0 14 | 78 14 0 14 | 4 5 0 4 0 | 4 5 0 4 0
handstand         | 2 | 174 0 -6 0 0 -24 0 0 | 172 6 0 4 | 172 6 0 4 | 10 14 4 10 40 | -14 14 4 26 40
cartwheel         | 2 | 0 128 0 0 0 -6 0 0 | 8 158 10 6 | 8 158 10 6 | 4 46 12 6 40 | 4 46 12 6 40
dive              | 2 | 84 0 -8 0 0 -28 0 0 | 164 10 0 10 | 150 20 0 24 | -16 8 4 24 44 | -6 8 4 40 44
"""


def _parsed(table: str) -> tuple[list[str], Ints, Array]:
    """Names, tiers ``(P,)`` and angles ``(P, 26)`` of the key poses."""
    rows = [[cell.split() for cell in line.split("|")] for line in table.strip().splitlines()]
    tiers = np.array([int(row[1][0]) for row in rows])
    angles = np.array([[float(word) for cell in row[2:] for word in cell] for row in rows])
    return [" ".join(row[0]) for row in rows], tiers, angles


NAMES, _TIERS, _TABLE = _parsed(_KEY_POSES)

_ORDER = {name: k for k, name in enumerate(ANGLES)}
_SWAP = [_ORDER[name.replace("left", "#").replace("right", "left").replace("#", "right")] for name in ANGLES]
_SIGN = np.array([-1.0 if name in ("tilt", "side", "twist", "cock", "turn") else 1.0 for name in ANGLES])


def mirrored(angles: Array) -> Array:
    """The poses ``(N, 26)`` as a mirror shows them."""
    return angles[:, _SWAP] * _SIGN


def key_poses(draws: Draws, difficulty: float) -> Array:
    """Poses ``(BLOCK, 26)`` in degrees, columns as in ``ANGLES``.

    A key pose or its mirror image, mixed with some of another one and with noise; both grow with the difficulty,
    and the acrobatic poses come in above .3.
    """
    tier_weight = np.array([1.0, min(1.2, 2 * difficulty), max(0.0, 1.2 * (difficulty - 0.3))])
    weights = tier_weight[_TIERS]
    first, second = (_mirror_half(draws, _TABLE[draws.choice(weights)]) for _ in range(2))
    other = draws.uniform(0, 0.15 + 0.25 * difficulty)[:, None]
    # half of somebody upside down is no pose
    other = np.where(np.abs(first[:, :2] - second[:, :2]).max(1, keepdims=True) > 60, 0.0, other)
    noise = draws.normal(len(ANGLES)) * _SPREAD * (4 + 9 * difficulty)
    return np.clip((1 - other) * first + other * second + noise, _LIMITS[:, 0], _LIMITS[:, 1])


def _mirror_half(draws: Draws, angles: Array) -> Array:
    return np.where(draws.chance(0.5)[:, None], mirrored(angles), angles)


def named(name: str, count: int = 1) -> Array:
    """The key pose of this name, ``(count, 26)``. Raises ValueError for an unknown one."""
    return np.tile(_TABLE[NAMES.index(name)], (count, 1))
