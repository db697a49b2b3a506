"""Smooth motion: a frame lies between two key poses, and key poses follow one another without end."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from posenb.data.synthetic.draws import BLOCK, Array


class Between(NamedTuple):
    """For each frame of a block its two key poses' numbers, and how far it is from the first to the second."""

    first: Array
    second: Array
    share: Array


def between(sample: Callable[[int], Array], block: int, step: float) -> Between:
    """Key numbers ``(BLOCK, A)`` of the frames of a block.

    Args:
        sample: gives the numbers ``(BLOCK, A)`` of the key poses of a block.
        step: the share of the way from one key pose to the next that a frame makes, in (0, 1].
    """
    time = (block * BLOCK + np.arange(BLOCK)) * step
    key = np.floor(time).astype(np.int64)
    blocks = {b: sample(b) for b in np.unique(np.concatenate([key, key + 1]) // BLOCK).tolist()}

    def rows(keys: np.ndarray) -> Array:
        return np.stack([blocks[k // BLOCK][k % BLOCK] for k in keys.tolist()])

    rest = time - key
    return Between(rows(key), rows(key + 1), rest * rest * (3 - 2 * rest))


def blend(first: Array, second: Array, share: Array) -> Array:
    """``(BLOCK, ...)`` between first and second."""
    weight = share.reshape(-1, *[1] * (first.ndim - 1))
    return first + (second - first) * weight
