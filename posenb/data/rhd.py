"""Rendered Handpose: 43,986 rendered pictures of people with 21 joints a hand (Zimmermann & Brox, ICCV 2017).

``RHD_published_v2/training`` and ``/evaluation`` hold ``color/00000.png``, ``mask/00000.png`` and
``anno_training.pickle`` (``anno_evaluation.pickle``): {sample: {'uv_vis': (42, 3), 'xyz': (42, 3), 'K': (3, 3)}}.
'test' is the evaluation half. What needs care:

- Joints 0 to 20 are the left hand's, 21 to 41 the right hand's, the person's own. First the wrist, then thumb, index,
  middle, ring and little finger, each from its TIP to the palm: wrist-4, 4-3, 3-2, 2-1 are the thumb. Here they run
  from the palm to the tip, as in HAND21.
- The third number is 1 where enough pixels about the joint show the hand it belongs to, a guess by the data set's
  authors. Coordinates are exact either way. So every joint in the picture is labelled, and what is guessed hidden is
  ``occluded``. hand3d measures errors on the others only: to compare with it, take ``visible & ~occluded``.
- uv is xyz seen through K, whose principal point is exactly (160, 160) in pictures of 320 x 320. A renderer looks
  through the middle of its picture, which is (160, 160) where the picture covers [0, 320], and (159.5, 159.5) where
  pixels' centres are whole numbers. So uv are our coordinates as they stand, though others draw them as indices.
- hand3d trains and tests on one hand a picture, that with more pixels in the mask, and puts the middle of wrist and
  middle finger's base in the wrist's place. Here the wrist stays, and by default each hand is a sample that has 11 of
  its 21 joints seen: a majority, because hand3d's square is measured on the joints that are seen. ``hands="larger"``
  takes hand3d's one.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from posenb.data.fetch import GIB, download, locked, unpack
from posenb.data.hands import about_hand
from posenb.data.people import Person, Picture
from posenb.data.pictures import decode
from posenb.data.prepare import prepare
from posenb.data.prepared import is_prepared
from posenb.data.sources import SOURCES
from posenb.data.unpickle import load as unpickle
from posenb.errors import DataError
from posenb.home import data_folder
from posenb.skeletons import HAND21

SOURCE = SOURCES["rhd"]
URL = "https://lmb.informatik.uni-freiburg.de/data/RenderedHandpose/RHD_v1-1.zip"
HALVES = {"training": 41_258, "evaluation": 2_728}
SIZE = (320, 320)
LEAST_SEEN = 11
"""Joints that must be seen of a hand, where each hand is taken."""
ORDER = (0, *(finger + joint for finger in (0, 4, 8, 12, 16) for joint in (4, 3, 2, 1)))
"""The data set's number of each joint of HAND21, within a hand."""
_FIRST_LEFT, _FIRST_RIGHT = 2, 18  # of the mask's classes; 0 is the background, 1 the person

Hands = Literal["each", "larger"]


def install(source: Path | None = None, folder: Path | None = None, hands: Hands = "each") -> str:
    """Prepare RHD from its official archive, or the folder it was unpacked to; downloaded (7 GB) where None.

    Args:
        source: RHD_v1-1.zip, RHD_published_v2, or a folder that holds the latter.
        folder: where to; ``data_folder("rhd")`` where None.
        hands: 'each' hand with 11 joints seen, or the one of a picture that is 'larger' in its mask, as hand3d does.

    Returns a report for people to read. Raises DataError, in one line that names the file or sample at fault.
    """
    folder = folder or data_folder(SOURCE.name)
    if source is not None:
        return _install(source, folder, hands, HALVES)
    if is_prepared(folder):
        return f"{SOURCE.title} is prepared already, in {folder}; --source DIR prepares it anew"
    fetched = download(URL, folder / "RHD_v1-1.zip")
    try:
        report = _install(fetched, folder, hands, HALVES)
    except DataError as error:  # not removed: fetching 7 GB again mends no full disk
        raise DataError(f"{error} (downloaded to {fetched}: remove that to have it fetched anew)") from error
    fetched.unlink(missing_ok=True)
    return report


def _install(source: Path, folder: Path, hands: Hands, halves: dict[str, int]) -> str:
    if not source.exists():
        raise DataError(f"there is no {source}: name RHD_v1-1.zip or the folder it was unpacked to")
    with locked(folder / "installing"):
        unpacked = source if source.is_dir() else folder / "unpacked"
        try:
            if unpacked != source:
                unpack(source, unpacked, max_bytes=64 * GIB, max_files=500_000)
            root = _root(unpacked, source)
            counts: Counter[str] = Counter()
            pictures = [
                picture for half, count in halves.items() for picture in _read(root / half, half, count, hands, counts)
            ]
            report = prepare(SOURCE, HAND21, pictures, folder).text(SOURCE, folder / "people")
        finally:
            if unpacked != source:
                shutil.rmtree(unpacked, ignore_errors=True)
    rule = {
        "each": f"each hand with {LEAST_SEEN} of its joints seen; {counts['few']:,} hands with fewer are left out",
        "larger": "one hand a picture, that with more pixels in the mask, as hand3d",
    }
    return "\n".join(
        [
            report,
            f"hands: {rule[hands]}",
            f"{counts['left']:,} left and {counts['right']:,} right hands, as they are; to mirror one makes the other "
            "hand of it, with the same joints",
            f"of {counts['labels']:,} labels {counts['hidden']:,} are guessed hidden (occluded)",
            "Zimmermann & Brox, ICCV 2017, arXiv:1705.01389",
        ]
    )


def _root(unpacked: Path, source: Path) -> Path:
    """The folder with both halves, or one below."""
    for path in sorted(unpacked.glob("training/anno_training.pickle")) + sorted(
        unpacked.glob("*/training/anno_training.pickle")
    ):
        return path.parent.parent
    raise DataError(f"{source} is not RHD: it holds no RHD_published_v2/training/anno_training.pickle")


def _read(folder: Path, half: str, count: int, hands: Hands, counts: Counter[str]) -> Iterator[Picture]:
    """The pictures of one half; what was seen is counted in ``counts``."""
    uv_vis = _annotations(folder / f"anno_{half}.pickle", count)
    names = [f"{sample:05d}.png" for sample in range(count)]
    present = {path.name for path in (folder / "color").glob("*.png")}
    if missing := [name for name in names if name not in present]:
        raise DataError(
            f"{folder / 'color'} lacks {len(missing):,} of RHD's {count:,} pictures, the first is {missing[0]}"
        )
    points, seen = uv_vis[..., :2], uv_vis[..., 2] > 0.5
    masks = [folder / "mask" / name for name in names]
    taken = seen.sum(axis=2) >= LEAST_SEEN if hands == "each" else _larger(masks)
    inside = ((points >= 0) & (points <= SIZE[::-1])).all(axis=-1)
    labels = inside | seen  # and a seen joint without finite coordinates is reported by ``prepare``
    counts["few"] += int((~taken).sum())
    counts["labels"] += int(labels[taken].sum())
    counts["hidden"] += int((labels & ~seen)[taken].sum())
    counts["left"] += int(taken[:, 0].sum())
    counts["right"] += int(taken[:, 1].sum())
    for sample in range(count):
        people = []
        for side in np.flatnonzero(taken[sample]):
            where = points[sample, side]
            center, length = about_hand(where, seen[sample, side] & np.isfinite(where).all(axis=1), SIZE)
            visible = labels[sample, side]
            occluded = visible & ~seen[sample, side]
            people.append(Person(where, visible, occluded, center, length, number=int(2 * sample + side)))
        yield Picture(
            name=f"{half}/color/{names[sample]}",
            path=folder / "color" / names[sample],
            people=tuple(people),
            split="train" if half == "training" else "test",
            number=sample,
        )


def _annotations(path: Path, count: int) -> NDArray[np.float64]:
    """u, v and seen, ``(count, 2 hands, 21 joints of HAND21, 3)``."""
    samples = unpickle(path)
    if not isinstance(samples, dict) or set(samples) != set(range(count)):
        held = f"{len(samples):,} entries" if isinstance(samples, dict) else f"a {type(samples).__name__}"
        raise DataError(f"{path} holds {held}, RHD's a dict of {count:,} samples from 0 on: it is another data set")
    uv_vis = np.stack([_uv_vis(path, sample, samples[sample]) for sample in range(count)])
    return uv_vis.reshape(count, 2, len(HAND21), 3)[:, :, ORDER]


def _uv_vis(path: Path, sample: int, entry: Any) -> NDArray[np.float64]:
    array = entry.get("uv_vis") if isinstance(entry, dict) else None
    if not isinstance(array, np.ndarray) or array.shape != (42, 3):
        raise DataError(f"{path}: sample {sample} has no array uv_vis of shape (42, 3): fetch the archive again")
    return array.astype(np.float64)


def _larger(masks: list[Path]) -> NDArray[np.bool_]:
    """``(N, 2)``: which hand has more pixels in each mask; the right one where they are as many, as in hand3d."""
    with ThreadPoolExecutor(8) as pool, tqdm(desc="masks", total=len(masks), disable=None) as bar:
        left = np.zeros(len(masks), bool)
        for row, is_left in enumerate(pool.map(_left_is_larger, masks)):
            left[row] = is_left
            bar.update()
    return np.stack([left, ~left], axis=1)


def _left_is_larger(path: Path) -> bool:
    try:
        classes = decode(path.read_bytes())[..., 0]
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DataError(f"the mask {path} {reason}: fetch the archive again, or take each hand") from None
    left = (classes >= _FIRST_LEFT) & (classes < _FIRST_RIGHT)
    return bool(left.sum() > (classes >= _FIRST_RIGHT).sum())
