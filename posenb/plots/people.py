"""Pictures of people: skeletons, joints by name, heatmaps over images."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from posenb.data.dataset import PoseDataset
from posenb.plots.style import (
    draw_pose,
    grid,
    house_style,
    ink,
    picture,
    side_colour,
)


@house_style
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
    figure, axes = grid(len(chosen), columns, side)
    for cell, (place, sample) in zip(axes, enumerate(chosen), strict=False):
        cell.imshow(picture(data.images[sample]), interpolation="lanczos")
        if poses:
            pose = data.points if points is None else points
            draw_pose(cell, pose[sample], data.visible[sample], data.skeleton, 1.4)
        if titles is not None:
            cell.set_title(titles[place], fontsize=7.5, pad=2)
        height, width = data.size
        cell.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    return figure


@house_style
def joints(data: PoseDataset, sample: int = 0) -> Figure:
    """One sample, large, with its joints numbered and named."""
    data = data.cropped()
    names = data.skeleton.joints
    figure, (axes, text) = plt.subplots(1, 2, figsize=(6.0, 3.1), width_ratios=(1.15, 1))
    axes.imshow(picture(data.images[sample]), interpolation="lanczos")
    draw_pose(axes, data.points[sample], data.visible[sample], data.skeleton, 2.2)
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
            *place,
            f"{k:2d}  {name.replace('_', ' ')}",
            color=ink(side_colour(data.skeleton, k)),
            va="top",
            fontsize=8.5,
        )
    return figure


@house_style
def heatmaps(image: Tensor, maps: Tensor, names: Sequence[str], columns: int = 6, side: float = 1.1) -> Figure:
    """Maps ``(K, h, w)`` laid over their image ``(3, H, W)``, each scaled to its own maximum, which its title gives."""
    figure, axes = grid(len(names), columns, side)
    height, width = image.shape[-2:]
    for cell, heat, name in zip(axes, maps, names, strict=False):
        cell.imshow(picture(image.float().mean(dim=0, keepdim=True).expand(3, -1, -1) / image.max()), alpha=0.65)
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
        cell.set_title(f"{name.replace('_', ' ')}\nmax {top:.2f}", fontsize=7.5, pad=2)
    return figure
