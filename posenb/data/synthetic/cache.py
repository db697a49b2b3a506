"""Rendering block by block on all cores, and the store of what was rendered.

An entry is two files: ``KEY.npy`` has the images and opens as a memory map, ``KEY.npz`` has the labels and a checksum
of some of the images. Both are written aside and moved into place, so a reader sees whole files or none; an entry that
is damaged is rendered again. Two processes that render one entry at a time write the same bytes. What a killed one
leaves is removed by the next that writes.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import uuid
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from posenb.data.synthetic.draws import BLOCK
from posenb.files import being_written, partial_path
from posenb.home import data_folder

RENDERER = 2
"""Raise it when the same arguments give other pictures: entries of other versions are then left alone."""

# a file system that cannot reserve says one of these
_CANNOT_RESERVE = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}
_CHUNK = 2**20


class Labels(NamedTuple):
    """The labels of N images as arrays: see PoseDataset; ``height (N,)`` is the person's stature in pixels."""

    points: np.ndarray
    visible: np.ndarray
    occluded: np.ndarray
    reference: np.ndarray
    head: np.ndarray
    height: np.ndarray


Render = Callable[[int, np.ndarray], Labels]
"""``render(block, out)`` paints a block's first images into ``out (n, H, W, 3)`` and returns their n labels."""


def rendered(
    parameters: dict[str, object], count: int, size: tuple[int, int], render: Render, cache: bool
) -> tuple[np.ndarray, Labels]:
    """Images ``(count, H, W, 3)`` uint8 and their labels, from the store or rendered now.

    Args:
        parameters: everything that the pictures depend on besides count and size, as JSON values.
        size: (H, W) of the stored images.
        render: renders one block.
        cache: False neither reads nor writes the store.

    Raises:
        OSError: in one line, where the store cannot be written, as on a full disk; nothing half-written stays.
    """
    if not cache:
        images = np.empty((count, *size, 3), np.uint8)
        return images, _render_all(images, render)
    words = json.dumps([RENDERER, count, size, parameters], sort_keys=True)
    key = hashlib.sha256(words.encode()).hexdigest()[:20]
    folder = data_folder("synthetic")
    entry = _read(folder, key, (count, *size, 3))
    if entry is None:
        _write(folder, key, (count, *size, 3), render)
        entry = _read(folder, key, (count, *size, 3))
    if entry is None:
        raise OSError(f"{folder / key}.npy cannot be read back after it was written; is the disk full?")
    return entry


def _render_all(images: np.ndarray, render: Render) -> Labels:
    starts = range(0, len(images), BLOCK)
    # OpenCV lets go of the interpreter's lock while it paints, so threads are enough
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1, len(starts))) as pool:
        blocks = list(pool.map(lambda start: render(start // BLOCK, images[start : start + BLOCK]), starts))
    return Labels(*(np.concatenate(parts) for parts in zip(*blocks, strict=True)))


def _write(folder: Path, key: str, shape: tuple[int, ...], render: Render) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(folder)
    # threads of one process, whose number is in the name, may write one entry at a time, too
    name = f".{key}-{uuid.uuid4().hex}"
    image_file, label_file = (partial_path(folder / f"{name}{suffix}") for suffix in (".npy", ".npz"))
    try:
        images = _mapped(image_file, shape)
        labels = _render_all(images, render)
        images.flush()
        with label_file.open("wb") as file:
            np.savez(file, **labels._asdict(), checksum=_checksum(images))
        image_file.replace(folder / f"{key}.npy")
        label_file.replace(folder / f"{key}.npz")
    except OSError as error:
        raise OSError(f"cannot write {folder / key}.npy: {error.strerror or error}") from error
    finally:
        for partial in (image_file, label_file):
            partial.unlink(missing_ok=True)


def _clear_leftovers(folder: Path) -> None:
    """Remove what killed processes left half-written."""
    for leftover in folder.glob(".*.partial"):
        if not being_written(leftover):
            with suppress(OSError):  # another user's, who has to remove it
                leftover.unlink()


def _mapped(path: Path, shape: tuple[int, ...]) -> np.memmap:
    """A new .npy file of bytes, mapped into memory to be painted into.

    Raises:
        OSError: where there is no room for it.
    """
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        _reserve(file, file.tell() + math.prod(shape))
    return np.lib.format.open_memmap(path, "r+")


def _reserve(file: BinaryIO, size: int) -> None:
    """Make a file, written up to here, ``size`` bytes long, and take the room for them from the disk.

    A mapped file without it kills the process when the disk is full: SIGBUS, which Python cannot catch.
    """
    if hasattr(os, "posix_fallocate"):
        try:
            return os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno not in _CANNOT_RESERVE:
                raise
    for start in range(file.tell(), size, _CHUNK):
        file.write(bytes(min(_CHUNK, size - start)))


def _read(folder: Path, key: str, shape: tuple[int, ...]) -> tuple[np.ndarray, Labels] | None:
    """The entry, or None where it is missing or damaged."""
    try:
        # copy on write: a caller may change the images in memory, and the store stays as it is
        images = np.load(folder / f"{key}.npy", mmap_mode="c")
        with np.load(folder / f"{key}.npz") as file:
            labels = Labels(**{name: file[name] for name in Labels._fields})
            checksum = int(file["checksum"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    whole = images.shape == shape and images.dtype == np.uint8 and all(len(part) == shape[0] for part in labels)
    return (images, labels) if whole and checksum == _checksum(images) else None


def _checksum(images: np.ndarray) -> int:
    """Of 64 images spread over all, the first and the last among them: quick for any number."""
    picked = np.unique(np.linspace(0, len(images) - 1, 64).astype(int))
    return zlib.crc32(np.ascontiguousarray(images[picked]).tobytes())
