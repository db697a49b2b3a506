"""Pictures of the user's own without labels: what semi-supervised training reads beside a labelled set.

Each picture shows one person and is taken whole, or a table names people's boxes, as ``posenb predict`` reads it. The
orientation that EXIF tells is followed: there are no labels that could disagree with it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posenb.data.boxes import Box, read_boxes
from posenb.data.own import checked
from posenb.data.people import Person, Picture, about_box
from posenb.data.pictures import SUFFIXES, header_of
from posenb.data.prepare import prepare
from posenb.data.prepared import index_of
from posenb.data.sources import own
from posenb.errors import DataError, UserError
from posenb.home import data_folder
from posenb.skeletons import Skeleton

NO_JOINTS = Skeleton("no joints", (), (), (), ())
"""The joint set of pictures without labels: K is 0."""


def install(images: Path, name: str = "", boxes: Path | None = None) -> str:
    """Prepare pictures without labels, so that ``--unlabelled-from NAME`` knows them.

    Args:
        images: their folder; pictures in folders of it are taken, too.
        name: what to call the set; the folder's name where empty.
        boxes: CSV with the columns image (a name relative to the folder), x, y, width, height in pixels of the upright
            picture; pictures that it does not name are left out. None: each picture shows one person.

    Returns a report for people to read.

    Raises:
        UserError: for a name or a table that cannot be used, or the name of a set with labels, which stays.
        DataError: in one line, where there is no such folder, or nothing to keep.
    """
    name = checked(name or images.resolve().name)
    if (there := index_of(data_folder(name))) and there["skeleton"]["joints"]:
        raise UserError(f"{name} is a set with labels: choose another --name")
    if not images.is_dir():
        raise DataError(f"there is no folder {images}")
    paths = {
        path.relative_to(images).as_posix(): path
        for path in sorted(images.rglob("*"))
        if path.suffix.lower() in SUFFIXES and path.is_file()
    }
    if not paths:
        raise DataError(f"{images} holds no picture ({', '.join(SUFFIXES)})")
    people = {picture: _people(read) for picture, read in read_boxes(boxes).items()} if boxes else _whole(paths)
    pictures = [
        Picture(picture, paths[picture], people[picture], number=number, upright=True)
        for number, picture in enumerate(paths)
        if picture in people
    ]
    if not pictures:
        few = ", ".join(list(people)[:3]) or "no picture"
        raise DataError(f"{boxes} names no picture of {images}: it names {few}")
    source = own(name, "", labelled=False)
    report = prepare(source, NO_JOINTS, pictures, data_folder(name), labelled=False, validation=frozenset())
    lines = [report.text(source, data_folder(name) / "people")]
    if boxes and (elsewhere := [picture for picture in people if picture not in paths]):
        lines.append(f"left out: {len(elsewhere):,} x boxes of a picture that is not there, such as {elsewhere[0]}")
    count = sum(report.kept.values())
    lines.append(
        f"next: posenb train --method semi_supervised --dataset LABELLED --unlabelled {count} --unlabelled-from {name}"
    )
    return "\n".join(lines)


def _people(boxes: list[Box]) -> tuple[Person, ...]:
    return tuple(_person(*about_box(*box), number) for number, box in enumerate(boxes, start=1))


def _whole(paths: dict[str, Path]) -> dict[str, tuple[Person, ...]]:
    """One person a picture, in the square about all of it."""
    people: dict[str, tuple[Person, ...]] = {}
    for picture, path in paths.items():
        header = header_of(path)
        width, height = header.upright if header else (1, 1)  # ``prepare`` says what is broken
        people[picture] = (_person(np.array([width, height]) / 2, float(max(width, height)), 1),)
    return people


def _person(center: np.ndarray, side: float, number: int) -> Person:
    nowhere, none = np.zeros((0, 2)), np.zeros(0, bool)
    return Person(nowhere, none, none, center, side, number=number)
