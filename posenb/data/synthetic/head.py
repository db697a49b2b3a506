"""The head: skull, hair, ears, the face, a hat. All patches lie on an ellipsoid, so every view of it is right."""

from __future__ import annotations

import numpy as np

from posenb.data.synthetic.anatomy import FACE, INDEX, JOINTS, Posed
from posenb.data.synthetic.draws import Array, Bools
from posenb.data.synthetic.outfits import Outfit, darker, lighter
from posenb.data.synthetic.shapes import Shapes, cap, ellipsoid, facing, inside, limb, limbs, unit

# the middle of the face in head radii (left, down, forward), and how far the hairline is from it in degrees
_FACE = np.array([0.0, 0.48, 1.0])
_RIM = 74.0


def draw_head(
    shapes: Shapes, body: Posed, outfit: Outfit, light: Array, points: Array, depth: Array, neck_depth: Array
) -> tuple[Bools, Bools]:
    """Add the heads of N people in pixels to ``shapes``.

    Returns:
        covered, own: ``(N, 21)`` bool each, the joints under the head and those that it shows.
    """
    count = len(depth)
    axes = body.head * body.head_radii[:, None]
    center = body.head_center
    tall = body.head_radii[:, 1:2]

    def toward(*place: float) -> Array:
        return np.tile(unit(np.array(place)), (count, 1))

    # the rim of the face parts skin and hair; which of the two is the patch depends on the side that is seen:
    # from well behind, the outline's part of the patch is the hair's
    ahead = facing(axes, _FACE) > -np.cos(np.deg2rad(_RIM))
    plain = np.where(outfit.bald[:, None], outfit.skin, outfit.hair)

    # hair that hangs: behind the neck from the front, over the shirt from the back
    down, forward = body.head[:, :, 1], body.head[:, :, 2]
    crown = (center - 0.2 * body.head_radii[:, 2:] * forward)[:, :2]
    fall = crown + (outfit.hair_length[:, None] * 2 * tall * (0.75 * down - 0.3 * forward))[:, :2]
    width = tall * np.array([0.76, 0.82, 0.74, 0.5])
    behind = np.where(
        facing(axes, np.array([0.0, 0.0, 1.0])) > -0.15, np.minimum(neck_depth, depth) - 0.01 * tall[:, 0], depth
    )
    long = outfit.hair_length > 0
    shapes.add(limb(crown, fall, width), darker(outfit.hair, 0.3), behind, long & ahead)
    late = Shapes()
    late.add(limb(crown, fall, width), darker(outfit.hair, 0.3), depth, long & ~ahead)
    late.add(limbs(crown, fall, width, light, (0.8,))[0], outfit.hair, depth, long & ~ahead)

    skull = axes * np.where(outfit.bald, 1.0, 1.07)[:, None, None]
    shapes.add(ellipsoid(center, skull), np.where(ahead[:, None], darker(plain, 0.2), outfit.skin), depth)
    face = cap(center, skull, toward(*_FACE), _RIM)
    shapes.add(face, np.where(ahead[:, None], darker(outfit.skin, 0.2), darker(plain, 0.2)), depth)
    aside = np.einsum("nji,nj->ni", body.head[:, :2], light)
    lit = unit(toward(*_FACE) + 0.16 * aside)
    shapes.add(cap(center, axes, lit, 66), np.where(ahead[:, None], outfit.skin, plain), depth, ahead)
    gloss = unit(np.array([0.0, -0.6, -0.5]) + 0.4 * aside)
    shapes.add(cap(center, skull, gloss, 40), np.where(outfit.bald[:, None], lighter(outfit.skin), outfit.hair), depth)
    for sign in (1.0, -1.0):
        ear = np.array([sign * 0.98, 0.06, -0.08])
        place = center + (axes @ ear)
        size = body.head * (body.head_radii[:, 1:2] * np.array([0.10, 0.24, 0.16]))[:, None]
        seen = (facing(axes, np.array([sign, 0.0, 0.0])) > -0.12) & ~long
        shapes.add(ellipsoid(place, size, 10), darker(outfit.skin, 0.1), depth, seen)
    _features(shapes, axes, center, outfit, depth, tall)
    _hat(shapes, axes, center, outfit, depth, toward(0, -1, -0.05))
    for fields in zip(late.vertices, late.colours, late.depths, late.active, strict=True):
        shapes.add(*fields)

    # a little wider than the skull: nose and ears stand out of it
    covered = inside(points, ellipsoid(center, 1.06 * skull))
    own = np.zeros((count, len(JOINTS)), bool)
    own[:, [INDEX["head_top"], INDEX["upper_neck"]]] = True
    for name, place in FACE.items():
        own[:, INDEX[name]] = facing(axes, np.array(place)) > (-0.1 if name.endswith("ear") else 0.02)
    return covered, own


def _features(shapes: Shapes, axes: Array, center: Array, outfit: Outfit, depth: Array, tall: Array) -> None:
    """Eyes, brows, nose and mouth, each where its place faces the viewer."""

    def at(*place: float) -> Array:
        return (center + axes @ np.array(place))[:, :2]

    def stroke(*radii: float) -> Array:
        # smooth edges add a quarter of a pixel, which would blacken a small face
        return np.maximum(tall * np.array(radii) - 0.2, 0.03)

    large = tall[:, 0] > 5
    dark = np.minimum(darker(outfit.skin, 0.75), 45.0)
    for sign in (1.0, -1.0):
        eye = np.array([sign * 0.38, -0.10, 0.90])
        seen = facing(axes, eye) > 0.12
        inner, outer = at(sign * 0.27, -0.10, 0.93), at(sign * 0.49, -0.10, 0.85)
        shapes.add(limb(inner, outer, stroke(0.085, 0.085)), np.full(3, 243.0), depth, seen)
        inner, outer = at(sign * 0.37, -0.13, 0.91), at(sign * 0.37, -0.06, 0.91)
        shapes.add(limb(inner, outer, stroke(0.078, 0.078)), dark, depth, seen)
        inner, outer = at(sign * 0.22, -0.34, 0.90), at(sign * 0.54, -0.31, 0.78)
        brow = np.where(outfit.bald[:, None], darker(outfit.hair, 0.1), darker(outfit.hair, 0.25))
        shapes.add(limb(inner, outer, stroke(0.045, 0.030)), brow, depth, seen & large)
    seen = facing(axes, np.array([0.0, 0.1, 1.0])) > -0.1
    nose = limb(at(0, -0.08, 0.97), at(0, 0.18, 1.06), stroke(0.045, 0.10))
    shapes.add(nose, darker(outfit.skin, 0.14), depth, seen)
    seen = facing(axes, np.array([0.0, 0.5, 0.85])) > 0.1
    mouth = limb(at(0.20, 0.47, 0.86), at(-0.20, 0.47, 0.86), stroke(0.045, 0.060, 0.045))
    shapes.add(mouth, outfit.skin * np.array([0.72, 0.45, 0.42]), depth, seen)


def _hat(shapes: Shapes, axes: Array, center: Array, outfit: Outfit, depth: Array, up: Array) -> None:
    """A cap with its peak forward."""
    larger = axes * 1.12
    shapes.add(cap(center, larger, up, 62), darker(outfit.hat, 0.25), depth, outfit.has_hat)
    shapes.add(cap(center, larger * 0.97, up, 54), outfit.hat, depth, outfit.has_hat)
    start, end = (
        (center + axes @ np.array([0.0, -0.56, 0.8]))[:, :2],
        (center + axes @ np.array([0.0, -0.50, 1.6]))[:, :2],
    )
    # seen from the front the peak is a bar as wide as the brow
    left = (axes @ np.array([0.72, 0.0, 0.0]))[:, :2]
    peak = np.stack([start - left, end - 0.75 * left, end + 0.75 * left, start + left], 1)
    seen = outfit.has_hat & (facing(axes, np.array([0.0, 0.0, 1.0])) > -0.2)
    shapes.add(peak, darker(outfit.hat, 0.4), depth, seen)
