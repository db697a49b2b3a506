"""AI Challenger's people (Wu et al., 2017): pictures from the web, 14 joints a person.

``keypoint_train_annotations_20170909.json`` is a list of ``{image_id, url, human_annotations, keypoint_annotations}``;
the latter two have an entry a person, ``human1`` and so on: a box (left, top, right, bottom) and x, y and a flag for
each joint in turn. The picture is ``image_id`` with .jpg, in ``keypoint_train_images_20170902/``. 'test' is the
validation part (``keypoint_validation_annotations_20170911.json``, ``keypoint_validation_images_20170911/``), because
labels of the test parts are not public.

- The flag is 1 where a joint is seen, 2 where it is labelled and hidden, 3 where there is no label: COCO's numbers, and
  another meaning.
- x and y are 0-based indices of pixels, so ours = theirs + .5, as for COCO. Boxes are kept as they are.
- There are no outlines: a person's area is its box's.

Left and right are the person's own. Files of AI Challenger that others have rewritten in COCO's format can be prepared
by ``posenb data own``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from posenb.data.coco import inside, labelled, left_out, numbers, read_json, require_pictures, square_about
from posenb.data.people import Person, Picture
from posenb.data.prepare import prepare
from posenb.data.sources import SOURCES
from posenb.errors import DataError
from posenb.home import data_folder
from posenb.skeletons import AIC14

SOURCE = SOURCES["aic"]
FILES = {
    "train": ("keypoint_train_annotations_20170909.json", "keypoint_train_images_20170902", 210_000),
    "test": ("keypoint_validation_annotations_20170911.json", "keypoint_validation_images_20170911", 30_000),
}
"""Annotations, pictures, and how many of these there are."""
_SEEN, _HIDDEN, _NONE = 1, 2, 3


def install(source: Path | None, folder: Path | None = None) -> str:
    """Prepare AI Challenger from the folder that its archives were unpacked to.

    Args:
        source: holds the files named above, at most two folders down.
        folder: where to; ``data_folder("aic")`` where None.

    Returns a report for people to read. Raises DataError where a file is missing or not what it should be.
    """
    folder = folder or data_folder(SOURCE.name)
    if source is None or not source.is_dir():
        raise DataError(
            f"{SOURCE.title} is not downloaded: {SOURCE.licence}; {SOURCE.access}. Unpack its training and validation "
            "parts into a folder and name that with --source" + (f" ({source} is none)" if source else "")
        )
    pictures: list[Picture] = []
    dropped: Counter[str] = Counter()
    notes = []
    for split, (name, images, count) in FILES.items():
        path = _find(source, name)
        found, listed = _read(path, _find(source, images), split, dropped)
        pictures += found
        if listed != count:
            notes.append(f"{name} lists {listed:,} pictures, the official one {count:,}")
    report = prepare(SOURCE, AIC14, pictures, folder).text(SOURCE, folder / "people")
    return "\n".join([report, *left_out(dropped), *notes])


def _find(source: Path, name: str) -> Path:
    for pattern in (name, f"*/{name}", f"*/*/{name}"):
        if found := sorted(source.glob(pattern)):
            return found[0]
    raise DataError(f"{source} holds no {name}: unpack {SOURCE.title}'s training and validation parts there")


def _read(path: Path, images: Path, split: str, dropped: Counter[str]) -> tuple[list[Picture], int]:
    """The pictures with people that a file lists, and how many it lists; what is left out is counted in ``dropped``."""
    content = read_json(path)
    if not isinstance(content, list):
        raise DataError(f"{path} is not AI Challenger's: it is no list (files in COCO's format: `posenb data own`)")
    pictures: list[Picture] = []
    number = 0
    for place, entry in enumerate(content):
        name, boxes, joints = (
            entry.get(key) if isinstance(entry, Mapping) else None
            for key in ("image_id", "human_annotations", "keypoint_annotations")
        )
        if not isinstance(name, str) or not isinstance(boxes, Mapping) or not isinstance(joints, Mapping):
            raise DataError(f"{path}: entry {place} lacks image_id, human_annotations or keypoint_annotations")
        people = []
        for human in dict.fromkeys([*joints, *boxes]):
            number += 1
            person = _person(joints.get(human), boxes.get(human), number, dropped)
            if person:
                people.append(person)
        if people:
            file = inside(images, f"{name}.jpg", f"{path}, entry {place},")
            pictures.append(Picture(f"{images.name}/{name}.jpg", file, tuple(people), split, place + 1))
    require_pictures(pictures, images, every=True)
    return pictures, len(content)


def _person(joints: Any, box: Any, number: int, dropped: Counter[str]) -> Person | None:
    """The person of its annotations; None, and counted, where it is not to be used."""
    if joints is None or box is None:
        dropped["person without " + ("joints" if joints is None else "a box")] += 1
        return None
    values, edges = numbers(joints, 3 * len(AIC14)), numbers(box, 4)
    if values is None:
        dropped[f"keypoints that are not 3 x {len(AIC14)} numbers"] += 1
        return None
    points, visible, occluded = labelled(values.reshape(-1, 3), _SEEN, _HIDDEN, dropped, none=_NONE)
    if not visible.any():
        dropped["person without keypoints"] += 1
        return None
    extent = edges[2:] - edges[:2] if edges is not None else np.zeros(2)
    square = None if edges is None else square_about(np.concatenate([edges[:2], extent]), None)
    if square is None:
        dropped["person without area"] += 1
        return None
    center, side = square
    return Person(points, visible, occluded, center, side, area=float(extent.prod()), number=number)
