"""Figures of adversarial augmentation: what they write and draw."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
import torch

from posenb import augment, interactive, plots
from posenb.data import synthetic
from posenb.data.dataset import PoseDataset

ANGLES = augment.ROTATIONS.centres


@pytest.fixture(scope="module")
def people() -> PoseDataset:
    return synthetic.body(2, size=32, seed=5, difficulty=0.0, cache=False)


def bowls(stages: int) -> np.ndarray:
    return np.array([[0.1 + 0.01 * k * abs(a) / 60 for a in ANGLES] for k in range(stages)])


def test_picks_show_bars_losses_and_every_view(people: PoseDataset) -> None:
    predicted, losses = torch.rand(2, 9), torch.rand(2, 9)
    figure = plots.agent_picks(people, predicted, losses, ANGLES, torch.rand(2, 3, 3, 32, 32))
    rows = np.reshape(figure.axes, (2, 5))
    for row, cells in enumerate(rows):
        assert [bar.get_height() for bar in cells[1].patches] == pytest.approx(predicted[row].tolist())
        assert cells[1].lines[0].get_ydata() == pytest.approx(losses[row].numpy())
        assert all(len(cell.images) == 1 for cell in cells[2:])
    assert rows[0, 1].get_ylim() == rows[1, 1].get_ylim()


def test_grids_are_as_dark_as_their_cells_are_probable(people: PoseDataset) -> None:
    grids = torch.tensor([[[0.0, 0.1], [0.2, 0.7]]]).expand(2, 2, 2)
    figure = plots.occlusion_grids(people, {"before": grids, "after": grids.flip(-1)}, most=0.2)
    before, after = figure.axes[0], figure.axes[2]
    assert before.get_ylabel() == "before" and after.get_ylabel() == "after"
    # nothing is darker than the darkest
    assert np.allclose(before.images[1].get_array()[..., 3], [[0, 0.35], [0.7, 0.7]])
    assert np.allclose(after.images[1].get_array()[..., 3], [[0.35, 0], [0.7, 0.7]])


def test_a_mixture_is_a_density_within_its_bins() -> None:
    probabilities = torch.arange(9) / 36.0
    figure = plots.mixture(augment.ROTATIONS, probabilities, 30.0, "agent")
    x, y = figure.axes[0].collections[0].get_paths()[0].vertices.T
    inside = x[y > 0]
    assert np.abs(inside - 15 * np.round(inside / 15)).max() <= 5 + 1e-9
    # the area of the polygon: one standard deviation to each side holds .683 of a Gaussian
    assert abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2 == pytest.approx(0.683, abs=0.02)


def test_reward_and_penalty_mark_the_drawn_bin() -> None:
    before = torch.tensor([0.5, 0.25, 0.25])
    figure = plots.reward_and_penalty(before, before.roll(1), before.roll(2), drawn=1)
    for cell, after in zip(figure.axes, (before.roll(1), before.roll(2)), strict=True):
        assert [bar.get_height() for bar in cell.patches] == pytest.approx(after.tolist())
        colours = [bar.get_facecolor() for bar in cell.patches]
        assert colours[0] == colours[2] != colours[1]


def test_status_has_a_row_a_distribution_and_one_scale_a_row() -> None:
    rows = {"predicted": bowls(3), "loss": 2 * bowls(3)}
    figure = plots.training_status(["start", "step 1", "step 2"], ANGLES, rows)
    axes = np.reshape(figure.axes, (2, 3))
    assert [cell.get_title() for cell in axes[0]] == ["start", "step 1", "step 2"]
    assert [cells[0].get_ylabel() for cells in axes] == ["predicted", "loss"]
    for cells, values in zip(axes, rows.values(), strict=True):
        assert len({cell.get_ylim() for cell in cells}) == 1
        for cell, stage in zip(cells, values, strict=True):
            assert [bar.get_height() for bar in cell.patches] == pytest.approx(stage)
        assert cells[0].get_ylim()[1] > values.max()


def test_frames_share_their_scales() -> None:
    rows = {"predicted": bowls(3), "loss": 2 * bowls(3)}
    frames = [plots.status_frame(f"step {k}", ANGLES, rows, k) for k in range(3)]
    for place in (0, 1):
        assert len({frame.axes[place].get_ylim() for frame in frames}) == 1
    assert [bar.get_height() for bar in frames[2].axes[1].patches] == pytest.approx(rows["loss"][2])


def test_a_slider_holds_every_frame_and_asks_no_other_host() -> None:
    frames = [plots.status_frame(f"step {k}", ANGLES, {"predicted": bowls(2)}, k) for k in range(2)]
    page = interactive.slider(frames, ["start", "</script> & end"], 'bars "over" rotation').data
    found = re.search(r"frames = (\[\[.*?\]\])", page)
    assert found
    pictures = json.loads(found[1])
    assert [label for _, label in pictures] == ["start", "</script> & end"]
    assert all(picture.startswith("data:image/png;base64,iVBOR") for picture, _ in pictures)
    assert pictures[0][0] != pictures[1][0]
    assert page.count("</script>") == 1 and 'max="1"' in page and "bars &quot;over&quot; rotation" in page
    assert not re.search(r"https?://|ALT|LAST|FRAMES", re.sub(r"base64,[A-Za-z0-9+/=]+", "", page))


def test_curves_carry_their_names() -> None:
    lines = {"all joints": [0.1, 0.5], "wrist": [0.0, 0.3]}
    figure = plots.accuracy_by_threshold([0.1, 0.2], {"random": lines, "ASR + AHO": lines})
    assert [cell.get_title() for cell in figure.axes] == ["all joints", "wrist"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["random", "ASR + AHO"]
    assert figure.axes[1].lines[0].get_ydata().tolist() == [0.0, 0.3]


def test_a_collapse_is_a_share_over_steps() -> None:
    history = pd.DataFrame({"step": [1, 2], "upside_down": [0.0, 1.0]})
    figure = plots.direct_collapse(history, torch.tensor([-170.0, 170.0]), torch.rand(2, 3, 8, 8))
    assert figure.axes[0].lines[0].get_ydata().tolist() == [0.0, 1.0]
    assert sum(bar.get_height() for bar in figure.axes[1].patches) == 2
    assert len(figure.axes) == 4


def test_settling_draws_a_line_a_bin() -> None:
    values = np.linspace(0, 1, 12).reshape(4, 3)
    figure = plots.settling({"free": values, "capped": values}, [0.9, 0.5, 0.1])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["wins 0.90", "wins 0.50", "wins 0.10"]
    for cell in figure.axes:
        assert np.array([line.get_ydata() for line in cell.lines]) == pytest.approx(values.T)


def test_variants_stand_about_zero() -> None:
    figure = plots.variants({"body": {"aho": [-0.1, 0.2], "both": [-0.2, 0.0]}, "lsp": {"both": [0.1]}})
    axes, other = figure.axes
    assert other.lines[-1].get_ydata() == [1]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["aho", "both"]
    line, *dots = axes.lines
    assert [float(dot.get_xdata()[0]) for dot in dots[1::2]] == pytest.approx([0.05, -0.1])
    assert list(line.get_xdata()) == [0, 0]
