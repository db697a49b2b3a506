"""How much answers move when images are perturbed, and what maps look like (Zhang et al. 2022, section 4).

A network that always answers the same point has displacement 0 and RUC 1: neither stands without accuracy beside it.
Each metric has a form for every joint ``(B, K)``, for intervals over images, and its mean.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Corrupted(NamedTuple):
    """mpc: the mean over corruptions and severities of a metric; rpc: that as a fraction of the clean one."""

    mpc: float
    rpc: float


def squared_moves(clean: Tensor, perturbed: Tensor) -> Tensor:
    """Squared distances ``(B, K)`` in square pixels between the answers for images and for perturbed ones.

    Raises:
        ValueError: where the shapes are not the same ``(B, K, 2)``.
    """
    if clean.shape != perturbed.shape or clean.ndim != 3 or clean.shape[-1] != 2:
        shapes = f"{tuple(clean.shape)} and {tuple(perturbed.shape)}"
        raise ValueError(f"clean and perturbed points must both be (B, K, 2), not {shapes}")
    return (perturbed - clean).double().square().sum(dim=-1)


def displacement(clean: Tensor, perturbed: Tensor) -> float:
    """R, Eq. (10), as a mean: squared pixels that an answer ``(B, K, 2)`` moves, over images and joints. Best is 0."""
    return squared_moves(clean, perturbed).mean().item()


def within(clean: Tensor, perturbed: Tensor, max_pixels: int) -> Tensor:
    """Whether each answer moves at most P pixels, for P = 1, 2, ..., ``max_pixels``: ``(B, K, P)`` of 0 and 1.

    Its mean over images and joints is the robustness curve.

    Raises:
        ValueError: where the shapes are not the same ``(B, K, 2)``, or ``max_pixels`` is below 1.
    """
    if max_pixels < 1:
        raise ValueError(f"max_pixels must be at least 1, not {max_pixels}")
    moves = squared_moves(clean, perturbed).sqrt()
    limits = torch.arange(1, max_pixels + 1, device=moves.device, dtype=moves.dtype)
    return (moves[..., None] <= limits).double()


def stable_share(clean: Tensor, perturbed: Tensor, max_pixels: int) -> Tensor:
    """Each answer's area under the robustness curve, ``(B, K)``: the mean of :func:`within` over P."""
    return within(clean, perturbed, max_pixels).mean(dim=-1)


def ruc(clean: Tensor, perturbed: Tensor, max_pixels: int) -> float:
    """Area under the robustness curve (section 4.3): the share of answers that move by at most P pixels.

    The mean over P = 1, 2, ..., ``max_pixels``, over images and joints. The paper gives no range of P, and says
    "samples", read as single keypoints on single copies. From 0 to 1.

    Args:
        clean, perturbed: ``(B, K, 2)``; scale points to pixels of a 256-pixel image first to compare sizes.
        max_pixels: the largest P.
    """
    return stable_share(clean, perturbed, max_pixels).mean().item()


def spreads(maps: Tensor, n: int = 64) -> Tensor:
    """Each map's sum of squared distances, in map pixels, from its highest pixel to the n - 1 next highest: ``(B, K)``.

    Args:
        maps: ``(B, K, H, W)``.
        n: how many of the highest pixels, the highest included.

    Raises:
        ValueError: where a map has fewer than n pixels.
    """
    height, width = maps.shape[-2:]
    if not 1 <= n <= height * width:
        raise ValueError(f"n must be from 1 to the map's {height * width} pixels, not {n}")
    index = maps.flatten(-2).topk(n, dim=-1).indices
    rows, columns = index // width, index % width
    squared = (rows - rows[..., :1]) ** 2 + (columns - columns[..., :1]) ** 2
    return squared.sum(dim=-1).double()


def concentration(maps: Tensor, n: int = 64) -> float:
    """D_n, Eq. (11): the mean over images and joints of :func:`spreads`. Least is :func:`concentration_floor`."""
    return spreads(maps, n).mean().item()


def concentration_floor(n: int = 64) -> float:
    """D_n of a single peak that falls the same way in all directions: the n pixels nearest to it are its highest."""
    reach = math.isqrt(n) + 1
    steps = torch.arange(-reach, reach + 1)
    squared = (steps[:, None] ** 2 + steps**2).flatten()
    return float(squared.sort().values[:n].sum())


def gaps(maps: Tensor) -> Tensor:
    """Highest less second highest value of each map divided by its maximum, ``(B, K)``; 0 where no value is above 0."""
    first, second = maps.flatten(-2).topk(2, dim=-1).values.double().unbind(-1)
    return torch.where(first > 0, 1 - second / torch.where(first > 0, first, 1.0), 0.0)


def peak_gap(maps: Tensor) -> float:
    """D(1)(2), Eq. (12): the mean over images and joints of :func:`gaps`.

    Maps are divided by their maximum first, because a probability map's values depend on its size. A perfect highly
    differentiated map has 1 - alpha = .3, a perfect Gaussian :func:`gaussian_gap`.
    """
    return gaps(maps).mean().item()


def gaussian_gap(sigma: float) -> float:
    """D(1)(2) of a Gaussian of standard deviation ``sigma`` map pixels, its peak at a pixel's centre."""
    return 1 - math.exp(-1 / (2 * sigma**2))


def corruption_scores(clean: float, corrupted: Tensor) -> Corrupted:
    """mPC and rPC (Michaelis et al. 2019) of a metric that is ``clean`` on clean images.

    Args:
        clean: the metric on clean images.
        corrupted: ``(C, S)``, the metric for each of C corruptions at each of S severities.
    """
    mpc = corrupted.double().mean().item()
    return Corrupted(mpc, mpc / clean if clean else float("nan"))
