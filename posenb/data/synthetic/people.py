"""One block of pictures of people, from random numbers to pixels and labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from posenb.data.synthetic.anatomy import INDEX, Build, Posed, pose, sample_build, taken
from posenb.data.synthetic.cache import Labels
from posenb.data.synthetic.camera import Framing, View, crop, put_in_scene, sample_framing, sample_view
from posenb.data.synthetic.covers import occluded, seen
from posenb.data.synthetic.draws import Array, Bools, Draws
from posenb.data.synthetic.figure import draw_figure, placed
from posenb.data.synthetic.motion import between, blend
from posenb.data.synthetic.obstacles import sample_obstacles
from posenb.data.synthetic.outfits import sample_outfits
from posenb.data.synthetic.paint import paint, sample_film
from posenb.data.synthetic.poses import key_poses
from posenb.data.synthetic.scenery import sample_backdrop
from posenb.data.synthetic.shapes import Shapes, inside
from posenb.skeletons import MPII16

_MPII = len(MPII16)  # the first of the joints are MPII's; crops go by them

Streams = Callable[..., Draws]
"""``streams(name, keeps=False)``: a block's random numbers; what a sequence keeps is drawn once for all frames."""


@dataclass(frozen=True)
class Spec:
    """What the pictures of people depend on. ``mode`` is 'still', 'sequence' or 'scene'."""

    mode: str
    size: tuple[int, int]
    seed: int
    difficulty: float
    margin: int = 0
    step: float = 1.0


def render_block(spec: Spec, block: int, out: np.ndarray) -> Labels:
    """Paint the first ``len(out)`` people of a block into ``out (n, H, W, 3)``, and label them."""

    def draws(stream: str, keeps: bool = False) -> Draws:
        """A sequence keeps its person and its place: their streams are drawn once for all frames."""
        return Draws(spec.seed, block, f"body {stream}", frozen=keeps and spec.mode == "sequence")

    person, scale = _main_person(spec, block, draws)
    points = person.joints[..., :2]
    stored = (out.shape[1], out.shape[2])
    looks = draws("looks", True)
    turn = looks.uniform(-2.5, -0.65)
    light = np.stack([np.cos(turn), np.sin(turn)], -1)
    shapes, covers = draw_figure(person, scale, sample_outfits(looks, person.build.curve), light, points)
    feet = np.concatenate([person.toes, person.heels], 1)
    backdrop = sample_backdrop(
        draws("backdrop", True),
        stored,
        feet[..., 1].max(1) + 0.02 * scale,
        scale,
        feet[..., 0].mean(1),
        spec.difficulty,
    )
    behind, before, hidden = _second_person(spec, draws, person, scale, light)
    obstacles, hiding = sample_obstacles(draws("obstacles", True), points, scale, spec.difficulty)
    film = sample_film(draws("film", True), stored, spec.difficulty)
    paint(out, backdrop, [behind, shapes, before, obstacles], film)

    hidden |= occluded(covers)
    for outline, active in hiding:
        hidden |= inside(points, outline) & active[:, None]
    shown = seen(points, stored)
    n = len(out)
    return Labels(
        points=points[:n].astype(np.float32),
        visible=shown[:n],
        occluded=hidden[:n],
        reference=_reference(person.joints)[:n].astype(np.float32),
        head=(0.75 * np.linalg.norm(_between(person.joints, "head_top", "upper_neck"), axis=-1))[:n].astype(np.float32),
        height=scale[:n].astype(np.float32),
    )


def _between(joints: Array, first: str, second: str) -> Array:
    return joints[:, INDEX[first]] - joints[:, INDEX[second]]


def _reference(joints: Array) -> Array:
    """Mean diagonal of the torso in the picture, ``(N,)``, at least .6 of that in space."""
    diagonals = [_between(joints, f"{a}_shoulder", f"{b}_hip") for a, b in (("right", "left"), ("left", "right"))]
    flat = np.mean([np.linalg.norm(d[:, :2], axis=-1) for d in diagonals], axis=0)
    return np.maximum(flat, 0.6 * np.mean([np.linalg.norm(d, axis=-1) for d in diagonals], axis=0))


def _main_person(spec: Spec, block: int, draws: Streams) -> tuple[Posed, Array]:
    """The labelled person of each picture in pixels of the stored image, and pixels a stature."""
    build = sample_build(draws("build", True))
    view = sample_view(draws("view", True), spec.difficulty)
    if spec.mode == "scene":
        upright = View(view.yaw, view.elevation, view.roll * 0.25)
        free = pose(key_poses(draws("pose"), spec.difficulty), build, *upright)
        scale, offset = put_in_scene(draws("framing"), free.joints[:, :_MPII, :2], spec.size, spec.difficulty)
        return placed(free, scale, offset), scale
    framing = sample_framing(draws("framing", True), spec.difficulty)
    if spec.mode == "sequence":
        return _frames(spec, block, build, view, framing)
    free = pose(key_poses(draws("pose"), spec.difficulty), build, *view)
    scale, offset = crop(free.joints[:, :_MPII, :2], spec.size, framing)
    return placed(free, scale, offset + spec.margin), scale


def _frames(spec: Spec, block: int, build: Build, view: View, framing: Framing) -> tuple[Posed, Array]:
    """The frames of one moving person, who also turns a little; the camera follows."""
    frames = between(lambda b: key_poses(Draws(spec.seed, b, "body pose"), spec.difficulty), block, spec.step)
    turns = between(lambda b: 25 * Draws(spec.seed, b, "body turn").normal(1), block, spec.step)
    crops = []
    for angles, turn in ((frames.first, turns.first), (frames.second, turns.second)):
        still = pose(angles, build, view.yaw + turn[:, 0], view.elevation, view.roll)
        crops.append(crop(still.joints[:, :_MPII, :2], spec.size, framing))
    scale, offset = (blend(first, second, frames.share) for first, second in zip(*crops, strict=True))
    yaw = view.yaw + blend(turns.first, turns.second, turns.share)[:, 0]
    free = pose(blend(frames.first, frames.second, frames.share), build, yaw, view.elevation, view.roll)
    return placed(free, scale, offset + spec.margin), scale


def _second_person(
    spec: Spec, streams: Streams, main: Posed, scale: Array, light: Array
) -> tuple[Shapes, Shapes, Bools]:
    """Somebody else, in some of the pictures: shapes behind the main person, shapes before, the joints these hide."""
    draws = streams("second", True)
    build = sample_build(draws)
    view = sample_view(draws, min(1.0, spec.difficulty + 0.2))
    angles = key_poses(draws, 0.5 * spec.difficulty)
    outfit = sample_outfits(draws, build.curve)
    present = draws.chance(0.75 * max(0.0, spec.difficulty - 0.1))
    nearer = draws.chance(0.3)
    size = scale * np.where(nearer, draws.uniform(0.95, 1.2), draws.uniform(0.75, 1.0))
    aside = np.where(draws.chance(0.5), 1, -1) * draws.uniform(0.22, 0.75) * np.where(nearer, 1.3, 1.0)
    drop = np.where(nearer, 0.06, -0.03) + 0.03 * draws.normal()

    free = pose(angles, build, view.yaw, view.elevation, 0.3 * view.roll.clip(-40, 40))
    ground = np.concatenate([main.toes, main.heels], 1)[..., 1].max(1) + drop * scale
    own_ground = np.concatenate([free.toes, free.heels], 1)[..., 1].max(1) * size
    offset = np.stack([main.joints[:, INDEX["pelvis"], 0] + aside * scale, ground - own_ground], -1)
    behind, before = Shapes(), Shapes()
    hidden = np.zeros(main.joints.shape[:2], bool)
    if present.any():
        other = placed(taken(free, present), size[present], offset[present])
        targets = main.joints[present, :, :2]
        shapes, parts = draw_figure(other, size[present], outfit[present], light[present], targets)
        behind.scatter(shapes, present, ~nearer)
        before.scatter(shapes, present, nearer)
        hidden[present] = np.any([part.covered for part in parts], axis=0)
    return behind, before, hidden & nearer[:, None]
