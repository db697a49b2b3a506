"""MPII's official annotations: ``mpii_human_pose_v1_u12_1.mat``, a tree of Matlab structs.

``RELEASE`` has ``annolist``, one entry a picture, and ``img_train``, 1 for those whose joints are public. An entry has
``image.name`` and ``annorect``, its people: ``x1 y1 x2 y2`` (head box), ``scale``, ``objpos`` and ``annopoints.point``,
the labelled joints with ``id``, ``x``, ``y`` and ``is_visible``. Any of these may be missing or empty, a single struct
stands for a list of one, and flags may be characters.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray

from posenb.data.mpii_splits import HEAD, JOINTS, Annotations, from_matlab
from posenb.errors import DataError, first_line

_MISSING = float("nan")


def read_official(path: Path) -> Annotations:
    """All people of the training pictures who have a joint, in the file's order.

    A joint is hidden where ``is_visible`` is 0. What has no or an unknown ``id`` is no joint.

    Raises:
        DataError: the file is damaged, or another one.
    """
    try:
        loaded = scipy.io.loadmat(path, struct_as_record=False, squeeze_me=True, variable_names=["RELEASE"])
        release = np.atleast_1d(loaded["RELEASE"])[0]
        pictures, public = _structs(release.annolist), np.atleast_1d(release.img_train)
        if not len(pictures) == len(public):
            raise ValueError(f"{len(pictures)} pictures and {len(public)} flags")
    except Exception as error:  # a parser trips over damaged bytes in many ways
        raise DataError(
            f"{path} cannot be read as MPII's annotations ({first_line(error)}): name mpii_human_pose_v1_u12_1.mat"
        ) from None
    names, points, seen, rest = [], [], [], []
    for picture, training in zip(pictures, public, strict=True):
        if training != 1:
            continue
        for person in _structs(getattr(picture, "annorect", None)):
            joints, flags = _joints(person)
            if not np.isfinite(flags).any():
                continue
            names.append(getattr(getattr(picture, "image", None), "name", None))
            points.append(joints)
            seen.append(flags)
            objpos = getattr(person, "objpos", None)
            rest.append(
                [_number(objpos, "x"), _number(objpos, "y")]
                + [_number(person, key) for key in ("scale", "x1", "y1", "x2", "y2")]
            )
    if not names:
        raise DataError(f"{path} has no people with joints: name mpii_human_pose_v1_u12_1.mat")
    values, flags = np.array(rest), np.array(seen)
    return from_matlab(
        path,
        names,
        np.array(points),
        labelled=np.isfinite(flags),
        occluded=flags == 0,
        center=values[:, :2],
        scale=values[:, 2],
        head=HEAD * np.hypot(values[:, 5] - values[:, 3], values[:, 6] - values[:, 4]),
    )


def _joints(person: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points ``(16, 2)`` and flags ``(16,)`` of a person: 1 seen, 0 hidden, NaN no label."""
    points, flags = np.full((JOINTS, 2), np.nan), np.full(JOINTS, np.nan)
    for part in _structs(getattr(person, "annopoints", None)):
        for point in _structs(getattr(part, "point", None)):
            joint = _number(point, "id")
            if joint in range(JOINTS):
                points[int(joint)] = _number(point, "x"), _number(point, "y")
                flags[int(joint)] = _number(point, "is_visible") != 0  # without a flag it is seen
    return points, flags


def _structs(value: Any) -> list[Any]:
    """The structs of a field that holds none, one or several."""
    if isinstance(value, np.ndarray):
        return [item for item in value.ravel() if hasattr(item, "_fieldnames")]
    return [value] if hasattr(value, "_fieldnames") else []


def _number(struct: Any, field: str) -> float:
    """A struct's number, a digit as a character too; NaN where it is missing, empty or something else."""
    value = getattr(struct, field, _MISSING)
    if isinstance(value, np.ndarray):
        value = value.item() if value.size == 1 else _MISSING
    try:
        return float(value)
    except (TypeError, ValueError):
        return _MISSING
