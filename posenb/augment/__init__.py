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
from posenb.augment.joint_cutout import joint_cutout
from posenb.augment.occlusion import PLACES, cell_counts, masks
from posenb.augment.rand_augment import rand_augment
from posenb.augment.views import between, seen, warp_maps

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
    "between",
    "cell_counts",
    "center",
    "divergence",
    "draw",
    "joint_cutout",
    "masks",
    "matrices",
    "normalize",
    "penalize",
    "rand_augment",
    "reward",
    "sample",
    "seen",
    "still",
    "sweep",
    "sweep_apart",
    "warp_maps",
]
