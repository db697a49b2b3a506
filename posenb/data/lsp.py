"""Leeds Sports Pose: 2,000 pictures of people at sport, 14 joints each (Johnson & Everingham, BMVC 2010).

``joints.mat`` holds ``joints``, 3 x 14 x 2000: x, y and a flag. Two things need care:

- The flag is 1 where a joint is hidden, though the archive's README calls it visibility. It is kept as ``occluded``;
  every joint is labelled.
- x and y count as Matlab does: (1, 1) is the centre of the first pixel. Ours is (.5, .5), so ours = Matlab's - .5.

Left and right are the person's own.
"""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import scipy.io
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from posenb.data.fetch import GIB, download, locked, replacing, unpack
from posenb.data.people import Person, Picture
from posenb.data.prepare import prepare
from posenb.data.prepared import is_prepared
from posenb.data.sources import SOURCES
from posenb.errors import DataError
from posenb.home import data_folder
from posenb.skeletons import LSP14

SOURCE = SOURCES["lsp"]
URL = "https://sam.johnson.io/research/lsp_dataset.zip"
COUNT = 2000
TRAINING = 1000
"""The official halves: images 1 to 1000 for training, the others for tests."""
VALIDATION = range(901, 1001)
"""Training images that are held out for choices."""
NEAR_DUPLICATES = {371: 1622, 550: 1366}
"""Training images that show nearly the same picture as a test image; no split has them."""
_LICENCES = {"4": "CC BY 2.0"}  # Flickr's licence numbers


def install(archive: Path | None = None, folder: Path | None = None) -> str:
    """Prepare LSP from its official archive, or the folder that was unpacked to; downloaded where None.

    What is verified is the contents: 2,000 images that decode, each with 14 finite joints that are no further
    outside of it than it is large. ``attribution.csv`` has owner and licence of each image, from the comments in the
    JPEG files.

    Returns a report for people to read. Raises DataError, in one line that names the file or image at fault.
    """
    folder = folder or data_folder("lsp")
    if archive is not None:
        return _install(archive, folder, COUNT)
    if is_prepared(folder):
        return f"LSP is prepared already, in {folder}; --archive FILE prepares it anew"
    fetched = download(URL, folder / "lsp_dataset.zip")
    try:
        return _install(fetched, folder, COUNT)
    finally:
        # kept, it would be found again by the next call even where it is not LSP
        fetched.unlink(missing_ok=True)


def _install(source: Path, folder: Path, count: int) -> str:
    with locked(folder / "installing"):
        unpacked = source if source.is_dir() else folder / "unpacked"
        try:
            if unpacked != source:
                unpack(source, unpacked, max_bytes=4 * GIB, max_files=20_000)
            paths, points, occluded = _read_official(unpacked, source, count)
            pictures = [
                Picture(
                    name=path.name,
                    path=path,
                    people=(Person(points[row], np.ones(len(LSP14), bool), occluded[row], number=row + 1),),
                    split="train" if row < TRAINING else "test",
                    number=row + 1,
                )
                for row, path in enumerate(paths)
                if row + 1 not in NEAR_DUPLICATES
            ]
            held_out = frozenset(_name(number) for number in VALIDATION)
            prepared = prepare(SOURCE, LSP14, pictures, folder, whole=True, validation=held_out)
            owners = [_attribution(path) for path in paths]
        finally:
            if unpacked != source:
                shutil.rmtree(unpacked, ignore_errors=True)
        with replacing(folder / "attribution.csv") as path, path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(owners[0]))
            writer.writeheader()
            writer.writerows(owners)
    licences = Counter(row["licence"] or "no licence named" for row in owners)
    dropped = [f"{image} (as {twin})" for image, twin in NEAR_DUPLICATES.items() if image <= count]
    return "\n".join(
        [
            prepared.text(SOURCE, folder / "people"),
            f"left out of training, nearly the same as a test image: {', '.join(dropped) or 'none'}",
            f"images, from Flickr: {', '.join(f'{count:,} {licence}' for licence, count in licences.items())}; "
            f"owners in {folder / 'attribution.csv'}",
            "annotations: Johnson & Everingham, BMVC 2010, doi:10.5244/C.24.12",
        ]
    )


def _name(number: int) -> str:
    return f"im{number:04d}.jpg"


def _read_official(root: Path, source: Path, count: int) -> tuple[list[Path], NDArray[np.float64], NDArray[np.bool_]]:
    """Files, points and flags of what ``source`` holds, unpacked at ``root``; it may lie one folder down."""
    found = [*root.glob("joints.mat"), *root.glob("*/joints.mat")]
    if not found:
        raise DataError(f"{source} is not LSP: it holds no joints.mat (beside images/im0001.jpg and so on)")
    points, occluded = _read_joints(found[0], count)
    folder = found[0].parent / "images"
    names = [_name(number) for number in range(1, count + 1)]
    present = {path.name for path in folder.glob("im*.jpg")}
    if missing := [name for name in names if name not in present]:
        raise DataError(f"{source} lacks {len(missing):,} of LSP's {count:,} images, the first is images/{missing[0]}")
    if len(present) != count:
        raise DataError(f"LSP has {count:,} images, {source} has {len(present):,}: it is another data set")
    return [folder / name for name in names], points, occluded


def _read_joints(path: Path, count: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Points ``(count, 14, 2)`` in our coordinates, and ``occluded (count, 14)``."""
    try:
        joints = np.asarray(scipy.io.loadmat(path, variable_names=["joints"])["joints"], dtype=np.float64)
    except Exception as error:  # a parser trips over damaged bytes in many ways
        raise DataError(
            f"{path.name} cannot be read as LSP's annotations ({error!r}): fetch the archive again"
        ) from error
    expected = (3, len(LSP14), count)
    if joints.shape != expected:
        raise DataError(
            f"{path.name} holds joints of shape {joints.shape}, LSP's are {expected}: it is another data set"
        )
    if not np.isin(joints[2], (0, 1)).all():
        image = int((~np.isin(joints[2], (0, 1))).any(axis=0).argmax()) + 1
        raise DataError(f"{path.name} has a flag that is neither 0 nor 1 at im{image:04d}.jpg")
    # Matlab's (1, 1) is the centre of the first pixel, ours is (.5, .5)
    return joints[:2].transpose(2, 1, 0) - 0.5, joints[2].T == 1


def _attribution(path: Path) -> dict[str, str]:
    """Whose image it is, from the comments in the file; empty where it has none."""
    with Image.open(path) as image:
        segments = image.applist if isinstance(image, JpegImagePlugin.JpegImageFile) else []
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
