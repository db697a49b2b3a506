"""The hand in three dimensions: gestures, and forward kinematics from finger angles to joints.

The hand's own frame: x towards the thumb, y from the wrist to the fingers, z out of the palm; unit: the palm's length,
wrist to the middle finger's knuckle. Camera frame: x right, y down, z towards the viewer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posenb.data.synthetic.anatomy import rotation
from posenb.data.synthetic.draws import BLOCK, Array, Draws
from posenb.data.synthetic.shapes import unit

FINGERS = ("thumb", "index", "middle", "ring", "little")

# knuckles of index to little finger, and the three bones of each finger
_KNUCKLES = np.array([(0.29, 0.97, 0.0), (0.04, 1.0, 0.0), (-0.19, 0.94, 0.0), (-0.39, 0.83, 0.0)])
_BONES = np.array([(0.46, 0.28, 0.22), (0.51, 0.32, 0.24), (0.47, 0.30, 0.24), (0.36, 0.21, 0.20)])
_SPLAY = np.array([9.0, 0.0, -8.0, -17.0])
_THUMB_ROOT = np.array([0.27, 0.20, 0.08])
_THUMB_BONES = np.array([0.46, 0.34, 0.29])

# curl of thumb, index, middle, ring, little finger (0 straight, 1 in the fist); the thumb's distance; the spread
_GESTURES = np.array(
    [
        (0.10, 0.04, 0.02, 0.04, 0.08, 0.9, 1.0),  # open
        (0.05, 0.00, 0.00, 0.00, 0.02, 1.2, 1.9),  # spread
        (0.25, 0.22, 0.26, 0.32, 0.38, 0.6, 0.7),  # relaxed
        (0.10, 0.02, 0.92, 0.96, 0.98, 0.3, 0.6),  # point
        (0.70, 0.02, 0.04, 0.94, 0.96, 0.2, 2.0),  # V
        (0.75, 0.95, 0.97, 0.98, 0.98, 0.1, 0.4),  # fist
        (0.00, 0.95, 0.97, 0.98, 0.98, 1.4, 0.4),  # thumb up
        (0.45, 0.52, 0.20, 0.14, 0.10, 0.4, 1.3),  # ring of thumb and index
        (0.10, 0.03, 0.95, 0.95, 0.04, 1.0, 1.2),  # horns
        (0.70, 0.03, 0.03, 0.05, 0.92, 0.2, 1.3),  # three
        (0.75, 0.02, 0.02, 0.03, 0.05, 0.2, 1.5),  # four
        (0.35, 0.45, 0.48, 0.52, 0.55, 0.8, 1.2),  # grasp
        (0.05, 0.95, 0.96, 0.96, 0.05, 1.4, 1.2),  # call
        (0.05, 0.03, 0.95, 0.96, 0.97, 1.3, 1.0),  # L
    ]
)
NUMBERS = _GESTURES.shape[1] + 3
"""How many numbers pose a hand: a gesture, and the turns of the hand about its three axes."""


@dataclass(frozen=True)
class Hand:
    """N hands in the camera frame.

    Attributes:
        joints: ``(N, 21, 3)``, in HAND21's order.
        arm: ``(N, 3)``, a place on the forearm, 2.6 palms from the wrist.
        axes: ``(N, 3, 3)``, columns: towards the thumb, to the fingers, out of the palm. The first is mirrored in left
            hands.
        backs: ``(N, 5, 3)``, where each finger's nail points.
    """

    joints: Array
    arm: Array
    axes: Array
    backs: Array


def gestures(draws: Draws, difficulty: float) -> Array:
    """Numbers ``(BLOCK, NUMBERS)`` that pose hands: palm or back to the viewer, more turned where it is hard."""
    first, second = (_GESTURES[draws.choice([2.0, 2.0, 1.5, *[1.0] * 11])] for _ in range(2))
    share = draws.uniform(0, 0.1 + 0.25 * difficulty)[:, None]
    noise = draws.normal(_GESTURES.shape[1]) * (0.03 + 0.07 * difficulty)
    shape = first * (1 - share) + second * share + noise * np.array([1, 1, 1, 1, 1, 1.5, 2.5])
    back = np.where(draws.chance(0.45), 180.0, 0.0)
    yaw = back + draws.normal() * (8 + 28 * difficulty)
    pitch = draws.normal() * (6 + 22 * difficulty)
    around = np.where(draws.chance(min(1.0, 1.4 * difficulty)), draws.uniform(-180, 180), 12 * draws.normal())
    return np.concatenate([shape, np.stack([yaw, pitch, around], -1)], 1)


def pose_hand(numbers: Array, left: Array, bend: Array) -> Hand:
    """Forward kinematics.

    Args:
        numbers: ``(N, NUMBERS)`` from ``gestures``.
        left: ``(N,)``, 1 for right hands and -1 for left ones.
        bend: ``(N, 2)`` degrees of the wrist, sideways and back.
    """
    curl = numbers[:, :5].clip(-0.08, 1.0)
    apart, spread = numbers[:, 5].clip(0, 1.5), numbers[:, 6].clip(0.2, 2.2)
    x, y, z = np.eye(3)
    joints = [np.zeros((len(numbers), 3))]
    backs = []

    away, lift = np.deg2rad(16 + 26 * apart), np.deg2rad(34 - 14 * apart)
    along = unit(np.sin(away)[:, None] * x + np.cos(away)[:, None] * y + np.sin(lift)[:, None] * z * 0.8)
    across = unit(-0.85 * x + 0.45 * z - (along @ (-0.85 * x + 0.45 * z))[:, None] * along)
    place = np.tile(_THUMB_ROOT, (len(numbers), 1))
    joints.append(place)
    for bone, angle in zip(_THUMB_BONES, (8 * curl[:, 0], 50 * curl[:, 0], 115 * curl[:, 0]), strict=True):
        turn = np.deg2rad(angle)[:, None]
        heading = np.cos(turn) * along + np.sin(turn) * across
        place = place + bone * heading
        joints.append(place)
    backs.append(np.sin(turn) * along - np.cos(turn) * across)

    for k in range(4):
        aside = np.deg2rad(_SPLAY[k] * spread * (1 - 0.7 * curl[:, k + 1]))[:, None]
        along = np.sin(aside) * x + np.cos(aside) * y
        place = np.tile(_KNUCKLES[k], (len(numbers), 1))
        joints.append(place)
        bent = curl[:, k + 1]
        for bone, angle in zip(_BONES[k], (80 * bent, 182 * bent, 245 * bent), strict=True):
            turn = np.deg2rad(angle)[:, None]
            place = place + bone * (np.cos(turn) * along + np.sin(turn) * z)
            joints.append(place)
        backs.append(np.sin(turn) * along - np.cos(turn) * z)

    view = rotation("z", -numbers[:, 9]) @ rotation("x", numbers[:, 8]) @ rotation("y", numbers[:, 7])
    mirror = np.stack([left, np.ones_like(left), np.ones_like(left)], -1)
    axes = view * np.array([1.0, -1.0, 1.0]) * mirror[:, None]
    side, back = np.deg2rad(bend[:, :1]), np.deg2rad(bend[:, 1:])
    arm = 2.6 * (np.sin(side) * x - np.cos(side) * np.cos(back) * y - np.sin(back) * z)

    def turned(points: Array) -> Array:
        return points @ axes.transpose(0, 2, 1)

    return Hand(
        joints=turned(np.stack(joints, 1)),
        arm=turned(arm[:, None])[:, 0],
        axes=axes,
        backs=turned(np.stack(backs, 1)),
    )


def sample_sides(draws: Draws) -> tuple[Array, Array]:
    """Right or left, ``(BLOCK,)`` 1 or -1, and the bend of the wrist ``(BLOCK, 2)`` in degrees."""
    return np.where(draws.chance(0.5), 1.0, -1.0), draws.normal(2) * 12 * np.ones((BLOCK, 1))
