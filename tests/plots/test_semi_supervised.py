"""Figures of the chapter on semi-supervised training show what they are given."""

import pytest
import torch

from posenb import plots

STEPS = [0, 2, 4]


def record(**curves):
    """A record of two seeds."""
    return {"claim": "SSL-2", "dataset": "body", "curves": [curves, curves]}


def drawn(axes):
    """The lines' values by their labels."""
    return {line.get_label(): list(line.get_ydata()) for line in axes.lines}


def test_the_film_has_a_row_a_run_on_one_scale():
    films = {name: (STEPS, torch.rand(3, 8, 8) / 2) for name in ("same", "easy-hard")}
    figure = plots.film_strip(torch.zeros(3, 16, 16, dtype=torch.uint8), films, shown=3)
    maps = [cell.images[0] for cell in figure.axes if cell.images and cell.images[0].get_array().ndim == 2]
    assert len(maps) == 6 and all(map_.get_clim() == (0, 1) for map_ in maps)
    assert [cell.get_title(loc="right") for cell in figure.axes[1:4]] == ["step 0", "step 2", "step 4"]


def test_response_and_accuracy_stand_side_by_side():
    response, pck = (
        {"supervised": [0.2, 0.4, 0.6], "same": [0.2, 0.1, 0.05]},
        {"supervised": [0.1] * 3, "same": [0] * 3},
    )
    figure = plots.collapse_curves(dict.fromkeys(response, STEPS), response, pck)
    left, right = (drawn(axes) for axes in figure.axes)
    assert left["same distribution, λ = 30"] == [0.2, 0.1, 0.05] and right["labels alone"] == [0.1] * 3


def test_a_line_a_weight():
    names = ("supervised", "lambda 1", "lambda 30")
    lines = {name: [0.5, 0.4, k / 10] for k, name in enumerate(names)}
    figure = plots.loss_weights([record(steps=dict.fromkeys(names, STEPS), response=lines, pck=lines)])
    assert list(drawn(figure.axes[0])) == ["0", "1", "30"]
    assert drawn(figure.axes[1])["30"] == pytest.approx([0.5, 0.4, 0.2])


def test_labels_are_on_a_logarithmic_axis_with_the_last_of_each_line():
    ends = {f"labels {k}, {kind}": [0, k / 10] for k in (1, 2, 3) for kind in ("supervised", "same")}
    figure = plots.label_counts([record(labels=[25, 50, 500], response=ends, pck=ends)])
    assert figure.axes[0].get_xscale() == "log"
    assert drawn(figure.axes[0])["labels alone"] == pytest.approx([0.1, 0.2, 0.3])


def test_a_column_a_sweep_and_a_row_a_data_set():
    pck = {"cutout 0": 0.5, "cutout 5": 0.6, "cutout 12": 0.4}
    figure = plots.strength_sweeps({"m": [record(pck=pck)], "again": [record(pck=pck)] * 2})
    assert [axes.axison for axes in figure.axes] == [True, True, False, True]
    line = figure.axes[0].lines[0]
    assert list(line.get_xdata()) == [0, 5, 12] and list(line.get_ydata()) == pytest.approx([0.5, 0.6, 0.4])


def test_bars_are_grouped():
    figure = plots.grouped_bars(
        {"teacher": {"same": 0.4, "easy-hard": 0.6}, "student": {"same": 0.4, "dual": 0.3}}, "PCK"
    )
    assert [patch.get_height() for patch in figure.axes[0].patches] == [0.4, 0.6, 0.4, 0.3]


def test_views_and_maps_may_differ_in_number():
    picture, map_ = torch.rand(3, 16, 16), torch.rand(8, 8)
    figure = plots.paired_views([("easy", picture), ("hard", picture)], [("teacher", map_)])
    assert [len(cell.images) for cell in figure.axes] == [1, 1, 1, 0]


def test_scattered_peaks_name_their_height():
    figure = plots.scattered_peaks({1.0: torch.full((4, 4), 0.25)}, {1.0: [1, 0.5]})
    assert figure.axes[0].get_title().endswith("height 0.25") and len(figure.axes) == 2
