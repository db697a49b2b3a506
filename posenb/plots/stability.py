"""Figures of the chapter on stable heatmaps: what moves, what maps look like, what row-column correlation does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from posenb.data import SYNTHETIC
from posenb.data.dataset import PoseDataset
from posenb.experiments.smoothness import roughness
from posenb.experiments.stability import Stability
from posenb.experiments.stability_theory import Case
from posenb.metrics.stability import spreads
from posenb.plots.style import LEFT, MIDDLE, RIGHT, draw_limbs, grid, house_style, picture


def drawable(video: PoseDataset, dataset: str) -> PoseDataset:
    """The frames, or blank ones where they show a real person, whose picture is not published."""
    return video if dataset in SYNTHETIC else replace(video, images=torch.full_like(video.images, 235))


@house_style
def frame_strip(frames: PoseDataset, answers: Mapping[str, tuple[Tensor, float]]) -> Figure:
    """Nearly equal frames with the answers of several runs, a row a run (SHR paper, Fig. 1).

    Args:
        frames: N frames in order.
        answers: by the run's name, points ``(N, K, 2)`` in pixels of the frames, and the jitter in pixels of 256.
    """
    frames = frames.cropped()
    count = len(frames)
    figure, axes = plt.subplots(len(answers), count, figsize=(1.03 * count, 1.27 * len(answers)), squeeze=False)
    skeleton = frames.skeleton
    for row, (name, (points, jitter)) in zip(axes, answers.items(), strict=True):
        said = f"{name}: {jitter:.1f} px of 256 from frame to frame"
        title = row[0].text(0, 1.08, said, fontsize=8.5, transform=row[0].transAxes)
        title.set_in_layout(False)  # it is wider than its picture
        row[1].set_title(" ", fontsize=8.5)  # so that there is room for it
        for k, cell in enumerate(row):
            cell.set_axis_off()
            cell.imshow(picture(frames.images[k]), interpolation="lanczos", alpha=0.6)
            every = torch.ones(len(skeleton), dtype=torch.bool)
            draw_limbs(cell, points[k], every, skeleton, colors=LEFT, linewidths=0.8)
            xy = (points[k] - 0.5).numpy()
            cell.scatter(xy[:, 0], xy[:, 1], s=7, c="#ffd92f", edgecolors="k", linewidths=0.3, zorder=3)
            height, width = frames.size
            cell.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    return figure


@house_style
def rcc_cases(cases: Mapping[str, Case]) -> Figure:
    """Maps before and after row-column correlation (SHR paper, Fig. 3); crosses mark their peaks."""
    figure, axes = plt.subplots(2, len(cases), figsize=(1.75 * len(cases), 3.7), squeeze=False)
    for column, (name, case) in zip(axes.T, cases.items(), strict=True):
        for cell, map_, peaks in zip(
            column, (case.before, case.after), (case.peaks_before, case.peaks_after), strict=True
        ):
            cell.imshow(map_.numpy() / map_.max().item(), cmap="magma", vmin=0, vmax=1)
            rows, columns = zip(*peaks, strict=True)
            cell.plot(columns, rows, "+", color="w", markersize=8)
            cell.plot([0, len(map_) - 1], [0, len(map_) - 1], color=MIDDLE, linewidth=0.6, linestyle=":")
            cell.set(xticks=[], yticks=[])
        column[0].set_title(f"{name} case", fontsize=9)
    axes[0, 0].set_ylabel("before")
    axes[1, 0].set_ylabel("after RCC")
    return figure


@house_style
def corrupted(found: Mapping[str, Stability]) -> Figure:
    """Movement and accuracy under each corruption, a line a run over severities (SHR paper, Fig. 6, Table 3)."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 2.9))
    colours = dict(zip(found, [MIDDLE, LEFT, RIGHT, *sns.color_palette("colorblind")[2:]], strict=False))
    labels = {"base": "baseline", "all": "all three"}
    for name, one in found.items():
        severities = np.array(one.severities)
        for c in range(len(one.corruptions)):
            x = c * (len(severities) + 1) + np.arange(len(severities))
            label = labels.get(name, name.upper()) if c == 0 else None
            left.plot(x, one.moves[:, c].mean(axis=0), "o-", markersize=2.5, color=colours[name], label=label)
            right.plot(x, one.corrupted_auc[:, c].mean(axis=0), "o-", markersize=2.5, color=colours[name])
        right.axhline(one.auc.mean(), color=colours[name], linewidth=0.8, linestyle=":")
    names = next(iter(found.values())).corruptions
    middle = [c * (len(severities) + 1) + (len(severities) - 1) / 2 for c in range(len(names))]
    for cell in (left, right):
        cell.set_xticks(middle, [name.replace("_", "\n") for name in names], fontsize=7.5)
        cell.tick_params(axis="x", length=0)
    left.set(yscale="log", ylabel="R: mean squared movement\n(square pixels of 256)")
    right.set(ylabel="AUC on corrupted images\n(dotted: clean)", ylim=(0, 1))
    figure.legend(loc="outside upper center", ncols=len(found))
    return figure


@house_style
def ambiguous(data: PoseDataset, first: Tensor, second: Tensor, count: int = 6, columns: int = 6) -> Figure:
    """Maps ``(N, K, H, W)`` of two runs, over the images where the first's are the least concentrated."""
    data = data.cropped()
    spread = spreads(first).where(data.visible, -1.0)
    worst = spread.max(dim=1)
    chosen = worst.values.argsort(descending=True)[:count].tolist()
    figure, axes = grid(2 * count, columns, 1.15)
    height, width = data.size
    for row, maps in enumerate((first, second)):
        for column, sample in enumerate(chosen):
            cell = axes[row * columns + column]
            joint = int(worst.indices[sample])
            map_ = maps[sample, joint]
            cell.imshow(
                picture(data.images[sample].float().mean(dim=0, keepdim=True).expand(3, -1, -1) / 255), alpha=0.6
            )
            shown = (map_ / map_.max().clamp(min=1e-12)).clamp(min=0).numpy()
            extent = (-0.5, width - 0.5, height - 0.5, -0.5)
            cell.imshow(shown, extent=extent, cmap="magma", alpha=0.65, vmin=0, vmax=1)
            x, y = (data.points[sample, joint] - 0.5).tolist()
            cell.plot(x, y, "o", markersize=6, markerfacecolor="none", markeredgecolor="w", markeredgewidth=0.9)
            if row == 0:
                cell.set_title(data.skeleton.joints[joint].replace("_", " "), fontsize=7.5, pad=2)
    return figure


@house_style
def error_surfaces(surfaces: Mapping[str, NDArray[np.float64]], count: int = 3) -> Figure:
    """Pixel error ``(N, side, side)`` of runs about the first images, over two directions in image space (Fig. 10):
    the first of them upwards, the second to the right."""
    figure, axes = plt.subplots(len(surfaces), count, figsize=(2.0 * count + 1, 2.1 * len(surfaces)), squeeze=False)
    largest = max(float(one[:count].max()) for one in surfaces.values())
    for row, (name, of_run) in zip(axes, surfaces.items(), strict=True):
        row[0].set_ylabel(name)
        for cell, one in zip(row, of_run, strict=False):
            cell.imshow(one, cmap="viridis", vmin=0, vmax=largest, extent=(-0.1, 0.1, -0.1, 0.1), origin="lower")
            cell.set_title(f"roughness {roughness(one[None])[0]:.1f} px", fontsize=8)
            cell.set(xticks=[-0.1, 0, 0.1], yticks=[-0.1, 0, 0.1])
            cell.tick_params(labelsize=7)
    figure.colorbar(axes[0, 0].images[0], ax=axes, label="error (pixels of 256)", shrink=0.8)
    return figure
