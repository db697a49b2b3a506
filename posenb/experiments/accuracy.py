"""Which joints are right, image by image: what every comparison of accuracy (PCK@0.2) is a mean of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from posenb.data.dataset import PoseDataset
from posenb.metrics import correct
from posenb.runs import Run

Array = NDArray[np.float64]
MARGIN = 0.02
"""What "as good as", "matches" and "at no cost" allow, in PCK: a claim's statistic is this less the difference."""


def right(points: Tensor, data: PoseDataset) -> Array:
    """Which of ``points (..., N, K, 2)`` are right: 1 or 0, NaN without a label."""
    data = data.cropped()
    return correct(points, data.points, data.visible, data.reference).numpy()


def hits(points: Tensor, data: PoseDataset) -> Array:
    """Of answers ``(N, K, 2)``, image by image ``(N, 2, K)``: which joints are right, and which are labelled."""
    return split(right(points, data))


def split(right: Array) -> Array:
    """Answers ``(N, K)``, right (1), wrong (0) or not labelled (NaN), as :func:`hits` ``(N, 2, K)``."""
    return np.stack([np.nan_to_num(right), np.isfinite(right)], axis=1)


def final_hits(run: Run) -> Array:
    """:func:`hits` of a run's final evaluation."""
    return hits(run.predictions.points, run.spec.data.load("final"))


def pck(mean: Array) -> float:
    """PCK@0.2, the mean over joints, of a mean over images of :func:`hits`, ``(2, K)``."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.nanmean(mean[0] / mean[1]))
