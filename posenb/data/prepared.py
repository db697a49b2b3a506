"""Prepared people: small pictures cut about each, and their labels, in parts that are whole or not there.

``data/NAME/people/`` holds ``index.json`` and for every part ``00000.pictures`` (image files end to end) and
``00000.npz`` (labels, and a checksum of the former); ``posenb.data.prepare`` writes it. Samples of one size are cropped
from them once, into ``data/NAME/crops-*.npy``, which is mapped into memory.
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from posenb.data.crops import crop, frames, map_pictures, write_pictures
from posenb.data.dataset import PoseDataset
from posenb.data.fetch import locked
from posenb.data.people import ABOUT_BOX
from posenb.data.pictures import decode
from posenb.data.sources import Source
from posenb.errors import DataError
from posenb.home import data_folder
from posenb.skeletons import Skeleton

RECIPE = 1  # counts up when the same annotations begin to give other files
FIELDS = ("points", "visible", "occluded", "center", "side", "head", "area", "number", "picture", "origin", "unit")
SPLITS = {"train": ("train", "val"), "fit": ("train",), "val": ("val",), "test": ("test",)}
"""Which of the prepared people a split has: 'val' is the held-out part of 'train', and 'fit' the rest of it."""

# what an index must have to be one
_INDEX = {"recipe", "fingerprint", "digest", "skeleton", "parts", "report"}

# what NumPy's reader raises at missing and damaged files
DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Prepared:
    """The labels of a prepared data set, N people of K joints, and where their pictures are.

    Attributes:
        folder: ``data/NAME``.
        digest: names the contents.
        skeleton: the joint set.
        split: ``(N,)`` of 'train', 'val' and 'test'.
        labels: arrays over people, by the names of :class:`posenb.data.people.Person`, in pixels of the small
            pictures; ``picture`` is the number of the whole picture, in which a point p lies at origin + p * unit.
        parts: number of people in each part.
    """

    folder: Path
    digest: str
    skeleton: Skeleton
    split: NDArray[np.str_]
    labels: dict[str, NDArray[Any]]
    parts: list[int]


def prepared_here() -> dict[str, dict[str, Any]]:
    """What each prepared data set of this home says of itself, by name: counts, joint set, digest."""
    folders = sorted(path.parent.parent for path in data_folder().glob("*/people/index.json"))
    return {folder.name: index for folder in folders if (index := index_of(folder))}


def is_prepared(folder: Path) -> bool:
    """Whether there is something that ``read`` can read."""
    return index_of(folder) is not None


def read(source: Source, folder: Path | None = None) -> Prepared:
    """The labels of a prepared data set.

    Raises:
        DataError: it is not prepared, of another version, or damaged; the message says how to mend that.
    """
    folder = folder or data_folder(source.name)
    index = index_of(folder)
    if index is None:
        raise DataError(f"{source.title} is not prepared in {folder}: run `{source.command}`")
    if index["recipe"] != RECIPE:
        raise DataError(f"{folder} was prepared by another version of posenb: run `{source.command}`")
    parts = []
    for number, count in enumerate(index["parts"]):
        if not count:  # its arrays have no shape
            continue
        path = folder / "people" / f"{number:05d}.npz"
        try:
            with np.load(path) as file:
                parts.append({name: file[name] for name in (*FIELDS, "split")})
        except DAMAGED as error:
            raise DataError(f"{path} is damaged ({error}): run `{source.command}`") from None
    labels = {name: np.concatenate([part[name] for part in parts]) for name in (*FIELDS, "split")}
    skeleton = source.skeleton or Skeleton.from_description(index["skeleton"])
    return Prepared(folder, index["digest"], skeleton, labels.pop("split"), labels, index["parts"])


def load(
    source: Source, split: str, size: int | tuple[int, int] = 64, margin: int = 0, folder: Path | None = None
) -> PoseDataset:
    """Samples of one split of a prepared data set.

    Args:
        source: the data set.
        split: 'train', 'fit', 'val' or 'test'.
        size: pixels of the sample proper, a side or (H, W). Where H and W differ, the person's square fills the shorter
            side and the longer one shows more of the surroundings.
        margin: pixels of further surroundings on each side, at the same scale.
        folder: where it was prepared; ``data_folder(source.name)`` where None.

    Returns:
        The data set. Images are mapped from a file that the first call for a size writes. Beyond the borders of the
        picture, its border pixels are repeated. ``reference`` is the skeleton's, or where it has none the longer side
        of the person's box.

    Raises:
        DataError: no such split or size, not prepared, or the prepared data are damaged.
    """
    height, width = (size, size) if isinstance(size, int) else size
    if split not in SPLITS:
        raise DataError(f"{source.title} has no split {split!r}: choose one of {', '.join(SPLITS)}")
    if min(height, width) < 1 or margin < 0:
        raise DataError(f"{source.title} cannot be cropped to {height} x {width} pixels with margin {margin}")
    found = read(source, folder)
    group = "test" if split == "test" else "train"
    of_group = np.isin(found.split, SPLITS[group])
    labels = {name: values[of_group] for name, values in found.labels.items()}
    origin, unit = frames(labels["center"], labels["side"], (height, width), margin)
    stored = (height + 2 * margin, width + 2 * margin)
    path = found.folder / f"crops-{found.digest}-{source.version}-{group}-{height}x{width}+{margin}.npy"

    def make() -> Iterator[NDArray[np.uint8]]:
        chosen = (file for file, wanted in zip(files(found, source), of_group, strict=True) if wanted)
        return _crops(chosen, origin, unit, stored, f"cropping {source.name}")

    images = _mapped(path, (len(unit), *stored, 3), make)
    rows = _slice(np.isin(found.split[of_group], SPLITS[split]))
    inside = ((labels["points"] - origin[:, None]) / unit[:, None, None])[rows]
    points, visible = torch.from_numpy(inside).float(), torch.from_numpy(labels["visible"][rows])

    def lengths(name: str, power: int = 1) -> torch.Tensor:
        return torch.from_numpy((labels[name] / unit**power)[rows]).float()

    return PoseDataset(
        images=torch.from_numpy(images[rows]).permute(0, 3, 1, 2),
        points=points,
        visible=visible,
        occluded=torch.from_numpy(labels["occluded"][rows]),
        reference=found.skeleton.reference_length(points) if found.skeleton.reference else lengths("side") / ABOUT_BOX,
        head=lengths("head"),
        skeleton=found.skeleton,
        name=f"{source.name}/{split}",
        margin=margin,
        area=lengths("area", 2),
        picture=torch.from_numpy(labels["picture"][rows].astype(np.int64)),
    )


def _slice(chosen: NDArray[np.bool_]) -> Any:
    """The chosen rows: a slice where they follow each other, so that mapped images are not copied into memory."""
    rows = np.flatnonzero(chosen)
    together = len(rows) and rows[-1] - rows[0] + 1 == len(rows)
    return slice(int(rows[0]), int(rows[-1]) + 1) if together else rows


def _mapped(path: Path, shape: tuple[int, ...], make: Callable[[], Iterator[NDArray[np.uint8]]]) -> NDArray[np.uint8]:
    """Crops ``(N, H, W, 3)`` mapped from ``path``, which is made where it is missing or damaged."""
    crops = map_pictures(path, shape)
    if crops is None:
        with locked(path.with_name("people")):
            crops = map_pictures(path, shape)  # another process may have made it while we waited
            if crops is None:
                write_pictures(path, make(), shape)
                crops = map_pictures(path, shape)
    if crops is None:
        raise DataError(f"{path} does not read back as it was written: the disk is failing")
    return crops


def _crops(
    pictures: Iterator[bytes],
    corners: NDArray[np.float64],
    units: NDArray[np.float64],
    size: tuple[int, int],
    title: str,
) -> Iterator[NDArray[np.uint8]]:
    def one(job: tuple[bytes, NDArray[np.float64], float]) -> NDArray[np.uint8]:
        file, corner, unit = job
        return crop(decode(file), corner, float(unit), size)

    jobs = zip(pictures, corners, units, strict=True)
    with (
        ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool,
        tqdm(desc=title, total=len(units), disable=None) as bar,
    ):
        # a few at a time: the pool would read the whole data set ahead
        while block := list(islice(jobs, 256)):
            yield from pool.map(one, block)
            bar.update(len(block))


def files(prepared: Prepared, source: Source) -> Iterator[bytes]:
    """The small pictures' files, in the order of the labels.

    Raises:
        DataError: they are damaged, or were prepared anew since ``read``.
    """
    index = index_of(prepared.folder)
    if index is None or index["digest"] != prepared.digest:  # these labels are not of these pictures
        raise DataError(f"{source.title} was prepared anew while it was being loaded: load it again")
    for number in range(len(prepared.parts)):
        path = prepared.folder / "people" / f"{number:05d}"
        try:
            pictures = path.with_suffix(".pictures").read_bytes()
            with np.load(path.with_suffix(".npz")) as file:
                ends, checksum = file["ends"].tolist(), int(file["checksum"])
        except DAMAGED as error:
            raise DataError(f"{path}.pictures is damaged ({error}): run `{source.command}`") from None
        if zlib.crc32(pictures) != checksum:
            raise DataError(f"{path}.pictures is damaged: run `{source.command}`")
        for start, end in pairwise([0, *ends]):  # none where nobody of a part was kept
            yield pictures[start:end]


def index_of(folder: Path) -> dict[str, Any] | None:
    """What the prepared folder says of itself; None where there is none, or a damaged one."""
    try:
        index = json.loads((folder / "people" / "index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return index if isinstance(index, dict) and index.keys() >= _INDEX else None
