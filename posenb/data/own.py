"""A keypoint set of the user's own, in COCO's format, with any joints: see ``posenb.data.coco`` for the conventions.

The joint set is built from the names and lines of the file's category. Categories with the same joints, such as the
species of AP-10K, are taken together; of different ones the user picks one.

Without a test file the last fifth of the pictures is held out as 'test'. The last, and not a random, fifth: neighbours
in a file are often alike (frames of one video), and should not be on both sides.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from posenb.data.coco import Parsed, entries_of, left_out, parse, read_json, require_pictures
from posenb.data.joint_names import Named, named
from posenb.data.people import Picture
from posenb.data.pictures import Header, header_of
from posenb.data.prepare import prepare
from posenb.data.prepared import SPLITS
from posenb.data.sources import SOURCES, own
from posenb.errors import DataError, UserError
from posenb.home import data_folder

Look = Callable[[Path], Header | None]

TEST_SHARE = 5  # one in so many pictures is held out for tests
_VALIDATION_SHARE = 20  # of the training pictures, one in so many is for choices, and at least one


@dataclass(frozen=True)
class _Kind:
    """The categories that are read: their ids, joint names and lines."""

    name: str
    ids: frozenset[Any] | None
    joints: tuple[str, ...]
    lines: Any


def install(
    annotations: Path,
    images: Path,
    name: str = "",
    *,
    test_annotations: Path | None = None,
    test_images: Path | None = None,
    category: str = "",
) -> str:
    """Prepare a set of the user's own, so that ``--dataset NAME`` and ``data.load(NAME, ...)`` know it.

    Args:
        annotations: a JSON file in COCO's format.
        images: the folder that its file names refer to.
        name: what to call the set; the file's stem where empty.
        test_annotations: annotations of test pictures; without them a fifth of the pictures is held out.
        test_images: their folder; ``images`` where None.
        category: name or id of the category that is wanted; needed where a file has several with different joints.

    Returns a report for people to read.

    Raises:
        UserError: for a name that cannot be used, or a folder of test pictures without their annotations.
        DataError: in one line, where a file or folder is missing or not what it should be.
    """
    if test_images and not test_annotations:
        raise UserError(f"{test_images} needs its annotations: --test-annotations FILE, or leave --test-images out")
    name = checked(name or annotations.stem)
    content = read_json(annotations)
    kind = _kind(content, annotations, category)
    joints = named(kind.name, kind.joints, kind.lines)
    look = cache(header_of)  # files do not change meanwhile
    parts = [_part(content, annotations, images, kind, "train", look)]
    if test_annotations:
        other = read_json(test_annotations)
        told = _kind(other, test_annotations, category)
        if told.joints != kind.joints:
            raise DataError(f"{test_annotations} has other joints than {annotations}")
        parts.append(_part(other, test_annotations, test_images or images, told, "test", look))
    pictures = [picture for part in parts for picture in part.pictures]
    dropped = sum((part.dropped for part in parts), Counter[str]())
    notes = []
    if test_annotations:
        _require_apart(pictures, test_annotations)
    else:
        pictures, note = _held_out(pictures, annotations, look)
        notes.append(note)
    training = [picture.name for picture in pictures if picture.split == "train" and look(picture.path)]
    choices = frozenset(training[len(training) - max(1, len(training) // _VALIDATION_SHARE) :])
    source, folder = own(name, ""), data_folder(name)
    report = prepare(source, joints.skeleton, pictures, folder, validation=choices)
    if unsettled := sum(not picture.upright and _unsettled(look(picture.path)) for picture in pictures):
        notes.append(
            f"careful: {unsettled:,} pictures carry an EXIF turn that their size does not settle; "
            "they are read as stored"
        )
    if empty := [split for split, parts in SPLITS.items() if not any(part in report.kept for part in parts)]:
        notes.append(f"careful: nobody is left in {', '.join(empty)}")
    lines = [report.text(source, folder / "people"), *left_out(dropped), *notes, *_about(joints, kind)]
    return "\n".join([*lines, f"next: posenb train --dataset {name}"])


def checked(name: str) -> str:
    """A name that a set of the user's own may have. Raises UserError for another."""
    from posenb.data import SYNTHETIC

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
        raise UserError(f"--name must be letters, digits, - and _, not {name!r}")
    if name.lower() in {*SYNTHETIC, *SOURCES}:
        raise UserError(f"--name {name} is a data set that posenb knows: choose another name")
    return name


def _kind(content: Any, path: Path, wanted: str) -> _Kind:
    """The categories to read. Raises DataError where there is none, or more than one joint set."""
    found: list[_Kind] = []
    entries = entries_of(content, "categories", path)
    for entry in entries:
        joints = entry.get("keypoints") if isinstance(entry, dict) else None
        if not isinstance(joints, list) or not joints:
            continue
        title, key = entry.get("name"), entry.get("id")
        title = title if isinstance(title, str) and title.isprintable() else f"category {key!r}"
        if not all(isinstance(joint, str) and joint.isprintable() and 0 < len(joint) <= 100 for joint in joints):
            raise DataError(f"{path}: category {title!r} has a joint whose name is no plain text")
        if len(set(joints)) < len(joints):
            twice = next(joint for joint in joints if joints.count(joint) > 1)
            raise DataError(f"{path}: category {title!r} names the joint {twice!r} twice")
        if not isinstance(key, (int, str)):
            raise DataError(f"{path}: category {title!r} has no id")
        if not wanted or wanted in (title, str(key)):
            found.append(_Kind(title, frozenset({key}), tuple(joints), entry.get("skeleton")))
    if not found:
        raise DataError(
            f"{path} has no category {wanted!r} with keypoints"
            if wanted
            else f"{path} names no joints: a category needs 'keypoints', a list of names"
        )
    if len({kind.joints for kind in found}) > 1:
        names = ", ".join(repr(kind.name) for kind in found[:8])
        raise DataError(f"{path} has categories with different joints ({names}): pick one with --category")
    # where there is one category only, annotations need not name it
    ids = frozenset(key for kind in found for key in kind.ids or ()) if len(entries) > 1 else None
    return replace(found[0], name=" and others".join([found[0].name, ""][: len(found)]), ids=ids)


def _part(content: Any, path: Path, images: Path, kind: _Kind, split: str, look: Look) -> Parsed:
    """A file's pictures. Names begin with the split: two files may call different pictures alike."""
    if not images.is_dir():
        raise DataError(f"there is no folder {images}")
    found = parse(content, path, images, len(kind.joints), split=split, prefix=f"{split}/", categories=kind.ids)
    if not found.pictures:
        reasons = ", ".join(f"{count:,} x {reason}" for reason, count in found.dropped.most_common(3))
        raise DataError(f"{path} holds nobody to train on ({reasons or 'no annotation'})")
    require_pictures(found.pictures, images, every=False)
    found = _of_told_size(found, path, look)
    flags = [person.visible & ~person.occluded for picture in found.pictures for person in picture.people]
    if any(flag.any() for flag in flags):
        return found
    # a file that never says 2 uses 1 for every label
    return replace(found, pictures=[_not_hidden(picture) for picture in found.pictures])


def _not_hidden(picture: Picture) -> Picture:
    people = tuple(replace(person, occluded=np.zeros_like(person.occluded)) for person in picture.people)
    return replace(picture, people=people)


def _unsettled(header: Header | None) -> bool:
    return header is not None and header.unsettled


def _of_told_size(found: Parsed, path: Path, look: Look) -> Parsed:
    """Without the pictures that were scaled or turned since they were labelled: their labels are elsewhere.

    A picture that has the told size once it is turned as EXIF says was labelled so, and is read so. Where the size does
    not tell, it is read as those of the file are of which it does.
    """
    kept, other = [], []
    lying = standing = 0
    for picture, told in zip(found.pictures, found.sizes, strict=True):
        header = look(picture.path)
        if told is None or header is None or header.size == tuple(told):
            kept.append(picture)
            lying += told is not None and header is not None and header.size != header.upright
        elif header.upright == tuple(told):
            kept.append(replace(picture, upright=True))
            standing += 1
        else:
            other.append((picture, told, header.size))
    if standing and not lying:
        kept = [replace(picture, upright=True) if _unsettled(look(picture.path)) else picture for picture in kept]
    if not kept:
        picture, told, size = other[0]
        raise DataError(
            f"{path} says that {picture.name} has {told[0]:g} x {told[1]:g} pixels, and it has {size[0]} x {size[1]}: "
            "its labels are of pictures that were scaled or turned since"
        )
    if other:
        found.dropped["picture of another size than its annotations say"] += len(other)
    return replace(found, pictures=kept)


def _require_apart(pictures: list[Picture], test_annotations: Path) -> None:
    """Raises DataError where a picture is in both halves: the test would be of what was trained on."""
    trained = {picture.path.resolve() for picture in pictures if picture.split == "train"}
    both = [picture for picture in pictures if picture.split == "test" and picture.path.resolve() in trained]
    if both:
        raise DataError(
            f"{len(both):,} pictures of {test_annotations} are trained on, too, such as {both[0].path.name}: "
            "take them out of one of the two files"
        )


def _held_out(pictures: list[Picture], path: Path, look: Look) -> tuple[list[Picture], str]:
    """The pictures with the last fifth of those that can be read as 'test', and a line that says so.

    A picture that the file lists more than once, an entry a person, is in one half only.
    """
    files = list(dict.fromkeys(picture.path.resolve() for picture in pictures if look(picture.path)))
    if len(files) < 2:
        raise DataError(f"{path} has one picture with people: a set needs at least two, or --test-annotations")
    held = set(files[-max(1, len(files) // TEST_SHARE) :])
    split = [replace(picture, split="test") if picture.path.resolve() in held else picture for picture in pictures]
    return (
        split,
        f"held out as 'test': the last {len(held):,} of {len(files):,} pictures; --test-annotations names others",
    )


def _about(joints: Named, kind: _Kind) -> list[str]:
    """What the joint set came to, for the report."""
    skeleton = joints.skeleton
    pairs = [(a, b) for a, b in enumerate(skeleton.flip) if a < b]
    middle = [joint for k, joint in enumerate(skeleton.joints) if skeleton.flip[k] == k]
    known = f", which are {skeleton.name}" if skeleton.name != kind.name else ""
    lines = [
        f"{len(skeleton)} joints of {kind.name}{known}: {', '.join(skeleton.joints)}",
        f"left and right: {len(pairs)} pairs; the same in mirrored pictures: {', '.join(middle) or 'none'}"
        if pairs
        else "left and right: the names have no sides, so mirrored pictures keep them all",
        "PCK refers to the torso's diagonals" if skeleton.reference else "PCK refers to the longer side of the box",
    ]
    if joints.alone:
        lines.append(
            f"careful: {', '.join(joints.alone)} have a side and no partner; mend the names, or train without mirrored "
            "pictures (--set augmentation.flip=0)"
        )
    if joints.lost:
        lines.append(f"lines of the category that join no two joints: {joints.lost:,}")
    return lines
