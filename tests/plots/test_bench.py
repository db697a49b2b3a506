"""Figures of One Bench."""

import numpy as np
import pandas as pd
import pytest

from posenb import plots
from posenb.experiments.bench import COSTS, METRICS
from posenb.experiments.bench_specs import COMBINED, ROWS


def table(sets=("body",)):
    columns = [*METRICS, *COSTS]
    values = np.linspace(0.1, 0.9, len(ROWS) * len(columns)).reshape(len(ROWS), -1)
    one = pd.DataFrame(values, list(ROWS), columns)
    one.loc["mst", "few"] = np.nan
    return pd.concat({name: one for name in sets})


@pytest.mark.parametrize("sets", [("body",), ("body", "lsp")])
def test_side_by_side_has_every_number_and_says_what_is_missing(sets):
    figure = plots.side_by_side(table(sets))
    assert len(figure.axes) == len(sets)
    for axes in figure.axes:
        words = [text.get_text() for text in axes.texts]
        assert all(row.label in words for row in ROWS.values()) and words.count("–") == 1
        assert ".10" in words and len(axes.patches) == len(ROWS) * 10 - 1


def test_better_is_blue_and_worse_orange_also_where_less_is_better():
    rows = table()
    rows.loc[:, :] = 0.5
    rows.loc[("body", "mst"), ["pck", "odd"]] = 0.8
    (axes,) = plots.side_by_side(rows).axes
    fill = {(round(p.get_x()), round(p.get_y())): p.get_facecolor() for p in axes.patches}
    y, names = list(ROWS).index("mst"), list(METRICS)
    red, _, blue, _ = fill[names.index("pck"), y]
    assert blue > red
    red, _, blue, _ = fill[names.index("odd"), y]
    assert red > blue
    assert fill[names.index("auc"), y][:3] == pytest.approx((1, 1, 1), abs=0.01)


def test_a_column_of_small_differences_stays_pale():
    rows = table()
    rows.loc[:, :] = 0.5
    rows.loc[("body", "mst"), ["pck", "auc"]] = 0.51, 0.8
    (axes,) = plots.side_by_side(rows).axes
    place, (x, other) = list(ROWS).index("mst"), map(list(METRICS).index, ("pck", "auc"))
    red = {round(p.get_x()): p.get_facecolor()[0] for p in axes.patches if round(p.get_y()) == place}
    assert red[x] > 0.9 > red[other]


def test_arrows_lead_from_both_parts_to_each_combination():
    (axes,) = plots.accuracy_and_stability(table()).axes
    arrows = [text for text in axes.texts if text.arrow_patch is not None]
    assert len(arrows) == 2 * len(COMBINED) and len(axes.lines) == len(ROWS)


def test_gains_of_both_data_sets_are_axes():
    seeds = [{"body": [[0.05 + k, 0, 0, 0]], "lsp": [[0.15 + k, 0, 0, 0]]} for k in (0.0, 0.1)]
    figure = plots.carried_over({"curves": [{"names": ["mst"], "gains": gains} for gains in seeds]})
    number = str(list(ROWS).index("mst") + 1)
    assert all(number in [text.get_text() for text in axes.texts] for axes in figure.axes)
    assert len(figure.axes) == 4
    (dot,) = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert (dot.get_xdata()[0], dot.get_ydata()[0]) == pytest.approx((0.1, 0.2))
    assert "body" in figure.axes[2].get_xlabel() and "lsp" in figure.axes[2].get_ylabel()


def test_numbers_of_dots_that_lie_close_together_keep_apart():
    rows = table()
    for name in ("dual", "mst+dual"):
        rows.loc[("body", name), ["pck", "ruc"]] = rows.loc[("body", "mst"), ["pck", "ruc"]]
    (axes,) = plots.accuracy_and_stability(rows).axes
    numbers = {text.get_text(): text for text in axes.texts if text.get_text()}
    assert sorted(numbers) == sorted(str(k + 1) for k in range(len(ROWS)))
    order = list(ROWS)
    offsets = [numbers[str(order.index(name) + 1)].get_position() for name in ("mst", "dual", "mst+dual")]
    apart = [np.hypot(a[0] - b[0], a[1] - b[1]) for a in offsets for b in offsets if a is not b]
    assert min(apart) > 8  # points: wider than a number


def test_a_measure_that_no_row_has_is_left_out():
    rows = table()
    rows["few"] = np.nan
    (axes,) = plots.side_by_side(rows).axes
    words = [text.get_text() for text in axes.texts]
    assert not any("few" in word for word in words) and "memory" in words
