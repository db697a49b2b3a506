"""Figures of the chapter on adversarial augmentation: what agents predict and pick, and what training makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from posenb.augment import Bins
from posenb.data.dataset import PoseDataset
from posenb.plots.style import ANSWER, LEFT, MIDDLE, RIGHT, draw_pose, house_style, picture

Array = NDArray[np.float64]
_ANGLES = (-60, 0, 60)


@house_style
def agent_picks(data: PoseDataset, predicted: Tensor, losses: Tensor, angles: Sequence[float], views: Tensor) -> Figure:
    """What an agent picks for each of N people: its rotation distribution, the pose network's losses, and draws.

    Args:
        data: the people, a row each.
        predicted: ``(N, k)``, the agent's distribution over rotation bins.
        losses: ``(N, k)``, the pose network's losses in these bins, as a distribution.
        angles: the k bins' centres in degrees.
        views: ``(N, V, 3, H, W)`` in [0, 1], the person as V draws of the agent show it.
    """
    data = data.cropped()
    count, shown = views.shape[:2]
    figure, axes = plt.subplots(
        count, 2 + shown, figsize=(1.12 * shown + 3.7, 1.12 * count), width_ratios=(1, 2.1, *[1] * shown), squeeze=False
    )
    for row, cells in enumerate(axes):
        cells[0].imshow(picture(data.images[row]), interpolation="lanczos")
        draw_pose(cells[0], data.points[row], data.visible[row], data.skeleton, 1.2)
        _distribution(cells[1], angles, predicted[row].numpy(), LEFT)
        cells[1].plot(angles, losses[row].numpy(), "o-", color=RIGHT, markersize=2.5, linewidth=1.2)
        for cell, view in zip(cells[2:], views[row], strict=True):
            cell.imshow(picture(view), interpolation="lanczos")
        for cell in (cells[0], *cells[2:]):
            cell.set_axis_off()
    top = float(max(predicted.max(), losses.max())) * 1.1
    for cell in axes[:, 1]:
        cell.set(ylim=(0, top), yticks=[])
        cell.tick_params(labelbottom=cell is axes[-1, 1], labelsize=8)
    axes[0, 0].set_title("image", fontsize=9)
    axes[0, 1].set_title("over rotation", fontsize=9)
    axes[0, 2].set_title("draws of the agent", fontsize=9, loc="left").set_in_layout(False)
    handles = [plt.Rectangle((0, 0), 1, 1, color=LEFT), plt.Line2D([], [], color=RIGHT, marker="o", markersize=3)]
    figure.legend(handles, ["predicted by the agent", "loss of the pose network"], loc="outside lower center", ncols=2)
    return figure


def _distribution(cell: Axes, angles: Sequence[float], values: Array, colour: str) -> None:
    """Bars over rotation, on axes with degrees."""
    cell.bar(angles, values, width=0.8 * (angles[1] - angles[0]), color=colour)
    cell.set(xticks=_ANGLES, xticklabels=[f"{angle}°" for angle in _ANGLES])


@house_style
def occlusion_grids(data: PoseDataset, grids: Mapping[str, Tensor], most: float) -> Figure:
    """How likely each cell is to be occluded, ``(N, rows, columns)`` by name, a row each, as darkness over N people.

    ``most``: the probability that is drawn black.
    """
    data = data.cropped()
    figure, axes = plt.subplots(
        len(grids), len(data), figsize=(1.15 * len(data) + 0.9, 1.2 * len(grids)), squeeze=False
    )
    height, width = data.size
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    for cells, (name, of_row) in zip(axes, grids.items(), strict=True):
        cells[0].set_ylabel(name, fontsize=8.5)
        for sample, cell in enumerate(cells):
            cell.imshow(picture(data.images[sample]), interpolation="lanczos")
            draw_pose(cell, data.points[sample], data.visible[sample], data.skeleton, 1.0)
            dark = (of_row[sample] / most).clamp(0, 1).numpy()
            cover = np.zeros((*dark.shape, 4))
            cover[..., 3] = 0.7 * dark
            cell.imshow(cover, extent=extent, zorder=4)
            cell.set(xlim=extent[:2], ylim=extent[2:], xticks=[], yticks=[])
            for spine in cell.spines.values():
                spine.set_visible(False)
    shades = plt.cm.ScalarMappable(plt.Normalize(0, most), "Greys")
    figure.colorbar(shades, ax=list(axes.flat), shrink=0.9, label="probability", aspect=14)
    return figure


@house_style
def mixture(bins: Bins, probabilities: Tensor, std: float, label: str) -> Figure:
    """The density that a distribution ``(k,)`` over bins of rotation gives, beside random augmentation's (Fig. 3).

    What is clipped to an end of its bin, a third of all, or to an end of the random Gaussian, is not drawn.

    Args:
        bins: the k small bounded Gaussians.
        probabilities: of each.
        std: of random augmentation, a Gaussian that is clipped at twice that.
        label: of the bins' density.
    """
    x = np.linspace(-75, 75, 1501)
    figure, axes = plt.subplots(figsize=(6.4, 2.3))
    density = np.zeros_like(x)
    for centre, probability in zip(bins.centres, probabilities.tolist(), strict=True):
        inside = np.abs(x - centre) <= bins.bound * bins.std
        density += probability * inside * _normal(x, centre, bins.std)
    axes.fill_between(x, density, color=LEFT, alpha=0.7, linewidth=0, label=label)
    random = _normal(x, 0, std) * (np.abs(x) <= 2 * std)
    axes.plot(x, random, color=MIDDLE, label=f"random: Gaussian of {std:g}°")
    axes.set(xlabel="rotation (degrees)", ylabel="density", xticks=bins.centres, ylim=(0, None))
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def _normal(x: Array, mean: float, std: float) -> Array:
    return np.exp(-((x - mean) ** 2) / (2 * std**2)) / (std * np.sqrt(2 * np.pi))


@house_style
def reward_and_penalty(before: Tensor, rewarded: Tensor, penalized: Tensor, drawn: int) -> Figure:
    """A distribution ``(k,)``, and what it is asked to become when bin ``drawn`` was harder, and when it was easier."""
    figure, axes = plt.subplots(1, 2, figsize=(6.4, 2.1), sharey=True)
    for cell, after, title in zip(axes, (rewarded, penalized), ("harder: rewarded", "easier: penalised"), strict=True):
        place = np.arange(len(before))
        cell.bar(place, after.numpy(), color=[RIGHT if k == drawn else LEFT for k in place])
        cell.step(np.append(place - 0.5, place[-1] + 0.5), [*before.tolist(), before[-1].item()], "k:", where="post")
        cell.set(title=title, xlabel="bin", xticks=place)
    axes[0].set_ylabel("probability")
    return figure


@house_style
def training_status(stages: Sequence[str], angles: Sequence[float], rows: Mapping[str, Array]) -> Figure:
    """Distributions over rotation ``(S, k)`` by their names, a row each, over S stages of training (Fig. 5).

    Each row has its own scale, the same at all stages.
    """
    figure, axes = plt.subplots(
        len(rows), len(stages), figsize=(1.15 * len(stages) + 0.9, 1.15 * len(rows) + 0.3), squeeze=False, sharey="row"
    )
    colours = (LEFT, RIGHT, MIDDLE)
    for number, (cells, (name, values), colour) in enumerate(zip(axes, rows.items(), colours, strict=False), start=1):
        for cell, stage in zip(cells, values, strict=True):
            _distribution(cell, angles, stage, colour)
            cell.tick_params(labelsize=7.5, labelbottom=number == len(rows))
        _zoomed(cells[0], values)
        cells[0].set_ylabel(name, fontsize=8.5)
    for cell, stage in zip(axes[0], stages, strict=True):
        cell.set_title(stage, fontsize=9)
    return figure


def _zoomed(cell: Axes, values: Array) -> None:
    """Limits in which a bowl is seen, and no number at the foot of its bars: they do not begin at 0."""
    low, high = float(np.min(values)), float(np.max(values))
    cell.set(ylim=(max(0.0, low - 0.35 * (high - low)), high + 0.1 * (high - low)))
    cell.locator_params(axis="y", nbins=3)


@house_style
def status_frame(stage: str, angles: Sequence[float], rows: Mapping[str, Array], number: int) -> Figure:
    """One stage of :func:`training_status`, large: its distributions side by side, on the scales of all stages."""
    figure, axes = plt.subplots(1, len(rows), figsize=(2.5 * len(rows), 2.2), squeeze=False)
    for cell, (name, values), colour in zip(axes[0], rows.items(), (LEFT, RIGHT, MIDDLE), strict=False):
        _distribution(cell, angles, values[number], colour)
        cell.plot(angles, values[0], ":", color="k", linewidth=1)
        _zoomed(cell, values)
        cell.set_title(name.replace("\n", " "), fontsize=9)
    figure.suptitle(stage, fontsize=10)
    return figure


@house_style
def accuracy_by_threshold(thresholds: Sequence[float], runs: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """PCK over its threshold, a panel a group of joints, a line a run (Fig. 6)."""
    groups = list(next(iter(runs.values())))
    figure, axes = plt.subplots(1, len(groups), figsize=(1.9 * len(groups) + 0.4, 2.3), sharey=True, squeeze=False)
    palette = dict(zip(runs, [MIDDLE, RIGHT, LEFT, ANSWER], strict=False))
    for cell, group in zip(axes[0], groups, strict=True):
        for name, lines in runs.items():
            cell.plot(thresholds, lines[group], color=palette[name], label=name if group == groups[0] else None)
        cell.set(title=group, xlim=(0, max(thresholds)), ylim=(0, 1), xticks=(0, 0.2, 0.4))
        cell.grid(axis="y", alpha=0.3)
    axes[0, 0].set_ylabel("PCK")
    figure.supxlabel("threshold (fraction of the reference length)", fontsize=9.5)
    figure.legend(loc="outside upper center", ncols=len(runs))
    return figure


@house_style
def variants(gains: Mapping[str, Mapping[str, Sequence[float] | NDArray[np.float64]]]) -> Figure:
    """What variants gain in PCK, a row each: a tick a seed, the dot their mean.

    Args:
        gains: by data set, a panel each, and by variant, a number a seed.
    """
    names = list(dict.fromkeys(name for of_set in gains.values() for name in of_set))
    size = (2.6 + 2.3 * len(gains), 0.3 * len(names) + 0.9)
    figure, axes = plt.subplots(1, len(gains), figsize=size, sharey=True, squeeze=False)
    for cell, (dataset, of_set) in zip(axes.flat, gains.items(), strict=True):
        cell.axvline(0, color="k", linewidth=0.8, linestyle=":")
        for name, values in of_set.items():
            row = names.index(name)
            cell.plot(values, [row] * len(values), "|", color=MIDDLE, markersize=9)
            cell.plot(np.mean(values), row, "o", color=RIGHT)
        cell.set(xlabel=f"gain in PCK@0.2, {dataset}", yticks=range(len(names)), yticklabels=names)
        cell.set_ylim(len(names) - 0.5, -0.5)
    return figure


@house_style
def direct_collapse(history: pd.DataFrame, angles: Tensor, views: Tensor) -> Figure:
    """An agent that generates angles directly: the share it turns upside down over training, angles, and views.

    Args:
        history: of its run, with 'step' and 'upside_down'.
        angles: ``(N,)`` degrees, what it makes of N people in the end.
        views: ``(V, 3, H, W)`` in [0, 1], the first V of them.
    """
    figure, axes = plt.subplot_mosaic(
        [["share", "angles", *[f"view{k}" for k in range(len(views))]]],
        figsize=(4.4 + 1.05 * len(views), 2.0),
        width_ratios=(1.9, 1.9, *[1] * len(views)),
    )
    axes["share"].plot(history["step"], history["upside_down"], color=RIGHT)
    axes["share"].axhline(0.5, color=MIDDLE, linestyle=":", linewidth=0.8)
    axes["share"].set(xlabel="step", ylabel="share upside down", ylim=(-0.03, 1.03))
    axes["angles"].hist(angles.numpy(), bins=list(range(-180, 181, 20)), color=LEFT)
    axes["angles"].set(xlabel="angle (degrees)", xticks=(-180, 0, 180), yticks=[], ylabel="people")
    for k, view in enumerate(views):
        axes[f"view{k}"].imshow(picture(view), interpolation="lanczos")
        axes[f"view{k}"].set_axis_off()
    return figure


@house_style
def settling(curves: Mapping[str, Array], wins: Sequence[float]) -> Figure:
    """Probability of each bin ``(steps, k)`` over updates, a panel a rule; ``wins``: what each bin wins, its label."""
    figure, axes = plt.subplots(1, len(curves), figsize=(2.4 * len(curves) + 0.9, 2.2), sharey=True, squeeze=False)
    for cell, (name, values) in zip(axes[0], curves.items(), strict=True):
        colours = sns.color_palette("flare_r", values.shape[1])
        for line, win, colour in zip(values.T, wins, colours, strict=True):
            cell.plot(line, color=colour, linewidth=1.2, label=f"wins {win:.2f}" if cell is axes[0, 0] else None)
        cell.set(title=name, xlabel="updates", ylim=(0, 1))
    axes[0, 0].set_ylabel("probability of a bin")
    figure.legend(loc="outside right center")
    return figure
