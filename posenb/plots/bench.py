"""Figures of One Bench: all methods side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import NDArray

from posenb.experiments.bench import COSTS, LESS_IS_BETTER, METRICS
from posenb.experiments.bench_specs import COMBINED, ROWS
from posenb.plots.style import LEFT, MIDDLE, RIGHT, house_style, name_dots

Array = NDArray[np.float64]
_LINEAR = 0.02  # smaller gains are drawn to scale, larger ones by their logarithm
_FULL = 0.1  # a difference of this much has the full colour, so that a column of small ones stays pale
_BETTER_WORSE = LinearSegmentedColormap.from_list("better_worse", [RIGHT, "#ffffff", LEFT])
_HEADS = {
    "pck": "PCK\n@0.2",
    "auc": "AUC",
    "ruc": "RUC",
    "corrupted": "AUC,\ncorrupted",
    "odd": "odd\nlimbs",
    "swapped": "sides\nswapped",
    "few": "PCK, few\nlabels",
    "flops": "arith-\nmetic",
    "kept": "memory",
    "seconds": "time",
}


@house_style
def side_by_side(table: pd.DataFrame) -> Figure:
    """Every method by every measure; a cell's colour says how it differs from supervised training.

    Blue is better and orange worse; the colour is full at ten points, or at the column's largest difference where that
    is more. Costs are multiples. A measure that no row has is left out.

    Args:
        table: of :func:`posenb.experiments.bench.table`, index (data set, row).
    """
    sets = list(dict.fromkeys(table.index.get_level_values(0)))
    figure, cells = plt.subplots(len(sets), 1, figsize=(8.6, 4.1 * len(sets)), squeeze=False)
    for name, axes in zip(sets, cells[:, 0], strict=True):
        _matrix(axes, table.loc[name])
        if len(sets) > 1:
            axes.set_title(f"on {name}", loc="left", fontsize=10, pad=26)
    return figure


def _matrix(axes: Axes, rows: pd.DataFrame) -> None:
    gap = 0.25  # between measures and costs
    change = rows - rows.loc["supervised"]
    columns = [column for column in (*METRICS, *COSTS) if rows[column].notna().any()]
    for x, column in enumerate(columns):
        left = x + gap * (column in COSTS)
        axes.text(left + 0.5, -0.15, _HEADS[column], ha="center", va="bottom", fontsize=8)
        widest = max(float(change[column].abs().max()), _FULL)
        for y, name in enumerate(rows.index):
            value = float(rows.loc[name, column])
            if np.isnan(value):
                axes.text(left + 0.5, y + 0.5, "–", ha="center", va="center", fontsize=8.5, color="0.6")
                continue
            if column in COSTS:
                # a multiple of supervised training's: grey, the darker the dearer
                fill: Any = str(1 - 0.4 * min(1.0, max(0.0, (value - 1) / 5)))
                text = f"{value:.1f}\N{MULTIPLICATION SIGN}"
            else:
                gain = float(change.loc[name, column]) * (-1 if column in LESS_IS_BETTER else 1)
                fill, text = _BETTER_WORSE(0.5 + 0.38 * gain / widest), f"{value:.2f}".removeprefix("0")
            axes.add_patch(Rectangle((left, y), 1, 1, facecolor=fill, edgecolor="w", linewidth=1.5))
            axes.text(left + 0.5, y + 0.5, text, ha="center", va="center", fontsize=8.5)
    for y, name in enumerate(rows.index):
        axes.text(-0.5, y + 0.5, ROWS[str(name)].label, ha="right", va="center", fontsize=8.5)
        axes.text(-0.1, y + 0.5, str(y + 1), ha="right", va="center", fontsize=8.5, color="0.45")
    width = len(columns) + gap
    first = list(rows.index).index(next(iter(COMBINED)))
    for y in (2, first):
        axes.plot([-4.6, width], [y, y], color="0.4", linewidth=0.8)
    axes.set(xlim=(-4.6, width), ylim=(len(rows), -1))
    axes.set_axis_off()


@house_style
def accuracy_and_stability(table: pd.DataFrame) -> Figure:
    """Where each method lies between accuracy and stability; arrows lead from the parts to a combination.

    Args:
        table: as :func:`side_by_side` takes it.
    """
    sets = list(dict.fromkeys(table.index.get_level_values(0)))
    figure, cells = plt.subplots(1, len(sets), figsize=(1.2 + 4.4 * len(sets), 4.2), squeeze=False)
    for name, axes in zip(sets, cells[0], strict=True):
        rows = table.loc[name]
        for both, other in COMBINED.items():
            for part in ("mst", other):
                ends = rows.loc[[both, part], ["pck", "ruc"]].to_numpy()
                arrow = {"arrowstyle": "->", "color": "0.6", "shrinkA": 5, "shrinkB": 5}
                axes.annotate("", ends[0], ends[1], arrowprops=arrow)
        for number, row in enumerate(rows.index, 1):
            x, y = rows.loc[row, ["pck", "ruc"]]
            colour = RIGHT if row in COMBINED else MIDDLE if number <= 2 else LEFT
            axes.plot(x, y, "o", color=colour, markersize=5, label=f"{number}  {ROWS[str(row)].label}")
        axes.set(xlabel="PCK@0.2", ylabel="RUC", title=f"on {name}")
        name_dots(axes, {str(k): (x, y) for k, (x, y) in enumerate(rows[["pck", "ruc"]].to_numpy(), 1)})
    handles, names = cells[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right center", fontsize=8, handlelength=1)
    return figure


@house_style
def carried_over(record: Mapping[str, Any]) -> Figure:
    """What each method gains over its control on synthetic people and on real ones, a panel a measure.

    Args:
        record: ALL-3's.
    """
    first = record["curves"][0]
    sets = list(first["gains"])
    change = {name: np.mean([curves["gains"][name] for curves in record["curves"]], axis=0) for name in sets}
    numbers = [str(list(ROWS).index(name) + 1) for name in first["names"]]
    titles = ("PCK@0.2", "AUC", "RUC", "AUC, corrupted")
    figure, cells = plt.subplots(2, 2, figsize=(7.2, 6.2))
    for k, (title, axes) in enumerate(zip(titles, cells.flat, strict=True)):
        axes.axhline(0, color="0.85")
        axes.axvline(0, color="0.85")
        x, y = change[sets[0]][:, k], change[sets[1]][:, k]
        axes.plot(x, y, "o", color=LEFT, markersize=4)
        # most gains are small and one or two are large
        axes.set_xscale("symlog", linthresh=_LINEAR)
        axes.set_yscale("symlog", linthresh=_LINEAR)
        for axis, values in ((axes.xaxis, x), (axes.yaxis, y)):
            axis.set_major_locator(FixedLocator(_shown(values)))
            axis.set_major_formatter(lambda x, _: f"{x:+g}" if x else "0")
            axis.set_minor_locator(NullLocator())
        axes.tick_params(labelsize=8)
        axes.set(title=title, xlim=_around(x), ylim=_around(y))
        name_dots(axes, dict(zip(numbers, zip(x.tolist(), y.tolist(), strict=True), strict=True)))
    for axes in cells[-1]:
        axes.set_xlabel(f"gain on {sets[0]}")
    for axes in cells[:, 0]:
        axes.set_ylabel(f"gain on {sets[1]}")
    return figure


def _shown(values: Array) -> list[float]:
    """Round gains to label an axis with, within the values' limits."""
    low, high = _around(values)
    return [tick for tick in (-0.2, -0.1, -0.03, -0.01, 0, 0.01, 0.03, 0.1, 0.2) if low <= tick <= high]


def _around(values: Array) -> tuple[float, float]:
    """Limits that leave room for names, zero within."""
    low, high = min(values.min(), -_LINEAR / 2), max(values.max(), _LINEAR / 2)
    return 2 * float(low), 2 * float(high)
