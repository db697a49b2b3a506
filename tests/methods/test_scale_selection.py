"""The shallow network that chooses a box."""

from dataclasses import replace

import pytest
import torch
from torch.optim import SGD

from posenb import data
from posenb.augment import Family
from posenb.data import scenes, synthetic
from posenb.errors import UserError
from posenb.methods import find
from posenb.methods.base import Setting
from posenb.methods.scale_selection import Options, ScaleSelection
from posenb.skeletons import MPII16
from posenb.step import Budget, Step
from posenb.training import make_fabric
from tests.tiny import tiny_data

NETWORK = {"widths": (8, 8), "norm": "group"}


@pytest.fixture(scope="module")
def people():
    return data.load("scene", "val", count=12, size=32, margin=4, view="wide")


def make() -> ScaleSelection:
    return ScaleSelection(Options(), Setting(MPII16, (32, 32), "shallow", NETWORK))


def test_knows_the_fitting_box_from_the_largest_ones_picture(people):
    scene = synthetic.scene(12, seed=2)
    assert torch.equal(make().fitting(people.stature), scenes.fitting(scene.height, scene.dataset.size))


def test_answers_a_standing_person_of_the_chosen_size(people, monkeypatch):
    method = make().eval()
    method.prepare({"train": people})
    wanted = method.fitting(people.stature)
    answer = torch.nn.functional.one_hot(wanted, 9).float()
    monkeypatch.setattr(method.network, "forward", lambda images: answer[: len(images)])
    points, scores = method.predict(people.images)
    assert points.shape == (12, 16, 2) and torch.equal(scores, torch.ones(12, 16))
    torch.testing.assert_close(
        scenes.markers(replace(people.cropped(), points=points)), torch.full((12, 2), 16.0), atol=1, rtol=0
    )
    height = points[..., 1].amax(dim=1) - points[..., 1].amin(dim=1)
    assert torch.corrcoef(torch.stack([height, people.stature]))[0, 1] > 0.95


def test_a_step_learns_and_follows_from_its_number(people):
    reports = []
    for _ in range(2):
        method = make().train()
        method.prepare({"train": people})
        before = method.network.head[-1].bias.detach().clone()
        step = Step(
            2, Budget(4, 4), 0, make_fabric("32-true", "cpu"), {"network": SGD(method.network.parameters(), 0.1)}
        )
        reports.append(method.train_step(step, {"train": people}))
        assert not torch.equal(before, method.network.head[-1].bias)
    assert reports[0] == reports[1] and 0 <= reports[0]["right"] <= 1


def test_wrong_settings_are_refused(people):
    assert find("scale_selection") is ScaleSelection
    with pytest.raises(ValueError, match="needs the network 'shallow'"):
        ScaleSelection(Options(), Setting(MPII16, (32, 32)))
    with pytest.raises(ValueError, match="scaled at random"):
        Options(augmentation=Family())
    with pytest.raises(UserError, match="nobody's stature is known"):
        make().prepare({"train": tiny_data(3)})
