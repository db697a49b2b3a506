"""Stereo Hand Pose Tracking Benchmark: 12 sequences of 1,500 frames of one left hand (Zhang et al., ICIP 2017).

``images/B1Counting/`` to ``B6Random/`` hold BB_left_0.png, BB_right_0.png (a stereo camera, Bumblebee2), SK_color_0.png
and SK_depth_0.png (RealSense F200), 640 x 480. ``labels/B1Counting_BB.mat`` and ``_SK.mat`` hold ``handPara``,
3 x 21 x 1500: x, y, z in millimetres. Numbers and order below are those of the README that its authors publish
(github.com/zhjwustc/icip17_stereo_hand_pose_dataset). No real file was at hand to draw them on.

- _BB is in the frame of the left camera; the right one is 120.054 mm to the right of it. _SK is in the frame of the
  DEPTH camera: the published rotation and translation lead from the colour camera to it, so colour = R' (depth - t).
- Points in pixels are the projection. Its constants come from a calibration that calls the first pixel's centre (0, 0),
  as OpenCV and the Matlab toolbox do, so ours = theirs + .5. Labels were made by hand; half a pixel is far within.
- The order is palm, then little, ring, middle, index finger and thumb, each from the palm to its tip.
- Joint 0 is the MIDDLE OF THE PALM. Other data sets mark the wrist there, so the joint set is STB21, not HAND21, and
  neither may be trained on as the other.
- There is no visibility. A joint outside of the picture has no label; nothing is ``occluded``.
- 'test' are B1Counting and B1Random, the other ten are for training, as hand3d and all later papers have it. The 2D
  tests of hand3d take both views of the stereo camera (6,000 pictures), those of 3D papers SK_color (3,000).
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import scipy.io
from numpy.typing import NDArray

from posenb.data.hands import about_hand
from posenb.data.people import Person, Picture
from posenb.data.prepare import prepare
from posenb.data.sources import SOURCES
from posenb.errors import DataError, UserError
from posenb.home import data_folder
from posenb.skeletons import STB21

SOURCE = SOURCES["stb"]
TEST = ("B1Counting", "B1Random")
TRAIN = tuple(f"B{number}{kind}" for number in range(2, 7) for kind in ("Counting", "Random"))
FRAMES = 1500
SIZE = (480, 640)
ORDER = (0, *(first + joint for first in (17, 13, 9, 5, 1) for joint in range(4)))
"""The data set's number of each joint of STB21."""
_RING = STB21.joints.index("ring1")


@dataclass(frozen=True)
class Camera:
    """A camera: a point X of its label file is at ``rotation.T @ (X - origin)`` before it.

    Attributes:
        picture: name of a frame's picture.
        labels: suffix of the label files.
        focal, middle: focal lengths and principal point (x, y), in pixels; the first pixel's centre is (0, 0).
        rotation: as a rotation vector.
        origin: in millimetres.
    """

    picture: str
    labels: str
    focal: tuple[float, float]
    middle: tuple[float, float]
    rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points ``(..., 2)`` in our pixels of points ``(..., 3)`` in millimetres; NaN behind the camera."""
        rotation, _ = cv2.Rodrigues(np.array(self.rotation))
        with np.errstate(over="ignore", invalid="ignore"):
            seen = (points - self.origin) @ rotation  # rows, so that this is the inverse rotation
            depth = np.where(seen[..., 2:] > 0, seen[..., 2:], np.nan)
            return seen[..., :2] / depth * self.focal + self.middle + 0.5


_STEREO = ((822.79041, 822.79041), (318.47345, 250.31296))
LEFT = Camera("BB_left_{}.png", "BB", *_STEREO)
RIGHT = Camera("BB_right_{}.png", "BB", *_STEREO, origin=(120.054, 0.0, 0.0))
COLOR = Camera(
    "SK_color_{}.png",
    "SK",
    (607.92271, 607.88192),
    (314.78337, 236.42484),
    rotation=(0.00531, -0.01196, 0.00301),
    origin=(-24.0381, -0.4563, -1.2326),
)
CAMERAS = {"stereo": (LEFT, RIGHT), "left": (LEFT,), "right": (RIGHT,), "realsense": (COLOR,)}


def install(source: Path | None, folder: Path | None = None, camera: str = "stereo") -> str:
    """Prepare STB from the folder that its archives were unpacked to.

    Args:
        source: holds ``images/`` and ``labels/``; the sequences may also lie beside ``labels/``.
        folder: where to; ``data_folder("stb")`` where None.
        camera: one of ``CAMERAS``; 'stereo' is both views of the Bumblebee, as in hand3d.

    Returns a report for people to read. Raises DataError, in one line that names the file at fault.
    """
    return _install(source, folder or data_folder(SOURCE.name), camera, FRAMES)


def _install(source: Path | None, folder: Path, camera: str, frames: int) -> str:
    if camera not in CAMERAS:
        raise UserError(f"camera must be one of {', '.join(CAMERAS)}, not {camera!r}")
    if source is None or not source.is_dir():
        raise DataError(
            f"{SOURCE.title} is not downloaded: {SOURCE.licence}; {SOURCE.access}. Unpack it into one folder and name "
            "that with --source" + (f" ({source} is none)" if source else "")
        )
    root = _root(source)
    counts: Counter[str] = Counter()
    pictures = [
        picture
        for split, sequences in (("train", TRAIN), ("test", TEST))
        for name in sequences
        for picture in _read(root, name, CAMERAS[camera], split, frames, counts)
    ]
    report = prepare(SOURCE, STB21, pictures, folder).text(SOURCE, folder / "people")
    return "\n".join(
        [
            report,
            f"camera: {camera} ({', '.join(view.picture.format('N') for view in CAMERAS[camera])}); "
            "preparing another one replaces these",
            "left hands all, as they are; to mirror one makes a right hand of it, with the same joints. Joint 0 is the "
            "palm's middle, not the wrist",
            f"no label: {counts['outside']:,} joints outside of their picture, {counts['nowhere']:,} without a place "
            "before the camera",
            "Zhang et al., A hand pose tracking benchmark from stereo matching, ICIP 2017",
        ]
    )


def _root(source: Path) -> Path:
    """The folder with ``labels/``, or one below."""
    for path in [source / "labels", *sorted(source.glob("*/labels"))]:
        if path.is_dir():
            return path.parent
    raise DataError(f"{source} is not STB: it holds no folder labels/ (with B1Counting_BB.mat and so on)")


def _read(
    root: Path, name: str, cameras: tuple[Camera, ...], split: str, frames: int, counts: Counter[str]
) -> Iterator[Picture]:
    """A sequence's pictures, frame by frame; joints without a label are counted in ``counts``."""
    places = [root / "images" / name, root / name]
    folder = next((place for place in places if place.is_dir()), None)
    if folder is None:
        raise DataError(f"{root} lacks the sequence images/{name}: STB has 12, of which all are needed")
    present = {path.name for path in folder.glob("*.png")}
    views = []
    for camera in cameras:
        if not any(camera.picture.format(frame) in present for frame in range(frames)):
            raise DataError(f"{folder} holds no {camera.picture.format(0)} to {camera.picture.format(frames - 1)}")
        views.append(camera.project(_joints(root / "labels" / f"{name}_{camera.labels}.mat", frames)))
    first = [*TRAIN, *TEST].index(name) * frames
    for frame in range(frames):
        for number, (camera, view) in enumerate(zip(cameras, views, strict=True), (first + frame) * len(cameras)):
            file = camera.picture.format(frame)
            person = _person(view[frame], first + frame, counts)
            yield Picture(f"{name}/{file}", folder / file, (person,), split, number)


def _person(points: NDArray[np.float64], number: int, counts: Counter[str]) -> Person:
    """The hand of one picture, from points ``(21, 2)`` in the order of STB21."""
    finite = np.isfinite(points).all(axis=1)
    inside = np.asarray(((points >= 0) & (points <= SIZE[::-1])).all(axis=1))
    counts["outside"] += int((finite & ~inside).sum())
    counts["nowhere"] += int((~finite).sum())
    # hand3d's square has the wrist in it, taken to lie as far beyond the palm's middle as the ring finger's base
    # lies before it
    framed = points.copy()
    framed[0] = 2 * points[0] - points[_RING]
    measured = inside.copy()
    measured[0] = np.isfinite(framed[0]).all() and (inside[0] or inside[_RING])
    center, side = about_hand(framed, measured, SIZE)
    return Person(points, inside, np.zeros(len(STB21), bool), center, side, number=number)


def _joints(path: Path, frames: int) -> NDArray[np.float64]:
    """Joints ``(frames, 21, 3)`` of a label file, in the order of STB21."""
    try:
        contents = io.BytesIO(path.read_bytes())
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    try:
        joints = np.asarray(scipy.io.loadmat(contents, variable_names=["handPara"])["handPara"], dtype=np.float64)
    except Exception as error:  # a parser trips over damaged bytes in many ways
        raise DataError(f"{path} cannot be read as STB's labels ({type(error).__name__}): fetch it again") from None
    expected = (3, len(STB21), frames)
    if joints.shape != expected:
        raise DataError(f"{path} holds handPara of shape {joints.shape}, STB's are {expected}: it is another data set")
    return joints.transpose(2, 1, 0)[:, ORDER]
