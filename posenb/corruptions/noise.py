"""Noise, as in ImageNet-C (Hendrycks and Dietterich 2019). Pictures are ``(B, H, W, 3)`` uint8 here.

Noise is looked up by 16 random bits a value. A picture has 256 levels, so nothing finer would be seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from scipy.stats import poisson
from torch import Generator, Tensor

from posenb.corruptions.draws import look_up, normal, quantiles, words
from posenb.corruptions.filters import to_bytes

_BINS = 4096  # of the 65536 numbers drawn, 16 fall into each


def gaussian_noise(pictures: Tensor, std: float, generators: Sequence[Generator]) -> Tensor:
    """x + N(0, std²) for each value, x in [0, 1]."""
    noise = look_up(_gaussian(std), _words(pictures, generators))
    return noise.add_(pictures.to(torch.int16)).clamp_(0, 255).to(torch.uint8)


def speckle_noise(pictures: Tensor, std: float, generators: Sequence[Generator]) -> Tensor:
    """x + x N(0, std²) for each value."""
    gain = normal(tuple(pictures.shape[1:]), generators).to(pictures.device).mul_(std).add_(1)
    return to_bytes(gain.mul_(pictures.float()))


def shot_noise(pictures: Tensor, rate: float, generators: Sequence[Generator]) -> Tensor:
    """Poisson(rate x) / rate for each value, x in [0, 1]; ``rate`` is the mean count of photons in white."""
    index = _words(pictures, generators) >> 4
    return look_up(_poisson(rate), index.add_(pictures.to(torch.int32), alpha=_BINS))


def _words(pictures: Tensor, generators: Sequence[Generator]) -> Tensor:
    return words(tuple(pictures.shape[1:]), generators).to(pictures.device)


@cache
def _gaussian(std: float) -> Tensor:
    """Grey levels to add, int16: rounded before they are added to whole numbers, or after, is the same."""
    return (quantiles() * (255 * std)).round_().short()


@cache
def _poisson(rate: float) -> Tensor:
    """Grey levels, uint8: for each of the 256 levels, the middles of 4096 equally likely parts of its distribution."""
    chance = (np.arange(_BINS) + 0.5) / _BINS
    mean = rate * np.arange(256) / 255
    counts = np.arange(int(rate + 6 * rate**0.5 + 8))
    cumulative = poisson.cdf(counts, mean[:, None])
    drawn = np.stack([of_level.searchsorted(chance) for of_level in cumulative])
    levels = np.rint(np.clip(drawn / rate, 0, 1) * 255).astype(np.uint8)
    return torch.from_numpy(levels.ravel())
