"""Data sets: arrays of images and points, synthetic and real."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from posenb.data import lsp, synthetic
from posenb.data.dataset import Batch, PoseDataset
from posenb.errors import UserError
from posenb.skeletons import HAND21, LSP14, MPII16, Skeleton

__all__ = ["SPLITS", "Batch", "PoseDataset", "load", "skeleton", "version"]

SKELETONS: dict[str, Skeleton] = {"body": MPII16, "hand": HAND21, "lsp": LSP14}

# 'fit' and 'val' are for choices, 'train' and 'test' for verdicts. Synthetic people of different splits come from
# different seeds; for LSP the design's protocol holds, and 'val' lies within 'train'.
SPLITS = ("train", "fit", "val", "test")
_SYNTHETIC: dict[str, Callable[..., PoseDataset]] = {"body": synthetic.body, "hand": synthetic.hand}
_SYNTHETIC_SEEDS = {"train": 1, "fit": 1, "val": 2, "test": 3}


def load(
    name: str, split: str, *, count: int | None = None, size: int = 64, margin: int = 0, **options: Any
) -> PoseDataset:
    """A split of a data set by its name.

    Args:
        name: 'body', 'hand' (synthetic), 'lsp'.
        split: 'train', 'fit', 'val' or 'test'.
        count: how many samples, the first ones; None is all of a real data set, and 1,000 synthetic images.
        size: side of the samples in pixels.
        margin: pixels of surroundings stored about each.
        options: for synthetic data, such as ``difficulty``.

    Raises:
        UserError: for an unknown name or split, or a real data set that was not prepared.
    """
    skeleton(name)
    if split not in SPLITS:
        raise UserError(f"split must be one of {', '.join(SPLITS)}, not {split!r}")
    if name in _SYNTHETIC:
        make = _SYNTHETIC[name]
        return make(count or 1000, size=size, seed=_SYNTHETIC_SEEDS[split], margin=margin, **options)
    return lsp.load(split, size=size, margin=margin)[slice(count)]


def skeleton(name: str) -> Skeleton:
    """The joint set of a data set.

    Raises:
        UserError: for an unknown name.
    """
    if name not in SKELETONS:
        raise UserError(f"data set must be one of {', '.join(SKELETONS)}, not {name!r}")
    return SKELETONS[name]


def version(name: str) -> int:
    """Raised whenever a data set of this name gives other images or labels than before; part of a run's key."""
    return synthetic.VERSION if name in _SYNTHETIC else lsp.VERSION
