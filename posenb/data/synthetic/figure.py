"""A posed, dressed person as polygons in painter's order, and what covers what."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from posenb.data.synthetic.anatomy import INDEX, JOINTS, Posed
from posenb.data.synthetic.covers import Cover
from posenb.data.synthetic.draws import Array, Bools
from posenb.data.synthetic.head import draw_head
from posenb.data.synthetic.outfits import Outfit, darker, lighter
from posenb.data.synthetic.shapes import Shapes, cap, cut, facing, inside, limb, limbs, near_limb, tube


class _Form(NamedTuple):
    """A limb: half widths in statures from joint to joint, how much wider cloth is, how far it overlaps its start."""

    profile: Array
    loose: float
    start: float


_UPPER_ARM = _Form(np.array([0.030, 0.033, 0.029, 0.026]), 1.14, 0.8)
_FOREARM = _Form(np.array([0.026, 0.029, 0.023, 0.017]), 1.12, 1.0)
_THIGH = _Form(np.array([0.047, 0.052, 0.045, 0.038]), 1.06, 0.6)
_SHIN = _Form(np.array([0.037, 0.042, 0.031, 0.022]), 1.14, 1.0)
_TONES = (1.0, 0.80, 0.34)


def placed(posed: Posed, scale: Array, offset: Array) -> Posed:
    """The people in pixels: lengths times ``scale (N,)``, moved by ``offset (N, 2)``. ``build`` stays in statures."""
    move = np.concatenate([offset, np.zeros((len(offset), 1))], 1)

    def moved(points: Array) -> Array:
        many = points if points.ndim == 3 else points[:, None]
        return (many * scale[:, None, None] + move[:, None]).reshape(points.shape)

    return replace(
        posed,
        joints=moved(posed.joints),
        spine=moved(posed.spine),
        hands=moved(posed.hands),
        toes=moved(posed.toes),
        heels=moved(posed.heels),
        head_center=moved(posed.head_center),
        head_radii=posed.head_radii * scale[:, None],
    )


def draw_figure(body: Posed, scale: Array, outfit: Outfit, light: Array, points: Array) -> tuple[Shapes, list[Cover]]:
    """Polygons and covers of N people.

    Args:
        body: people in pixels, from ``placed``.
        scale: ``(N,)`` pixels a stature.
        outfit: what they wear.
        light: ``(N, 2)``, unit vectors towards the light.
        points: ``(N, 21, 2)``, the joints that the covers are tested for: these people's own, or somebody else's.
    """
    painter = _Painter(body, scale, outfit, light, points)
    painter.legs()
    painter.trunk()
    painter.arms()
    covered, own = draw_head(painter.shapes, body, outfit, light, points, painter.head_depth, painter.neck_depth)
    painter.covers.append(Cover(covered, own, painter.head_depth))
    return painter.shapes, painter.covers


class _Painter:
    """Holds what all parts of one block of people share while they are drawn."""

    def __init__(self, body: Posed, scale: Array, outfit: Outfit, light: Array, points: Array) -> None:
        self.points, self.body, self.scale, self.outfit, self.light = points, body, scale, outfit, light
        self.at = {name: body.joints[:, k] for k, name in enumerate(JOINTS)}
        self.thick = scale * body.build.girth
        self.shapes = Shapes()
        self.covers: list[Cover] = []
        self.trunk_depth = (self.at["thorax"] + self.at["pelvis"])[:, 2] / 2
        height = body.head_center[:, 2]
        before = height > self.trunk_depth - 0.12 * scale
        self.head_depth = np.where(before, np.maximum(height, self.trunk_depth + 0.012 * scale), height)
        self.neck_depth = np.where(before, self.trunk_depth + 0.004 * scale, height + 0.001)

    def own(self, *joints: str) -> Bools:
        flags = np.zeros((len(self.scale), len(JOINTS)), bool)
        flags[:, [INDEX[name] for name in joints]] = True
        return flags

    def rounded(
        self, start: Array, end: Array, radii: Array, colour: Array, depth: Array, active: Bools | bool = True,
        ends: tuple[float, float] = (1.0, 1.0), rim: float = 0.0,
    ) -> None:  # fmt: skip
        """A limb in three tones, from the dark edge to the lit middle; the edge lies ``rim`` statures behind."""
        shades = (darker(colour), colour, lighter(colour, 0.1))
        outlines = limbs(start, end, radii, self.light, _TONES, ends)
        for outline, shade, behind in zip(outlines, shades, (rim, 0.0, 0.0), strict=True):
            self.shapes.add(outline, shade, depth - behind * self.scale, active)

    def part(
        self, joints: tuple[str, str], form: _Form, cloth: Array, share: Array, depth: Array, rim: float = 0.0
    ) -> None:
        """A limb between two joints: skin, and over its first ``share (N,)`` cloth."""
        a, b = (self.at[joint][:, :2] for joint in joints)
        radii = self.thick[:, None] * form.profile
        self.rounded(a, b, radii, self.outfit.skin, depth, share < 1, (form.start, 1.0), rim)
        share = share.clip(0, 1)
        hem = a + (b - a) * share[:, None]
        wide = cut(radii, share) * form.loose + 0.003 * self.thick[:, None]
        self.rounded(a, hem, wide, cloth, depth, share > 0.05, (form.start, 0.3), rim)
        covered = near_limb(self.points, a, b, radii[:, 0], radii[:, -1])
        self.covers.append(Cover(covered, self.own(*joints), depth))

    def arms(self) -> None:
        for k, side in enumerate(("left", "right")):
            names = (f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist")
            shoulder, elbow, wrist = (self.at[name] for name in names)
            hand, bias, sleeve = self.body.hands[:, k], 0.02 * self.scale, self.outfit.sleeve * 2
            self.part(names[:2], _UPPER_ARM, self.outfit.shirt, sleeve, (shoulder + elbow)[:, 2] / 2 + bias)
            tip = (wrist + hand)[:, 2] / 2 + bias
            palm = self.thick[:, None] * np.array([0.015, 0.022, 0.021, 0.013])
            reach = wrist + 0.84 * (hand - wrist)
            self.rounded(wrist[:, :2], reach[:, :2], palm, self.outfit.skin, tip)
            # the thumb lies on the side that the palm turns inwards
            inward = (self.at["thorax"] - shoulder)[:, :2] * 0.16 + (reach - wrist)[:, :2] * 0.5
            thumb = self.thick[:, None] * np.array([0.010, 0.008])
            self.shapes.add(limb(wrist[:, :2], wrist[:, :2] + inward, thumb), self.outfit.skin, tip)
            covered = near_limb(self.points, wrist[:, :2], reach[:, :2], palm[:, 1], palm[:, 3])
            self.covers.append(Cover(covered, self.own(names[2]), tip))
            self.part(names[1:], _FOREARM, self.outfit.shirt, sleeve - 1, (elbow + wrist)[:, 2] / 2 + bias)

    def legs(self) -> None:
        keys = []
        for k, side in enumerate(("left", "right")):
            names = (f"{side}_hip", f"{side}_knee", f"{side}_ankle")
            hip, knee, ankle = (self.at[name] for name in names)
            thigh_depth = (hip + knee)[:, 2] / 2 - 0.08 * self.scale
            shin_depth = (knee + ankle)[:, 2] / 2
            keys.append(thigh_depth)
            toe, heel = self.body.toes[:, k, :2], self.body.heels[:, k, :2]
            shoe = self.thick[:, None] * np.array([0.026, 0.027, 0.026, 0.020])
            foot_depth = shin_depth - 0.004 * self.scale
            drop = self.scale[:, None] * 0.007 * np.array([0.0, 1.0])
            self.shapes.add(limb(heel + drop, toe + drop, shoe), darker(self.outfit.shoes, 0.55), foot_depth)
            self.rounded(heel, toe, shoe * 0.94, self.outfit.shoes, foot_depth)
            covered = near_limb(self.points, heel, toe, shoe[:, 0], shoe[:, -1])
            self.covers.append(Cover(covered, self.own(names[2]), foot_depth))
            share = self.outfit.leg * 2
            self.part(names[:2], _THIGH, self.outfit.trousers, share, thigh_depth, rim=0.012)
            # the seat of the trousers shows the hips too
            self.covers[-1].own[:, INDEX["pelvis"]] = True
            self.part(names[1:], _SHIN, self.outfit.trousers, share - 1, shin_depth)
        self.thigh_depth = np.minimum(*keys)
        self.skirt(np.maximum(*keys) + 0.002 * self.scale)

    def skirt(self, depth: Array) -> None:
        share, width = self.outfit.skirt[:, None], self.body.build.hip[:, None] * self.scale[:, None]
        thick = self.thick[:, None]
        left, down, forward = (self.body.pelvis[:, :, k] for k in range(3))
        hem = [self.at[f"{s}_hip"] * (1 - share) + self.at[f"{s}_knee"] * share for s in ("left", "right")]
        pelvis = self.at["pelvis"]
        centers = np.stack([(hem[0] + hem[1]) / 2, pelvis, pelvis - 0.07 * thick * down], 1)
        across = (hem[0] - hem[1]) / 2
        sideways = np.stack([across + 0.066 * thick * left, (width + 0.036 * thick) * left, 0.08 * thick * left], 1)
        deep = np.stack([0.085 * thick * forward, 0.074 * thick * forward, 0.06 * thick * forward], 1)
        active = self.outfit.skirt > 0
        outline = self.tones(centers, sideways, deep, self.outfit.trousers, depth, active)
        covered = inside(self.points, outline) & active[:, None]
        own = self.own("left_hip", "right_hip", "pelvis", "left_knee", "right_knee")
        self.covers.append(Cover(covered, own, depth))

    def tones(
        self, centers: Array, sideways: Array, deep: Array, colour: Array, depth: Array,
        active: Bools | bool = True, rim_depth: Array | None = None,
    ) -> Array:  # fmt: skip
        """A tube in three tones; returns its outline ``(N, V, 2)``."""
        outline = tube(centers, sideways, deep)
        self.shapes.add(outline, darker(colour), depth if rim_depth is None else rim_depth, active)
        self.shapes.add(tube(centers, sideways, deep, self.light * 0.12, 0.86), colour, depth, active)
        self.shapes.add(tube(centers, sideways, deep, self.light * 0.42, 0.42), lighter(colour, 0.1), depth, active)
        return outline

    def trunk(self) -> None:
        build, thick, scale = self.body.build, self.thick[:, None], self.scale[:, None]
        hip, shoulder, curve = build.hip[:, None] * scale, build.shoulder[:, None] * scale, build.curve[:, None]
        pelvis_axes, chest_axes = self.body.pelvis, self.body.chest
        p_left, p_down, p_forward = (pelvis_axes[:, :, k] for k in range(3))
        c_left, c_down, c_forward = (chest_axes[:, :, k] for k in range(3))
        pelvis, thorax, waist = self.at["pelvis"], self.at["thorax"], self.body.spine
        hips = hip + 0.040 * thick
        low = np.minimum(self.trunk_depth - 0.03 * self.scale, self.thigh_depth - 0.005 * self.scale)
        self.tones(
            np.stack([pelvis + 0.058 * scale * p_down, pelvis, waist], 1),
            np.stack([(hips - 0.024 * thick) * p_left, hips * p_left, 0.082 * thick * p_left], 1),
            np.stack([0.055 * thick * p_forward, 0.07 * thick * p_forward, 0.06 * thick * p_forward], 1),
            self.outfit.trousers,
            low,
            # between the thighs' rims and their cloth, which is one with the seat's
            rim_depth=low - 0.015 * self.scale,
        )
        arms = (self.at["left_shoulder"] - self.at["right_shoulder"]) / 2
        chest = waist * 0.32 + thorax * 0.68
        hem = pelvis - 0.012 * scale * p_down
        middle, collar = (self.at["left_shoulder"] + self.at["right_shoulder"]) / 2, thorax - 0.036 * scale * c_down
        centers = np.stack([hem, waist, chest, middle, middle - 0.022 * scale * c_down, collar], 1)
        trim = (0.080 - 0.006 * curve) * thick
        sideways = np.stack(
            [
                (hips + 0.004 * scale) * p_left,
                trim * (p_left + c_left) / 2,
                0.97 * shoulder * c_left,
                arms * 1.12,
                arms * 0.96,
                0.045 * thick * c_left,
            ],
            1,
        )
        deep = thick[..., None] * np.stack(
            [
                0.073 * p_forward,
                0.06 * p_forward,
                (0.072 + 0.006 * curve) * c_forward,
                0.05 * c_forward,
                0.045 * c_forward,
                0.036 * c_forward,
            ],
            1,
        )
        outline = self.tones(centers, sideways, deep, self.outfit.shirt, self.trunk_depth)
        for level in (0.75, 1.75, 2.6):
            middle, wide, thin = (_between(values, level) for values in (centers, sideways, deep))
            stripe = tube(middle, wide, thin, self.light * 0.1, 0.88, reach=0.0)
            self.shapes.add(stripe, self.outfit.accent, self.trunk_depth, self.outfit.striped)
        self.front(chest, thorax, waist, hem)
        neck, top = thorax[:, :2] - 0.012 * scale * c_down[:, :2], self.at["upper_neck"][:, :2]
        self.rounded(neck, top, thick * np.array([0.036, 0.031]), self.outfit.skin, self.neck_depth)
        sideward = self.own("left_shoulder", "right_shoulder", "left_hip", "right_hip")
        # a shoulder or hip on the far side of the trunk is hidden by it, one on the rim is not
        reach = np.where([name.endswith("hip") for name in JOINTS], hip, shoulder)
        near = self.body.joints[..., 2] > self.trunk_depth[:, None] - 0.8 * reach
        own = self.own("pelvis", "thorax", "upper_neck") | (sideward & near)
        self.covers.append(Cover(inside(self.points, outline), own, self.trunk_depth))

    def front(self, chest: Array, thorax: Array, waist: Array, hem: Array) -> None:
        """What tells a chest from a back: neckline, zip, and a badge in front or a number behind."""
        thick = self.thick[:, None, None]
        axes = self.body.chest * np.array([0.085, 0.11, 0.075]) * thick
        forward = np.array([0.0, 0.0, 1.0])
        ahead, depth = facing(axes, forward), self.trunk_depth
        count = len(chest)
        collar = self.body.chest * np.array([0.05, 0.045, 0.045]) * thick
        throat = cap(
            thorax - 0.004 * self.scale[:, None] * self.body.chest[:, :, 1],
            collar,
            np.tile([0.0, 0.3, 0.954], (count, 1)),
            46,
        )
        self.shapes.add(throat, darker(self.outfit.skin, 0.12), depth, ahead > 0.1)
        badge = cap(chest, axes, np.tile(forward, (count, 1)), 27)
        self.shapes.add(badge, self.outfit.accent, depth, self.outfit.badge & (ahead > 0))
        number = cap(chest, axes, np.tile(-forward, (count, 1)), 36)
        self.shapes.add(number, self.outfit.accent, depth, self.outfit.badge & (ahead < 0))
        nose = self.body.chest[:, :2, 2] * 0.07 * self.thick[:, None]
        line = self.thick[:, None] * np.array([0.007, 0.007, 0.007])
        zipper = limb(thorax[:, :2] + nose * 0.8, (waist[:, :2] * 0.3 + hem[:, :2] * 0.7) + nose, line)
        self.shapes.add(zipper, self.outfit.accent, depth, self.outfit.zipped & (ahead > 0.15))


def _between(levels: Array, place: float) -> Array:
    """Two levels ``(N, 2, 3)`` about a fractional place in ``(N, L, 3)`` levels."""
    low = int(place)
    mixed = [levels[:, low] * (1 - t) + levels[:, low + 1] * t for t in (place - low - 0.09, place - low + 0.09)]
    return np.stack(mixed, 1)
