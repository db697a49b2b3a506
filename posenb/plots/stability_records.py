"""Figures of the chapter on stable heatmaps that are drawn from published records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from posenb.experiments.stability_tables import NAMES, by_architecture, by_seed, joined
from posenb.plots.style import LEFT, MIDDLE, RIGHT, house_style, name_dots

_METRICS = {
    "ruc": "RUC",
    "r": "R (square pixels of 256)",
    "mpc": "AUC on corrupted images",
    "auc": "AUC on clean images",
}
_COLOURS = {"base": MIDDLE, "rcc": "#cc78bc", "hdhr": "#029e73", "mst": RIGHT, "all": LEFT, "hdhr+mst": "#56b4e9"}


@house_style
def ablation(records: Sequence[Mapping[str, Any]]) -> Figure:
    """Each variant's stability and accuracy (Figs. 6 and 7, Tables 2 and 3): a dot the mean, ticks the seeds.

    Args:
        records: SHR-5's or SHR-8's, one a data set.
    """
    tables = {record["dataset"]: by_seed(record) for record in records}
    names = list(dict.fromkeys(name for table in tables.values() for name, _ in table.index))
    figure, axes = plt.subplots(1, len(_METRICS), figsize=(8.2, 0.28 * len(names) * len(tables) + 1.1), sharey=True)
    step = 0.62 / len(tables)
    for (metric, title), cell in zip(_METRICS.items(), axes, strict=True):
        for k, (dataset, table) in enumerate(tables.items()):
            colour = (LEFT, RIGHT, MIDDLE)[k % 3]
            for y, name in enumerate(names):
                if name in table.index.get_level_values("variant"):
                    values = table.loc[name, metric]
                    at = y + (k - (len(tables) - 1) / 2) * step
                    label = f"on {dataset}" if y == 0 and len(tables) > 1 else None
                    _mean_and_seeds(cell, values, at, colour, label)
        cell.set_title(title, fontsize=8.5)
        cell.set_yticks(range(len(names)), [NAMES.get(name, name) for name in names])
        cell.set_ylim(len(names) - 0.5, -0.5)
        cell.grid(axis="y", color="0.9")
        cell.tick_params(axis="x", labelsize=7.5)
        if metric == "r":
            cell.set_xscale("log")
            cell.xaxis.set_major_locator(LogLocator(subs=(1, 2, 6)))
            cell.xaxis.set_major_formatter("{x:,.0f}")
            cell.xaxis.set_minor_formatter(NullFormatter())
    if len(tables) > 1:
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(tables))
    return figure


def _mean_and_seeds(cell: Axes, values: pd.Series, y: float, colour: str, label: str | None) -> None:
    cell.plot(values, [y] * len(values), "|", color=colour, markersize=6, alpha=0.6)
    cell.plot(values.mean(), y, "o", color=colour, markersize=4.5, label=label)


@house_style
def robustness_curves(records: Sequence[Mapping[str, Any]]) -> Figure:
    """The share of keypoints that move by at most P pixels under the unseen corruptions (SHR paper, Fig. 7).

    Args:
        records: SHR-6's, one a data set.
    """
    figure, axes = plt.subplots(1, len(records), figsize=(3.6 * len(records) + 0.6, 2.9), sharey=True, squeeze=False)
    for cell, record in zip(axes[0], records, strict=True):
        for name in record["curves"][0]["robustness"]:
            curve = np.mean([curves["robustness"][name] for curves in record["curves"]], axis=0)
            area = f"{NAMES[name]}, RUC {curve.mean():.3f}"
            cell.plot(range(1, len(curve) + 1), curve, color=_COLOURS[name], linewidth=1.8, label=area)
        cell.set(xlabel="P (pixels of 256)", title=f"on {record['dataset']}", ylim=(0, 1))
        cell.legend(fontsize=8, loc="lower right")
    axes[0, 0].set_ylabel("share that moves at most P")
    return figure


@house_style
def architectures(records: Sequence[Mapping[str, Any]]) -> Figure:
    """Stability and accuracy of the baseline and of all three changes by architecture (SHR paper, Fig. 8).

    A dot is the mean, ticks are the seeds.

    Args:
        records: SHR-7's and SHR-6's, which has the network of the other claims; a row of panels a data set.
    """
    tables = by_architecture(records)
    rows = max(len(table.index.unique("architecture")) for table in tables.values())
    size = (7.4, len(tables) * (0.42 * rows + 0.75) + 0.3)
    figure, axes = plt.subplots(len(tables), 2, figsize=size, squeeze=False, sharey="row", sharex="col")
    for line, (dataset, table) in zip(axes, tables.items(), strict=True):
        names, ordered = list(table.index.unique("architecture")), table.sort_index()
        for cell, metric in zip(line, ("ruc", "auc"), strict=True):
            for y, name in enumerate(names):
                ends = [ordered.loc[(name, variant), metric] for variant in ("base", "all")]
                cell.plot([values.mean() for values in ends], [y, y], color="0.8", zorder=1)
                for values, colour, label in zip(ends, (MIDDLE, LEFT), ("baseline", "all three"), strict=True):
                    _mean_and_seeds(cell, values, y, colour, label if y == 0 else None)
            cell.set_ylim(len(names) - 0.5, -0.5)
            cell.grid(axis="y", color="0.93")
            cell.set_title(f"{_METRICS[metric]}, on {dataset}", fontsize=9)
        line[0].set_yticks(range(len(names)), names)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


@house_style
def rivals(records: Sequence[Mapping[str, Any]]) -> Figure:
    """Stability against accuracy of the baseline, of the paper's changes and of their rivals (Fig. 9, Table 2).

    Args:
        records: SHR-5's, SHR-8's and SHR-12's, as many as there are; a panel a data set.
    """
    tables = joined(records)
    figure, axes = plt.subplots(1, len(tables), figsize=(4.4 * len(tables) + 0.4, 3.8), squeeze=False)
    for cell, (dataset, table) in zip(axes[0], tables.items(), strict=True):
        for name, row in table.iterrows():
            own = name in _COLOURS
            colour = MIDDLE if name == "base" else LEFT if own else RIGHT
            cell.plot(row["auc"], row["ruc"], "o", color=colour, markersize=7 if own else 5)
        cell.set(xlabel="AUC on clean images", ylabel="RUC", title=f"on {dataset}")
        cell.margins(0.12)
    # once all panels are there: each makes the others narrower, and names are placed by pixels
    for cell, table in zip(axes[0], tables.values(), strict=True):
        dots = zip(table.index, table["auc"], table["ruc"], strict=True)
        name_dots(cell, {NAMES.get(name, name): (x, y) for name, x, y in dots})
    return figure


@house_style
def off_diagonal(
    shares: Mapping[str, Sequence[float]], edges: Sequence[float] = (0, 5, 10, 20, 30, 64), title: str = ""
) -> Figure:
    """Accuracy by how far a joint lies off the heatmap's main diagonal, a line a variant.

    Args:
        shares: PCK@0.2 in each bin, by the variant's name.
        edges: of the bins, pixels of a 64-pixel image.
        title: of the figure.
    """
    figure, axes = plt.subplots(figsize=(4.8, 2.8))
    for name, values in shares.items():
        axes.plot(values, "o-", color=_COLOURS.get(name, RIGHT), label=NAMES.get(name, name), markersize=4)
    names = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
    axes.set_xticks(range(len(names)), names)
    axes.set(xlabel="distance of row and column, pixels of 64", ylabel="PCK@0.2", ylim=(0, 1), title=title)
    axes.legend(loc="lower left", ncols=2, fontsize=8)
    return figure
