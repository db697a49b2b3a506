"""COCO's people (Lin et al., ECCV 2014), the division of 2017: 17 joints each, and the unlabelled pictures.

Files, as the official archives hold them: ``annotations/person_keypoints_train2017.json`` with ``train2017/`` and the
same for ``val2017``; 'test' is val2017, because labels of test-dev are not public. Conventions are COCO's format's, see
``posenb.data.coco``; an 'area' is that of the person's outline.

People come in the order of the file's images, and within one of its annotations. Crowds and people without a labelled
joint are left out, so ``data.load("coco", "train", count=1000)`` gives what Simple Baselines' reader (Xiao et al.,
ECCV 2018) and its descendants call the first 1,000 person instances.

Unlabelled people are boxes that a detector of yours found in ``unlabeled2017/``, in COCO's format of results.
"""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from posenb.data.coco import (
    Parsed,
    entries_of,
    left_out,
    numbers,
    parse,
    read_json,
    require_pictures,
    square_about,
)
from posenb.data.fetch import GIB, download, locked, unpack
from posenb.data.people import Person, Picture
from posenb.data.prepare import prepare
from posenb.data.sources import SOURCES
from posenb.errors import DataError
from posenb.home import data_folder
from posenb.skeletons import COCO17

SOURCE, UNLABELLED = SOURCES["coco"], SOURCES["coco-unlabelled"]
# without encryption: the server's certificate is not for this name. COCO publishes no checksums; each file of an
# archive has its own, which unpacking verifies.
URL = "http://images.cocodataset.org/"
ARCHIVES = {
    "annotations": "annotations/annotations_trainval2017.zip",
    "train2017": "zips/train2017.zip",
    "val2017": "zips/val2017.zip",
    "unlabeled2017": "zips/unlabeled2017.zip",
}
COUNTS = {"train2017": 118_287, "val2017": 5_000, "unlabeled2017": 123_403}
"""How many pictures there are."""
_PERSON = 1  # the category of people, in COCO's annotations and results


def install(source: Path | None = None, folder: Path | None = None, *, fetch: bool = False) -> str:
    """Prepare COCO's people from the folder that holds the files named above.

    Args:
        source: that folder; ``folder/official`` where None.
        folder: where to; ``data_folder("coco")`` where None.
        fetch: download what the source lacks from COCO's site, 20 GB, and unpack it there.

    Returns a report for people to read. Raises DataError where a file is missing or not what it should be.
    """
    folder = folder or data_folder(SOURCE.name)
    source = _official(source, folder, ("annotations", "train2017", "val2017"), fetch)
    parsed, notes = [], []
    for name, split in (("train2017", "train"), ("val2017", "test")):
        path = source / "annotations" / f"person_keypoints_{name}.json"
        found = _people(path, source / name, split)
        if found.listed != COUNTS[name]:
            notes.append(f"{path.name} lists {found.listed:,} pictures, COCO's {name} has {COUNTS[name]:,}")
        parsed.append(found)
    pictures = [picture for part in parsed for picture in part.pictures]
    dropped = sum((part.dropped for part in parsed), Counter[str]())
    report = prepare(SOURCE, COCO17, pictures, folder).text(SOURCE, folder / "people")
    without = sum(part.listed for part in parsed) - len(pictures)
    notes.append(f"pictures without such people: {without:,}")
    return "\n".join([report, *left_out(dropped), *notes])


def install_unlabelled(
    boxes: Path, source: Path | None = None, folder: Path | None = None, *, score: float = 0.5, fetch: bool = False
) -> str:
    """Prepare unlabelled people: the boxes that a detector found in COCO's unlabelled pictures.

    Args:
        boxes: JSON, a list of ``{image_id, category_id, bbox, score}``; people are category 1, and a picture's file is
            called after its id in 12 digits.
        source: the folder that holds ``unlabeled2017/``, or the pictures themselves; ``folder/official`` where None.
        folder: where to; ``data_folder("coco-unlabelled")`` where None.
        score: boxes with a lower one are left out.
        fetch: download the pictures, 19 GB, where the source lacks them.

    Returns a report for people to read. Raises DataError where a file is missing or not what it should be.
    """
    folder = folder or data_folder(UNLABELLED.name)
    if fetch or source is None or not any(source.glob("*.jpg")):
        source = _official(source, folder, ("unlabeled2017",), fetch) / "unlabeled2017"
    pictures, dropped = _boxes(boxes, source, score)
    if not pictures:
        raise DataError(f"{boxes} holds no person with a score of {score:g} or more: {'; '.join(left_out(dropped))}")
    require_pictures(pictures, source, every=True)
    report = prepare(UNLABELLED, COCO17, pictures, folder, labelled=False).text(UNLABELLED, folder / "people")
    return "\n".join([report, *left_out(dropped)])


def _people(path: Path, images: Path, split: str) -> Parsed:
    content = read_json(path)
    if not any(
        isinstance(category, dict) and category.get("keypoints") == list(COCO17.joints)
        for category in entries_of(content, "categories", path)
    ):
        raise DataError(
            f"{path} has other joints than COCO's 17: prepare it as a set of your own, "
            "`posenb data own --name NAME --annotations FILE --images DIR`"
        )
    people = frozenset({_PERSON})
    found = parse(
        content, path, images, len(COCO17), split=split, prefix=f"{images.name}/", categories=people, strict=True
    )
    require_pictures(found.pictures, images, every=True)
    return found


def _boxes(path: Path, images: Path, score: float) -> tuple[list[Picture], Counter[str]]:
    """Pictures with unlabelled people in the order of their numbers, each one's people in the file's order."""
    entries = read_json(path)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise DataError(f"{path} is not a file of detections: a list of {{image_id, category_id, bbox, score}}")
    dropped: Counter[str] = Counter()
    people: dict[int, list[Person]] = {}
    for entry in entries:
        problem, person = _detected(entry, score)
        if person is None:
            dropped[problem] += 1
        else:
            people.setdefault(entry["image_id"], []).append(person)
    ordered = [
        Picture(f"{images.name}/{key:012d}.jpg", images / f"{key:012d}.jpg", _numbered(people[key]), number=key)
        for key in sorted(people)
    ]
    return ordered, dropped


def _detected(entry: dict[str, Any], score: float) -> tuple[str, Person | None]:
    if entry.get("category_id") != _PERSON:
        return "box of another category", None
    key, told = entry.get("image_id"), numbers(entry.get("score"), 1)
    if type(key) is not int or not 0 <= key < 10**12:
        return "box of a picture without a number", None
    if told is None or not told[0] >= score:
        return f"box with a score below {score:g}, or none", None
    square = square_about(numbers(entry.get("bbox"), 4), None)
    if square is None:
        return "box without area", None
    nowhere, none = np.full((len(COCO17), 2), np.nan), np.zeros(len(COCO17), bool)
    return "", Person(nowhere, none, none, *square)


def _numbered(people: list[Person]) -> tuple[Person, ...]:
    return tuple(replace(person, number=number) for number, person in enumerate(people, start=1))


def _official(source: Path | None, folder: Path, parts: tuple[str, ...], fetch: bool) -> Path:
    """The folder that holds these parts of the official files; fetched where that is wanted."""
    root = source or folder / "official"
    missing = [part for part in parts if not (root / part).is_dir()]
    if missing and not fetch:
        names = ", ".join(Path(ARCHIVES[part]).name for part in missing)
        raise DataError(
            f"{root} lacks {', '.join(f'{part}/' for part in missing)}: unpack {names} (from {URL}) there and name the "
            "folder with --source, or add --download"
        )
    for part in missing:
        _fetch(part, root)
    return root


def _fetch(part: str, root: Path) -> None:
    """Download and unpack one official archive, so that ``root/part`` is there whole or not at all."""
    archive = root / Path(ARCHIVES[part]).name
    unpacked = root / f"{part}.unpacked"
    with locked(root / f"{part}.fetching"):
        if (root / part).is_dir():  # another process has fetched it while we waited
            return
        ours = not archive.exists()
        download(URL + ARCHIVES[part], archive)
        # train2017.zip: 19 GB, 118,287 files
        unpack(archive, unpacked, max_bytes=64 * GIB, max_files=400_000)
        if not (unpacked / part).is_dir():
            raise DataError(f"{archive} is not COCO's: it holds no {part}/")
        (unpacked / part).rename(root / part)
        shutil.rmtree(unpacked)
        if ours:
            archive.unlink()
