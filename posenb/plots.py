"""Every figure of the book as a function that returns a matplotlib Figure, closed: the last line of a cell shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from posenb.data.dataset import PoseDataset
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


def _figure(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw in the house style, and close: a figure that is returned is not also shown by pyplot."""

    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with sns.axes_style("ticks"), sns.color_palette("colorblind"), plt.rc_context(_STYLE):
            figure = draw(*args, **kwargs)
            plt.close(figure)
        return figure

    return styled


def _picture(image: Tensor) -> NDArray[np.generic]:
    return image.permute(1, 2, 0).cpu().numpy()


def _side(skeleton: Skeleton, joint: int) -> str:
    name = skeleton.joints[joint]
    return LEFT if name.startswith("left") else RIGHT if name.startswith("right") else MIDDLE


def _draw_pose(axes: Axes, points: Tensor, visible: Tensor, skeleton: Skeleton, width: float, style: str = "-") -> None:
    xy = points.detach().cpu().numpy() - 0.5  # imshow puts pixel centres at integers
    limbs = [(a, b) for a, b in skeleton.limbs if visible[a] and visible[b]]
    colours = [_side(skeleton, b if skeleton.joints[a][:4] != "left" else a) for a, b in limbs]
    axes.add_collection(
        LineCollection([xy[[a, b]] for a, b in limbs], colors=colours, linewidths=width, linestyles=style)
    )
    shown = [k for k in range(len(skeleton)) if visible[k]]
    axes.scatter(
        xy[shown, 0],
        xy[shown, 1],
        s=3.5 * width,
        c=[_side(skeleton, k) for k in shown],
        edgecolors="w",
        linewidths=0.3,
        zorder=3,
    )


def _grid(count: int, columns: int, side: float) -> tuple[Figure, NDArray[Any]]:
    rows = -(-count // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(columns * side, rows * side), squeeze=False)
    for cell in axes.flat:
        cell.set_axis_off()
    return figure, axes.flatten()


@_figure
def people(
    data: PoseDataset,
    index: Sequence[int] | None = None,
    columns: int = 6,
    points: Tensor | None = None,
    titles: Sequence[str] | None = None,
    poses: bool = True,
    side: float = 1.05,
) -> Figure:
    """A contact sheet of samples with their skeletons: left limbs blue, right ones orange.

    Args:
        data: the samples.
        index: which of them (default: the first 12).
        columns: pictures a row.
        points: ``(N, K, 2)`` predictions to draw in place of the labels.
        titles: a line above each picture.
        poses: whether to draw skeletons.
        side: inches a picture.
    """
    data = data.cropped()
    chosen = list(range(min(12, len(data)))) if index is None else list(index)
    figure, axes = _grid(len(chosen), columns, side)
    for cell, (place, sample) in zip(axes, enumerate(chosen), strict=False):
        cell.imshow(_picture(data.images[sample]), interpolation="lanczos")
        if poses:
            pose = data.points if points is None else points
            _draw_pose(cell, pose[sample], data.visible[sample], data.skeleton, 1.4)
        if titles is not None:
            cell.set_title(titles[place], fontsize=7.5, pad=2)
        height, width = data.size
        cell.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    return figure


@_figure
def joints(data: PoseDataset, sample: int = 0) -> Figure:
    """One sample, large, with its joints numbered and named."""
    data = data.cropped()
    names = data.skeleton.joints
    figure, (axes, text) = plt.subplots(1, 2, figsize=(6.0, 3.1), width_ratios=(1.15, 1))
    axes.imshow(_picture(data.images[sample]), interpolation="lanczos")
    _draw_pose(axes, data.points[sample], data.visible[sample], data.skeleton, 2.2)
    middle = data.points[sample][data.visible[sample]].mean(dim=0).numpy()
    for k, point in enumerate(data.points[sample].numpy()):
        if data.visible[sample, k]:
            outward = (point - middle) / (np.linalg.norm(point - middle) + 1e-6)
            box = {"boxstyle": "round,pad=.12", "fc": "w", "ec": "none", "alpha": 0.75}
            axes.annotate(
                str(k),
                point - 0.5,
                xytext=13 * outward * (1, -1),
                textcoords="offset points",
                fontsize=7.5,
                bbox=box,
                ha="center",
                va="center",
            )
    axes.set_axis_off()
    text.set_axis_off()
    half = -(-len(names) // 2)
    for k, name in enumerate(names):
        place = (0.0 + 0.55 * (k // half), 0.97 - (k % half) * 0.95 / half)
        text.text(
            *place, f"{k:2d}  {name.replace('_', ' ')}", color=_ink(_side(data.skeleton, k)), va="top", fontsize=8.5
        )
    return figure


def _ink(colour: str) -> str:
    """A side's colour, dark enough for letters on white."""
    return {RIGHT: "#a35f00", MIDDLE: "#555555"}.get(colour, colour)


@_figure
def heatmaps(image: Tensor, maps: Tensor, names: Sequence[str], columns: int = 6, side: float = 1.1) -> Figure:
    """Maps ``(K, h, w)`` laid over their image ``(3, H, W)``, each scaled to its own maximum, which its title gives."""
    figure, axes = _grid(len(names), columns, side)
    height, width = image.shape[-2:]
    for cell, heat, name in zip(axes, maps, names, strict=False):
        cell.imshow(_picture(image.float().mean(dim=0, keepdim=True).expand(3, -1, -1) / image.max()), alpha=0.65)
        top = heat.max().item()
        cell.imshow(
            heat.cpu().numpy() / max(top, 1e-12),
            extent=(-0.5, width - 0.5, height - 0.5, -0.5),
            cmap="magma",
            alpha=0.6,
            vmin=0,
            vmax=1,
            interpolation="bilinear",
        )
        cell.set_title(f"{name.replace('_', ' ')}\nmax {top:.2g}", fontsize=7.5, pad=2)
    return figure


@_figure
def decoder_errors(table: pd.DataFrame) -> Figure:
    """Mean error of each decoder by stride: ``table`` has the columns stride, noise, method, error (image pixels)."""
    noises = sorted(table["noise"].unique())
    figure, axes = plt.subplots(1, len(noises), figsize=(7, 2.5), sharey=True, squeeze=False)
    for cell, noise in zip(axes.flat, noises, strict=True):
        some = table[table["noise"] == noise]
        sns.lineplot(some, x="stride", y="error", hue="method", style="method", markers=True, dashes=False, ax=cell)
        cell.set(
            title="clean maps" if noise == 0 else f"noise of {noise:g} on a peak of 1",
            xlabel="stride (image pixels a map pixel)",
            ylabel="mean error (image pixels)",
            xscale="log",
            yscale="log",
            xticks=sorted(some["stride"].unique()),
        )
        cell.xaxis.set_major_formatter("{x:g}")
        cell.minorticks_off()
        if cell is not axes.flat[-1]:
            cell.get_legend().remove()
    sns.move_legend(axes.flat[-1], "center left", bbox_to_anchor=(1, 0.5), title=None)
    return figure


@_figure
def learning_curve(history: pd.DataFrame, loss: str, monitored: str) -> Figure:
    """Training loss, and PCK@0.2 on the images that ``monitored`` names, over steps."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 2.4))
    left.plot(history["step"], history["loss"], color=LEFT)
    left.set(xlabel="step", ylabel=loss)
    pck = history.dropna(subset=["pck"])
    right.plot(pck["step"], pck["pck"], "o-", color=ANSWER, markersize=3.5)
    right.set(xlabel="step", ylabel=f"PCK@0.2, {monitored}", ylim=(0, 1))
    right.grid(axis="y", alpha=0.3)
    return figure


@_figure
def per_joint(metrics: Mapping[str, float], skeleton: Skeleton) -> Figure:
    """PCK@0.2 of each joint, left beside right."""
    rows = [name.removeprefix("left_").removeprefix("right_") for name in skeleton.joints]
    kinds = list(dict.fromkeys(rows))
    figure, axes = plt.subplots(figsize=(5.2, 0.32 * len(kinds) + 0.7))
    for side, offset in (("left", -0.2), ("right", 0.2), ("", 0.0)):
        for y, kind in enumerate(kinds):
            name = f"{side}_{kind}" if side else kind
            if (value := metrics.get(f"pck/{name}")) is not None:
                colour = {"left": LEFT, "right": RIGHT}.get(side, MIDDLE)
                axes.barh(y + offset, value, 0.38, color=colour)
                axes.text(value + 0.01, y + offset, f"{value:.2f}", va="center", fontsize=7)
    axes.set(yticks=range(len(kinds)), yticklabels=[kind.replace("_", " ") for kind in kinds], xlim=(0, 1.06))
    axes.set(xlabel="PCK@0.2")
    axes.invert_yaxis()
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in (LEFT, RIGHT, MIDDLE)]
    figure.legend(handles, ["left", "right", "middle"], loc="outside right upper")
    return figure


@_figure
def pck_curve(errors: Tensor, reference: Tensor, threshold: float = 0.2) -> Figure:
    """PCK over its threshold, from errors ``(N, K)`` in pixels (NaN: no label) and reference lengths ``(N,)``."""
    relative = (errors / reference[:, None]).flatten().numpy()
    relative = np.sort(relative[np.isfinite(relative)])
    figure, axes = plt.subplots(figsize=(4.4, 2.5))
    axes.plot(relative, np.arange(1, len(relative) + 1) / len(relative), color=LEFT)
    at = (relative <= threshold).mean()
    axes.plot([threshold, threshold, 0], [0, at, at], color=MIDDLE, linestyle=":")
    axes.annotate(f"{at:.2f} at {threshold}", (threshold, at), xytext=(6, -12), textcoords="offset points")
    axes.set(xlim=(0, 0.5), ylim=(0, 1), xlabel="threshold (fraction of the reference length)", ylabel="PCK, pooled")
    return figure


@_figure
def rotation_curves(steps: Sequence[int], angles: Sequence[int], losses: NDArray[Any], loss: str) -> Figure:
    """Loss over rotation, ``losses (S, A)``, a line a stage of training (ADA paper, Fig. 5)."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 2.6))
    colours = sns.color_palette("viridis", len(steps))
    for step, row, colour in zip(steps, np.asarray(losses), colours, strict=True):
        left.plot(angles, row, "o-", markersize=3, color=colour, label=f"step {step:,}")
        right.plot(angles, row / row[len(row) // 2], "o-", markersize=3, color=colour)
    left.set(xlabel="rotation (degrees)", ylabel=loss, xticks=range(-60, 61, 30))
    right.set(xlabel="rotation (degrees)", ylabel="the same, relative to 0°", xticks=range(-60, 61, 30))
    right.axhline(1, color=MIDDLE, linewidth=0.8, linestyle=":")
    figure.legend(loc="outside right center")
    return figure


@_figure
def verdicts(records: Sequence[Mapping[str, Any]]) -> Figure:
    """Statistic and 95% interval over seeds of claims' records, a row each; a dot a seed."""
    figure, axes = plt.subplots(figsize=(6, 0.5 * len(records) + 0.9))
    for y, record in enumerate(records):
        axes.plot(record["values"], [y] * len(record["values"]), "|", color=MIDDLE, markersize=9)
        if record["interval"]:
            axes.plot(record["interval"], [y, y], color=LEFT, linewidth=2)
        axes.plot(record["mean"], y, "o", color=LEFT)
    names = [f"{r['claim']} on {r['dataset']}: {r['verdict']}" for r in records]
    axes.axvline(0, color="k", linewidth=0.8)
    axes.set(yticks=range(len(records)), yticklabels=names, xlabel="statistic (the claim says: above 0)")
    axes.set_ylim(len(records) - 0.5, -0.5)
    return figure
