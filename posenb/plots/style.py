"""The house style of the book's figures, and what several of them draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox, BboxBase
from numpy.typing import NDArray
from torch import Tensor

from posenb.skeletons import Skeleton

P = ParamSpec("P")

LEFT, RIGHT, MIDDLE = "#0173b2", "#de8f05", "#949494"  # of seaborn's colour-blind palette
LABEL, ANSWER = "#ffffff", "#029e73"
_STYLE: Any = {
    "figure.dpi": 100,
    "savefig.dpi": 100,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "font.size": 9.5,
}


def house_style(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw in the house style, and close: a figure that is returned is not also shown by pyplot."""

    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with sns.axes_style("ticks"), sns.color_palette("colorblind"), plt.rc_context(_STYLE):
            figure = draw(*args, **kwargs)
            plt.close(figure)
        return figure

    return styled


def picture(image: Tensor) -> NDArray[np.generic]:
    return image.permute(1, 2, 0).cpu().numpy()


def side_colour(skeleton: Skeleton, joint: int) -> str:
    name = skeleton.joints[joint]
    return LEFT if name.startswith("left") else RIGHT if name.startswith("right") else MIDDLE


def draw_limbs(axes: Axes, points: Tensor, visible: Tensor, skeleton: Skeleton, **lines: Any) -> None:
    """The limbs between visible joints, in their sides' colours unless ``lines`` has others."""
    xy = points.detach().cpu().numpy() - 0.5  # imshow puts pixel centres at integers
    limbs = [(a, b) for a, b in skeleton.limbs if visible[a] and visible[b]]
    colours = [side_colour(skeleton, b if skeleton.joints[a][:4] != "left" else a) for a, b in limbs]
    axes.add_collection(LineCollection([xy[[a, b]] for a, b in limbs], **{"colors": colours} | lines))


def draw_pose(axes: Axes, points: Tensor, visible: Tensor, skeleton: Skeleton, width: float, style: str = "-") -> None:
    draw_limbs(axes, points, visible, skeleton, linewidths=width, linestyles=style)
    xy = points.detach().cpu().numpy() - 0.5
    shown = [k for k in range(len(skeleton)) if visible[k]]
    axes.scatter(
        xy[shown, 0],
        xy[shown, 1],
        s=3.5 * width,
        c=[side_colour(skeleton, k) for k in shown],
        edgecolors="w",
        linewidths=0.3,
        zorder=3,
    )


def grid(count: int, columns: int, side: float) -> tuple[Figure, NDArray[Any]]:
    rows = -(-count // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(columns * side, rows * side), squeeze=False)
    for cell in axes.flat:
        cell.set_axis_off()
    return figure, axes.flatten()


def ink(colour: str) -> str:
    """A side's colour, dark enough for letters on white."""
    return {RIGHT: "#a35f00", MIDDLE: "#555555"}.get(colour, colour)


# where a dot's name may stand: offset in points, and which of the name's sides is next to the dot
_PLACES = (
    ((7, 0), "left", "center"),
    ((-7, 0), "right", "center"),
    ((0, 6), "center", "bottom"),
    ((0, -6), "center", "top"),
    ((4, 5), "left", "bottom"),
    ((-4, 5), "right", "bottom"),
    ((4, -5), "left", "top"),
    ((-4, -5), "right", "top"),
)


def name_dots(axes: Axes, dots: Mapping[str, tuple[float, float]]) -> None:
    """A name beside each dot, at the first place where it covers no dot and no other name, or the least of them.

    The axes' limits must be set before: what is free depends on them.
    """
    axes.figure.draw_without_rendering()  # type: ignore[union-attr]
    taken = [Bbox.from_bounds(x - 4, y - 4, 8, 8) for x, y in axes.transData.transform(list(dots.values()))]
    for name, at in dots.items():
        places = []
        for offset, ha, va in _PLACES:
            text = axes.annotate(
                name, at, offset, textcoords="offset points", ha=ha, va=va, fontsize=8, in_layout=False
            )
            box = text.get_window_extent()
            places.append((_covered(box, taken) + _outside(box, axes.bbox), text, box))
        best = min(places, key=lambda place: place[0])
        for place in places:
            if place is not best:
                place[1].remove()
        taken.append(best[2])


def _covered(box: Bbox, others: Sequence[Bbox]) -> float:
    shared = (Bbox.intersection(box, other) for other in others)
    return sum(part.width * part.height for part in shared if part)


def _outside(box: Bbox, frame: BboxBase) -> float:
    inside = Bbox.intersection(box, frame)
    return box.width * box.height - (inside.width * inside.height if inside else 0)
