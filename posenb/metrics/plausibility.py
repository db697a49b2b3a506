"""Whether a pose could be one, wherever it lies: limb lengths, symmetry, and left taken for right.

None of these knows the picture. A pose may be plausible and wrong, so accuracy belongs beside each.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from posenb.metrics.keypoints import errors
from posenb.skeletons import Skeleton


class LimbRange(NamedTuple):
    """Between which ratios each limb of real poses lies: ``low (L,)`` and ``high (L,)``."""

    low: Tensor
    high: Tensor


def limb_lengths(points: Tensor, skeleton: Skeleton) -> Tensor:
    """Lengths ``(B, L)`` of the skeleton's limbs, in the unit of ``points (B, K, 2)``."""
    first, second = torch.tensor(skeleton.limbs, dtype=torch.long, device=points.device).view(-1, 2).T
    return (points[:, first] - points[:, second]).norm(dim=-1)


def limb_ratios(points: Tensor, skeleton: Skeleton) -> Tensor:
    """Lengths ``(B, L)`` of limbs relative to the pose's mean limb, so that nobody's size counts."""
    lengths = limb_lengths(points, skeleton)
    return lengths / lengths.mean(dim=-1, keepdim=True).clamp(min=1e-6)


def limb_range(points: Tensor, visible: Tensor, skeleton: Skeleton, tail: float = 0.01) -> LimbRange:
    """Where all but a ``tail`` of real ratios lie, half of it on either side.

    Args:
        points: ``(B, K, 2)``, labels.
        visible: ``(B, K)``; poses with a joint that has no label are left out.

    Raises:
        ValueError: where no pose has all its labels.
    """
    whole = visible.all(dim=-1)
    if not whole.any():
        raise ValueError("no pose has all its joints labelled")
    ratios = limb_ratios(points[whole].double(), skeleton)
    return LimbRange(*torch.quantile(ratios, ratios.new_tensor([tail / 2, 1 - tail / 2]), dim=0))


def odd_limbs(points: Tensor, skeleton: Skeleton, usual: LimbRange) -> Tensor:
    """Which limbs ``(B, L)`` of poses ``(B, K, 2)`` are longer or shorter, for their pose, than those of real ones."""
    ratios = limb_ratios(points.double(), skeleton)
    return (ratios < usual.low) | (ratios > usual.high)


def asymmetry(points: Tensor, skeleton: Skeleton) -> Tensor:
    """abs(log2(left / right)) of the lengths of paired limbs, ``(B, P)``: 0 is symmetric, 1 is twice as long.

    People seen from the side have some; compare with that of labels.
    """
    flip, limbs = skeleton.flip, list(skeleton.limbs)
    place = {frozenset(limb): k for k, limb in enumerate(limbs)}
    mirrored = [place.get(frozenset((flip[a], flip[b])), k) for k, (a, b) in enumerate(limbs)]
    pairs = [(k, other) for k, other in enumerate(mirrored) if k < other]
    first, second = torch.tensor(pairs, dtype=torch.long, device=points.device).view(-1, 2).T
    lengths = limb_lengths(points, skeleton).clamp(min=1e-6)
    return (lengths[:, first] / lengths[:, second]).log2().abs()


def swaps(
    pred: Tensor, target: Tensor, visible: Tensor, reference: Tensor, skeleton: Skeleton, threshold: float = 0.2
) -> Tensor:
    """Which joints ``(B, K)`` are at their mirror joint's place, and not at their own.

    Args:
        pred, target: ``(B, K, 2)`` in pixels.
        visible: ``(B, K)``; both joints of a pair need a label.
        reference: ``(B,)``, the length that ``threshold`` is a fraction of; no swap is known where it is NaN.
    """
    flip = list(skeleton.flip)
    reach = threshold * reference[:, None]
    own, other = errors(pred, target, visible), errors(pred, target[:, flip], visible[:, flip])
    paired = torch.tensor([k != mirror for k, mirror in enumerate(flip)], device=pred.device)
    # comparisons with NaN are False
    return (other <= reach) & (own > reach) & paired
