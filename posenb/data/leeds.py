"""What LSP and LSP-extended share: how they are packed, ``joints.mat``, and whose pictures they are."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import scipy.io
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from posenb.data.fetch import GIB, download, locked, replacing, unpack
from posenb.data.prepared import is_prepared
from posenb.errors import DataError

_LICENCES = {"4": "CC BY 2.0"}  # Flickr's licence numbers


def install(title: str, url: str, archive: Path | None, folder: Path, make: Callable[[Path], str]) -> str:
    """What ``make`` reports of the archive, or of the folder it was unpacked to; fetched from ``url`` where None."""
    if archive is not None:
        return make(archive)
    if is_prepared(folder):
        return f"{title} is prepared already, in {folder}; --archive FILE prepares it anew"
    fetched = download(url, folder / url.rsplit("/", 1)[-1])
    try:
        report = make(fetched)
    except DataError:
        # kept, it would be found again by the next call even where it is another file
        fetched.unlink(missing_ok=True)
        raise
    fetched.unlink(missing_ok=True)
    return report


@contextmanager
def unpacked(source: Path, folder: Path) -> Iterator[Path]:
    """The folder with the contents of ``source``, an archive or a folder; what was unpacked is removed at the end."""
    with locked(folder / "installing"):
        root = source if source.is_dir() else folder / "unpacked"
        try:
            if root != source:
                unpack(source, root, max_bytes=4 * GIB, max_files=20_000)
            yield root
        finally:
            if root != source:
                shutil.rmtree(root, ignore_errors=True)


def find_joints(root: Path, source: Path, title: str, first: str) -> Path:
    """``joints.mat`` in ``root`` or one folder down. Raises DataError where there is none."""
    found = [*root.glob("joints.mat"), *root.glob("*/joints.mat")]
    if not found:
        raise DataError(f"{source} is not {title}: it holds no joints.mat (beside images/{first} and so on)")
    return found[0]


def find_pictures(joints: Path, source: Path, title: str, names: Sequence[str]) -> list[Path]:
    """The pictures beside ``joints.mat``. Raises DataError where they are not ``names``."""
    folder = joints.parent / "images"
    present = {path.name for path in folder.glob("im*.jpg")}
    if missing := [name for name in names if name not in present]:
        raise DataError(
            f"{source} lacks {len(missing):,} of {title}'s {len(names):,} images, the first is images/{missing[0]}"
        )
    if len(present) != len(names):
        raise DataError(f"{title} has {len(names):,} images, {source} has {len(present):,}: it is another data set")
    return [folder / name for name in names]


def read_joints(
    path: Path, title: str, expected: tuple[int, int, int], axes: tuple[int, int, int], names: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Points ``(N, 14, 2)`` in our coordinates and flags ``(N, 14)`` of the N pictures ``names``.

    Args:
        expected: the shape that the data set stores ``joints`` in.
        axes: which of its axes are pictures, joints, and x, y and flag.
    """
    try:
        joints = np.asarray(scipy.io.loadmat(path, variable_names=["joints"])["joints"], dtype=np.float64)
    except Exception as error:  # a parser trips over damaged bytes in many ways
        raise DataError(
            f"{path.name} cannot be read as {title}'s annotations ({error!r}): fetch the archive again"
        ) from error
    if joints.shape != expected:
        raise DataError(
            f"{path.name} holds joints of shape {joints.shape}, {title}'s are {expected}: it is another data set"
        )
    joints = joints.transpose(axes)
    flags = joints[..., 2]
    wrong = ~np.isin(flags, (0, 1)).all(axis=1)
    if wrong.any():
        raise DataError(f"{path.name} has a flag that is neither 0 nor 1 at {names[int(wrong.argmax())]}")
    # Matlab's (1, 1) is the centre of the first pixel, ours is (.5, .5)
    return joints[..., :2] - 0.5, flags == 1


def write_attribution(paths: Sequence[Path], target: Path) -> str:
    """Write a table of whose pictures these are, from the comments in the files; returns a line for the report."""
    owners = [_attribution(path) for path in paths]
    with replacing(target) as path, path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(owners[0]))
        writer.writeheader()
        writer.writerows(owners)
    licences = Counter(row["licence"] or "no licence named" for row in owners)
    counts = ", ".join(f"{count:,} {licence}" for licence, count in licences.items())
    return f"images, from Flickr: {counts}; owners in {target}"


def _attribution(path: Path) -> dict[str, str]:
    """Whose image it is; empty where the file has no comments, or is broken."""
    try:
        with Image.open(path, formats=("JPEG",)) as image:
            segments = image.applist if isinstance(image, JpegImagePlugin.JpegImageFile) else []
    except Exception:  # a decoder trips over damaged bytes in many ways
        segments = []
    comments = [text.decode("utf-8", "replace") for marker, text in segments if marker == "COM"]
    said = {key: value for key, _, value in (comment.partition(": ") for comment in comments)}
    licence = said.get("License", "")
    return {
        "image": path.name,
        "owner": said.get("Owner Name", ""),
        "owner_url": said.get("Attribution URL", ""),
        "photo_url": said.get("Photo URL", ""),
        "static_url": said.get("Static URL", ""),
        "licence": _LICENCES.get(licence, f"Flickr licence {licence}" if licence else ""),
    }
