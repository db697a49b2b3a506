"""Person crops: where they lie, how they are resampled, and files of them that are mapped into memory."""

from __future__ import annotations

import io
import itertools
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from posenb.data.fetch import replacing

ENLARGE = 1.3  #: the crop's side, in longer sides of the joints' box


def crop_frames(
    points: NDArray[np.float64], size: tuple[int, int], margin: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where the crops lie: their upper left corners ``(N, 2)`` and how long one of their pixels is ``(N,)``.

    Both in pixels of the picture that ``points (N, K, 2)`` are in: its point p is (p - corner) / length in the crop.
    """
    low, high = points.min(axis=1), points.max(axis=1)
    unit = ENLARGE * (high - low).max(axis=1) / min(size)
    extent = np.array([size[1] + 2 * margin, size[0] + 2 * margin])
    return (low + high) / 2 - unit[:, None] * extent / 2, unit


def crop(
    image: NDArray[np.uint8], corner: NDArray[np.float64], unit: float, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """``size`` (H, W) pixels of ``unit`` picture pixels each from ``corner`` (x, y) on, ``(H, W, 3)``.

    Resampled with a filter as wide as an output pixel, so that fine structure does not alias; borders replicated.
    """
    extent = unit * np.array([size[1], size[0]])
    # room for the region and for the filter's reach around it, two output pixels
    reach = 2 * max(unit, 1.0) + 1
    before = np.maximum(np.ceil(reach - corner), 0).astype(int)
    after = np.maximum(np.ceil(corner + extent + reach - image.shape[1::-1]), 0).astype(int)
    padded = np.pad(image, ((before[1], after[1]), (before[0], after[0]), (0, 0)), mode="edge")
    left, top = corner + before
    region = (left, top, left + extent[0], top + extent[1])
    return np.asarray(Image.fromarray(padded).resize((size[1], size[0]), Image.Resampling.BICUBIC, box=region))


def write_pictures(path: Path, crops: Iterator[NDArray[np.uint8]], shape: tuple[int, ...]) -> None:
    """Write pictures ``(N, H, W, 3)`` as an .npy file, and after the array the CRC-32 of all before.

    In one file, array and checksum cannot part.
    """
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    with replacing(path) as temporary, temporary.open("wb") as file:
        checksum = 0
        # written one by one: a mapped file on a full disk would kill the process
        for piece in itertools.chain([header.getvalue()], (crop.tobytes() for crop in crops)):
            file.write(piece)
            checksum = zlib.crc32(piece, checksum)
        file.write(checksum.to_bytes(4, "little"))


def map_pictures(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """The array of a file of ``write_pictures``; None where it is missing, damaged or of another shape."""
    try:
        contents = np.memmap(path, np.uint8, "r")
    except (OSError, ValueError):  # missing, or empty
        return None
    if len(contents) <= 4 or zlib.crc32(contents[:-4].data) != int.from_bytes(contents[-4:].tobytes(), "little"):
        return None
    # copy-on-write, because torch wants writable memory; nobody's writing reaches the file
    crops = np.lib.format.open_memmap(path, mode="c")
    return crops if crops.shape == shape else None
