"""Why a network that learns from itself forgets: small exact computations, without training (after Xie et al. 2021).

Everything follows from one fact: under mean squared error the best answer is the mean of what is asked. A map's peak is
as high as its teacher's peaks agree on where it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from posenb import augment
from posenb.heatmaps import gaussian

SIZE = (32, 32)


class Costs(NamedTuple):
    """Mean squared error of three answers to a Gaussian target, relative to the empty map's, and its foreground."""

    empty: float
    aside: float
    foreground: float


def costs(sigma: float, aside: float, size: tuple[int, int] = SIZE) -> Costs:
    """What mean squared error asks for answering nothing, and for a full peak ``aside`` map pixels beside the place.

    'foreground' is the share of pixels above a tenth of the peak.
    """
    middle = torch.tensor([[[size[1] / 2 + 0.5, size[0] / 2 + 0.5]]])
    target = gaussian(middle, size, 1, sigma)
    shifted = gaussian(middle + torch.tensor([aside, 0.0]), size, 1, sigma)
    nothing = target.square().mean()
    wrong = (shifted - target).square().mean()
    return Costs(1.0, (wrong / nothing).item(), (target > 0.1).float().mean().item())


def mean_answer(sigma: float, spread: float, size: tuple[int, int] = SIZE, count: int = 4000, seed: int = 0) -> Tensor:
    """``size``: the best answer where the teacher's peaks scatter with a standard deviation of ``spread`` map pixels.

    The mean of ``count`` Gaussians of height 1.
    """
    generator = torch.Generator().manual_seed(seed)
    middle = torch.tensor([size[1] / 2 + 0.5, size[0] / 2 + 0.5])  # a pixel's centre
    places = middle + spread * torch.randn(count, 1, 2, generator=generator)
    return gaussian(places, size, 1, sigma)[:, 0].mean(dim=0)


def height_after(generations: int, sigma: float, spread: float) -> float:
    """Height of a peak that was taught ``generations`` times, each time with a new scatter of its place.

    Each generation convolves a Gaussian of variance sigma^2 with one of variance spread^2. In two dimensions the height
    of a Gaussian of constant mass falls as one over its variance: sigma^2 / (sigma^2 + t spread^2).
    """
    return sigma**2 / (sigma**2 + generations * spread**2)


def carried(sigma: float, times: int, family: augment.Family, generator: Generator, count: int = 200) -> Tensor:
    """Mean height ``(times + 1,)`` of a Gaussian's peak that is carried from view to view, each drawn from a family.

    Resampling alone blurs, and a blurred peak is lower. Views are square, as large as the map; the peak starts in the
    middle of a pixel and is read as the map's maximum.
    """
    maps = gaussian(torch.full((count, 1, 2), 16.5), SIZE, 1, sigma)
    heights = [maps.amax(dim=(-2, -1)).mean()]
    for _ in range(times):
        drawn = augment.draw(count, family, generator)
        maps = augment.warp_maps(maps, augment.between(augment.still(count), drawn, SIZE, SIZE), 1)
        # and back, so that only the resampling is left
        maps = augment.warp_maps(maps, augment.between(drawn, augment.still(count), SIZE, SIZE), 1)
        heights.append(maps.amax(dim=(-2, -1)).mean())
    return torch.stack(heights)


def best_heights(agreements: Sequence[float], sigma: float = 1.5) -> list[float]:
    """Height of the best answer where the teacher points to one place with probability p, else to another far away.

    Found on a grid of heights by its mean squared error: it is p.
    """
    here, there = gaussian(torch.tensor([[[10.5, 16.5]], [[22.5, 16.5]]]), SIZE, 1, sigma)[:, 0]
    heights = torch.linspace(0, 1, 101)
    found = []
    for p in agreements:
        asked = p * here + (1 - p) * there
        # E |a here + b there - target|^2 is least where the map is the mean; b does not change the best a
        errors = (heights[:, None, None] * here + (1 - p) * there - asked).square().mean(dim=(-2, -1))
        found.append(heights[errors.argmin()].item())
    return found
