"""MPII's annotations as people pass them on: JSON and HDF5 files of the published division, and its head boxes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray

from posenb.errors import DataError, first_line
from posenb.skeletons import MPII16

HEAD = 0.6
"""The head size of PCKh, in diagonals of the head box (the benchmark's own evaluation code)."""
JOINTS = len(MPII16)


@dataclass(frozen=True)
class Annotations:
    """N people as a file gives them, in its order, in pixels of the picture and our coordinates.

    Attributes:
        names: ``(N,)`` of str, the pictures' files.
        points: ``(N, 16, 2)``.
        labelled: ``(N, 16)`` bool.
        occluded: ``(N, 16)`` bool, labelled and hidden; False too where the file does not say.
        center: ``(N, 2)``, ``objpos``: roughly the person's middle.
        scale: ``(N,)``, the person's height / 200 pixels; NaN where unknown.
        head: ``(N,)``, the head size; NaN where unknown.
        test: ``(N,)`` bool, what the file itself gives to the validation half.
    """

    names: NDArray[np.object_]
    points: NDArray[np.float64]
    labelled: NDArray[np.bool_]
    occluded: NDArray[np.bool_]
    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    head: NDArray[np.float64]
    test: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.names)

    def take(self, rows: NDArray[Any]) -> Annotations:
        """Some of the people, by numbers or bools."""
        return Annotations(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def from_matlab(
    path: Path,
    names: Sequence[Any],
    points: NDArray[np.float64],
    labelled: NDArray[np.bool_],
    occluded: NDArray[np.bool_],
    center: NDArray[np.float64],
    scale: NDArray[np.float64],
    head: NDArray[np.float64] | None = None,
    test: NDArray[np.bool_] | None = None,
) -> Annotations:
    """Annotations from a file's values, moved to our coordinates.

    All of MPII's files count pixels as Matlab does: (1, 1) is the centre of the first, which is (.5, .5) for us.

    Raises:
        DataError: a picture's name leads out of the folder of pictures.
    """
    for row, name in enumerate(names):
        _check_name(path, row, name)
    known = np.full(len(names), np.nan) if head is None else np.where(head > 0, head, np.nan)
    return Annotations(
        names=np.array(names, dtype=object),
        points=np.where(labelled[..., None], points - 0.5, np.nan),
        labelled=labelled,
        occluded=occluded & labelled,
        center=center - 0.5,
        scale=np.where(scale > 0, scale, np.nan),
        head=known,
        test=np.zeros(len(names), bool) if test is None else test,
    )


def _check_name(path: Path, row: int, name: Any) -> None:
    if not isinstance(name, str) or not 0 < len(name) < 200 or not name.isprintable():
        raise DataError(f"{path.name}, person {row + 1}: {str(name)[:40]!r} is not the name of a picture")
    place = PureWindowsPath(name)  # knows both slashes, drives and shares
    if place.drive or place.root or ".." in place.parts:
        raise DataError(f"{path.name}, person {row + 1}: the picture {name!r} leads out of the folder of pictures")


def read_json(path: Path) -> Annotations:
    """A list of people, in either of the two layouts that are about.

    - ``train.json``, ``valid.json`` (Simple Baselines): image, joints, joints_vis, center, scale. ``joints_vis`` means
      labelled, not seen: hidden joints have 1 too, and which those are is lost. Joints without a label are (-1, -1).
    - ``mpii_annotations.json`` (convolutional pose machines, pytorch-pose): img_paths, joint_self (x, y, and 0 where
      hidden), objpos, scale_provided, isValidation. Joints without a label are (0, 0).

    Raises:
        DataError: the file is neither, or a person of it is not what it should be.
    """
    try:
        people = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON ({error}): is it MPII's, and whole?") from None
    people = people.get("root", people) if isinstance(people, dict) else people  # as Matlab's savejson wraps it
    if not isinstance(people, list) or not people or not all(isinstance(person, dict) for person in people):
        raise DataError(f"{path} is not a list of MPII's people: name train.json, valid.json or mpii_annotations.json")
    full = "joint_self" in people[0]
    image, joints, center, scale = (
        ("img_paths", "joint_self", "objpos", "scale_provided") if full else ("image", "joints", "center", "scale")
    )
    if image not in people[0]:
        raise DataError(f"{path} is not MPII's: its people have no {image}")
    points = _numbers(path, people, joints, (JOINTS, 3) if full else (JOINTS, 2))
    flags = points[..., 2] if full else _numbers(path, people, "joints_vis", (JOINTS,))
    points = points[..., :2]
    absent = (points == -1).all(-1) | ((points == 0).all(-1) & (flags == 0))
    return from_matlab(
        path,
        [person.get(image) for person in people],
        points,
        labelled=~absent if full else ~absent & (flags > 0),
        occluded=(flags == 0) if full else np.zeros(flags.shape, bool),
        center=_numbers(path, people, center, (2,)),
        scale=_numbers(path, people, scale, ()),
        test=_numbers(path, people, "isValidation", ()) == 1 if full else None,
    )


def _numbers(path: Path, people: list[dict[str, Any]], key: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """``(N, *shape)``. Raises DataError that names the person at fault."""
    values = np.empty((len(people), *shape))
    for row, person in enumerate(people):
        try:
            value = np.asarray(person[key], dtype=np.float64)
            wrong = f"is of shape {value.shape}, not {shape}" if value.shape != shape else ""
        except (KeyError, TypeError, ValueError, OverflowError):
            wrong = "is missing or no number"
        if wrong:
            raise DataError(f"{path.name}, person {row + 1}: {key} {wrong}")
        values[row] = value
    return values


def read_hdf5(path: Path) -> Annotations:
    """``train.h5`` or ``valid.h5`` (stacked hourglass), for which the package h5py must be there.

    Raises:
        DataError: it is not, or the file is not MPII's.
    """
    try:
        import h5py
    except ImportError:
        raise DataError(
            f"{path.name} is HDF5: `pip install h5py` to read it, or name the JSON file of the same people"
        ) from None
    try:
        with h5py.File(path, "r") as file:
            arrays = {key: np.asarray(value) for key, value in file.items() if isinstance(value, h5py.Dataset)}
    except Exception as error:  # a parser trips over damaged bytes in many ways
        raise DataError(f"{path} cannot be read as HDF5 ({first_line(error)}): fetch it again") from None
    return from_arrays(path, arrays)


def from_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> Annotations:
    """What the arrays of ``train.h5`` say.

    ``imgname`` holds strings, or codes of letters with zeros behind. ``part`` was cut to whole pixels; joints without a
    label are (0, 0) in it. ``visible`` is 0 where a joint is hidden. ``normalize`` is the head size, .6 x the diagonal
    of the head box.

    Raises:
        DataError: arrays are missing or of other shapes.
    """
    try:
        names = [_text(name) for name in arrays["imgname"]]
        count = len(names)
        shapes = {"part": (count, JOINTS, 2), "visible": (count, JOINTS), "center": (count, 2), "scale": (count,)}
        values = {key: np.asarray(arrays[key], dtype=np.float64) for key in (*shapes, "normalize") if key in arrays}
        if wrong := [key for key, shape in shapes.items() if values[key].shape != shape]:
            raise DataError(f"{path.name}: {wrong[0]} is of shape {values[wrong[0]].shape}, not {shapes[wrong[0]]}")
        if "normalize" in values and values["normalize"].shape != (count,):
            raise DataError(f"{path.name}: normalize is of shape {values['normalize'].shape}, not {(count,)}")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{path} is not MPII's train.h5 or valid.h5 ({first_line(error)})") from None
    part, visible = values["part"], values["visible"]
    absent = (part == 0).all(-1) | (part == -1).all(-1)
    return from_matlab(
        path, names, part, ~absent, visible == 0, values["center"], values["scale"], values.get("normalize")
    )


def _text(name: Any) -> Any:
    """A name as HDF5 has it: a string, bytes, or an array of codes."""
    if isinstance(name, np.ndarray):
        return bytes(int(code) for code in name.ravel() if code).decode("ascii", "replace")
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name


def read_heads(path: Path, people: Annotations) -> NDArray[np.float64] | None:
    """Head sizes ``(N,)`` of the validation people; None where the file has no ``headboxes_src`` (2, 2, N).

    ``gt_valid.mat`` (Simple Baselines) and ``detections_our_format.mat`` (Tompson et al., CVPR 2015) are alike: the
    people stand in the order of ``valid.json`` and ``valid.h5``. NaN for one whose joints disagree with that.

    Raises:
        DataError: they are other people, or in another order.
    """
    try:
        held = scipy.io.loadmat(path, variable_names=["headboxes_src", "pos_gt_src", "jnt_missing"])
        boxes = held.get("headboxes_src")
        if boxes is None:
            return None
        boxes = np.asarray(boxes, dtype=np.float64)
        points = np.asarray(held["pos_gt_src"], dtype=np.float64).transpose(2, 0, 1) - 0.5
        there = np.asarray(held["jnt_missing"]).T == 0
        shapes = (boxes.shape, points.shape[1:], there.shape)
        if shapes != ((2, 2, len(points)), (JOINTS, 2), (len(points), JOINTS)):
            raise ValueError(f"headboxes_src is of shape {boxes.shape}, pos_gt_src of {points.shape}")
    except Exception as error:  # a parser trips over damaged bytes in many ways
        raise DataError(f"{path} cannot be read as head boxes ({first_line(error)})") from None
    if len(points) != len(people):
        raise DataError(f"{path.name} has the heads of {len(points):,} people, the validation half has {len(people):,}")
    same = agree(people.points, people.labelled, points, there)
    if same.mean() < 0.9:
        first = int((~same).argmax())
        raise DataError(f"{path.name}: person {first + 1} is not that of {people.names[first]}: the orders differ")
    return np.where(same, HEAD * np.linalg.norm(boxes[1] - boxes[0], axis=0), np.nan)


def agree(
    points: NDArray[np.float64],
    labelled: NDArray[np.bool_],
    others: NDArray[np.float64],
    there: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Which people ``(N,)`` are the same in two files: all joints that both label lie within 1.5 pixels.

    Files differ by what they cut off: ``train.h5`` has whole pixels.
    """
    shared = labelled & there
    close = (np.abs(points - others) <= 1.5).all(axis=-1)
    return np.asarray(shared.any(axis=-1) & (close | ~shared).all(axis=-1))
