"""The theorems of stable heatmap regression (Zhang et al. 2022, sections 3.1 and 3.3) as computations.

Maps here are float64 ``(H, H)``; rows and columns count map pixels from 0, where the paper's sums begin at 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from posenb.heatmaps import rcc


class Peak(NamedTuple):
    """A Gaussian sub-heatmap of Eq. (2): its row and column, standard deviation and height (1 there)."""

    row: float
    column: float
    sigma: float
    height: float = 1.0


class Case(NamedTuple):
    """A map before RCC and its normalised answer, both with the places (row, column) of their peaks, highest first."""

    before: Tensor
    after: Tensor
    peaks_before: list[tuple[int, int]]
    peaks_after: list[tuple[int, int]]


def profile(size: int, center: float, sigma: float) -> Tensor:
    """exp(-(i - center)^2 / (2 sigma^2)) for i = 0 ... size - 1."""
    i = torch.arange(size, dtype=torch.float64)
    return (-((i - center) ** 2) / (2 * sigma**2)).exp()


def heatmap(peaks: Sequence[Peak], size: int) -> Tensor:
    """The sum of Gaussians, Eq. (2), ``(size, size)``."""
    parts = [p.height * torch.outer(profile(size, p.row, p.sigma), profile(size, p.column, p.sigma)) for p in peaks]
    return torch.stack(parts).sum(dim=0)


def weight(peak: Peak, size: int) -> float:
    """C1 of Theorem 1: what RCC multiplies a Gaussian by, summed as printed, times its height."""
    overlap = profile(size, peak.column, peak.sigma) * profile(size, peak.row, peak.sigma)
    return peak.height * overlap.sum().item()


def weight_on_a_fine_grid(peak: Peak) -> float:
    """C1 in closed form, for a Gaussian that is wide against a pixel and far from the borders.

    sigma sqrt(pi) exp(-(row - column)^2 / (4 sigma^2)): what counts is the distance from the main diagonal, not, as the
    paper says, from the map's centre.
    """
    return (
        peak.height * peak.sigma * math.sqrt(math.pi) * math.exp(-((peak.row - peak.column) ** 2) / (4 * peak.sigma**2))
    )


def expansion(peaks: Sequence[Peak], size: int) -> Tensor:
    """The right side of Theorem 2, Eqs. (3) to (6): every row profile a with every column profile b, weighted.

    The terms a = b are the sub-heatmaps themselves, C_n G_n; the others are the joint ones, C_ab G_ab, which peak
    at the row of a and the column of b.
    """
    total = torch.zeros(size, size, dtype=torch.float64)
    for a in peaks:
        for b in peaks:
            c = (profile(size, a.column, a.sigma) * profile(size, b.row, b.sigma)).sum()
            joint = torch.outer(profile(size, a.row, a.sigma), profile(size, b.column, b.sigma))
            total += a.height * b.height * c * joint
    return total


def theorem_error(peaks: Sequence[Peak], size: int) -> float:
    """Largest difference between RCC and Theorems 1 (one peak) and 2 (several), relative to RCC's maximum."""
    answer = rcc(heatmap(peaks, size), normalize=False)
    said = weight(peaks[0], size) * heatmap(peaks, size) if len(peaks) == 1 else expansion(peaks, size)
    return ((answer - said).abs().max() / answer.max()).item()


def local_peaks(heights: Tensor, least: float = 0.2) -> list[tuple[int, int]]:
    """Pixels above ``least`` of the maximum and not below any of their neighbours, highest first."""
    around = torch.nn.functional.max_pool2d(heights[None, None], 3, 1, 1)[0, 0]
    found = ((heights == around) & (heights >= least * heights.max())).nonzero()
    order = heights[found[:, 0], found[:, 1]].argsort(descending=True)
    return [(row, column) for row, column in found[order].tolist()]


def case(peaks: Sequence[Peak], size: int = 64) -> Case:
    """RCC's answer to a few peaks."""
    before = heatmap(peaks, size)
    after = rcc(before)
    return Case(before, after, local_peaks(before), local_peaks(after))


def figure3() -> dict[str, Case]:
    """Fig. 3's cases: 'variance' weakens the narrow peak, 'center' the one far from the diagonal, 'equal' moves both.

    The paper draws them without numbers; the places are ours.
    """
    return {
        "variance": case([Peak(16, 16, 2.0), Peak(48, 48, 5.0)]),
        "center": case([Peak(24, 24, 3.0), Peak(40, 54, 3.0)]),
        "equal": case([Peak(16, 48, 3.0), Peak(48, 16, 3.0)]),
    }


class Condition(NamedTuple):
    """Theorem 3 for one map and its change: the gap r(1) - r(2), and bounds that it is compared with.

    Attributes:
        gap: highest less second highest value.
        printed: the paper's, sqrt(sum of D^2 + HW D(1)^2), with which the theorem is slightly false.
        corrected: the same with (1 + 1/(HW)) before the sum, which suffices.
        tight: ``|D(1)|`` + the largest ``|D|`` elsewhere, which suffices and is the smallest of the sufficient two.
        kept: whether the maximum stays where it was.
    """

    gap: float
    printed: float
    corrected: float
    tight: float
    kept: bool


def theorem3(heights: Tensor, change: Tensor) -> Condition:
    """The terms of Theorem 3 for a map ``(H, W)`` and its change ``(H, W)``."""
    r, d = heights.double().flatten(), change.double().flatten()
    place = int(r.argmax())
    first, second = r.topk(2).values.tolist()
    at_top, total, count = d[place].item(), d.square().sum().item(), len(d)
    others = d.abs().index_fill(0, torch.tensor([place]), 0.0)
    after = r + d
    return Condition(
        gap=first - second,
        printed=math.sqrt(total + count * at_top**2),
        corrected=math.sqrt((1 + 1 / count) * total + count * at_top**2),
        tight=abs(at_top) + others.max().item(),
        kept=bool(after[place] >= after.max()),
    )


def adversarial_change(generator: torch.Generator, size: int = 8) -> tuple[Tensor, Tensor]:
    """A random map and a change against its maximum, ``(size, size)`` each: some move it, some nearly do.

    The maximum falls and the second highest rises, by random shares of up to twice their gap; noise lies on the rest.
    """
    heights = torch.rand(size * size, generator=generator, dtype=torch.float64)
    place, second = heights.topk(2).indices.tolist()
    gap = (heights[place] - heights[second]).item()
    reach, share, noise = torch.rand(3, generator=generator, dtype=torch.float64).tolist()
    change = torch.randn(size * size, generator=generator, dtype=torch.float64) * 0.1 * noise**4 * gap
    change[place] = -2 * reach * gap * share**4
    change[second] = 2 * reach * gap * (1 - share**4)
    return heights.view(size, size), change.view(size, size)


def counterexample() -> Condition:
    """A change that satisfies Theorem 3's printed condition and moves the maximum: 64 x 64, D(1) = -1e-4, D(j) = .5."""
    heights = torch.zeros(64, 64, dtype=torch.float64)
    heights[10, 10], heights[40, 40] = 1.0, 1.0 - 0.50007
    change = torch.zeros_like(heights)
    change[10, 10], change[40, 40] = -1e-4, 0.5
    return theorem3(heights, change)
