"""Videos: nearly equal frames of one person, or one hand, in motion."""

from __future__ import annotations

from posenb.data.dataset import PoseDataset
from posenb.data.synthetic.body import body_dataset
from posenb.data.synthetic.checks import check_arguments
from posenb.data.synthetic.hand import hand_dataset
from posenb.data.synthetic.people import Spec
from posenb.skeletons import MPII16


def sequence(
    count: int,
    size: int | tuple[int, int] = 64,
    seed: int = 0,
    difficulty: float = 0.5,
    kind: str = "body",
    step: float = 0.04,
    cache: bool = True,
) -> PoseDataset:
    """Consecutive frames of one person, whose joints and viewpoint move smoothly; the rest stays.

    Args:
        count: how many frames.
        kind: 'body' or 'hand'.
        step: the share of the way from one pose to the next that a frame makes, in (0, 1].

    The other arguments and the errors are as those of ``body``; the frames are in order.
    """
    checked = check_arguments(count, size, seed, difficulty, 0, step)
    if kind == "body":
        return body_dataset(Spec("sequence", checked, seed, difficulty, step=step), count, MPII16, cache)[0]
    if kind == "hand":
        return hand_dataset(Spec("hand sequence", checked, seed, difficulty, step=step), count, cache)
    raise ValueError(f"kind must be 'body' or 'hand', not {kind!r}")
