"""COCO's format of keypoint annotations: a JSON file of images, annotations and categories, read into Pictures.

An annotation's ``keypoints`` are x, y and a flag for each joint in turn. Conventions (cocodataset.org, data format):

- The flag is 0 where there is no label (x and y are 0 then), 1 where a joint is labelled and hidden, 2 where it is
  seen.
- x and y of a joint are 0-based indices of the pixel that shows it. Pixel i has its centre at i + .5 in our
  coordinates, so ours = COCO's + .5.
- A box (left, top, width, height) comes from an outline in continuous coordinates: one that reaches the right border of
  a picture of 640 pixels ends at 640, not at 639. Boxes are kept as they are, and clipped to the picture.

OKS does not see the half pixel: it measures prediction against label, and both are shifted (predictions are exported
less .5, see ``posenb.inference.coco``).

Left and right are the person's own. Files are not trusted: an entry that is not what it should be is left out and
counted; a file that is something else, or a name that leads out of the pictures' folder, is refused in one line.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posenb.data.people import Person, Picture, about_box
from posenb.errors import DataError, first_line

_LARGEST_NUMBER = 2**62


@dataclass(frozen=True)
class Parsed:
    """What an annotation file says.

    Attributes:
        pictures: those with people that may be used, in the file's order; each one's people in the file's order.
        listed: how many pictures the file lists, with people or without.
        dropped: annotations, or labels, that were left out, by the reason.
        sizes: (width, height) of each of ``pictures`` as the file tells it; None where it does not.
    """

    pictures: list[Picture]
    listed: int
    dropped: Counter[str]
    sizes: list[NDArray[np.float64] | None]


def left_out(dropped: Counter[str]) -> list[str]:
    """Lines for the report."""
    return [f"left out: {count:,} x {reason}" for reason, count in dropped.most_common()]


def read_json(path: Path) -> Any:
    """The contents of a JSON file; outlines (``segmentation``), most of COCO's bytes, are dropped as they are read.

    Raises DataError for a file that is missing or not JSON.
    """

    def without_outline(entry: dict[str, Any]) -> dict[str, Any]:
        entry.pop("segmentation", None)
        return entry

    try:
        with path.open(encoding="utf-8") as file:
            return json.load(file, object_hook=without_outline)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not whole JSON ({first_line(error)}): get it, or write it, again") from None


def parse(
    content: Any,
    path: Path,
    images: Path,
    joints: int,
    *,
    split: str = "train",
    prefix: str = "",
    categories: frozenset[Any] | None = None,
    strict: bool = False,
) -> Parsed:
    """The pictures and people of a file's contents.

    Crowds and people without a labelled joint are left out and counted. COCO's evaluation ignores both, so an AP with
    the annotated boxes loses nothing by it.

    Args:
        content: what ``read_json`` gave.
        path: the file, for messages.
        images: the folder that file names refer to.
        joints: how many joints a person has.
        split: of all its pictures.
        prefix: put before the pictures' names in messages.
        categories: the ids of the categories that are wanted; None: all.
        strict: leave out people without a box or an area as well. Else such a person's square lies about the joints.

    Raises:
        DataError: it has no such lists, or an image without id or name, two images of one id, or a name that leads
            out of the folder.
    """
    listed = _images(content, path, images, split, prefix)
    entries, dropped = _distinct(entries_of(content, "annotations", path)), Counter[str]()
    twice = len(content["annotations"]) - len(entries)
    if twice:
        dropped["annotation that came before"] = twice
    ids: list[Any] = [entry.get("id") if isinstance(entry, Mapping) else None for entry in entries]
    numbers = ids if _all_numbers(ids) else range(1, len(ids) + 1)
    people: dict[Any, list[Person]] = {}
    for number, entry in zip(numbers, entries, strict=True):
        about = entry.get("image_id") if isinstance(entry, Mapping) else None
        if not isinstance(about, (int, float, str)) or about not in listed:
            dropped["annotation of a picture that is not listed"] += 1
            continue
        kind = entry.get("category_id")
        if categories is not None and (not isinstance(kind, (int, float, str)) or kind not in categories):
            dropped["annotation of another category"] += 1
            continue
        person = _person(entry, joints, number, listed[about][1], strict, dropped)
        if person:
            people.setdefault(about, []).append(person)
    pictures = [
        Picture(picture.name, picture.path, tuple(people[key]), split, picture.number)
        for key, (picture, _) in listed.items()
        if key in people
    ]
    return Parsed(pictures, len(listed), dropped, [size for key, (_, size) in listed.items() if key in people])


def entries_of(content: Any, name: str, path: Path) -> list[Any]:
    """A list of the file. Raises DataError where it has none of that name."""
    found = content.get(name) if isinstance(content, dict) else None
    if not isinstance(found, list):
        raise DataError(f"{path} is not a COCO keypoint file: it has no list {name!r}")
    return found


def labelled(
    values: NDArray[np.float64], seen: float, hidden: float, dropped: Counter[str], none: float = 0
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Points ``(K, 2)`` in our coordinates, ``visible`` and ``occluded (K,)`` of rows (x, y, flag) ``(K, 3)``.

    Args:
        seen, hidden, none: what the data set's flags are. Another flag is no label, and counted.
        dropped: where it is counted.
    """
    flag = values[:, 2]
    visible, occluded = (flag == seen) | (flag == hidden), flag == hidden
    if strange := int((~visible & (flag != none)).sum()):
        known = ", ".join(f"{value:g}" for value in sorted((none, hidden, seen)))
        dropped[f"joint with a flag other than {known}"] += strange
    # an index points at a pixel: its centre lies half a pixel further
    return values[:, :2] + 0.5, visible, occluded


def inside(folder: Path, name: str, told_by: str) -> Path:
    """The file of that name in a folder, or under it. Raises DataError for a name that leads elsewhere, or is none."""
    pure = PureWindowsPath(name)  # knows both slashes, drives and shares
    if pure.drive or pure.root or ".." in pure.parts:
        raise DataError(f"{told_by} names a picture {name!r}, which leads out of its folder")
    if not pure.parts or not name.isprintable() or max(len(part.encode()) for part in pure.parts) > 255:
        raise DataError(f"{told_by} names a picture {name[:80]!r}, which is no name of a file")
    return folder.joinpath(*pure.parts)


def require_pictures(pictures: Sequence[Picture], folder: Path, *, every: bool) -> None:
    """Raises DataError where a picture (``every``), or all of them, are not in the folder."""
    if not pictures:
        return
    missing = [picture for picture in pictures if not picture.path.is_file()]
    if len(missing) == len(pictures) or (every and missing):
        raise DataError(
            f"{folder} lacks {len(missing):,} of the {len(pictures):,} pictures with people, "
            f"the first is {missing[0].path.relative_to(folder)}: "
            "name the folder that the annotations' names start from"
        )


def numbers(value: Any, count: int) -> NDArray[np.float64] | None:
    """``count`` numbers from a list, nested or not; None where it is something else."""
    try:
        found = np.asarray(value, dtype=np.float64).ravel()
    except (TypeError, ValueError, OverflowError):
        return None
    return found if len(found) == count else None


def square_about(
    box: NDArray[np.float64] | None, size: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], float] | None:
    """Centre and side of the square about a box (left, top, width, height), clipped to a picture of ``size`` (w, h).

    None where the box has no area.
    """
    if box is None or not np.isfinite(box).all():
        return None
    low, high = np.maximum(box[:2], 0), box[:2] + box[2:]
    if size is not None:
        high = np.minimum(high, size)
    width, height = (high - low).tolist()
    return about_box(float(low[0]), float(low[1]), width, height) if width > 0 and height > 0 else None


def _person(
    entry: Mapping[str, Any],
    joints: int,
    number: int,
    size: NDArray[np.float64] | None,
    strict: bool,
    dropped: Counter[str],
) -> Person | None:
    """The person of an annotation; None, and counted, where it is not to be used."""
    if entry.get("iscrowd") not in (None, 0):
        dropped["crowd"] += 1
        return None
    if entry.get("keypoints") is None:
        dropped["person without keypoints"] += 1
        return None
    values = numbers(entry["keypoints"], 3 * joints)
    if values is None:
        dropped[f"keypoints that are not 3 x {joints} numbers"] += 1
        return None
    points, visible, occluded = labelled(values.reshape(joints, 3), 2, 1, dropped)
    if not visible.any():
        dropped["person without keypoints"] += 1
        return None
    square = square_about(numbers(entry.get("bbox"), 4), size)
    area = numbers(entry.get("area"), 1)
    extent = float(area[0]) if area is not None and 0 < area[0] < np.inf else float("nan")
    if strict and (square is None or np.isnan(extent)):
        dropped["person without area"] += 1
        return None
    center, side = square or (None, float("nan"))
    return Person(points, visible, occluded, center, side, area=extent, number=number)


def _images(
    content: Any, path: Path, folder: Path, split: str, prefix: str
) -> dict[Any, tuple[Picture, NDArray[np.float64] | None]]:
    """The listed pictures by their ids, without people, and their sizes (width, height) where they are told."""
    entries = entries_of(content, "images", path)
    ids: list[Any] = [entry.get("id") if isinstance(entry, dict) else None for entry in entries]
    numbered = _all_numbers(list(dict.fromkeys(ids)) if all(isinstance(key, (int, str)) for key in ids) else ids)
    listed: dict[Any, tuple[Picture, NDArray[np.float64] | None]] = {}
    for place, (key, entry) in enumerate(zip(ids, entries, strict=True)):
        name = entry.get("file_name") if isinstance(entry, dict) else None
        if not isinstance(key, (int, str)) or not isinstance(name, str):
            raise DataError(f"{path}: images[{place}] has no id or no file_name")
        file = inside(folder, name, f"{path}, images[{place}],")
        if key in listed:
            if listed[key][0].path != file:
                raise DataError(f"{path} has two images of the id {key!r}, the second is {name!r}")
            continue
        size = numbers([entry.get("width"), entry.get("height")], 2)
        told = size is not None and bool(np.isfinite(size).all() and (size > 0).all())
        number = key if numbered and isinstance(key, int) else place + 1
        picture = Picture(f"{prefix}{name}", file, (), split, number)
        listed[key] = picture, size if told else None
    return listed


def _distinct(entries: list[Any]) -> list[Any]:
    """The entries without repetitions of the same one under the same id."""
    seen: dict[Any, Any] = {}
    kept = []
    for entry in entries:
        key = entry.get("id") if isinstance(entry, dict) else None
        if isinstance(key, (int, str)) and seen.setdefault(key, entry) is not entry and seen[key] == entry:
            continue
        kept.append(entry)
    return kept


def _all_numbers(ids: Sequence[Any]) -> bool:
    """Whether ids are whole numbers that an array can hold, each its own."""
    whole = all(type(key) is int and abs(key) < _LARGEST_NUMBER for key in ids)
    return whole and len(set(ids)) == len(ids)
