"""What the figures of the chapter on iterative error feedback show."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from posenb import plots
from tests.tiny import tiny_data


@pytest.fixture
def walk():
    """Data of 4 images, and guesses that go from the middle to the labels in three steps."""
    data = tiny_data(4)
    shares = torch.linspace(0, 1, 4)[:, None, None, None]
    return data, 16 + shares * (data.points - 16)


def test_trajectories_are_a_row_an_image_from_mean_pose_to_label(walk):
    data, points = walk
    figure = plots.trajectories(data, points, {"turned": 2, "failure": 0})
    assert len(figure.axes) == 2 * 5
    assert [figure.axes[k].texts[0].get_text() for k in (0, 5)] == ["turned", "failure"]
    assert [axes.get_title() for axes in figure.axes[:5]] == ["mean pose", "step 1", "step 2", "step 3", "label"]
    drawn = [np.asarray(figure.axes[k].collections[1].get_offsets()) for k in (0, 3, 4, 8)]
    assert np.allclose(drawn[0], 15.5)
    assert np.allclose(drawn[1], data.points[2] - 0.5, atol=1e-4) and np.allclose(drawn[2], drawn[1], atol=1e-4)
    assert np.allclose(drawn[3], data.points[0] - 0.5, atol=1e-4)


def test_walks_draw_the_way_as_far_as_it_went(walk):
    data, points = walk
    for upto in (0, 2):
        figure = plots.walks(data, points, [1, 3], upto, ["a", "b"])
        labels, ways = (figure.axes[1].collections[k].get_segments() for k in (2, 3))
        assert len(labels) == len(data.skeleton.limbs)
        assert len(ways) == 14 and len(ways[0]) == upto + 1
        assert np.allclose(np.stack(ways)[:, -1], points[upto, 3] - 0.5)


def test_lines_over_steps():
    figure = plots.steps_by_joint({"knee": [0.1, 0.5, 0.6], "head_top": [0.2, 0.7, 0.9]}, 1)
    lines = figure.axes[0].get_lines()
    assert [line.get_label() for line in lines] == ["knee", "head top"]  # from the bottom up
    assert lines[0].get_ydata().tolist() == [0.1, 0.5, 0.6]
    names = [text.get_text() for text in figure.axes[0].texts]
    assert names == ["knee", "head top"]


def test_names_at_the_ends_of_lines_keep_apart():
    figure = plots.steps_by_joint({"a": [0.5, 0.5], "b": [0.5, 0.501], "c": [0.5, 0.502], "d": [0.5, 0.9]}, 1)
    heights = [text.get_position()[1] for text in figure.axes[0].texts]
    assert min(np.diff(heights)) >= 0.05 and heights[0] == 0.5 and heights[-1] == 0.9


def test_a_level_for_what_takes_one_step():
    drift = plots.drift({"ief": [0.1, 0.5], "no_fpc": [0.1, 0.4], "direct": [0.45]}, 1)
    lines = drift.axes[0].get_lines()
    assert [line.get_label() for line in lines] == ["error feedback", "without FPC", "direct prediction"]
    assert lines[2].get_ydata() == [0.45, 0.45]


def test_a_field_has_an_arrow_a_place():
    places = torch.stack(torch.meshgrid(torch.arange(3.0), torch.arange(3.0), indexing="xy"), dim=-1) * 8 + 4
    label = torch.tensor([[20.0, 12.0]])
    figure = plots.correction_fields(
        torch.zeros(3, 32, 32), ["left_knee"], {"run": [(places, label - places)]}, label, 5
    )
    arrows = figure.axes[0].collections[0]
    assert arrows.N == 9
    ends = np.stack([arrows.X + arrows.U, arrows.Y + arrows.V], axis=-1)
    assert np.allclose(ends, [19.5, 11.5])
    assert figure.axes[0].get_title() == "left knee" and figure.axes[0].get_ylabel() == "run"


def test_a_path_is_drawn_for_labelled_joints_alone(walk):
    data, points = walk
    visible = data.visible.clone()
    visible[0, 5] = False
    figure = plots.ground_truth_paths(points[0, 0], data.points[0], points[:, 0], replace(data, visible=visible))
    assert len(figure.axes[1].get_lines()) == 13


def test_boxes_are_two_a_scene_the_chosen_one_coloured_by_whether_it_is_right():
    data = tiny_data(2)
    sides, markers = torch.tensor([30.0, 20.0, 10.0]), torch.full((2, 2), 16.0)
    figure = plots.boxes(data, sides, markers, torch.tensor([1, 0]), torch.tensor([1, 1]), count=2)
    (true, same), (_, other) = (axes.patches for axes in figure.axes)
    assert true.get_width() == same.get_width() == 20 and other.get_width() == 30
    assert same.get_edgecolor() != other.get_edgecolor() and true.get_xy() == (5.5, 5.5)
