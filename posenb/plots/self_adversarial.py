"""Figures of the chapter on self adversarial training: the balance, comments on poses, their worth."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from posenb.data.dataset import PoseDataset
from posenb.experiments.self_adversarial_specs import TITLES
from posenb.plots.style import LEFT, MIDDLE, RIGHT, draw_pose, grid, house_style, picture

MEASURES = {
    "pck": "PCK@0.2",
    "hidden": "PCK@0.2,\nhidden joints",
    "covered": "PCK@0.2,\ncovered pictures",
    "odd": "odd limbs",
    "swapped": "swapped joints",
    "asymmetric": "asymmetry",
}


@house_style
def equilibrium(histories: Mapping[str, pd.DataFrame], gamma: float, wait: float) -> Figure:
    """L_real, L_fake and gamma L_real, and k, over training; a column a run.

    Args:
        histories: by the run's name, with the columns step, real, fake and k.
        gamma: the ratio that k steers to.
        wait: the share of training after which k is released: the dotted line.
    """
    count = len(histories)
    figure, axes = plt.subplots(
        2, count, figsize=(3.5 * count + 0.6, 4.0), sharex="col", sharey="row", squeeze=False, height_ratios=(2, 1)
    )
    for (upper, lower), (name, history) in zip(axes.T, histories.items(), strict=True):
        step = history["step"]
        upper.plot(step, history["real"], color=LEFT, label=r"$L_{real}$")
        upper.plot(step, gamma * history["real"], color=LEFT, linestyle="--", label=r"$\gamma\, L_{real}$")
        upper.plot(step, history["fake"], color=RIGHT, label=r"$L_{fake}$")
        # the equilibrium is where the two meet
        near = (gamma * history["real"] - history["fake"]).abs() <= 0.25 * gamma * history["real"]
        low = history[["real", "fake"]].min().min()
        upper.plot(step[near], np.full(int(near.sum()), max(low, 1e-4) * 0.6), "|", color=MIDDLE, markersize=5)
        upper.set(yscale="log", title=TITLES.get(name, name))
        lower.plot(step, history["k"], color="#029e73")
        lower.set(xlabel="step")
        for cell in (upper, lower):
            cell.axvline(wait * step.max(), color=MIDDLE, linewidth=0.8, linestyle=":")
    axes[0, 0].set_ylabel("error (energies of a label's map)")
    axes[1, 0].set_ylabel("k")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    return figure


@house_style
def comments(data: PoseDataset, poses: Mapping[str, Tensor], errors: Mapping[str, Tensor], sample: int = 0) -> Figure:
    """A pose as labelled and damaged on the same picture, and what the discriminator says of each pixel.

    Args:
        data: images; the picture is sample ``sample`` of it.
        poses: by name, points ``(N, K, 2)`` in pixels of the samples proper; what differs from the first is ringed.
        errors: by the same names, error maps ``(N, K, h, w)``; shown as their sum over joints, on one scale.
    """
    data = data.cropped()
    height, width = data.size
    figure, axes = plt.subplots(2, len(poses), figsize=(2.05 * len(poses) + 0.5, 4.2), squeeze=False)
    shown = {name: one[sample].sum(dim=0) for name, one in errors.items()}
    largest = max(one.max().item() for one in shown.values())
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    first = next(iter(poses.values()))[sample]
    for (upper, lower), (name, points) in zip(axes.T, poses.items(), strict=True):
        upper.imshow(picture(data.images[sample]), interpolation="lanczos", alpha=0.75)
        draw_pose(upper, points[sample], data.visible[sample], data.skeleton, 1.6)
        upper.set_title(name, fontsize=9)
        for x, y in (points[sample][(points[sample] != first).any(dim=-1)] - 0.5).tolist():
            for cell in (upper, lower):
                ring = {"markersize": 13, "markerfacecolor": "none", "markeredgewidth": 1.1}
                cell.plot(x, y, "o", markeredgecolor="w" if cell is lower else "#d55e00", **ring)
        seen = lower.imshow(shown[name].numpy(), extent=extent, cmap="magma", vmin=0, vmax=largest)
        for cell in (upper, lower):
            cell.set(xticks=[], yticks=[], xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    axes[0, 0].set_ylabel("pose")
    axes[1, 0].set_ylabel("squared error of its\nreconstruction")
    figure.colorbar(seen, ax=axes[1], shrink=0.8).ax.tick_params(labelsize=7)
    return figure


@house_style
def judge_roc(
    curves: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]], areas: Mapping[str, float]
) -> Figure:
    """ROC of finding the wrong joints by their discriminator error; ``areas`` are those within a pose."""
    figure, axes = plt.subplots(figsize=(5.6, 3.1))
    labels = {"displaced": "one joint displaced", "swapped": "left and right exchanged", "answers": "its own answers"}
    for (name, (false, true)), colour in zip(curves.items(), (LEFT, RIGHT, "#029e73"), strict=False):
        axes.plot(false, true, color=colour, label=f"{labels.get(name, name)}\n(within a pose {areas[name]:.2f})")
    axes.plot([0, 1], [0, 1], color=MIDDLE, linestyle=":", linewidth=0.8)
    axes.set(xlabel="right joints called wrong", ylabel="wrong joints found", xlim=(0, 1), ylim=(0, 1.01))
    figure.legend(loc="outside right center")
    return figure


@house_style
def plausibility(summaries: Mapping[str, Mapping[str, float]], asymmetry: float) -> Figure:
    """Accuracy and plausibility of runs, a panel a measure, a bar a run; dotted, the asymmetry of labelled poses."""
    figure, axes = plt.subplots(2, 3, figsize=(7.2, 3.6))
    colours = (MIDDLE, RIGHT, LEFT)
    for cell, (key, label) in zip(axes.flat, MEASURES.items(), strict=True):
        values = [one[key] for one in summaries.values()]
        cell.barh(range(len(values)), values, color=colours[-len(values) :])
        for y, value in enumerate(values):
            clear = {"facecolor": "w", "edgecolor": "none", "pad": 0.5}
            cell.text(value, y, f" {value:.3f}", va="center", fontsize=8, bbox=clear)
        cell.set(xlim=(0, 1.3 * max([*values, 1e-3])), yticks=[], title=label.replace("\n", " "))
        cell.title.set_fontsize(9)
        cell.tick_params(labelsize=7.5)
        cell.invert_yaxis()
    axes.flat[list(MEASURES).index("asymmetric")].axvline(asymmetry, color="k", linewidth=1, linestyle=":", zorder=0)
    for cell in axes[:, 0]:
        cell.set_yticks(range(len(summaries)), [TITLES.get(name, name) for name in summaries], fontsize=8.5)
    return figure


@house_style
def trust(curves: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]) -> Figure:
    """Mean error of the most trusted answers over the share that is kept; a line a way to rank them."""
    figure, axes = plt.subplots(figsize=(5.6, 2.7))
    for (name, (share, error)), colour in zip(curves.items(), (LEFT, RIGHT, "#029e73", MIDDLE), strict=False):
        some = share > 0.02  # the mean of a handful jumps
        axes.plot(share[some], error[some], color=colour, label=name)
    axes.set(xlabel="share of answers kept", ylabel="mean error\n(reference lengths)", xlim=(0, 1))
    axes.set_ylim(bottom=0)
    figure.legend(loc="outside right center")
    return figure


@house_style
def ranked(data: PoseDataset, points: Tensor, doubt: Tensor, each: int = 6) -> Figure:
    """Predictions ``(N, K, 2)`` that the discriminator finds most plausible (upper row), and least (lower row)."""
    data = data.cropped()
    order = doubt.argsort()
    chosen = torch.cat([order[:each], order[-each:]]).tolist()
    figure, axes = grid(len(chosen), each, 1.1)
    height, width = data.size
    for cell, sample in zip(axes, chosen, strict=False):
        cell.imshow(picture(data.images[sample]), interpolation="lanczos", alpha=0.8)
        draw_pose(cell, points[sample], torch.ones(len(data.skeleton)), data.skeleton, 1.2)
        cell.set_title(f"{doubt[sample]:.2f}", fontsize=7.5, pad=2)
        cell.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    return figure
