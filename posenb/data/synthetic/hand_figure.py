"""A posed hand as polygons in painter's order, and what covers what."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from posenb.data.synthetic.covers import Cover
from posenb.data.synthetic.draws import Array, Bools, Draws
from posenb.data.synthetic.hand_anatomy import Hand
from posenb.data.synthetic.outfits import SHIRT, SKIN, darker, lighter
from posenb.data.synthetic.shapes import Shapes, limb, limbs, near_limb

# half widths in palm lengths: at the four joints of a finger; of the thumb's; of the palm's five rays, wrist to knuckle
_FINGER = np.array([0.120, 0.108, 0.096, 0.080])
_THUMB = np.array([0.150, 0.135, 0.112, 0.090])
_RAY = np.array([0.115, 0.15, 0.155, 0.135])
_RIM, _FLESH, _LIT = 1.0, 0.82, 0.36


@dataclass(frozen=True)
class Looks:
    """Of N hands: skin and sleeve ``(N, 3)``; how far from the wrist the sleeve begins, in palms; girth ``(N,)``."""

    skin: Array
    sleeve: Array
    cuff: Array
    girth: Array


def sample_looks(draws: Draws) -> Looks:
    """Skin tones, sleeves and thicknesses of a block of hands."""
    skin, sleeve = (colours[draws.choice([1.0] * len(colours))] + 5 * draws.normal(3) for colours in (SKIN, SHIRT))
    return Looks(skin, sleeve, draws.uniform(0.3, 1.6), 1 + 0.09 * draws.normal())


def placed_hand(hand: Hand, scale: Array, offset: Array) -> Hand:
    """The hands in pixels: lengths times ``scale (N,)``, moved by ``offset (N, 2)``."""
    move = np.concatenate([offset, np.zeros((len(offset), 1))], 1)
    joints = hand.joints * scale[:, None, None] + move[:, None]
    return replace(hand, joints=joints, arm=hand.arm * scale[:, None] + move)


def draw_hand(hand: Hand, scale: Array, looks: Looks, light: Array, points: Array) -> tuple[Shapes, list[Cover]]:
    """Polygons and covers of N hands in pixels.

    Args:
        scale: ``(N,)`` pixels a palm length. light: ``(N, 2)``, unit vectors towards the light.
        points: ``(N, 21, 2)``, the joints that the covers are tested for.
    """
    shapes, covers = Shapes(), []
    thick = (scale * looks.girth)[:, None]
    flat, depth = hand.joints[..., :2], hand.joints[..., 2]
    skin = looks.skin
    dark, lit, line = darker(skin, 0.36), lighter(skin, 0.16), darker(skin, 0.26)

    def own(*joints: int) -> Bools:
        flags = np.zeros((len(scale), 21), bool)
        flags[:, joints] = True
        return flags

    # the rim of all first, then the flesh of all: the rays of the palm are one piece
    palm = (depth[:, 0] + depth[:, 9]) / 2
    rays = []
    for k, finger in enumerate((5, 9, 13, 17)):
        root = flat[:, 0] + (0.17 - 0.115 * k) * scale[:, None] * hand.axes[:, :2, 0]
        rays.append(limbs(root, flat[:, finger], thick * _RAY, light, (_RIM, 0.86)))
        covered = near_limb(points, root, flat[:, finger], thick[:, 0] * 0.16, thick[:, 0] * 0.13)
        covers.append(Cover(covered, own(0, 1, 5, 9, 13, 17), palm))
    wrist = flat[:, 0]
    arm = limbs(wrist, hand.arm[:, :2], thick * np.array([0.28, 0.27, 0.32, 0.36]), light, (_RIM, 0.86, _LIT))
    below = np.minimum(palm, (depth[:, 0] + hand.arm[:, 2]) / 2) - 0.06 * scale
    for outline, colour in zip(arm, (dark, skin, lit), strict=True):
        shapes.add(outline, colour, below)
    start = wrist + (hand.arm[:, :2] - wrist) * (looks.cuff / 2.6)[:, None]
    sleeve = limbs(start, hand.arm[:, :2], thick * np.array([0.38, 0.40, 0.44]), light, (_RIM, 0.86, _LIT))
    for outline, colour in zip(sleeve, (darker(looks.sleeve), looks.sleeve, lighter(looks.sleeve, 0.12)), strict=True):
        shapes.add(outline, colour, below + 0.001 * scale)
    for ray in rays:
        shapes.add(ray[0], dark, palm - 0.02 * scale)
    for ray in rays:
        shapes.add(ray[1], skin, palm)
    _palm_lines(shapes, hand, thick, palm, line, lit)

    for finger in range(5):
        first = 4 * finger + 1
        radii = _THUMB if finger == 0 else _FINGER * (1.0, 1.0, 1.03, 0.97, 0.84)[finger]
        for bone in range(3):
            a, b = first + bone, first + bone + 1
            middle = (depth[:, a] + depth[:, b]) / 2
            # the first bone of a straight finger grows out of the palm, under its skin
            key = middle + (0.0 if bone else -0.03 if finger else 0.02) * scale
            width = thick * np.linspace(radii[bone], radii[bone + 1], 3)
            tones = limbs(flat[:, a], flat[:, b], width, light, (_RIM, _FLESH, _LIT))
            for outline, colour in zip(tones, (dark, skin, lit), strict=True):
                shapes.add(outline, colour, key)
            covered = near_limb(points, flat[:, a], flat[:, b], width[:, 0], width[:, -1])
            covers.append(Cover(covered, own(a, b, 0) if a == 1 else own(a, b), key))
        _nail(shapes, hand, finger, thick * radii[3], key, skin)
    return shapes, covers


def _nail(shapes: Shapes, hand: Hand, finger: int, radius: Array, key: Array, skin: Array) -> None:
    """A nail on the finger's last bone, where its back faces the viewer."""
    tip, before = hand.joints[:, 4 * finger + 4, :2], hand.joints[:, 4 * finger + 3, :2]
    back, heading = hand.backs[:, finger], tip - before
    middle = before + 0.86 * heading + 0.72 * radius * back[:, :2]
    length = 0.16 * heading
    nail = limb(middle - length, middle + length, radius * np.array([0.52, 0.56, 0.50]))
    shapes.add(nail, lighter(skin * np.array([1.0, 0.94, 0.93]), 0.34), key, back[:, 2] > 0.2)


def _palm_lines(shapes: Shapes, hand: Hand, thick: Array, depth: Array, line: Array, lit: Array) -> None:
    """The palm's ball of the thumb and creases, or the back's knuckles."""

    def at(*place: float) -> Array:
        scale = np.linalg.norm(hand.joints[:, 9] - hand.joints[:, 0], axis=-1)[:, None]
        return (hand.joints[:, 0] + scale * (hand.axes @ np.array(place)))[:, :2]

    palm_side = hand.axes[:, 2, 2] > 0.15
    ball = limb(at(0.22, 0.26, 0.1), at(0.24, 0.52, 0.1), thick * np.array([0.13, 0.11]))
    shapes.add(ball, lit, depth, palm_side)
    thin = thick * np.array([0.012, 0.016, 0.012])
    for start, end in (
        ((0.36, 0.66, 0.05), (-0.30, 0.50, 0.05)),
        ((0.22, 0.84, 0.05), (-0.44, 0.66, 0.05)),
        ((0.34, 0.64, 0.06), (0.06, 0.16, 0.06)),
    ):
        shapes.add(limb(at(*start), at(*end), thin), line, depth, palm_side)
    for finger in (5, 9, 13, 17):
        knuckle = hand.joints[:, finger, :2]
        aside = hand.axes[:, :2, 0] * 0.06 * thick
        arc = limb(knuckle - aside, knuckle + aside, thick * np.array([0.012, 0.02, 0.012]))
        shapes.add(arc, line, depth, hand.axes[:, 2, 2] < -0.15)
