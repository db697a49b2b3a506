"""Adversarial data augmentation (Peng et al. 2018): a second network picks the augmentation that is hard.

Three stages (section 5.1), each a run that starts from the one before:

1. :mod:`posenb.methods.supervised`: the pose network D alone.
2. :class:`AdversarialPretraining`: the augmenters G learn what D, frozen, finds hard. ASR (scale, rotation) from a
   sweep over all pairs of bins, AHO (occlusion) from where the joints are.
3. :class:`AdversarialAugmentation`: D and G together, Algorithms 1 and 2.

The pose network may be any that has ``forward_bridges(images, mask)``: see :mod:`posenb.models.augmenter`.
"""

from __future__ import annotations

from posenb.methods.adversarial_augmentation.adversaries import (
    Adversaries,
    difficulty,
    image_losses,
    judging,
    upside_down,
)
from posenb.methods.adversarial_augmentation.joint import AdversarialAugmentation, Options
from posenb.methods.adversarial_augmentation.pretraining import AdversarialPretraining, PretrainingOptions

__all__ = [
    "AdversarialAugmentation",
    "AdversarialPretraining",
    "Adversaries",
    "Options",
    "PretrainingOptions",
    "difficulty",
    "image_losses",
    "judging",
    "upside_down",
]
