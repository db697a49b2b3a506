"""MPII Human Pose: 25,000 pictures of people at 410 activities, 16 joints each (Andriluka et al., CVPR 2014).

What its files have in common, and what becomes of it:

- Pixels count as Matlab does: (1, 1) is the centre of the first. Ours is (.5, .5), so ours = Matlab's - .5.
- A person has a rough middle (``objpos``) and a ``scale``, height / 200 pixels. As the published protocols have it, the
  sample is the square of side 1.25 x 200 x scale about the middle, moved down by 15 x scale so that feet are in it.
- ``is_visible`` 0 means hidden, not unlabelled: such joints are labelled and ``occluded``.
- The joints of the official test pictures are not public. The published figures are on 2,958 people of the training
  pictures (Tompson et al., CVPR 2015); those are 'test' here. The official file does not name them.
- Other people of those pictures are in neither half, which leaves the 22,246 for training that all papers have.
- PCKh's reference is .6 x the diagonal of the head box, in the official file, ``gt_valid.mat`` and ``train.h5``.

Left and right are the person's own.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posenb.data.fetch import download, locked, unpack
from posenb.data.mpii_mat import read_official
from posenb.data.mpii_splits import Annotations, agree, read_hdf5, read_heads, read_json
from posenb.data.people import Person, Picture
from posenb.data.prepare import prepare
from posenb.data.prepared import is_prepared
from posenb.data.sources import SOURCES
from posenb.errors import DataError
from posenb.home import data_folder
from posenb.skeletons import MPII16

SOURCE = SOURCES["mpii"]
_SITE = "https://datasets.d2.mpi-inf.mpg.de/andriluka14cvpr"
PICTURES_URL = f"{_SITE}/mpii_human_pose_v1.tar.gz"
ANNOTATIONS_URL = f"{_SITE}/mpii_human_pose_v1_u12_2.zip"
PUBLISHED = (22_246, 2_958)
"""People for training and for tests in the papers."""


def install(
    images: Path | None = None,
    annotations: Path | None = None,
    validation: Path | None = None,
    heads: Path | None = None,
    folder: Path | None = None,
    *,
    fetch: bool = False,
) -> str:
    """Prepare MPII.

    Args:
        images: the folder of the pictures.
        annotations: the official .mat, ``mpii_annotations.json``, ``train.json`` or ``train.h5``.
        validation: ``valid.json`` or ``valid.h5``: who is 'test', in which order. Without it ``mpii_annotations.json``
            says so itself, and with the others everybody is for training.
        heads: head boxes for PCKh: ``gt_valid.mat``, in the order of ``validation``; or the official .mat, which knows
            of hidden joints too.
        folder: where it is kept.
        fetch: download pictures and the official .mat where they are not named.

    Returns a report for people to read. People stand in the order of the files, and their number is their place there,
    from 1 on in each half.

    Raises:
        DataError: in one line that names the file and the person at fault.
    """
    folder = folder or data_folder(SOURCE.name)
    if images is None and annotations is None and is_prepared(folder):
        return f"MPII is prepared already, in {folder}; --images DIR --annotations FILE prepare it anew"
    if (images is None or annotations is None) and not fetch:
        lacking = " and ".join(["--images DIR"] * (images is None) + ["--annotations FILE"] * (annotations is None))
        raise DataError(f"MPII ({SOURCE.licence}): name {lacking}, or let --download fetch it (13 GB, no registration)")
    with locked(folder / "installing"):
        fetched = [] if annotations else [_fetched(ANNOTATIONS_URL, folder / "annotations")]
        people = read(annotations or _official(fetched[0]))
        # all small files are looked at before 13 GB are fetched
        train, test, notes = divide(people, read(validation) if validation else None)
        train, test, more = add_heads(train, test, heads)
        if images is None:
            fetched.append(images := _fetched(PICTURES_URL, folder / "pictures"))
        root = images / "images" if (images / "images").is_dir() else images
        found = pictures(root, train, "train") + pictures(root, test, "test")
        _require_pictures(root, found)
        report = prepare(SOURCE, MPII16, found, folder)
        for unpacked in fetched:
            shutil.rmtree(unpacked)
    return "\n".join([report.text(SOURCE, folder / "people"), *notes, *more])


def read(path: Path) -> Annotations:
    """Any of the annotation files, told from each other by how they begin.

    Raises:
        DataError: it is none of them.
    """
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    if start == b"\x89HDF\r\n\x1a\n":
        return read_hdf5(path)
    return read_official(path) if start.startswith(b"MATLAB") else read_json(path)


def divide(people: Annotations, validation: Annotations | None) -> tuple[Annotations, Annotations, list[str]]:
    """People for training, people for tests, and what there is to say of that.

    Raises:
        DataError: nobody is left for training.
    """
    test = people.take(people.test) if validation is None else complete(validation, people)
    of_tests = set(test.names)
    held = np.array([name in of_tests for name in people.names])
    train = people.take(~held)
    if not len(train):
        raise DataError("nobody is left for training: every picture of --annotations has people of the tests")
    note = f"division: {len(train):,} people for training, {len(test):,} for tests"
    if not len(test):
        return train, test, [f"{note}; --validation valid.json (or valid.h5) names the {PUBLISHED[1]:,} of the papers"]
    as_published = (len(train), len(test)) == PUBLISHED
    notes = [note + (", as in the papers" if as_published else "; the papers have {:,} and {:,}".format(*PUBLISHED))]
    others = int(held.sum()) - int((find(test, people) >= 0).sum())
    if others:
        notes.append(f"left out: {others:,} other people of the tests' pictures")
    return train, test, notes


def find(people: Annotations, others: Annotations) -> NDArray[np.int64]:
    """Where each of N people stands among others ``(N,)``, by picture and joints; -1 where nowhere."""
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(others.names):
        rows.setdefault(name, []).append(row)
    found = np.full(len(people), -1)
    for row, name in enumerate(people.names):
        near = rows.get(name, [])
        same = agree(people.points[row], people.labelled[row], others.points[near], others.labelled[near])
        if same.any():
            found[row] = near[int(same.argmax())]
    return found


def complete(people: Annotations, others: Annotations) -> Annotations:
    """The people with head sizes and flags of hidden joints where another file knows them."""
    found = find(people, others)
    known = found >= 0
    head, occluded = people.head.copy(), people.occluded.copy()
    head[known] = np.where(np.isnan(others.head[found[known]]), head[known], others.head[found[known]])
    occluded[known] |= others.occluded[found[known]] & people.labelled[known]
    return replace(people, head=head, occluded=occluded)


def add_heads(train: Annotations, test: Annotations, heads: Path | None) -> tuple[Annotations, Annotations, list[str]]:
    """Both halves with what a file of head boxes says, and what is known of heads and hidden joints then.

    Raises:
        DataError: the file is neither of those, or of other people.
    """
    if heads is not None:
        sizes = read_heads(heads, test)
        if sizes is not None:
            test = replace(test, head=sizes)
        else:
            official = read_official(heads)
            train, test = complete(train, official), complete(test, official)
            if np.isnan(train.head).all() and np.isnan(test.head).all():
                raise DataError(f"{heads.name} has none of the people of --annotations and --validation")
    known = [int(np.isfinite(half.head).sum()) for half in (train, test)]
    note = f"head sizes: {known[0]:,} of {len(train):,} for training, {known[1]:,} of {len(test):,} for tests"
    notes = [note + ("" if known[1] == len(test) else "; PCKh needs the latter: --heads gt_valid.mat")]
    if not (train.occluded.any() or test.occluded.any()):
        notes.append("hidden joints: these files do not mark them; --heads mpii_human_pose_v1_u12_1.mat does")
    return train, test, notes


def pictures(root: Path, people: Annotations, split: str) -> list[Picture]:
    """The people by picture, in their order: a picture whose people do not follow each other comes several times."""
    center = people.center + people.scale[:, None] * [0, 15]
    side = 1.25 * 200 * people.scale

    def person(row: int) -> Person:
        return Person(
            points=people.points[row],
            visible=people.labelled[row],
            occluded=people.occluded[row],
            center=None if np.isnan(people.scale[row]) else center[row],
            side=float(side[row]),
            head=float(people.head[row]),
            number=row + 1,
        )

    found = []
    for name, rows in groupby(range(len(people)), key=lambda row: people.names[row]):
        stem = Path(name).stem
        number = int(stem) if stem.isascii() and stem.isdigit() and len(stem) < 19 else 0
        found.append(Picture(name, root / name, tuple(person(row) for row in rows), split, number))
    return found


def _require_pictures(root: Path, found: list[Picture]) -> None:
    """Raises DataError where not one is there: the rest is counted by ``prepare``."""
    if not any(picture.path.is_file() for picture in found):
        raise DataError(f"{root} has none of the {len(found):,} pictures, such as {found[0].name}: name their folder")


def _fetched(url: str, target: Path) -> Path:
    """The unpacked contents of an archive that is downloaded; going on where an earlier call stopped."""
    if target.is_dir():  # whole, or it would not have its name
        return target
    archive = download(url, target.parent / url.rsplit("/", 1)[-1])
    try:
        unpack(archive, target)
    except DataError as error:
        if not getattr(error.__cause__, "errno", None):  # damaged, not a full disk: kept, it would be found again
            archive.unlink()
        raise
    archive.unlink()
    return target


def _official(folder: Path) -> Path:
    found = sorted(folder.rglob("mpii_human_pose_v1_u12_*.mat"))
    if not found:
        raise DataError(f"{folder} has no mpii_human_pose_v1_u12_1.mat: name it with --annotations")
    return found[0]
