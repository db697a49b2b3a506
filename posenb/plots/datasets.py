"""Figures of the appendix on data sets: joint sets side by side, and where pixels are counted from."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from posenb.data.dataset import PoseDataset
from posenb.plots.style import LEFT, RIGHT, draw_pose, house_style, ink, picture, side_colour
from posenb.skeletons import Skeleton

_MISSING = "#999999"


def clearest(data: PoseDataset) -> int:
    """The sample whose joints are all labelled, seen and in the picture, and whose closest two are furthest apart.

    Raises:
        ValueError: where no sample has all its joints in view.
    """
    size = torch.tensor(data.size[::-1], dtype=torch.float32)
    data = data.cropped()
    inside = ((data.points >= 0) & (data.points <= size)).all(dim=-1)
    clear = (data.visible & ~data.occluded & inside).all(dim=1)
    if not clear.any():
        raise ValueError(f"{data.name}: no sample has all its joints in view")
    apart = torch.cdist(data.points, data.points) + torch.eye(len(data.skeleton)) * size.sum()
    return int(apart.amin(dim=(1, 2)).where(clear, -torch.inf).argmax())


@house_style
def joint_sets(
    views: Sequence[PoseDataset],
    titles: Sequence[str],
    numbers: Sequence[Sequence[int]] | None = None,
    columns: int = 2,
    names: bool = True,
) -> Figure:
    """The first sample of each view with its joints numbered; joints without a label are listed in grey.

    Args:
        views: such as ``data.as_skeleton(...)`` of several joint sets.
        titles: a line above each.
        numbers: what to write at each joint of each view; None: its index.
        columns: views a row.
        names: whether the joints' names stand beside each view.
    """
    rows = -(-len(views) // columns)
    ratios = [1.0, 0.58] if names else [1.0]
    side = 7.4 / (columns * sum(ratios))
    figure, axes = plt.subplots(
        rows,
        columns * len(ratios),
        figsize=(7.4, rows * (side + 0.25)),
        width_ratios=ratios * columns,
        squeeze=False,
    )
    for cell in axes.flat:
        cell.set_axis_off()
    cells = axes.reshape(-1, len(ratios))
    for place, (view, title) in enumerate(zip(views, titles, strict=True)):
        view = view.cropped()
        written = range(len(view.skeleton)) if numbers is None else numbers[place]
        cells[place, 0].set_title(title, fontsize=9.5, pad=3)
        _numbered(cells[place, 0], view, written)
        if names:
            _names(cells[place, 1], view.skeleton, view.visible[0].tolist(), written)
    return figure


def _numbered(axes: Axes, view: PoseDataset, written: Sequence[int]) -> None:
    axes.imshow(picture(view.images[0]), interpolation="lanczos", alpha=0.75)
    draw_pose(axes, view.points[0], view.visible[0], view.skeleton, 1.6)
    for k in view.visible[0].nonzero().flatten().tolist():
        x, y = (view.points[0, k] - 0.5).tolist()
        colour = side_colour(view.skeleton, k)
        axes.scatter(x, y, s=85, c="w", edgecolors=colour, linewidths=1.2, zorder=4 + k)
        axes.text(x, y, str(written[k]), color=ink(colour), size=7, ha="center", va="center_baseline", zorder=4.5 + k)
    height, width = view.size
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))


def _names(axes: Axes, skeleton: Skeleton, visible: Sequence[bool], written: Sequence[int]) -> None:
    """Names in the order of their numbers."""
    axes.set(xlim=(0, 1), ylim=(max(len(skeleton), 17), 0))
    for row, k in enumerate(sorted(range(len(skeleton)), key=lambda k: written[k])):
        text = f"{written[k]:2d}  {skeleton.joints[k].replace('_', ' ')}"
        colour = ink(side_colour(skeleton, k)) if visible[k] else _MISSING
        axes.text(0, row + 0.5, text, color=colour, style="normal" if visible[k] else "italic", size=8.5, va="center")


@house_style
def pixel_origins(point: tuple[float, float] = (2.5, 1.5), size: int = 4) -> Figure:
    """One point of a small picture in three ways of counting pixels: Matlab's, indices, and the book's.

    Args:
        point: (x, y) as the book counts it.
        size: side of the picture in pixels.
    """
    ways = (
        ("Matlab: LSP, MPII", 0.5, ink(RIGHT)),
        ("indices: COCO, AIC, STB", -0.5, LEFT),
        ("continuous: RHD, this book", 0.0, "k"),
    )
    figure, axes = plt.subplots(1, len(ways), figsize=(7.4, 2.6))
    for cell, (title, shift, colour) in zip(axes, ways, strict=True):
        shade = np.zeros((size, size))
        shade[int(point[1]), int(point[0])] = 1
        cell.imshow(shade, cmap="Greys", vmax=4, extent=(0, size, size, 0))
        cell.hlines(range(size + 1), 0, size, color="#bbbbbb", linewidth=0.8)
        cell.vlines(range(size + 1), 0, size, color="#bbbbbb", linewidth=0.8)
        # whole numbers lie at pixels' middles or, in the book's way, at their borders
        whole = np.arange(size) + 0.5 if shift else np.arange(size + 1)
        labels = [f"{value + shift:g}" for value in whole]
        cell.set(xticks=whole, xticklabels=labels, yticks=whole, yticklabels=labels)
        cell.xaxis.tick_top()
        cell.tick_params(length=0)
        for (x, y), mark in (((0.5, 0.5), "s"), (point, "o")):
            cell.plot(x, y, mark, color=colour, markersize=5)
            cell.annotate(f"({x + shift:g}, {y + shift:g})", (x, y), (0, -13), textcoords="offset points", ha="center")
        cell.set_title(title, fontsize=9.5, color=colour)
        cell.set(xlim=(-0.15, size + 0.15), ylim=(size + 0.15, -0.15))
        cell.spines[:].set_visible(False)
    return figure
