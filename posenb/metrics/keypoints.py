"""Distances and fractions of correct keypoints: PCK, PCKh, AUC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

# MPII's protocol leaves out pelvis and thorax
_MPII_COUNTED = tuple(k for k in range(16) if k not in (6, 7))


class Score(NamedTuple):
    """A fraction of joints, counted three ways; NaN where nothing is labelled.

    mean: the unweighted mean over joints; pooled: over all labelled joints at once; per_joint: ``(K,)``.
    """

    mean: float
    pooled: float
    per_joint: Tensor


def errors(pred: Tensor, target: Tensor, visible: Tensor) -> Tensor:
    """Distances in pixels ``(B, K)`` between ``(B, K, 2)`` points; NaN where there is no label.

    Raises:
        ValueError: where the shapes disagree.
    """
    if pred.shape != target.shape or visible.shape != target.shape[:2]:
        shapes = f"{tuple(pred.shape)}, {tuple(target.shape)} and {tuple(visible.shape)}"
        raise ValueError(f"pred and target must be (B, K, 2) and visible (B, K), not {shapes}")
    return (pred - target).norm(dim=-1).masked_fill(~visible, float("nan"))


def pck(pred: Tensor, target: Tensor, visible: Tensor, reference: Tensor, threshold: float) -> Score:
    """Percentage of correct keypoints: distance <= threshold x reference (Yang and Ramanan 2013).

    Args:
        pred, target: ``(B, K, 2)`` in pixels. A NaN prediction is wrong.
        visible: ``(B, K)`` bool.
        reference: ``(B,)`` lengths in pixels; images with NaN are left out.
        threshold: fraction of the reference.
    """
    relative = errors(pred, target, visible) / reference[:, None]
    counted = visible & torch.isfinite(reference)[:, None]
    return _score((relative <= threshold).double(), counted)


def pckh(pred: Tensor, target: Tensor, visible: Tensor, head: Tensor, threshold: float = 0.5) -> Score:
    """PCK relative to the head size ``head (B,)`` (MPII, Andriluka et al. 2014: .6 x the head box's diagonal).

    With 16 joints the set is taken to be MPII's: mean and pooled leave out pelvis and thorax, as published results do.
    """
    relative = errors(pred, target, visible) / head[:, None]
    counted = visible & torch.isfinite(head)[:, None]
    return _score((relative <= threshold).double(), counted, _MPII_COUNTED if target.shape[1] == 16 else None)


def auc(pred: Tensor, target: Tensor, visible: Tensor, max_threshold: float) -> Score:
    """Area under the curve of PCK over thresholds from 0 to ``max_threshold`` pixels, divided by ``max_threshold``.

    Integrated exactly: a joint with error e contributes ``max(0, 1 - e / max_threshold)``.
    """
    area = (1 - errors(pred, target, visible) / max_threshold).clamp(min=0)
    return _score(area.nan_to_num(0).double(), visible)


def response(maps: Tensor) -> float:
    """Mean over joints and images of the maps' maxima: near 1 for maps trained to peak 1, near 0 after a collapse."""
    return maps.amax(dim=(-2, -1)).mean().item()


def _score(values: Tensor, counted: Tensor, joints: Sequence[int] | None = None) -> Score:
    """Average ``values (B, K)`` over what is counted; mean and pooled over ``joints`` only."""
    values = values * counted
    per_joint = values.sum(dim=0) / counted.sum(dim=0)
    chosen = list(joints) if joints is not None else list(range(values.shape[1]))
    pooled = values[:, chosen].sum() / counted[:, chosen].sum()
    return Score(per_joint[chosen].nanmean().item(), pooled.item(), per_joint)
