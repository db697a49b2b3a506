"""Articulated people: still pictures, sequences, and people of unknown size in larger scenes."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch

from posenb.data.dataset import PoseDataset
from posenb.data.synthetic.anatomy import INDEX, JOINTS
from posenb.data.synthetic.cache import rendered
from posenb.data.synthetic.checks import check_arguments
from posenb.data.synthetic.people import Spec, render_block
from posenb.skeletons import MPII16, Skeleton


@dataclass(frozen=True)
class Scene:
    """People of unknown size: ``dataset`` has the main person of each image, ``height (N,)`` float32 their stature.

    The stature is in pixels: how tall the person is when upright. Somebody who sits is as tall.
    """

    dataset: PoseDataset
    height: torch.Tensor


def body(
    count: int,
    size: int | tuple[int, int] = 64,
    seed: int = 0,
    difficulty: float = 0.5,
    margin: int = 0,
    skeleton: Skeleton = MPII16,
    cache: bool = True,
) -> PoseDataset:
    """Articulated people, one a picture, cropped as LSP's.

    The crop's side is about 1.3 times the longer side of the joints' box. Sample i depends on the seed, on i and on the
    other arguments, not on the count; the joint set changes the labels alone.

    Args:
        count: how many samples.
        size: side, or (H, W), of a sample in pixels; at least 16.
        seed: of all that is random.
        difficulty: 0: large upright people before a plain wall; 1: acrobats, clutter, crowds, cut by the border.
        margin: pixels of further surroundings on every side; images are ``(H + 2 margin, W + 2 margin)``.
        skeleton: MPII16, LSP14, COCO17 or AIC14.
        cache: keep the pictures on disk and read them from there the next time.

    Returns:
        A data set. ``visible`` is False for joints outside the stored image; their points are true nonetheless.
        ``occluded`` is True where a part of a body or a thing was painted over the joint that the joint does not
        belong to. ``reference`` is the mean of the torso's diagonals in the picture, but at least .6 of their length
        in space: seen from the side a torso has hardly any. ``head`` is .6 of the diagonal of a box about the head.

    Raises:
        ValueError: for a count, size, seed, difficulty or margin out of range, or a joint set that is no body's.
    """
    spec = Spec("still", check_arguments(count, size, seed, difficulty, margin), seed, difficulty, margin)
    return body_dataset(spec, count, skeleton, cache)[0]


def scene(
    count: int,
    size: int | tuple[int, int] = (128, 192),
    seed: int = 0,
    difficulty: float = 0.5,
    skeleton: Skeleton = MPII16,
    cache: bool = True,
) -> Scene:
    """People of unknown size at random places in larger images.

    The main person's stature is .25 to .95 of the image's height (uniform in its logarithm). Arguments and errors are
    as those of ``body``.
    """
    spec = Spec("scene", check_arguments(count, size, seed, difficulty), seed, difficulty)
    return Scene(*body_dataset(spec, count, skeleton, cache))


def body_dataset(spec: Spec, count: int, skeleton: Skeleton, cache: bool) -> tuple[PoseDataset, torch.Tensor]:
    """The people of a spec, and their statures ``(N,)`` in pixels."""
    names = ["upper_neck" if joint == "neck" else joint for joint in skeleton.joints]
    if unknown := sorted(set(names) - set(JOINTS)):
        raise ValueError(
            f"synthetic people lack the joints {', '.join(unknown)} of {skeleton.name}; choose a body's set"
        )
    joints = [INDEX[name] for name in names]
    stored = (spec.size[0] + 2 * spec.margin, spec.size[1] + 2 * spec.margin)
    images, labels = rendered(asdict(spec), count, stored, lambda block, out: render_block(spec, block, out), cache)
    dataset = PoseDataset(
        images=torch.from_numpy(images).permute(0, 3, 1, 2),
        points=torch.from_numpy(labels.points[:, joints]),
        visible=torch.from_numpy(labels.visible[:, joints]),
        occluded=torch.from_numpy(labels.occluded[:, joints]),
        reference=torch.from_numpy(labels.reference),
        head=torch.from_numpy(labels.head),
        skeleton=skeleton,
        name=f"synthetic {'people' if spec.mode == 'still' else spec.mode}",
        margin=spec.margin,
    )
    return dataset, torch.from_numpy(labels.height)
