"""What is drawn at random, for a batch at once and on its device: affine transforms, colour, bins, occlusion."""

from __future__ import annotations

from posenb.augment.affine import NONE, Draw, Family, Sample, apply, center, draw, matrices, still
from posenb.augment.distributions import (
    ROTATIONS,
    SCALES,
    Bins,
    accumulate,
    divergence,
    normalize,
    penalize,
    reward,
    sample,
    sweep,
    sweep_apart,
)
from posenb.augment.occlusion import PLACES, cell_counts, masks

__all__ = [
    "NONE",
    "PLACES",
    "ROTATIONS",
    "SCALES",
    "Bins",
    "Draw",
    "Family",
    "Sample",
    "accumulate",
    "apply",
    "cell_counts",
    "center",
    "divergence",
    "draw",
    "masks",
    "matrices",
    "normalize",
    "penalize",
    "reward",
    "sample",
    "still",
    "sweep",
    "sweep_apart",
]
