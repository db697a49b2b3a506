"""Small files of MPII in the layouts that are about: official .mat, two kinds of JSON, HDF5's arrays, head boxes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray
from PIL import Image

from posenb.skeletons import MPII16

HEIGHT, WIDTH = 240, 320
WRIST = MPII16.joints.index("right_wrist")
EMPTY = np.zeros((0, 0))


def struct(*rows: dict[str, Any]) -> NDArray[Any]:
    """A Matlab struct array 1 x n."""
    array = np.empty((1, len(rows)), dtype=[(key, object) for key in rows[0]])
    for column, row in enumerate(rows):
        for key, value in row.items():
            array[0, column][key] = value
    return array


@dataclass
class Someone:
    """A person in Matlab's coordinates. ``flags`` as the official file stores them; none: it lacks the field."""

    picture: str
    points: NDArray[np.float64]
    flags: list[Any]
    absent: tuple[int, ...] = ()
    objpos: tuple[float, float] = (160.0, 120.0)
    scale: float = 0.7
    head: tuple[float, float, float, float] = (100.0, 50.0, 130.0, 90.0)

    def rect(self) -> dict[str, Any]:
        joints = [k for k in range(15, -1, -1) if k not in self.absent]  # the official file follows no order
        points: list[dict[str, Any]] = [{"x": x, "y": y, "id": float(k)} for k in joints for x, y in [self.points[k]]]
        if self.flags:
            points = [{**point, "is_visible": self.flags[k]} for point, k in zip(points, joints, strict=True)]
        x1, y1, x2, y2 = self.head
        return {
            **{"x1": x1, "y1": y1, "x2": x2, "y2": y2, "annopoints": struct({"point": struct(*points)})},
            **{"scale": self.scale, "objpos": struct({"x": self.objpos[0], "y": self.objpos[1]})},
        }

    @property
    def labelled(self) -> NDArray[np.bool_]:
        return ~np.isin(np.arange(16), self.absent)

    @property
    def hidden(self) -> NDArray[np.bool_]:
        return np.array([str(flag) in ("0", "0.0") for flag in self.flags or [1] * 16]) & self.labelled

    def simple(self) -> dict[str, Any]:
        """As train.json of Simple Baselines has it."""
        joints = np.where(self.labelled[:, None], self.points, -1.0)
        return {
            **{"joints_vis": self.labelled.astype(int).tolist(), "joints": joints.tolist()},
            **{"image": self.picture, "scale": self.scale, "center": list(self.objpos)},
        }

    def full(self, validation: bool) -> dict[str, Any]:
        """As mpii_annotations.json has it."""
        joints = np.where(self.labelled[:, None], np.c_[self.points, ~self.hidden], 0.0)
        return {
            **{"dataset": "MPI", "isValidation": float(validation), "img_paths": self.picture, "img_width": WIDTH},
            **{"img_height": HEIGHT, "objpos": list(self.objpos), "joint_self": joints.tolist(), "joint_others": []},
            **{"scale_provided": self.scale, "annolist_index": 5.0, "people_index": 1.0, "numOtherPeople": 0.0},
        }


def arrays(people: list[Someone], codes: bool = True) -> dict[str, NDArray[Any]]:
    """As train.h5 has it."""
    names = np.zeros((len(people), 16))
    for row, person in enumerate(people):
        names[row, : len(person.picture)] = list(person.picture.encode())
    points = np.stack([np.where(person.labelled[:, None], person.points, 0) for person in people])
    boxes = np.array([person.head for person in people])
    return {
        "imgname": names if codes else np.array([person.picture.encode() for person in people]),
        "part": points.astype(int).astype(float),
        "visible": np.stack([person.labelled & ~person.hidden for person in people]).astype(float),
        "center": np.array([person.objpos for person in people]),
        "scale": np.array([person.scale for person in people]),
        "normalize": 0.6 * np.hypot(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]),
        "index": np.arange(len(people)),
        "person": np.zeros(len(people)),
        "torsoangle": np.zeros(len(people)),
    }


def heads_file(path: Path, people: list[Someone]) -> Path:
    """As gt_valid.mat and detections_our_format.mat have it."""
    points = np.stack([np.where(person.labelled[:, None], person.points, 0) for person in people])
    boxes = np.array([person.head for person in people]).reshape(-1, 2, 2)
    scipy.io.savemat(
        path,
        {
            "pos_gt_src": points.transpose(1, 2, 0) + 1e-5,
            "headboxes_src": boxes.transpose(1, 2, 0) + 1e-6,
            "jnt_missing": (~np.stack([person.labelled for person in people])).T.astype(np.uint8),
        },
    )
    return path


def picture(center: NDArray[np.float64], path: Path) -> None:
    """A bright blob on grey. Pixel (column i, row j) shows its value at (i + .5, j + .5)."""
    x, y = np.arange(WIDTH) + 0.5, np.arange(HEIGHT)[:, None] + 0.5
    value = 60 + 180 * np.exp(-((x - center[0]) ** 2 + (y - center[1]) ** 2) / (2 * 36))
    pixels = np.repeat(value.round().astype(np.uint8)[..., None], 3, axis=2)
    Image.fromarray(pixels).save(path, "JPEG", quality=98, subsampling=0)


@dataclass
class World:
    """Four training people (in three pictures), two of the tests, and one more in a picture of the tests."""

    root: Path
    train: list[Someone] = field(default_factory=list)
    valid: list[Someone] = field(default_factory=list)
    other: list[Someone] = field(default_factory=list)

    @property
    def images(self) -> Path:
        return self.root / "images"

    def mat(self, name: str = "mpii_human_pose_v1_u12_1.mat", **changes: Any) -> Path:
        """The official file, with its empty and missing fields."""
        everybody = [*self.train, *self.valid[::-1], *self.other]  # not the order of valid.json
        pictures = list(dict.fromkeys(person.picture for person in everybody))
        rects: list[Any] = []
        for one in pictures:
            people = [person.rect() for person in everybody if person.picture == one]
            rects.append(struct(*people))
        # a training picture without people, one with a box only, one with empty joints, a test picture, a test person
        box = {"x1": 1.0, "y1": 1.0, "x2": 9.0, "y2": 9.0}
        rects += [EMPTY, struct(box), struct({**box, "annopoints": EMPTY, "scale": EMPTY, "objpos": EMPTY}), EMPTY]
        rects += [struct({"scale": 3.0, "objpos": struct({"x": 9.0, "y": 9.0})})]
        pictures += ["000000001.jpg", "000000002.jpg", "000000003.jpg", "000000004.jpg", "000000005.jpg"]
        entries = [
            {"image": struct({"name": one}), "annorect": rect, "frame_sec": EMPTY, "vididx": EMPTY}
            for one, rect in zip(pictures, rects, strict=True)
        ]
        public = np.ones((1, len(pictures)), np.uint8)
        public[0, -2:] = 0
        release = {"annolist": struct(*entries), "img_train": public, "version": "12", "single_person": EMPTY}
        path = self.root / name
        scipy.io.savemat(path, {"RELEASE": struct({**release, "act": EMPTY, "video_list": EMPTY, **changes})})
        return path

    def json(self, name: str, people: list[Any]) -> Path:
        (self.root / name).write_text(json.dumps(people))
        return self.root / name

    def simple(self) -> tuple[Path, Path]:
        return (
            self.json("train.json", [person.simple() for person in self.train]),
            self.json("valid.json", [person.simple() for person in self.valid]),
        )


def make_world(root: Path) -> World:
    """Points, flags and boxes of all kinds; pictures that show a blob where the last person's right wrist is."""
    random = np.random.default_rng(0)

    def someone(name: str, **known: Any) -> Someone:
        points = random.integers((90, 50), (230, 190), (16, 2)).astype(float)
        points[9] += 0.7591  # head and neck are no whole pixels
        return Someone(name, points, **{"flags": random.integers(0, 2, 16).astype(float).tolist(), **known})

    world = World(root)
    characters = [EMPTY if k in (8, 9) else str(random.integers(2)) for k in range(16)]
    world.train = [
        someone("015601864.jpg", absent=(0, 5)),
        someone("015601864.jpg", objpos=(150.0, 110.0), scale=0.8),
        someone("015599452.jpg", flags=characters),
        someone("005808361.jpg", flags=[], head=(10.0, 10.0, 40.0, 50.0)),
    ]
    a, b = "086617615.jpg", "060111501.jpg"
    world.valid = [someone(b, absent=(9,), head=(5.0, 5.0, 35.0, 45.0)), someone(a)]
    world.other = [someone(a, objpos=(120.0, 100.0))]
    world.images.mkdir()
    for person in [*world.train, *world.valid]:
        picture(person.points[WRIST] - 0.5, world.images / person.picture)
    return world
