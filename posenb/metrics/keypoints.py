"""Distances and fractions of correct keypoints: PCK, PCKh, their curves, AUC, EPE."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from posenb.skeletons import MPII16

MPII_EXCLUDED = MPII16.index("pelvis", "thorax")
"""Joints that MPII's protocol leaves out of means; the upper neck stays in."""

PCKH_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)
"""Where curves of PCKh are read off."""


class Score(NamedTuple):
    """A number a joint, averaged three ways; NaN where nothing is labelled.

    mean: the unweighted mean over joints; pooled: over all labelled joints at once; per_joint: ``(K,)``.
    """

    mean: float
    pooled: float
    per_joint: Tensor


class Curve(NamedTuple):
    """Scores at T thresholds: ``thresholds (T,)``, ``mean (T,)``, ``pooled (T,)``, ``per_joint (T, K)``."""

    thresholds: Tensor
    mean: Tensor
    pooled: Tensor
    per_joint: Tensor


def check_shapes(pred: Tensor, target: Tensor, visible: Tensor) -> None:
    """Refuse what would be broadcast. Raises ValueError unless points are ``(B, K, 2)`` and ``visible (B, K)``."""
    if pred.shape != target.shape or visible.shape != target.shape[:2]:
        shapes = f"{tuple(pred.shape)}, {tuple(target.shape)} and {tuple(visible.shape)}"
        raise ValueError(f"pred and target must be (B, K, 2) and visible (B, K), not {shapes}")


def errors(pred: Tensor, target: Tensor, visible: Tensor) -> Tensor:
    """Distances in pixels ``(B, K)`` between ``(B, K, 2)`` points; NaN where there is no label.

    Raises:
        ValueError: where the shapes disagree.
    """
    check_shapes(pred, target, visible)
    return (pred - target).norm(dim=-1).masked_fill(~visible, float("nan"))


def correct(pred: Tensor, target: Tensor, visible: Tensor, reference: Tensor, threshold: float = 0.2) -> Tensor:
    """Which keypoints :func:`pck` counts as correct, ``(..., B, K)`` float64: 1 or 0, NaN where it does not count.

    Args:
        pred: ``(..., B, K, 2)`` in pixels: several answers to the same images are judged at once.
        target: ``(B, K, 2)``.
        visible, reference, threshold: as :func:`pck` takes them.
    """
    relative = (pred - target).norm(dim=-1) / reference[:, None]
    counted = visible & reference.isfinite()[:, None]
    return torch.where(counted, (relative <= threshold).double(), torch.nan)


def pck(pred: Tensor, target: Tensor, visible: Tensor, reference: Tensor, threshold: float) -> Score:
    """Percentage of correct keypoints: distance <= threshold x reference (Yang and Ramanan 2013).

    Args:
        pred, target: ``(B, K, 2)`` in pixels. A NaN prediction is wrong.
        visible: ``(B, K)`` bool.
        reference: ``(B,)`` lengths in pixels; images with NaN are left out.
        threshold: fraction of the reference.
    """
    return _at(0, pck_curve(pred, target, visible, reference, (threshold,)))


def pck_curve(
    pred: Tensor, target: Tensor, visible: Tensor, reference: Tensor, thresholds: Sequence[float] | Tensor
) -> Curve:
    """:func:`pck` at T thresholds, the distances measured once."""
    return _curve(pred, target, visible, reference, thresholds, ())


def pckh(
    pred: Tensor,
    target: Tensor,
    visible: Tensor,
    head: Tensor,
    threshold: float = 0.5,
    excluded: Sequence[int] | None = None,
) -> Score:
    """PCK relative to the head size ``head (B,)`` (MPII, Andriluka et al. 2014: .6 x the head box's diagonal).

    Args:
        excluded: joints that mean and pooled leave out; per_joint has them all the same. None is MPII's protocol:
            pelvis and thorax (``MPII_EXCLUDED``) of a set of 16 joints, which is taken to be MPII's, and no joint
            of any other set. For another set of 16 joints say ``()``.
    """
    return _at(0, pckh_curve(pred, target, visible, head, (threshold,), excluded))


def pckh_curve(
    pred: Tensor,
    target: Tensor,
    visible: Tensor,
    head: Tensor,
    thresholds: Sequence[float] | Tensor = PCKH_THRESHOLDS,
    excluded: Sequence[int] | None = None,
) -> Curve:
    """:func:`pckh` at T thresholds, the distances measured once."""
    if excluded is None:
        excluded = MPII_EXCLUDED if target.shape[1] == len(MPII16) else ()
    return _curve(pred, target, visible, head, thresholds, excluded)


def auc(pred: Tensor, target: Tensor, visible: Tensor, max_threshold: float) -> Score:
    """Area under the curve of PCK over thresholds from 0 to ``max_threshold`` pixels, divided by ``max_threshold``.

    Integrated exactly: a joint with error e contributes ``max(0, 1 - e / max_threshold)``.

    Raises:
        ValueError: for a threshold that is not above 0.
    """
    if not max_threshold > 0:
        raise ValueError(f"max_threshold must be above 0, not {max_threshold}")
    area = (1 - errors(pred, target, visible) / max_threshold).clamp(min=0)
    return _score(area.nan_to_num(0), visible)


def epe(pred: Tensor, target: Tensor, visible: Tensor) -> Score:
    """Mean end-point error in pixels (Zimmermann and Brox 2017). A NaN prediction is infinitely far away."""
    return _score(errors(pred, target, visible).nan_to_num(nan=math.inf, posinf=math.inf), visible)


def response(maps: Tensor) -> float:
    """Mean over joints and images of the maps' maxima: near 1 for maps trained to peak 1, near 0 after a collapse."""
    return maps.amax(dim=(-2, -1)).mean().item()


def _curve(
    pred: Tensor,
    target: Tensor,
    visible: Tensor,
    reference: Tensor,
    thresholds: Sequence[float] | Tensor,
    excluded: Sequence[int],
) -> Curve:
    if reference.shape != target.shape[:1]:
        raise ValueError(f"a reference length for each of {len(target)} poses is needed, not {tuple(reference.shape)}")
    relative = errors(pred, target, visible) / reference[:, None]
    # in the precision of the distances: an error of .2 in float32 is not above a threshold of .2
    limits = torch.as_tensor(thresholds, dtype=relative.dtype, device=relative.device)
    counted = visible & torch.isfinite(reference)[:, None]
    return Curve(limits, *_average(relative <= limits[:, None, None], counted, excluded))


def _at(index: int, curve: Curve) -> Score:
    return Score(curve.mean[index].item(), curve.pooled[index].item(), curve.per_joint[index])


def _score(values: Tensor, counted: Tensor) -> Score:
    mean, pooled, per_joint = _average(values, counted, ())
    return Score(mean.item(), pooled.item(), per_joint)


def _average(values: Tensor, counted: Tensor, excluded: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and pooled ``(...)`` and per joint ``(..., K)`` of ``values (..., B, K)`` where ``counted (B, K)``."""
    kept = [k for k in range(values.shape[-1]) if k not in excluded]
    sums = torch.where(counted, values, 0).sum(dim=-2, dtype=torch.float64)
    counts = counted.sum(dim=0)
    per_joint = sums / counts
    pooled = sums[..., kept].sum(dim=-1) / counts[kept].sum()
    return per_joint[..., kept].nanmean(dim=-1), pooled, per_joint
