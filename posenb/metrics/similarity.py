"""Object keypoint similarity (OKS), COCO's measure of how well a pose fits a person."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from posenb.skeletons import COCO17, Skeleton

COCO_SIGMAS = (
    *(0.026, 0.025, 0.025, 0.035, 0.035),  # nose, eyes, ears
    *(0.079, 0.079, 0.072, 0.072, 0.062, 0.062),  # shoulders, elbows, wrists
    *(0.107, 0.107, 0.087, 0.087, 0.089, 0.089),  # hips, knees, ankles
)
"""How far annotators disagree about COCO's 17 joints, as a fraction of the root of a person's area (COCO's site)."""

UNKNOWN_SIGMA = 0.05
"""For joints that nobody has measured: the geometric middle of COCO's smallest and largest."""


def oks_sigmas(skeleton: Skeleton) -> tuple[float, ...]:
    """COCO's sigmas for the joints that COCO has, by name, and ``UNKNOWN_SIGMA`` for others.

    With unknown sigmas an OKS compares methods on one data set; it is not comparable with figures of other sets.
    """
    known = dict(zip(COCO17.joints, COCO_SIGMAS, strict=True))
    return tuple(known.get(joint, UNKNOWN_SIGMA) for joint in skeleton.joints)


def oks(
    pred: Tensor,
    target: Tensor,
    visible: Tensor,
    area: Tensor,
    sigmas: Sequence[float] | Tensor = COCO_SIGMAS,
    boxes: Tensor | None = None,
) -> Tensor:
    """Similarity in [0, 1] of poses and people: the mean over labelled joints of exp(-d^2 / (8 sigma^2 area)).

    The first dimensions may be any that broadcast: ``pred (D, 1, K, 2)`` and ``target (1, G, K, 2)`` give all pairs.

    Args:
        pred, target: ``(..., K, 2)`` in pixels. A NaN prediction is infinitely far away.
        visible: ``(..., K)`` bool, True where there is a label.
        area: ``(...,)`` of the people in pixels^2. COCO means the person's outline, not the box.
        sigmas: a number a joint, see :func:`oks_sigmas`.
        boxes: ``(..., 4)`` x, y, width, height of the people. Where nobody labelled a joint, distances are to the
            box of twice the size about the same middle; without boxes such a person's similarity is NaN.

    Returns:
        ``(...,)`` float64.

    Raises:
        ValueError: where there is not one sigma a joint.
    """
    spread = torch.as_tensor(sigmas, dtype=torch.float64, device=pred.device)
    if spread.shape != pred.shape[-2:-1]:
        raise ValueError(f"sigmas must be {pred.shape[-2]} numbers, one a joint, not {tuple(spread.shape)}")
    pred, target, area = pred.double(), target.double(), area.double()
    squared, counted = (pred - target).square().sum(dim=-1), visible
    if boxes is not None:
        corner, size = boxes.double()[..., None, :].chunk(2, dim=-1)
        outside = (corner - size - pred).clamp(min=0) + (pred - corner - 2 * size).clamp(min=0)
        unlabelled = ~visible.any(dim=-1, keepdim=True)
        squared = torch.where(unlabelled, outside.square().sum(dim=-1), squared)
        counted = visible | unlabelled
    squared = squared.masked_fill(pred.isnan().any(dim=-1), torch.inf)
    # the smallest number keeps people without area from dividing by zero, as in COCO's code
    exponent = squared / (2 * spread).square() / (area[..., None] + torch.finfo(torch.float64).eps) / 2
    return torch.where(counted, (-exponent).exp(), 0).sum(dim=-1) / counted.sum(dim=-1)
