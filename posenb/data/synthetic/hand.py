"""Hands: still pictures and sequences."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import torch

from posenb.data.dataset import PoseDataset
from posenb.data.synthetic.cache import Labels, rendered
from posenb.data.synthetic.camera import Framing, crop, sample_framing
from posenb.data.synthetic.checks import check_arguments
from posenb.data.synthetic.covers import occluded, seen
from posenb.data.synthetic.draws import BLOCK, Array, Draws
from posenb.data.synthetic.hand_anatomy import Hand, gestures, pose_hand, sample_sides
from posenb.data.synthetic.hand_figure import draw_hand, placed_hand, sample_looks
from posenb.data.synthetic.motion import between, blend
from posenb.data.synthetic.obstacles import sample_obstacles
from posenb.data.synthetic.paint import paint, sample_film
from posenb.data.synthetic.people import Spec
from posenb.data.synthetic.scenery import sample_backdrop
from posenb.data.synthetic.shapes import inside
from posenb.skeletons import HAND21


def hand(
    count: int,
    size: int | tuple[int, int] = 64,
    seed: int = 0,
    difficulty: float = 0.5,
    margin: int = 0,
    cache: bool = True,
) -> PoseDataset:
    """Hands with moving fingers, left and right, palm and back; cropped as ``body``, with its arguments and errors.

    ``reference`` is the length of the palm, wrist to middle finger, in the picture, but at least .6 of its length in
    space; ``head`` is NaN.
    """
    spec = Spec("hand", check_arguments(count, size, seed, difficulty, margin), seed, difficulty, margin)
    return hand_dataset(spec, count, cache)


def hand_dataset(spec: Spec, count: int, cache: bool) -> PoseDataset:
    """The hands of a spec whose mode is 'hand' or 'hand sequence'."""
    stored = (spec.size[0] + 2 * spec.margin, spec.size[1] + 2 * spec.margin)
    images, labels = rendered(asdict(spec), count, stored, lambda block, out: render_hands(spec, block, out), cache)
    return PoseDataset(
        images=torch.from_numpy(images).permute(0, 3, 1, 2),
        points=torch.from_numpy(labels.points),
        visible=torch.from_numpy(labels.visible),
        occluded=torch.from_numpy(labels.occluded),
        reference=torch.from_numpy(labels.reference),
        head=torch.from_numpy(labels.head),
        skeleton=HAND21,
        name="synthetic hands",
        margin=spec.margin,
    )


def render_hands(spec: Spec, block: int, out: np.ndarray) -> Labels:
    """Paint the first ``len(out)`` hands of a block into ``out (n, H, W, 3)``, and label them."""
    moving = spec.mode == "hand sequence"

    def draws(stream: str) -> Draws:
        return Draws(spec.seed, block, f"hand {stream}", frozen=moving)

    side, bend = sample_sides(draws("side"))
    posed, scale = _posed(spec, block, moving, side, bend, sample_framing(draws("framing"), spec.difficulty))
    points = posed.joints[..., :2]
    stored = (out.shape[1], out.shape[2])
    looks = draws("looks")
    turn = looks.uniform(-2.5, -0.65)
    light = np.stack([np.cos(turn), np.sin(turn)], -1)
    shapes, covers = draw_hand(posed, scale, sample_looks(looks), light, points)
    place = draws("backdrop")
    far = np.full(BLOCK, float(stored[0]))
    # rooms and streets at a size as if somebody sat there; their floor is low in the picture or below it
    backdrop = sample_backdrop(place, stored, far * place.uniform(1.02, 1.5), 1.1 * far, far / 2, spec.difficulty)
    extent = (points.max(1) - points.min(1)).max(1)
    obstacles, hiding = sample_obstacles(draws("obstacles"), points, extent, 0.7 * spec.difficulty)
    paint(out, backdrop, [shapes, obstacles], sample_film(draws("film"), stored, spec.difficulty))

    hidden = occluded(covers)
    for outline, active in hiding:
        hidden |= inside(points, outline) & active[:, None]
    palm = posed.joints[:, 0] - posed.joints[:, 9]
    reference = np.maximum(np.linalg.norm(palm[:, :2], axis=-1), 0.6 * np.linalg.norm(palm, axis=-1))
    n = len(out)
    return Labels(
        points=points[:n].astype(np.float32),
        visible=seen(points, stored)[:n],
        occluded=hidden[:n],
        reference=reference[:n].astype(np.float32),
        head=np.full(n, np.nan, np.float32),
        height=scale[:n].astype(np.float32),
    )


def _posed(spec: Spec, block: int, moving: bool, side: Array, bend: Array, framing: Framing) -> tuple[Hand, Array]:
    """The hands in pixels of the stored image, and pixels a palm length."""

    def numbers(which: int) -> Array:
        return gestures(Draws(spec.seed, which, "hand pose"), spec.difficulty)

    def cropped(free: Hand) -> tuple[Array, Array]:
        return crop(free.joints[..., :2], spec.size, framing._replace(zoom=0.92 * framing.zoom))

    if not moving:
        free = pose_hand(numbers(block), side, bend)
        scale, offset = cropped(free)
        return placed_hand(free, scale, offset + spec.margin), scale

    def moving_numbers(which: int) -> Array:
        # fingers move from gesture to gesture, while the hand turns only a little
        view = Draws(spec.seed, which, "hand pose", frozen=True)
        pose_numbers = numbers(which)
        pose_numbers[:, 7:] = gestures(view, spec.difficulty)[:, 7:] + 10 * Draws(spec.seed, which, "hand turn").normal(
            3
        )
        return pose_numbers

    frames = between(moving_numbers, block, spec.step)
    crops = [cropped(pose_hand(which, side, bend)) for which in (frames.first, frames.second)]
    scale, offset = (blend(first, second, frames.share) for first, second in zip(*crops, strict=True))
    free = pose_hand(blend(frames.first, frames.second, frames.share), side, bend)
    return placed_hand(free, scale, offset + spec.margin), scale
