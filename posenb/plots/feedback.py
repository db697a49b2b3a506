"""Figures of the chapter on iterative error feedback: trajectories, accuracy over steps, the correction field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from torch import Tensor

from posenb.data.dataset import PoseDataset
from posenb.experiments.feedback_specs import TITLES
from posenb.plots.style import (
    ANSWER,
    LEFT,
    MIDDLE,
    RIGHT,
    draw_limbs,
    draw_pose,
    grid,
    house_style,
    picture,
    side_colour,
)


@house_style
def trajectories(data: PoseDataset, points: Tensor, chosen: Mapping[str, int], side: float = 1.1) -> Figure:
    """From the mean pose step by step to the last guess, and the label: a row an image (IEF paper, Fig. 5).

    Args:
        data: N images with their labels.
        points: guesses ``(T + 1, N, K, 2)``.
        chosen: the numbers of images, by the names of their rows.
        side: inches a picture.
    """
    data = data.cropped()
    steps = len(points)
    figure, axes = grid(len(chosen) * (steps + 1), steps + 1, side)
    titles = ["mean pose", *(f"step {t}" for t in range(1, steps)), "label"]
    for row, (name, sample) in enumerate(chosen.items()):
        # inside, as room beside them would have the pictures resampled to odd sizes
        first, behind = axes[row * (steps + 1)], {"facecolor": "w", "alpha": 0.75, "edgecolor": "none", "pad": 1.5}
        first.text(0.03, 0.04, name, transform=first.transAxes, fontsize=7.5, bbox=behind)
        for column, title in enumerate(titles):
            cell = axes[row * (steps + 1) + column]
            label = column == steps
            shown = data.visible[sample] if label else torch.ones_like(data.visible[sample])
            _pose(cell, data, sample, data.points[sample] if label else points[column, sample], shown)
            if row == 0:
                cell.set_title(title, fontsize=8.5, pad=2)
    return figure


def _pose(
    axes: Axes,
    data: PoseDataset,
    sample: int,
    points: Tensor,
    shown: Tensor,
    faint: float = 0.75,
    smooth: str = "lanczos",
) -> None:
    axes.imshow(picture(data.images[sample]), interpolation=smooth, alpha=faint)
    draw_pose(axes, points, shown, data.skeleton, 1.4)
    height, width = data.size
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))


@house_style
def walks(
    data: PoseDataset,
    points: Tensor,
    index: Sequence[int],
    upto: int | None = None,
    titles: Sequence[str] = (),
    width: float = 6.2,
) -> Figure:
    """The way that each joint went, a line a joint, with the pose after ``upto`` steps and, in white behind it, the
    label's: one picture an image.

    Args:
        data: N images.
        points: guesses ``(T + 1, N, K, 2)``.
        index: which images.
        upto: steps gone; default all.
        titles: a line above each picture.
        width: inches; below the default pixels stay square ones, which take a quarter of the room: for films.
    """
    data = data.cropped()
    smooth = "lanczos" if width >= 6.2 else "nearest"
    last = len(points) - 1 if upto is None else upto
    figure, axes = grid(len(index), len(index), width / len(index))
    for place, (cell, sample) in enumerate(zip(axes, index, strict=True)):
        _pose(cell, data, sample, points[last, sample], torch.ones_like(data.visible[sample]), 0.6, smooth)
        label: dict[str, Any] = {"colors": "w", "linewidths": 2.2, "alpha": 0.75, "zorder": 1}
        draw_limbs(cell, data.points[sample], data.visible[sample], data.skeleton, **label)
        ways = points[: last + 1, sample].transpose(0, 1).numpy() - 0.5
        colours = [side_colour(data.skeleton, k) for k in range(len(data.skeleton))]
        cell.add_collection(LineCollection(list(ways), colors=colours, linewidths=0.9, linestyles=":"))
        if titles:
            cell.set_title(titles[place], fontsize=8.5, pad=2)
    return figure


@house_style
def steps_by_joint(curves: Mapping[str, Sequence[float]], trained: int) -> Figure:
    """PCK over correction steps, a line a kind of joint (IEF paper, Fig. 3); grey beyond the trained steps."""
    figure, axes = plt.subplots(figsize=(6.2, 3.2))
    steps = len(next(iter(curves.values())))
    order = sorted(curves, key=lambda name: curves[name][-1])
    ends = np.array([curves[name][-1] for name in order])
    rows = 0.055 * np.arange(len(order))  # names stand at their lines' ends, this far apart at least
    places = np.maximum.accumulate(ends - rows) + rows
    for colour, name, end, place in zip(sns.color_palette("husl", len(order)), order, ends, places, strict=True):
        axes.plot(curves[name], "o-", markersize=3, color=colour, label=name.replace("_", " "))
        leader = {"arrowstyle": "-", "color": colour, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 2}
        how: Any = {"va": "center", "fontsize": 8, "arrowprops": leader, "annotation_clip": False}
        axes.annotate(name.replace("_", " "), (steps - 1, end), (steps - 0.65, place), **how)
    axes.axvspan(trained, steps - 1, color=MIDDLE, alpha=0.15, linewidth=0)
    axes.set(xlabel="correction steps", ylabel="PCK@0.2", xlim=(0, steps - 1), ylim=(0, 1), xticks=range(steps))
    return figure


_STYLES = {"ief": (LEFT, "-"), "no_fpc": (RIGHT, "-"), "own_path": (ANSWER, "-"), "direct": (MIDDLE, ":")}


@house_style
def drift(curves: Mapping[str, Sequence[float]], trained: int) -> Figure:
    """PCK over correction steps with and without the curriculum (IEF paper, Fig. 4); 'direct' is a level."""
    figure, axes = plt.subplots(figsize=(6.2, 2.9))
    steps = max(len(curve) for curve in curves.values())
    for name, curve in curves.items():
        label = TITLES.get(name, name)
        colour, style = _STYLES.get(name, ("k", "--"))
        if len(curve) == 1:
            axes.axhline(curve[0], color=colour, linestyle=style, label=label)
        else:
            axes.plot(curve, "o", linestyle=style, markersize=3.5, color=colour, label=label)
    axes.axvspan(trained, steps - 1, color=MIDDLE, alpha=0.15, linewidth=0)
    axes.text(trained + 0.1, 0.02, "more steps than trained", fontsize=8, transform=axes.get_xaxis_transform())
    scores = [score for curve in curves.values() for score in curve]
    heights = (min(scores) - 0.08, max(scores) + 0.04)  # room for the words below
    axes.set(xlabel="correction steps", ylabel="PCK@0.2", xlim=(0, steps - 1), ylim=heights, xticks=range(steps))
    figure.legend(loc="outside upper center", ncols=len(curves))
    return figure


@house_style
def correction_fields(
    image: Tensor,
    names: Sequence[str],
    fields: Mapping[str, Sequence[tuple[Tensor, Tensor]]],
    labels: Tensor,
    length: float,
) -> Figure:
    """Arrows: how a joint put at that place would be moved. A row a run, a panel a joint; the ring is its label.

    The longest arrow of all is drawn from place to place; colours say how long a correction is.

    Args:
        image: ``(3, H, W)`` in [0, 1].
        names: of J joints.
        fields: of each run, for each joint, places and corrections ``(side, side, 2)`` in pixels.
        labels: ``(J, 2)``.
        length: L in pixels, the unit of the colour scale.
    """
    shape = (len(fields), len(names))
    figure, axes = plt.subplots(*shape, figsize=(1.9 * shape[1] + 0.9, 1.95 * shape[0]), squeeze=False)
    height, width = image.shape[-2:]
    ring = {"markerfacecolor": "none", "markeredgecolor": "#d55e00", "markeredgewidth": 1.8}
    drawn = None
    longest = max(float(moves.norm(dim=-1).max()) for of_run in fields.values() for _, moves in of_run)
    for cell, name in zip(axes[0], names, strict=True):
        cell.set_title(name.replace("_", " "), fontsize=9)
    for row, (run, of_run) in zip(axes, fields.items(), strict=True):
        row[0].set_ylabel(run)
        for cell, (places, moves), label in zip(row, of_run, labels, strict=True):
            cell.imshow(picture(image), alpha=0.4, interpolation="nearest")
            (x, y), (dx, dy) = (part.flatten(0, 1).T.numpy() for part in (places - 0.5, moves))
            apart = float(places[0, 1, 0] - places[0, 0, 0])
            how = {"angles": "xy", "scale_units": "xy", "scale": longest / apart, "width": 0.009, "headwidth": 3.5}
            colours = {"cmap": "viridis", "clim": (0, longest / length)}
            drawn = cell.quiver(x, y, dx, dy, np.hypot(dx, dy) / length, **colours, **how)
            cell.plot(*(label - 0.5).tolist(), "o", markersize=9, **ring)
            cell.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), xticks=[], yticks=[])
    if drawn is not None:
        figure.colorbar(drawn, ax=axes, shrink=0.6, label="length of the correction / L")
    return figure


@house_style
def ground_truth_paths(start: Tensor, target: Tensor, path: Tensor, data: PoseDataset) -> Figure:
    """The fixed path of one sample: mean pose, label, and where each step leads (IEF paper, Fig. 2).

    Args:
        start, target: ``(K, 2)``.
        path: ``(T + 1, K, 2)``.
        data: the first sample is shown.
    """
    data = data.cropped()
    figure, axes = plt.subplots(1, 3, figsize=(6.2, 2.2))
    for cell, points in zip((axes[0], axes[2]), (start, target), strict=True):
        _pose(cell, data, 0, points, data.visible[0])
    _pose(axes[1], data, 0, start, torch.zeros_like(data.visible[0]), 0.4)
    for k, way in enumerate(path.transpose(0, 1).numpy() - 0.5):
        if data.visible[0, k]:
            axes[1].plot(*way.T, "o-", markersize=2.6, linewidth=0.9, color=side_colour(data.skeleton, k))
    for cell, title in zip(axes, ("mean pose", "bounded steps of length L", "label"), strict=True):
        cell.set_title(title, fontsize=9)
        cell.set_axis_off()
    return figure


@house_style
def boxes(scene: PoseDataset, sides: Tensor, markers: Tensor, chosen: Tensor, true: Tensor, count: int = 4) -> Figure:
    """Scenes with the true box (grey) and the chosen one (blue where they agree, else orange).

    Args:
        scene: N pictures.
        sides: ``(9,)`` in pixels.
        markers: ``(N, 2)``.
        chosen, true: numbers of boxes, ``(N,)``.
        count: how many scenes.
    """
    figure, axes = grid(count, count, 7.4 / count)
    for k, cell in enumerate(axes[:count]):
        cell.imshow(picture(scene.images[k]))
        for box, colour, style in ((true[k], "w", "-"), (chosen[k], LEFT if chosen[k] == true[k] else RIGHT, "--")):
            side = sides[box].item()
            x, y = (markers[k] - side / 2 - 0.5).tolist()
            frame = plt.Rectangle((x, y), side, side, fill=False, edgecolor=colour, linestyle=style, linewidth=1.5)
            cell.add_patch(frame)
        cell.plot(*(markers[k] - 0.5).tolist(), "+", color="w", markersize=5)
        height, width = scene.size
        cell.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    return figure
