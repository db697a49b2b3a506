"""Claims' records: statistic, interval, verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from posenb.plots.style import (
    LEFT,
    MIDDLE,
    house_style,
)


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
