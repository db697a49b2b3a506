"""What is drawn at random: for each image from a generator of its own, so that no image depends on its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Generator, Tensor

LEVELS = 2**16


def seeds(count: int, generator: Generator) -> Tensor:
    """One seed an image, ``(count,)`` int64, drawn in the order of the batch."""
    return torch.randint(2**63 - 1, (count,), generator=generator, device=generator.device)


def streams(chosen: Sequence[int], device: torch.device) -> list[Generator]:
    """A generator for each seed, on the device of the generator that drew them."""
    return [Generator(device).manual_seed(seed) for seed in chosen]


def words(shape: tuple[int, ...], generators: Sequence[Generator]) -> Tensor:
    """Whole numbers ``(B, *shape)`` int32, uniform in [0, 65536)."""
    size = torch.Size(shape).numel()
    # four at a time: a draw costs as much for 64 bits as for 16
    drawn = torch.empty((len(generators), -(-size // 4)), dtype=torch.int64, device=generators[0].device)
    for row, generator in zip(drawn, generators, strict=True):
        row.random_(-(2**63), None, generator=generator)
    return drawn.view(torch.uint16)[:, :size].to(torch.int32).view(len(generators), *shape)


def uniform(low: float, high: float, generators: Sequence[Generator]) -> Tensor:
    """``(B,)`` float32, uniform in [low, high)."""
    return torch.cat([torch.rand(1, generator=g, device=g.device) for g in generators]) * (high - low) + low


@cache
def quantiles() -> Tensor:
    """The middles of 65536 equally likely parts of the standard normal distribution, float32, on the CPU."""
    return torch.special.ndtri((torch.arange(LEVELS, dtype=torch.float64) + 0.5) / LEVELS).float()


def normal(shape: tuple[int, ...], generators: Sequence[Generator]) -> Tensor:
    """Standard normal numbers ``(B, *shape)`` float32, of 65536 different values, none beyond 4.4."""
    drawn = words(shape, generators)
    return look_up(quantiles(), drawn)


def look_up(table: Tensor, index: Tensor) -> Tensor:
    """``table[index]`` for a 1-D table, on the index's device; several times faster on a CPU."""
    return table.to(index.device).index_select(0, index.flatten()).view(index.shape)
