"""Fifteen common corruptions in five severities, batched on tensors (Hendrycks and Dietterich, ICLR 2019).

Maximum-stability training trains on the ten of ``TRAIN``; the five of ``TEST`` are kept from training. What differs
from the published pictures: frost is synthetic (no photographs), motion blur and snow place their taps between pixels,
values are rounded to 8 bits where the published code cuts them off, and random numbers are of 16 bits.

Severity does not order everything: saturate weakens colour at 1 and 2 and strengthens it from 3 on, snow at 3 can be
milder than at 2.
"""

from posenb.corruptions.apply import NAMES, TEST, TRAIN, corrupt, perturb

__all__ = ["NAMES", "TEST", "TRAIN", "corrupt", "perturb"]
