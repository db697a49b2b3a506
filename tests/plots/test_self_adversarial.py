"""Figures of the chapter on self adversarial training: what they draw is what they were given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from posenb import plots
from posenb.experiments.self_adversarial import coverage, roc
from tests.tiny import tiny_data


def test_the_equilibrium_is_ticked_where_the_curves_meet() -> None:
    history = pd.DataFrame({"step": [1, 2, 3, 4], "real": [0.1] * 4, "fake": [0.01, 0.2, 0.21, 0.9], "k": [0.0] * 4})
    figure = plots.equilibrium({"sat": history, "other": history}, gamma=2.0, wait=0.5)
    assert [cell.get_title() for cell in figure.axes[:2]] == ["k steered", "other"]
    curves = figure.axes[0].lines
    assert curves[1].get_ydata().tolist() == [0.2] * 4
    assert curves[3].get_xdata().tolist() == [2, 3]
    assert curves[4].get_xdata() == [2.0, 2.0]


def test_what_is_damaged_is_ringed_and_all_maps_share_a_scale() -> None:
    data = tiny_data(2)
    damaged = data.points.clone()
    damaged[1, 5] += 4
    errors = {name: torch.full((2, 14, 8, 8), value) for name, value in (("labelled", 0.1), ("displaced", 0.3))}
    figure = plots.comments(data, {"labelled": data.points, "displaced": damaged}, errors, sample=1)
    assert [len(cell.lines) for cell in figure.axes[:4]] == [0, 1, 0, 1]
    assert figure.axes[3].lines[0].get_xydata()[0] == pytest.approx((damaged[1, 5] - 0.5).numpy())
    assert [cell.images[0].get_clim()[1] for cell in figure.axes[2:4]] == pytest.approx([14 * 0.3] * 2)


def test_curves_are_drawn_with_their_areas() -> None:
    curve = roc(torch.tensor([3.0, 2.0, 1.0]), torch.tensor([True, False, True]))
    axes = plots.judge_roc({"displaced": curve}, {"displaced": 0.5}).axes[0]
    assert axes.lines[0].get_label() == "one joint displaced\n(within a pose 0.50)"
    assert axes.lines[0].get_ydata().tolist() == curve[1].tolist()
    error = torch.arange(100.0)
    axes = plots.trust({"itself": coverage(error, error)}).axes[0]
    assert axes.lines[0].get_ydata()[-1] == pytest.approx(49.5)
    assert (np.diff(axes.lines[0].get_ydata()) > 0).all()


def test_a_bar_says_its_number() -> None:
    summary = {"pck": 0.5, "hidden": 0.25, "covered": 0.4, "odd": 0.1, "swapped": 0.0, "asymmetric": 1.5}
    figure = plots.plausibility({"mse": summary, "sat": summary}, 0.25)
    assert [text.get_text().strip() for text in figure.axes[0].texts] == ["0.500"] * 2
    assert len(figure.axes) == len(summary)
    (labels,) = figure.axes[5].lines
    assert set(labels.get_xdata()) == {0.25}


def test_the_most_plausible_come_first() -> None:
    data = tiny_data(4)
    figure = plots.ranked(data, data.points, torch.tensor([3.0, 1.0, 4.0, 2.0]), each=2)
    assert [cell.get_title() for cell in figure.axes] == ["1.00", "2.00", "3.00", "4.00"]
