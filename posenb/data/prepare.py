"""Writing prepared people: which are let in, and files that ``posenb.data.prepared`` reads.

While it is written the folder is called ``people-FINGERPRINT``, after what it is made of: a call that was killed is
gone on with by the next one, and what was made of other annotations is not mixed in.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from posenb.data.fetch import locked, replacing
from posenb.data.people import Person, Picture, admitted
from posenb.data.pictures import Cut, cut, decode
from posenb.data.prepared import DAMAGED, FIELDS, RECIPE, index_of
from posenb.data.sources import Source
from posenb.errors import DataError
from posenb.files import save_json
from posenb.home import data_folder
from posenb.skeletons import Skeleton

PICTURES_A_PART = 256
HELD_OUT = 20  # every so many-th part of the training pictures, at their end, is held out for choices


def by_split(kept: Mapping[str, int]) -> str:
    """How many people ``load`` finds in which split, from those by part: 'val' is the held-out part of 'train'."""
    counts = dict(kept)
    if held_out := counts.pop("val", 0):
        counts["train"] = counts.get("train", 0) + held_out
    told = [f"{count:,} {split}" for split, count in sorted(counts.items())]
    return ", ".join(told) + (f" ({held_out:,} of them val)" if held_out else "")


@dataclass
class Report:
    """What was kept, what was dropped and why.

    Attributes:
        pictures: how many were read.
        kept: people by split; 'val' is the held-out part of 'train'.
        dropped: people by the reason why they were left out, and labels by the reason why they were taken away.
        broken: pictures that could not be read, with the reason.
        size: bytes of the prepared files.
    """

    pictures: int = 0
    kept: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    size: int = 0

    def text(self, source: Source, folder: Path) -> str:
        """For people to read."""
        people = sum(self.kept.values())
        lines = [
            f"{source.title}: {people:,} people of {self.pictures:,} pictures kept: " + by_split(self.kept),
            f"licence: {source.licence}",
            f"prepared in {folder}: {self.size / 2**20:,.0f} MiB, {self.size / max(people, 1):,.0f} bytes a person",
        ]
        lines += [f"left out: {count:,} x {reason}" for reason, count in self.dropped.items()]
        if self.broken:
            first = ", ".join(f"{name} ({reason})" for name, reason in list(self.broken.items())[:3])
            lines.append(f"pictures that cannot be read: {len(self.broken):,}, such as {first}")
        if self.dropped or self.broken:
            lines.append(f"each is named in {folder / 'left_out.csv'}")
        return "\n".join(lines)


def prepare(
    source: Source,
    skeleton: Skeleton,
    pictures: Sequence[Picture],
    folder: Path | None = None,
    *,
    labelled: bool = True,
    whole: bool = False,
    validation: frozenset[str] | None = None,
) -> Report:
    """Read pictures, let in the people that can be trained on, and keep what ``read`` and ``files`` give back.

    Args:
        source: what is prepared.
        skeleton: of the people.
        pictures: those of 'train' before those of 'test'.
        folder: where to; ``data_folder(source.name)`` where None.
        labelled: leave out people without a labelled joint.
        whole: keep the pictures' own files as they are, and end at the first that is broken: for small, whole data
            sets. Else a part is cut about each person, and broken pictures are counted and left out.
        validation: names of the training pictures held out for choices; None: the last twentieth.

    Raises:
        DataError: nothing can be kept, the disk is full, or (where ``whole``) a picture is broken or a person absurd.
    """
    folder = folder or data_folder(source.name)
    training = [picture.name for picture in pictures if picture.split == "train"]
    if validation is None:
        validation = frozenset(training[len(training) - len(training) // HELD_OUT :])
    fingerprint = _fingerprint(skeleton, pictures, validation, whole)
    with locked(folder / "people"):
        building = folder / f"people-{fingerprint}"
        if (kept := index_of(folder)) and kept["fingerprint"] == fingerprint:
            if all(_part_about(folder / "people" / f"{number:05d}") for number in range(len(kept["parts"]))):
                return Report(**kept["report"])
            shutil.rmtree(building, ignore_errors=True)
            (folder / "people").rename(building)  # what is not damaged is kept
        building.mkdir(parents=True, exist_ok=True)
        try:
            make = partial(_people, labelled=labelled, whole=whole)
            parts = _write_parts(building, source.name, pictures, validation, make)
        except DataError:
            if whole:  # nothing to go on with: what is broken stays broken
                shutil.rmtree(building)
            raise
        broken = {name: reason for part in parts for name, reason in part["broken"].items()}
        left_out = [row for part in parts for row in part["left_out"]]
        report = Report(
            pictures=len(pictures),
            kept=dict(sum((Counter(part["kept"]) for part in parts), Counter())),
            dropped=dict(Counter(row[2] for row in left_out).most_common()),
            broken=broken,
        )
        if not report.kept:
            reasons = ", ".join([*report.dropped, *report.broken.values()][:3])
            raise DataError(f"{source.title}: nothing could be kept of {len(pictures):,} pictures ({reasons})")
        if left_out or broken:
            with replacing(building / "left_out.csv") as path, path.open("w", newline="", encoding="utf-8") as file:
                unread = [[name, "", reason] for name, reason in broken.items()]
                csv.writer(file).writerows([["picture", "person", "reason"], *left_out, *unread])
        report.size = sum(path.stat().st_size for path in building.iterdir())
        digest = sha256(f"{fingerprint} {[part['checksum'] for part in parts]}".encode()).hexdigest()[:12]
        save_json(
            {
                "recipe": RECIPE,
                "fingerprint": fingerprint,
                "digest": digest,
                "skeleton": asdict(skeleton),
                "parts": [sum(part["kept"].values()) for part in parts],
                "report": asdict(report),
            },
            building / "index.json",
        )
        shutil.rmtree(folder / "people", ignore_errors=True)
        building.rename(folder / "people")
        for left in [*folder.glob("people-*"), *folder.glob("crops-*.npy")]:  # of other annotations
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    return report


def _fingerprint(skeleton: Skeleton, pictures: Sequence[Picture], validation: frozenset[str], whole: bool) -> str:
    """Of everything that the prepared files follow from; of pictures that are not kept whole, their sizes only."""
    told = sha256(f"{RECIPE} {skeleton} {whole} {sorted(validation)}".encode())
    for picture in pictures:
        size = picture.path.stat().st_size if picture.path.exists() else -1
        told.update(f"{picture.name} {picture.split} {picture.number} {size}\n".encode())
        if whole and size > 0:
            told.update(picture.path.read_bytes())
        if picture.upright:
            told.update(b"upright")
        for person in picture.people:
            told.update(person.points.tobytes() + person.visible.tobytes() + person.occluded.tobytes())
            told.update(f"{person.center} {person.side} {person.head} {person.area} {person.number}\n".encode())
    return told.hexdigest()[:12]


def _people(picture: Picture, labelled: bool, whole: bool) -> tuple[list[tuple[Person, Cut]], list[list[str]], str]:
    """A picture's people with their small pictures, what was left out, and why the picture cannot be read ('')."""
    left_out: list[list[str]] = []
    found: list[tuple[Person, Cut]] = []
    try:
        file = picture.path.read_bytes()
        pixels = decode(file, upright=picture.upright)
        for number, person in enumerate(picture.people):
            good, problems = admitted(person, pixels.shape[1], pixels.shape[0], labelled)
            left_out += [[picture.name, str(person.number or number), problem] for problem in problems]
            if good:
                found.append((good, Cut(file, np.zeros(2), 1.0) if whole else cut(pixels, good)))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        if whole:
            raise DataError(f"{picture.name} {reason}: fetch the archive again") from None
        return [], left_out, reason
    if whole and left_out:
        raise DataError(f"{picture.name}: {left_out[0][2]}: fetch the archive again")
    return found, left_out, ""


def _write_parts(
    building: Path, name: str, pictures: Sequence[Picture], validation: frozenset[str], make: Any
) -> list[dict[str, Any]]:
    """Write the parts that are not there yet; returns what all say of themselves."""
    parts = []
    with tqdm(total=len(pictures), desc=f"preparing {name}", unit="picture", disable=None) as bar:
        for start in range(0, len(pictures), PICTURES_A_PART):
            block = pictures[start : start + PICTURES_A_PART]
            path = building / f"{start // PICTURES_A_PART:05d}"
            parts.append(_part_about(path) or _write_part(path, block, validation, make))
            bar.update(len(block))
    return parts


def _write_part(path: Path, block: Sequence[Picture], validation: frozenset[str], make: Any) -> dict[str, Any]:
    """Write one part, its pictures first; returns what ``_part_about`` does."""
    # decoders let go of the interpreter's lock, so threads are enough
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        made = list(pool.map(make, block))
    rows: list[dict[str, Any]] = []
    jpegs: list[bytes] = []
    left_out: list[list[str]] = []
    broken: dict[str, str] = {}
    for picture, (found, dropped, reason) in zip(block, made, strict=True):
        left_out += dropped
        if reason:
            broken[picture.name] = reason
        for person, part in found:
            jpegs.append(part.file)
            rows.append(
                {
                    "points": (person.points - part.origin) / part.unit,
                    "visible": person.visible,
                    "occluded": person.occluded,
                    "center": (person.center - part.origin) / part.unit,
                    "side": person.side / part.unit,
                    "head": person.head / part.unit,
                    "area": person.area / part.unit**2,
                    "number": person.number,
                    "picture": picture.number,
                    "origin": part.origin,
                    "unit": part.unit,
                    "split": "val" if picture.split == "train" and picture.name in validation else picture.split,
                }
            )
    arrays = {name: np.array([row[name] for row in rows]) for name in (*FIELDS, "split")}
    pictures = b"".join(jpegs)
    about: dict[str, Any] = {
        "kept": dict(Counter(row["split"] for row in rows)),
        "left_out": left_out,
        "broken": broken,
        "checksum": zlib.crc32(pictures),
    }
    with replacing(path.with_suffix(".pictures")) as temporary:
        temporary.write_bytes(pictures)
    # last, because it is what says that the part is whole
    with replacing(path.with_suffix(".npz")) as temporary, temporary.open("wb") as file:
        ends = np.cumsum([len(jpeg) for jpeg in jpegs], dtype=np.int64)
        arrays |= {"ends": ends, "checksum": np.array(about["checksum"]), "about": np.array(json.dumps(about))}
        np.savez(file, allow_pickle=False, **arrays)
    return about


def _part_about(path: Path) -> dict[str, Any] | None:
    """What a part says of itself: what was kept and left out; None where it is not there or damaged."""
    try:
        with np.load(path.with_suffix(".npz")) as file:
            about = json.loads(str(file["about"]))
        whole = zlib.crc32(path.with_suffix(".pictures").read_bytes()) == about["checksum"]
    except DAMAGED:
        return None
    return about if whole else None
