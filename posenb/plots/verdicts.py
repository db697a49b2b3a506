"""Claims' records: statistic, interval, verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from posenb.claims.scorecard import NOT_ASKED, NOT_MEASURED, STALE
from posenb.plots.style import LEFT, MIDDLE, RIGHT, house_style

# colour and sign: what does not rest on colour alone can be read by everybody
_CELLS = {
    "reproduced": (LEFT, "w", "yes"),
    "not reproduced": (RIGHT, "k", "no"),
    "inconclusive": ("#d9d9d9", "k", "?"),
    "not judged": ("#f2f2f2", "0.4", "–"),
    STALE: ("#f2f2f2", "0.4", "old"),
    NOT_MEASURED: ("w", "0.7", ""),
    NOT_ASKED: ("#f2f2f2", "0.4", "•"),
}


@house_style
def verdicts(records: Sequence[Mapping[str, Any]]) -> Figure:
    """Statistic and 95% interval over seeds of claims' records, a row each; a dot a seed.

    Several claims have several units: each row is then divided by its own largest number.
    """
    several = len({record["claim"] for record in records}) > 1
    figure, axes = plt.subplots(figsize=(6, 0.5 * len(records) + 0.9))
    for y, record in enumerate(records):
        interval = record["interval"] or []
        unit = max(map(abs, [*record["values"], *interval])) if several else 1.0
        values, ends = np.divide(record["values"], unit), np.divide(interval, unit)
        axes.plot(values, [y] * len(values), "|", color=MIDDLE, markersize=9)
        axes.plot(ends, [y] * len(ends), color=LEFT, linewidth=2)
        axes.plot(record["mean"] / unit, y, "o", color=LEFT)
    names = [f"{r['claim']} on {r['dataset']}: {r['verdict']}" for r in records]
    axes.axvline(0, color="k", linewidth=0.8)
    axes.set(
        yticks=range(len(records)),
        yticklabels=names,
        xlabel="statistic (the claim says: above 0)" + ", a row in units of its own" * several,
    )
    axes.set_ylim(len(records) - 0.5, -0.5)
    return figure


@house_style
def scorecard(table: pd.DataFrame) -> Figure:
    """All claims at a glance: a block a paper, a column a claim, a row a data set.

    Args:
        table: of :func:`posenb.claims.scorecard.verdicts`.
    """
    papers = list(dict.fromkeys(name.partition("-")[0] for name in table.index))
    widest = max(sum(name.startswith(paper) for name in table.index) for paper in papers)
    figure, axes = plt.subplots(figsize=(0.5 * widest + 1.4, 0.95 * len(papers) + 0.5))
    for block, paper in enumerate(papers):
        top = block * (len(table.columns) + 1.15)
        of_paper = table[[name.startswith(f"{paper}-") for name in table.index]]
        for k, (claim, verdicts_) in enumerate(of_paper.iterrows()):
            axes.text(k + 0.5, top - 0.12, str(claim).partition("-")[2], ha="center", va="bottom", fontsize=8)
            for row, verdict in enumerate(verdicts_):
                fill, ink, sign = _CELLS[verdict]
                axes.add_patch(Rectangle((k + 0.04, top + row + 0.04), 0.92, 0.92, facecolor=fill, edgecolor="0.8"))
                axes.text(k + 0.5, top + row + 0.5, sign, ha="center", va="center", fontsize=8, color=ink)
        axes.text(-1.55, top - 0.12, paper, ha="left", va="bottom", fontsize=9, fontweight="bold")
        for row, name in enumerate(table.columns):
            axes.text(-0.1, top + row + 0.5, name, ha="right", va="center", fontsize=8)
    axes.set(xlim=(-1.6, widest), ylim=(len(papers) * (len(table.columns) + 1.15) - 0.9, -0.9))
    axes.set_axis_off()
    handles = [Rectangle((0, 0), 1, 1, facecolor=fill, edgecolor="0.8") for fill, _, _ in _CELLS.values()]
    names = [f"{sign + ': ' if sign else ''}{name}" for name, (_, _, sign) in _CELLS.items()]
    figure.legend(handles, names, loc="outside lower center", ncols=4, fontsize=8)
    return figure
