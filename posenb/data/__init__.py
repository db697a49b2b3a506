"""Data sets: arrays of images and points, synthetic and real."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from posenb.data.dataset import Batch, PoseDataset
from posenb.data.sources import SOURCES, Source
from posenb.data.sources import own as _own  # not by its name, which is the reader's module's
from posenb.errors import UserError
from posenb.skeletons import HAND21, MPII16, Skeleton

__all__ = ["SPLITS", "SYNTHETIC", "SYNTHETIC_SEEDS", "Batch", "PoseDataset", "load", "skeleton", "source", "version"]

SYNTHETIC: dict[str, Skeleton] = {"body": MPII16, "hand": HAND21, "scene": MPII16}
"""The data sets that are drawn, and their joint sets."""

# 'fit' and 'val' are for choices, 'train' and 'test' for verdicts. Synthetic people of different splits come from
# different seeds; for real data sets 'val' lies within 'train', and 'fit' is the rest of it.
SPLITS = ("train", "fit", "val", "test")
SYNTHETIC_SEEDS = {"train": 1, "fit": 1, "val": 2, "test": 3}

# Painters and readers are imported by the functions that need them: whoever only asks for a name does not wait


def load(
    name: str, split: str, *, count: int | None = None, size: int = 64, margin: int = 0, **options: Any
) -> PoseDataset:
    """A split of a data set by its name.

    Args:
        name: 'body', 'hand', 'scene' (synthetic), a real one of :data:`posenb.data.sources.SOURCES`, or your own, under
            the name that ``posenb data own`` gave it.
        split: 'train', 'fit', 'val' or 'test'.
        count: how many samples, the first ones; None is all of a real data set, and 1,000 synthetic images.
        size: side of the samples in pixels.
        margin: pixels of surroundings stored about each.
        options: for synthetic data, such as ``difficulty``.

    Raises:
        UserError: for an unknown name or split, a count below 1, an option of a real data set, one that was not
            prepared, or a split without anybody.
    """
    if count is not None and count < 1:
        raise UserError(f"count must be at least 1, or None for all, not {count}")
    if split not in SPLITS:
        raise UserError(f"split must be one of {', '.join(SPLITS)}, not {split!r}")
    if name in SYNTHETIC:
        from posenb.data import synthetic

        painters: dict[str, Callable[..., PoseDataset]] = {
            "body": synthetic.body,
            "hand": synthetic.hand,
            "scene": _scene,
        }
        return painters[name](
            1000 if count is None else count, size=size, seed=SYNTHETIC_SEEDS[split], margin=margin, **options
        )
    from posenb.data import prepared

    real = source(name)
    if options:
        raise UserError(f"{name} is real and has no option {', '.join(options)}: that is for synthetic data")
    found = prepared.load(real, split, size=size, margin=margin)
    if not len(found):
        raise UserError(f"{name} has nobody in its split {split!r}")
    return found[slice(count)]


def source(name: str) -> Source:
    """A real data set by its name.

    Raises:
        UserError: for an unknown name.
    """
    if name in SOURCES:
        return SOURCES[name]
    from posenb.data import prepared

    index = prepared.index_of(prepared.data_folder(name)) if name and name not in SYNTHETIC else None
    if index is None:
        known = ", ".join([*SYNTHETIC, *SOURCES])
        raise UserError(f"data set must be one of {known}, or one that `posenb data own` prepared, not {name!r}")
    return _own(name, index["digest"], labelled=bool(index["skeleton"]["joints"]))


def skeleton(name: str) -> Skeleton:
    """The joint set of a data set.

    Raises:
        UserError: for an unknown name.
    """
    if name in SYNTHETIC:
        return SYNTHETIC[name]
    found = source(name)
    if found.skeleton:
        return found.skeleton
    from posenb.data import prepared

    return prepared.read(found).skeleton


def version(name: str) -> int | str:
    """Changes whenever a data set of this name gives other images or labels than before; part of a run's key."""
    if name in SYNTHETIC:
        from posenb.data import synthetic

        return synthetic.VERSION
    found = source(name)
    if found.varies:
        from posenb.data import prepared

        if index := prepared.index_of(prepared.data_folder(name)):
            return f"{found.version}-{index['digest']}"
    return found.version


def _scene(
    count: int, size: int, seed: int, margin: int, view: str = "fitting", difficulty: float = 0.5
) -> PoseDataset:
    """People of unknown size, each in the box that fits it, or with ``view`` 'wide' in the largest box."""
    from posenb.data import scenes, synthetic

    if view not in ("fitting", "wide"):
        raise UserError(f"view must be 'fitting' or 'wide', not {view!r}")
    scene = synthetic.scene(count, seed=seed, difficulty=difficulty)
    box = scenes.fitting(scene.height, scene.dataset.size)
    return scenes.boxed(scene, box if view == "fitting" else torch.full_like(box, scenes.WIDE), size, margin)
