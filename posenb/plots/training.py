"""Curves and bars of one run: learning, accuracy by joint and threshold, loss over rotation, decoders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from posenb.plots.style import (
    ANSWER,
    LEFT,
    MIDDLE,
    RIGHT,
    house_style,
)
from posenb.skeletons import Skeleton


@house_style
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


@house_style
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


@house_style
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


@house_style
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


@house_style
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
