"""Person crops: where they lie, how they are resampled, and files of them that are mapped into memory."""

from __future__ import annotations

import io
import itertools
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from posenb.data.fetch import GIB, replacing

# An array up to this size is checked whole when it is mapped, a larger one by pictures spread over it
_CHECKED_WHOLE = GIB
_CHECKED_PICTURES = 1024


def frames(
    center: NDArray[np.float64], side: NDArray[np.float64], size: tuple[int, int], margin: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where the crops of N people lie: their upper left corners ``(N, 2)`` and the length of a pixel ``(N,)``.

    Both in pixels of the picture: its point p is (p - corner) / length in the crop. The square about ``center (N, 2)``
    with ``side (N,)`` fills the shorter side of ``size`` (H, W); ``margin`` pixels more are shown on each side.
    """
    unit = side / min(size)
    extent = np.array([size[1] + 2 * margin, size[0] + 2 * margin])
    return center - unit[:, None] * extent / 2, unit


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


def write_pictures(path: Path, crops: Iterable[NDArray[np.uint8]], shape: tuple[int, ...]) -> None:
    """Write pictures ``(N, H, W, 3)`` as an .npy file, and after the array a checksum.

    In one file, array and checksum cannot part.
    """
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    checked = set(_checked(shape))
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(header.getvalue())
        checksum = zlib.crc32(header.getvalue())
        # written one by one: a mapped file on a full disk would kill the process
        for number, pixels in enumerate(crops):
            file.write(pixels.tobytes())
            if number in checked:
                checksum = zlib.crc32(pixels.tobytes(), checksum)
        file.write(checksum.to_bytes(4, "little"))


def map_pictures(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """The array of a file of ``write_pictures``; None where it is missing, damaged or of another shape."""
    try:
        # copy-on-write, because torch wants writable memory; nobody's writing reaches the file
        crops = np.lib.format.open_memmap(path, mode="c")
        with path.open("rb") as file:
            checksum = zlib.crc32(file.read(crops.offset))
            file.seek(-4, io.SEEK_END)
            whole = file.tell() == crops.offset + crops.nbytes
            written = int.from_bytes(file.read(4), "little")
    except (OSError, ValueError, EOFError):  # missing, empty, or no array
        return None
    if crops.shape != shape or crops.dtype != np.uint8 or not whole:
        return None
    for number in _checked(shape):
        checksum = zlib.crc32(crops[number].tobytes(), checksum)
    return crops if checksum == written else None


def _checked(shape: tuple[int, ...]) -> Iterable[int]:
    """The pictures that the checksum is over."""
    count = shape[0]
    if np.prod(shape, dtype=np.int64) <= _CHECKED_WHOLE:
        return range(count)
    spread = itertools.accumulate(itertools.repeat(count / _CHECKED_PICTURES, _CHECKED_PICTURES - 1), initial=0.0)
    return sorted({*(int(place) for place in spread), count - 1})
