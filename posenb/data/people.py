"""Annotated people as the readers give them, and which of them are let in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ABOUT_JOINTS = 1.3  #: the sample's side, in longer sides of the labelled joints' box
ABOUT_BOX = 1.25  #: the sample's side, in longer sides of an annotated person box
LARGEST_BOX = 10  #: the longest side that a box may have, in longer sides of its picture


@dataclass(frozen=True)
class Person:
    """One person, or hand, of K joints. Everything in pixels of the picture, in our coordinates.

    Attributes:
        points: ``(K, 2)``, (x, y); anything where not visible.
        visible: ``(K,)`` bool; False means that there is no label.
        occluded: ``(K,)`` bool; labelled, and hidden in the picture.
        center: ``(2,)``, the middle of the square that the sample shows; None: it lies about the labelled joints,
            1.3 x their box's longer side.
        side: its side.
        head: the head size that PCKh refers to; NaN where unknown.
        area: of the person in pixels squared, for OKS; NaN where unknown.
        number: the data set's own number of the person.
    """

    points: NDArray[np.float64]
    visible: NDArray[np.bool_]
    occluded: NDArray[np.bool_]
    center: NDArray[np.float64] | None = None
    side: float = float("nan")
    head: float = float("nan")
    area: float = float("nan")
    number: int = 0


@dataclass(frozen=True)
class Picture:
    """A picture with its people.

    Attributes:
        name: for messages, such as 'train2017/000000000785.jpg'.
        path: the file.
        people: in the data set's own order.
        split: 'train' or 'test'.
        number: the data set's own number of the picture.
        upright: turn it as its EXIF orientation says; labels are of pictures as stored.
    """

    name: str
    path: Path
    people: tuple[Person, ...]
    split: str = "train"
    number: int = 0
    upright: bool = False


def about_box(x: float, y: float, width: float, height: float) -> tuple[NDArray[np.float64], float]:
    """Centre and side of the square about a person box (left, top, width, height), 1.25 x its longer side."""
    return np.array([x + width / 2, y + height / 2]), ABOUT_BOX * max(width, height)


def admitted(person: Person, width: int, height: int, labelled: bool = True) -> tuple[Person | None, list[str]]:
    """The person as it may be trained on, with centre and side, and what was wrong with it.

    A joint loses its label where it is not finite, further outside of the picture of ``width`` x ``height`` than that
    is large, or further from the sample's square than that is large. None for a person whose square has no size, does
    not meet the picture or dwarfs it, or (where ``labelled`` people are wanted) who has no labelled joint left.
    """
    size = np.array([width, height])
    visible: NDArray[np.bool_] = person.visible
    problems: list[str] = []

    def unlabel(wrong: NDArray[np.bool_], problem: str) -> None:
        nonlocal visible
        problems.extend([problem] * int((visible & wrong).sum()))
        visible = visible & ~wrong

    finite = np.all(np.isfinite(person.points), axis=1)
    points = np.where(finite[:, None], person.points, 0.0)
    unlabel(~finite, "joint not finite")
    unlabel(np.any((points < -size) | (points > 2 * size), axis=1), "joint far outside of the picture")
    center, side = (person.center, person.side) if person.center is not None else _about(points[visible])
    if not (np.isfinite(center).all() and np.isfinite(side)):
        return None, [*problems, "no labelled joint" if person.center is None else "box not finite"]
    if side < 1:
        return None, [*problems, "all joints in one place" if person.center is None else "box without size"]
    if (center + side / 2 <= 0).any() or (center - side / 2 >= size).any():
        return None, [*problems, "box outside of the picture"]
    if side > LARGEST_BOX * size.max():
        return None, [*problems, "box ten times as large as the picture"]
    # half the square and once its side: PoseDataset's rule, a little stricter for what rounding adds
    unlabel(np.any(np.abs(points - center) > 1.49 * side, axis=1), "joint far from its person")
    if labelled and not visible.any():
        return None, [*problems, "no labelled joint"]
    points = np.where(visible[:, None], person.points, np.nan)
    occluded = person.occluded & visible
    return replace(person, points=points, visible=visible, occluded=occluded, center=center, side=side), problems


def _about(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Centre and side of the square about points ``(n, 2)``; NaN where there is none."""
    if not len(points):
        return np.full(2, np.nan), float("nan")
    low, high = points.min(axis=0), points.max(axis=0)
    return (low + high) / 2, float(ABOUT_JOINTS * (high - low).max())
