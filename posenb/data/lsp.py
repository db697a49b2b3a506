"""Leeds Sports Pose: 2,000 pictures of people at sport, 14 joints each (Johnson & Everingham, BMVC 2010).

``joints.mat`` holds ``joints``, 3 x 14 x 2000: x, y and a flag. Two things need care:

- The flag is 1 where a joint is hidden, though the archive's README calls it visibility. It is kept as ``occluded``;
  every joint is labelled.
- x and y count as Matlab does: (1, 1) is the centre of the first pixel. Ours is (.5, .5), so ours = Matlab's - .5.

Left and right are the person's own.
"""

from __future__ import annotations

import csv
import io
import shutil
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.io
import torch
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin
from tqdm import tqdm

from posenb.data.crops import crop, crop_frames, map_pictures, write_pictures
from posenb.data.dataset import PoseDataset
from posenb.data.fetch import GIB, download, locked, replacing, unpack
from posenb.errors import DataError
from posenb.home import data_folder
from posenb.skeletons import LSP14

URL = "https://sam.johnson.io/research/lsp_dataset.zip"
COUNT = 2000
SPLITS = {"train": (1, 1000), "fit": (1, 900), "val": (901, 1000), "test": (1001, 2000)}
"""Numbers of the first and the last image of each split; train and test are the official halves."""
NEAR_DUPLICATES = {371: 1622, 550: 1366}
"""Training images that show nearly the same picture as a test image; no split has them."""

VERSION = 1  # counts up when the same arguments begin to give other crops
_PREPARED_RECIPE = 1
_PREPARED = "lsp.npz"
_MEND = "run `posenb data lsp --archive lsp_dataset.zip`"
_LICENCES = {"4": "CC BY 2.0"}  # Flickr's licence numbers


class Annotated(NamedTuple):
    """Images as JPEG files, and points ``(N, 14, 2)`` in pixels of them with ``occluded (N, 14)``."""

    jpegs: list[bytes]
    points: NDArray[np.float64]
    occluded: NDArray[np.bool_]


def install(archive: Path | None = None, folder: Path | None = None) -> str:
    """Download the archive where none is given, prepare it, and return a report for people to read.

    Raises DataError: see ``fetch.download`` and ``prepare``.
    """
    folder = folder or data_folder("lsp")
    if archive is not None:
        return prepare(archive, folder)
    if _is_prepared(folder):
        return f"LSP is prepared already, in {folder}; --archive FILE prepares it anew"
    fetched = download(URL, folder / "lsp_dataset.zip")
    try:
        report = prepare(fetched, folder)
    except DataError:
        fetched.unlink(missing_ok=True)  # where it is not LSP, the next call must not find it again
        raise
    fetched.unlink(missing_ok=True)
    return report


def prepare(source: Path, folder: Path | None = None) -> str:
    """Verify the official archive, or the folder it was unpacked to, and keep what ``load`` needs.

    What is verified is the contents: 2,000 images that decode, each with 14 finite joints that are no further
    outside of it than it is large. ``folder`` then holds ``lsp.npz`` (the JPEG files as they are, and the joints)
    and ``attribution.csv`` (image, owner, licence, from the comments in the JPEG files).

    Returns a report for people to read. Raises DataError, in one line that names the file or image at fault.
    """
    return _prepare(source, folder or data_folder("lsp"), COUNT)


def load(split: str, size: int | tuple[int, int] = 64, margin: int = 0, folder: Path | None = None) -> PoseDataset:
    """Crops of the people of one split, by the protocol: square, 1.3 x the longer side of the joints' box.

    Args:
        split: "train" (1-1000), "fit" (1-900), "val" (901-1000) or "test" (1001-2000), all without the training
            images 371 and 550, which nearly repeat test images.
        size: pixels of the sample proper, a side or (H, W). Where H and W differ, the square fills the shorter side
            and the longer one shows more of the surroundings.
        margin: pixels of further surroundings on each side, at the same scale.
        folder: where ``prepare`` put the data; ``data_folder("lsp")`` where None.

    Returns:
        The data set. Images are mapped from a file that the first call for a size writes. Beyond the borders of the
        picture, its border pixels are repeated. ``head`` is NaN: PCKh is not of this data set's protocol.

    Raises:
        DataError: no such split or size, not prepared, or the prepared data are damaged.
    """
    folder = folder or data_folder("lsp")
    height, width = (size, size) if isinstance(size, int) else size
    if split not in SPLITS:
        raise DataError(f"LSP has no split {split!r}: choose one of {', '.join(SPLITS)}")
    if min(height, width) < 1 or margin < 0:
        raise DataError(f"LSP cannot be cropped to {height} x {width} pixels with margin {margin}")
    prepared = _read_prepared(folder, "points", "occluded", "numbers", "digest")
    points, numbers = prepared["points"], prepared["numbers"]
    origin, unit = crop_frames(points, (height, width), margin)
    stored = (height + 2 * margin, width + 2 * margin)
    path = folder / f"crops-{prepared['digest']}-{VERSION}-{height}x{width}+{margin}.npy"
    images = _cached_crops(path, prepared["digest"], origin, unit, stored)

    first, last = SPLITS[split]
    rows = slice(*np.searchsorted(numbers, [first, last + 1]).tolist())
    inside = torch.from_numpy(((points - origin[:, None]) / unit[:, None, None])[rows]).float()
    occluded = torch.from_numpy(prepared["occluded"][rows])
    return PoseDataset(
        images=torch.from_numpy(images[rows]).permute(0, 3, 1, 2),
        points=inside,
        visible=torch.ones_like(occluded),
        occluded=occluded,
        reference=LSP14.reference_length(inside),
        head=torch.full((len(inside),), float("nan")),
        skeleton=LSP14,
        name=f"lsp/{split}",
        margin=margin,
    )


def _prepare(source: Path, folder: Path, count: int) -> str:
    with locked(folder / _PREPARED):
        if source.is_dir():
            annotated = _read_official(source, source, count)
        else:
            unpacked = folder / "unpacked"
            try:
                unpack(source, unpacked, max_bytes=4 * GIB, max_files=20_000)
                annotated = _read_official(unpacked, source, count)
            finally:
                shutil.rmtree(unpacked, ignore_errors=True)
        owners = [_attribution(number, jpeg) for number, jpeg in enumerate(annotated.jpegs, start=1)]
        with replacing(folder / "attribution.csv") as path, path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(owners[0]))
            writer.writeheader()
            writer.writerows(owners)
        for crops in folder.glob("crops-*.npy"):  # of an earlier preparation
            crops.unlink()
        # last, because it is what says that LSP is prepared
        kept = _write_prepared(folder / _PREPARED, annotated)
        return _report(folder, owners, kept)


def _read_official(root: Path, source: Path, count: int) -> Annotated:
    """Read and verify what ``source`` holds, unpacked at ``root``: ``count`` images. It may lie one folder down."""
    found = [*root.glob("joints.mat"), *root.glob("*/joints.mat")]
    if not found:
        raise DataError(f"{source} is not LSP: it holds no joints.mat (beside images/im0001.jpg and so on)")
    points, occluded = _read_joints(found[0], count)
    folder = found[0].parent / "images"
    names = [f"im{number:04d}.jpg" for number in range(1, count + 1)]
    present = {path.name for path in folder.glob("im*.jpg")}
    if missing := [name for name in names if name not in present]:
        raise DataError(f"{source} lacks {len(missing):,} of LSP's {count:,} images, the first is images/{missing[0]}")
    if len(present) != count:
        raise DataError(f"LSP has {count:,} images, {source} has {len(present):,}: it is another data set")
    jpegs = []
    for name, pose in zip(names, points, strict=True):
        jpegs.append((folder / name).read_bytes())
        height, width = _decode(jpegs[-1], name).shape[:2]
        _check_pose(pose, name, width, height)
    return Annotated(jpegs, points, occluded)


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


def _check_pose(pose: NDArray[np.float64], name: str, width: int, height: int) -> None:
    """Raise DataError for a joint that no crop could hold: PoseDataset's own rule, told with the image's name.

    The real joints lie in their images, but for one that is .25 px outside.
    """
    size = np.array([width, height])
    near = ((pose >= -size) & (pose <= 2 * size)).all(axis=-1)  # NaN is not near
    if not near.all():
        joint = int(near.argmin())
        x, y = pose[joint]
        raise DataError(
            f"{name}: {LSP14.joints[joint]} lies at ({x:.1f}, {y:.1f}), not near the {width} x {height} image"
        )
    if np.ptp(pose, axis=0).max() < 1:
        raise DataError(f"{name}: all joints lie in one place")


def _decode(jpeg: bytes, name: str) -> NDArray[np.uint8]:
    """RGB ``(H, W, 3)`` as stored: joints know nothing of EXIF. Raises DataError, for cut-off files too."""
    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
            return np.asarray(image.convert("RGB"))
    except Exception as error:  # a decoder trips over damaged bytes in many ways
        raise DataError(f"{name} cannot be decoded ({error}): fetch the archive again") from error


def _attribution(number: int, jpeg: bytes) -> dict[str, str]:
    """Whose image it is, from the comments in the file; empty where it has none."""
    with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
        segments = image.applist if isinstance(image, JpegImagePlugin.JpegImageFile) else []
    comments = [text.decode("utf-8", "replace") for marker, text in segments if marker == "COM"]
    said = {key: value for key, _, value in (comment.partition(": ") for comment in comments)}
    licence = said.get("License", "")
    return {
        "image": f"im{number:04d}.jpg",
        "owner": said.get("Owner Name", ""),
        "owner_url": said.get("Attribution URL", ""),
        "photo_url": said.get("Photo URL", ""),
        "static_url": said.get("Static URL", ""),
        "licence": _LICENCES.get(licence, f"Flickr licence {licence}" if licence else ""),
    }


def _report(folder: Path, owners: list[dict[str, str]], kept: list[int]) -> str:
    parts = {split: sum(first <= number <= last for number in kept) for split, (first, last) in SPLITS.items()}
    dropped = [f"{image} (as {twin})" for image, twin in NEAR_DUPLICATES.items() if image <= len(owners)]
    licences = Counter(row["licence"] or "no licence named" for row in owners)
    return "\n".join(
        [
            f"LSP: {len(owners):,} images verified, {len(kept):,} kept: "
            + ", ".join(f"{count:,} {split}" for split, count in parts.items()),
            f"left out of training, nearly the same as a test image: {', '.join(dropped) or 'none'}",
            f"images, from Flickr: {', '.join(f'{count:,} {licence}' for licence, count in licences.items())}; "
            f"owners in {folder / 'attribution.csv'}",
            "annotations: Johnson & Everingham, BMVC 2010, doi:10.5244/C.24.12",
            f"prepared in {folder / _PREPARED}",
        ]
    )


def _write_prepared(path: Path, annotated: Annotated) -> list[int]:
    """Keep all but the near-duplicates; returns their numbers."""
    kept = [number for number in range(1, len(annotated.jpegs) + 1) if number not in NEAR_DUPLICATES]
    rows = np.array(kept) - 1
    jpegs = [annotated.jpegs[row] for row in rows]
    points, occluded = annotated.points[rows], annotated.occluded[rows]
    digest = sha256(b"".join(jpegs) + points.tobytes() + occluded.tobytes()).hexdigest()[:12]
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            recipe=_PREPARED_RECIPE,
            digest=digest,
            numbers=kept,
            points=points,
            occluded=occluded,
            jpegs=np.frombuffer(b"".join(jpegs), np.uint8),
            ends=np.cumsum([len(jpeg) for jpeg in jpegs]),
        )
    return kept


def _read_prepared(folder: Path, *names: str) -> dict[str, Any]:
    """The named arrays of the prepared file. Raises DataError where there is none, or a damaged or an old one."""
    path = folder / _PREPARED
    if not path.exists():
        raise DataError(f"LSP is not prepared in {folder}: {_MEND}")
    try:
        with np.load(path) as file:
            if file["recipe"] != _PREPARED_RECIPE:
                raise DataError(f"{path} is of another version of posenb: {_MEND}")
            return {name: file[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged ({error}): {_MEND}") from error


def _is_prepared(folder: Path) -> bool:
    try:
        _read_prepared(folder, "digest", "numbers", "points", "occluded", "jpegs", "ends")
    except DataError:
        return False
    return True


def _cached_crops(
    path: Path,
    digest: NDArray[np.str_],
    corners: NDArray[np.float64],
    units: NDArray[np.float64],
    size: tuple[int, int],
) -> NDArray[np.uint8]:
    """All crops ``(N, H, W, 3)``, mapped from ``path``, which is made where it is missing or damaged."""
    shape = (len(units), *size, 3)
    crops = map_pictures(path, shape)
    if crops is None:
        with locked(path.with_name(_PREPARED)):
            crops = map_pictures(path, shape)  # another process may have made it while we waited
            if crops is None:
                write_pictures(path, _crops(path.parent, digest, corners, units, size), shape)
                crops = map_pictures(path, shape)
    if crops is None:
        raise DataError(f"{path} does not read back as it was written: the disk is failing")
    return crops


def _crops(
    folder: Path,
    digest: NDArray[np.str_],
    corners: NDArray[np.float64],
    units: NDArray[np.float64],
    size: tuple[int, int],
) -> Iterator[NDArray[np.uint8]]:
    prepared = _read_prepared(folder, "digest", "jpegs", "ends", "numbers")
    if prepared["digest"] != digest:  # these frames are not of these pictures
        raise DataError(f"LSP was prepared anew in {folder} while it was being loaded: load it again")
    parts = np.split(prepared["jpegs"], prepared["ends"][:-1])
    jobs = zip(parts, prepared["numbers"], corners, units, strict=True)
    for jpeg, number, corner, unit in tqdm(jobs, "cropping LSP", total=len(units), disable=None):
        yield crop(_decode(jpeg.tobytes(), f"im{number:04d}.jpg"), corner, float(unit), size)
