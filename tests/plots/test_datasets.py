"""Figures and tables of the data sets appendix: what they write, and that the facts in them are the code's."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from posenb import chapters, notebook, plots
from posenb.data import synthetic
from posenb.data.dataset import PoseDataset
from posenb.data.sources import SOURCES
from posenb.skeletons import COCO17, HAND21, LSP14, MPII16, joint_map


@pytest.fixture(scope="module")
def people() -> PoseDataset:
    return synthetic.body(12, size=48, seed=5, difficulty=0.0, cache=False)


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def pair(figure: Figure, place: int) -> tuple[Axes, Axes]:
    """A view's picture and its list of names."""
    return figure.axes[2 * place], figure.axes[2 * place + 1]


def test_a_table_keeps_every_cell_though_it_holds_a_bar() -> None:
    shown = notebook.table(pd.DataFrame({"joint": ["a|b", "wrist"], "index": [0, ""]})).data
    assert shown.splitlines() == ["| joint | index |", "| --- | --- |", r"| a\|b | 0 |", "| wrist |  |"]


def test_the_clearest_sample_is_the_one_with_its_joints_apart() -> None:
    spread = torch.rand(len(HAND21), 2, generator=torch.Generator().manual_seed(1)) * 40 + 4
    points = torch.stack([spread / 4, spread, spread, spread + 30])  # crowded, clear, hidden, outside
    occluded = torch.zeros(4, len(HAND21), dtype=torch.bool)
    occluded[2, 3] = True
    labels = (points, torch.ones_like(occluded), occluded, torch.ones(4), torch.ones(4))
    hands = PoseDataset(torch.zeros(4, 3, 48, 48, dtype=torch.uint8), *labels, HAND21, "hands")
    assert plots.clearest(hands) == 1
    with pytest.raises(ValueError, match="no sample has all its joints in view"):
        plots.clearest(hands[[2, 3]])


def test_each_joint_has_its_number_and_masked_ones_have_none(people: PoseDataset) -> None:
    person = people[[plots.clearest(people)]]
    sets = (MPII16, COCO17)
    figure = plots.joint_sets([person.as_skeleton(each) for each in sets], ["a", "b"])
    for place, each in enumerate(sets):
        picture, names = pair(figure, place)
        labelled = [k for k, source in enumerate(joint_map(MPII16, each)) if source >= 0]
        assert texts(picture) == [str(k) for k in labelled]
        assert texts(names) == [f"{k:2d}  {name.replace('_', ' ')}" for k, name in enumerate(each.joints)]
        grey = [text.get_text().split()[0] for text in names.texts if text.get_style() == "italic"]
        assert grey == [str(k) for k in range(len(each)) if k not in labelled]


def test_numbers_of_a_file_are_written_at_their_joints(people: PoseDataset) -> None:
    person = people[[plots.clearest(people)]].as_skeleton(LSP14)
    backwards = range(len(LSP14))[::-1]
    picture, names = pair(plots.joint_sets([person], ["x"], [backwards]), 0)
    where = {text.get_text(): text.get_position() for text in picture.texts}
    assert where["13"] == pytest.approx((person.points[0, 0] - 0.5).tolist())
    assert texts(names)[0] == " 0  head top"


def test_a_margin_is_cut_off_points_and_picture(people: PoseDataset) -> None:
    person = people[[0]]
    wide = replace(person, images=torch.nn.functional.pad(person.images, [5] * 4), points=person.points + 5, margin=5)
    places = [
        [text.get_position() for text in pair(plots.joint_sets([view], ["x"]), 0)[0].texts] for view in (person, wide)
    ]
    torch.testing.assert_close(torch.tensor(places[0]), torch.tensor(places[1]))


def test_three_ways_to_count_pixels() -> None:
    first, second, third = plots.pixel_origins((2.5, 1.5)).axes
    assert texts(first) == ["(1, 1)", "(3, 2)"]  # Matlab counts centres from 1
    assert texts(second) == ["(0, 0)", "(2, 1)"]  # indices from 0
    assert texts(third) == ["(0.5, 0.5)", "(2.5, 1.5)"]


def test_the_bibliography_has_every_data_set() -> None:
    keys = set(re.findall(r"^@\w+\{(\w+),", (chapters.root() / "book" / "references.bib").read_text(), re.M))
    assert {source.citation for source in SOURCES.values()} <= keys
