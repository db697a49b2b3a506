"""Random numbers by blocks: sample i depends on the seed and on i alone, though all are drawn as arrays."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

BLOCK = 256
"""Samples are made in blocks of this many. A block is always computed whole, so a prefix cannot differ."""


class Draws:
    """The random numbers of one block of samples, drawn in the order of the calls.

    Args:
        seed: the data set's seed, at least 0.
        block: which block of samples.
        stream: what the numbers are for; streams are independent, so that one may change without the others.
        frozen: every row is the same (a sequence keeps its person and its place).
    """

    def __init__(self, seed: int, block: int, stream: str, frozen: bool = False) -> None:
        self._rng = np.random.default_rng([seed, zlib.crc32(stream.encode()), 0 if frozen else block])
        self._frozen = frozen

    def uniform(self, low: float | Array, high: float | Array, *shape: int) -> Array:
        """``(BLOCK, *shape)`` numbers between low and high."""
        unit = self._rng.random((BLOCK, *shape))
        if self._frozen:
            unit[:] = unit[0]
        return low + (high - low) * unit

    def normal(self, *shape: int) -> Array:
        """``(BLOCK, *shape)`` standard normal numbers, cut at 2.5 so that no sample is absurd."""
        values = self._rng.standard_normal((BLOCK, *shape))
        if self._frozen:
            values[:] = values[0]
        return values.clip(-2.5, 2.5)

    def chance(self, probability: float) -> Bools:
        """``(BLOCK,)`` bool, True with this probability."""
        return self.uniform(0, 1) < probability

    def choice(self, weights: Array | list[float]) -> Ints:
        """``(BLOCK,)`` indices, drawn in proportion to the weights."""
        edges = np.cumsum(weights) / np.sum(weights)
        return np.minimum(np.searchsorted(edges, self.uniform(0, 1), side="right"), len(edges) - 1)
