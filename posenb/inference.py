"""A trained method on pictures and videos of your own: poses, overlays, and tables of them."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from posenb.data.boxes import Box
from posenb.data.crops import crop
from posenb.data.people import ABOUT_BOX, LARGEST_BOX
from posenb.data.pictures import SUFFIXES
from posenb.errors import UserError
from posenb.files import partial_path, save_json, save_text
from posenb.methods.base import Method
from posenb.skeletons import Skeleton

IMAGES = (*SUFFIXES, ".tif", ".tiff")
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm")
OVERLAY = ".pose.png"  #: how the names of overlays end


class Frame(NamedTuple):
    """A picture ``(H, W, 3)`` RGB uint8 with its name; for a video's frame ``NAME#number``."""

    name: str
    pixels: NDArray[np.uint8]


class Pose(NamedTuple):
    """A person found: points ``(K, 2)`` in pixels of the whole picture, scores ``(K,)``, and the box looked at.

    ``path (T + 1, K, 2)`` are the guesses of a method that goes step by step, the last one the points; else None.
    """

    name: str
    points: NDArray[np.float32]
    scores: NDArray[np.float32]
    box: Box
    path: NDArray[np.float32] | None = None


def frames(source: Path, unread: list[str] | None = None) -> Generator[Frame, None, None]:
    """Pictures of a file, of a folder's image files in order of their names, or of a video.

    A folder's files that end in ``.pose.png`` are left out: ``run`` gives its overlays such names, and they may lie
    beside the pictures that it is to predict on again.

    Args:
        source: which.
        unread: takes the names of a folder's files that are no pictures after all; None refuses the first such.

    Raises:
        UserError: where there is nothing readable.
    """
    if source.is_dir():
        images = (path for path in source.iterdir() if path.suffix.lower() in IMAGES and path.is_file())
        paths = sorted(path for path in images if not path.name.endswith(OVERLAY))
        if not paths:
            raise UserError(f"{source} holds no image ({', '.join(IMAGES)}; *{OVERLAY} are taken for overlays)")
        for path in paths:
            try:
                pixels = _read(path)
            except UserError:
                if unread is None:
                    raise
                unread.append(path.name)
                continue
            yield Frame(path.name, pixels)
    elif source.suffix.lower() in VIDEOS:
        yield from _video(source)
    else:
        yield Frame(source.name, _read(source))


def _read(path: Path) -> NDArray[np.uint8]:
    if not path.exists():
        raise UserError(f"{path} does not exist")
    pixels = None
    with suppress(cv2.error):  # such as for a header that promises more pixels than OpenCV takes
        pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR) if path.stat().st_size else None
    if pixels is None:
        raise UserError(f"{path} is not a readable image")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def _video(path: Path) -> Iterator[Frame]:
    if not path.exists():
        raise UserError(f"{path} does not exist")
    number = 0
    with _capture(path) as capture:
        while True:
            good, pixels = capture.read()
            if not good:
                break
            yield Frame(f"{path.name}#{number:06d}", cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))  # type: ignore[arg-type]
            number += 1
    if number == 0:
        raise UserError(f"{path} is not a readable video")


@contextmanager
def _capture(path: Path) -> Iterator[cv2.VideoCapture]:
    capture = cv2.VideoCapture(str(path))
    try:
        yield capture
    finally:
        capture.release()


@torch.inference_mode()
def poses(method: Method, frame: Frame, boxes: Sequence[Box], paths: bool = False, about: float = 1.0) -> list[Pose]:
    """The pose in each box (x, y, width, height) of a picture; the crop is the square about it, borders repeated.

    Args:
        method: trained.
        frame: the picture.
        boxes: tight boxes of people, or the whole picture where one person fills it.
        paths: also the way to each pose, where the method has a ``trajectory``, as error feedback has.
        about: the crop's side, in longer sides of a box; training samples have ``data.people.ABOUT_BOX``.

    Raises:
        UserError: for a box that has no area or is not finite, outside of the picture, or absurdly larger than it.
    """
    rows, columns = method.setting.size
    trajectory = getattr(method, "trajectory", None) if paths else None
    found = []
    for x, y, width, height in boxes:
        _check(frame, (x, y, width, height))
        unit = about * max(width / columns, height / rows)
        corner = np.array([x + width / 2 - unit * columns / 2, y + height / 2 - unit * rows / 2])
        pixels = torch.from_numpy(crop(frame.pixels, corner, unit, (rows, columns)).copy())
        image = pixels.permute(2, 0, 1)[None]
        points, scores = method.predict(image)
        whole = points[0].float().numpy() * unit + corner
        path = None
        if trajectory is not None:
            path = (trajectory(image)[:, 0].float().numpy() * unit + corner).astype(np.float32)
        box = (x, y, width, height)
        found.append(Pose(frame.name, whole.astype(np.float32), scores[0].float().numpy(), box, path))
    return found


def _check(frame: Frame, box: Box) -> None:
    """Refuse a box that no person can be found in, as ``poses`` says."""
    x, y, width, height = box
    far, deep = frame.pixels.shape[1::-1]
    if not (width > 0 and height > 0 and np.isfinite(box).all()):
        told = ", ".join(f"{value:g}" for value in box)
        raise UserError(f"{frame.name}: a box needs numbers, and width and height above 0, not ({told})")
    if not (x < far and y < deep and x + width > 0 and y + height > 0):
        raise UserError(f"{frame.name}: the box at ({x:g}, {y:g}) lies outside of the picture of {far} x {deep} pixels")
    if max(width, height) > LARGEST_BOX * max(far, deep):
        raise UserError(f"{frame.name}: a box of {width:g} x {height:g} in a picture of {far} x {deep} pixels")


def overlay(frame: Frame, found: Sequence[Pose], skeleton: Skeleton) -> NDArray[np.uint8]:
    """A copy of the picture, BGR as OpenCV writes it, with skeletons: left limbs blue, right ones orange.

    Where a pose has a path, each joint's way to its place is a thin yellow line with a dot a step.
    """
    canvas = cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2BGR)
    width = max(1, round(min(canvas.shape[:2]) / 160))
    blue, orange, grey, yellow = (178, 115, 1), (5, 143, 222), (148, 148, 148), (47, 217, 255)
    shift = 4  # sixteenths of a pixel
    for pose in found:
        for way in () if pose.path is None else np.round((pose.path - 0.5) * 2**shift).astype(int).swapaxes(0, 1):
            cv2.polylines(canvas, [way.astype(np.int32)], False, yellow, 1, cv2.LINE_AA, shift)
            for point in way[:-1]:
                cv2.circle(canvas, point.tolist(), width << shift, yellow, -1, cv2.LINE_AA, shift)
        at = np.round((pose.points - 0.5) * 2**shift).astype(int)
        for a, b in skeleton.limbs:
            sides = {skeleton.joints[k].split("_")[0] for k in (a, b)}
            colour = blue if "left" in sides else orange if "right" in sides else grey
            cv2.line(canvas, at[a].tolist(), at[b].tolist(), colour, width, cv2.LINE_AA, shift)
        for point in at:
            cv2.circle(canvas, point.tolist(), (width + 1) << shift, (255, 255, 255), -1, cv2.LINE_AA, shift)
    return canvas  # type: ignore[return-value]


def write_csv(found: Sequence[Pose], skeleton: Skeleton, path: Path) -> None:
    """A row a person and joint: image, person, joint, x, y, score."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["image", "person", "joint", "x", "y", "score"])
    count: dict[str, int] = {}
    for pose in found:
        person = count[pose.name] = count.get(pose.name, -1) + 1
        for joint, (x, y), score in zip(skeleton.joints, pose.points, pose.scores, strict=True):
            rows.writerow([pose.name, person, joint, f"{x:.2f}", f"{y:.2f}", f"{score:.4f}"])
    save_text(text.getvalue(), path)


def coco(found: Sequence[Pose], skeleton: Skeleton) -> dict[str, Any]:
    """COCO's layout: images, one category with the joint names, and an annotation a person.

    COCO counts from the centre of the first pixel, so its numbers are ours less a half.
    """
    names = list(dict.fromkeys(pose.name for pose in found))
    place = {name: number for number, name in enumerate(names, start=1)}
    annotations = []
    for number, pose in enumerate(found, start=1):
        keypoints = [[round(float(x) - 0.5, 2), round(float(y) - 0.5, 2), 2] for x, y in pose.points]
        annotations.append(
            {
                "id": number,
                "image_id": place[pose.name],
                "category_id": 1,
                "bbox": [round(value, 2) for value in pose.box],
                "keypoints": [value for triple in keypoints for value in triple],
                "num_keypoints": len(skeleton),
                "score": round(float(pose.scores.mean()), 4),
            }
        )
    edges = [[a + 1, b + 1] for a, b in skeleton.limbs]
    category = {"id": 1, "name": "person", "keypoints": list(skeleton.joints), "skeleton": edges}
    images = [{"id": number, "file_name": name} for name, number in place.items()]
    return {"images": images, "categories": [category], "annotations": annotations}


def run(
    method: Method,
    source: Path,
    out: Path,
    boxes: Mapping[str, Sequence[Box]] | None = None,
    table: str = "csv",
    overlays: bool = True,
) -> int:
    """Predict on all pictures of ``source`` and write ``predictions.csv`` (or ``.json``) and overlays into ``out``.

    Args:
        method: trained.
        source: a picture, a folder of pictures, or a video.
        out: folder, made where missing. Overlays of a video are a video, and one that is interrupted leaves none.
        boxes: person boxes by picture; pictures that are not named are skipped. None: each whole picture is one person.
        table: 'csv' or 'coco'.
        overlays: whether to draw.

    Returns:
        how many poses were found.

    Raises:
        UserError: for a source that cannot be read, or boxes of other pictures only; and after all else is written,
            for files of a folder that cannot be read, and for boxes that lie outside of their picture, or whose picture
            is not there.
    """
    skeleton = method.setting.skeleton
    out.mkdir(parents=True, exist_ok=True)
    found: list[Pose] = []
    drawn: set[str] = set()
    film = _film(source, out / f"{source.stem}.pose.mp4") if source.suffix.lower() in VIDEOS else nullcontext()
    unread: list[str] = []
    unused: list[str] = []
    missing = set(boxes or ())
    # closed here, because the traceback of an interruption would keep a video open
    with closing(frames(source, unread)) as pictures, film as append:
        for frame in tqdm(pictures, unit="img", disable=None):
            height, width = frame.pixels.shape[:2]
            wanted = [(0, 0, width, height)] if boxes is None else boxes.get(frame.name, ())
            missing.discard(frame.name)
            here: list[Pose] = []
            for box in wanted:
                try:
                    here += poses(method, frame, [box], paths=overlays, about=1.0 if boxes is None else ABOUT_BOX)
                except UserError as error:
                    unused.append(str(error))
            found += here
            if overlays and append:
                append(overlay(frame, here, skeleton))
            elif overlays:
                good, data = cv2.imencode(".png", overlay(frame, here, skeleton))
                if good:
                    (out / f"{_free(frame.name, drawn)}{OVERLAY}").write_bytes(data.tobytes())
    if boxes is not None and not found:
        if unused:
            raise UserError(unused[0])
        raise UserError(f"no box is for a picture of {source}: they are for {', '.join(list(boxes)[:3]) or 'none'}")
    if table == "coco":
        save_json(coco(found, skeleton), out / "predictions.json")
    else:
        write_csv(found, skeleton, out / "predictions.csv")
    problems = {
        f"of {source}'s files are no readable pictures": unread,
        f"of the boxes' pictures are not in {source}": sorted(missing - set(unread)),
        "boxes cannot be used": unused,
    }
    if any(problems.values()):
        said = [f"{len(names)} {what} ({_few(names)})" for what, names in problems.items() if names]
        raise UserError(f"{'; '.join(said)}; the others are in {out}")
    return len(found)


@contextmanager
def _film(source: Path, path: Path) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """What appends a picture to a video, at the rate of ``source``; it is called ``path`` once it is whole."""
    partial = partial_path(path).with_suffix(".partial.mp4")  # OpenCV goes by the suffix
    writer: cv2.VideoWriter | None = None

    def append(canvas: NDArray[np.uint8]) -> None:
        nonlocal writer
        if writer is None:
            with _capture(source) as capture:
                rate = capture.get(cv2.CAP_PROP_FPS) or 25.0
            writer = cv2.VideoWriter(str(partial), cv2.VideoWriter.fourcc(*"mp4v"), rate, canvas.shape[1::-1])
        writer.write(canvas)

    try:
        yield append
        if writer is not None:
            writer.release()
            partial.replace(path)
    finally:
        if writer is not None:
            writer.release()
        partial.unlink(missing_ok=True)


def _free(name: str, taken: set[str]) -> str:
    """What to call the overlay of a picture: its name without suffix; where that is taken, the whole name or more.

    So a.jpg, a.png and a.png.jpg draw into three files, the same ones at every run. What is chosen goes to ``taken``.
    """
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    candidates = itertools.chain((Path(name).stem, name), numbered)
    chosen = next(each for each in candidates if each.casefold() not in taken)
    taken.add(chosen.casefold())  # some disks do not tell a from A
    return chosen


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
