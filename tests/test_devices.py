"""What trains and answers on a GPU keeps its tensors together: shown on a second device that no machine lacks."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from posenb import corruptions, data
from posenb.data.dataset import PoseDataset
from posenb.methods import METHODS, find
from posenb.methods.base import Method, Setting
from posenb.options import build
from posenb.skeletons import LSP14, MPII16
from posenb.step import Budget, Step, seeded
from tests.elsewhere import THERE, Elsewhere
from tests.tiny import NETWORK, tiny_data

HERE = torch.device("cpu")
BUDGET = Budget(steps=4, batch=4, precision="32-true")
NETWORKS = {"error_feedback": "feedback", "scale_selection": "shallow"}
# every branch of a method that makes tensors of its own
CASES: list[tuple[str, dict[str, Any]]] = [
    ("supervised", {"loss": "soft_cross_entropy"}),
    ("adversarial_augmentation", {"pretrained": False}),
    ("adversarial_augmentation", {"pretrained": False, "agents": ["asr"], "together": True}),
    ("adversarial_augmentation", {"pretrained": False, "agents": ["aho"], "occlusion": "pixels"}),
    ("adversarial_pretraining", {}),
    ("error_feedback", {}),
    ("error_feedback", {"target": "location", "path": "own", "curriculum": False}),
    ("scale_selection", {}),
    ("self_adversarial", {}),
    ("semi_supervised", {"scheme": "consistency"}),
    ("semi_supervised", {"scheme": "dual", "cutout": 5, "magnitude": 10.0}),
    ("semi_supervised", {"scheme": "mean_teacher", "statistics": "labelled"}),
    ("stable_heatmaps", {"rcc": True, "hdhr": True, "mst": True}),
    ("stable_semi_supervised", {"stable": {"rcc": True, "hdhr": True, "mst": True}}),
    ("stable_adversarial_augmentation", {"pretrained": False, "stable": {"mst": True}}),
    *(
        ("stable_heatmaps", {"rival": rival})
        for rival in ("at", "augmix", "lipschitz", "patch_gaussian", "st_g", "st_a")
    ),
]


@dataclass
class Alone:
    """What a step asks of Fabric, for one process on a device."""

    device: torch.device
    world_size: int = 1
    global_rank: int = 0

    def autocast(self) -> nullcontext:
        return nullcontext()

    def backward(self, loss: Tensor) -> None:
        loss.backward()

    def all_reduce(self, tensor: Tensor, reduce_op: str) -> Tensor:
        return tensor


@pytest.fixture(scope="module")
def samples() -> dict[str, PoseDataset]:
    return {
        "people": tiny_data(8, size=40),
        "scenes": data.load("scene", "val", count=8, size=32, margin=4, view="wide"),
    }


def make(name: str, options: Mapping[str, Any]) -> Method:
    kind = find(name)
    skeleton = MPII16 if name == "scale_selection" else LSP14
    setting = Setting(skeleton, (32, 32), NETWORKS.get(name, "small"), NETWORK)
    method = kind(build(kind.options_type(), options, name), setting)
    if name == "adversarial_pretraining":
        method.start_from([make("supervised", {})])
    return method


def two_steps(method: Method, samples: PoseDataset, device: torch.device) -> list[dict[str, float]]:
    """The reports of a first step and a last one, after which the method has to answer on the device, too."""
    named = {"train": samples, "unlabelled": samples}
    method.to(device).train()
    optimizers = method.optimizers()
    method.prepare(named)
    reports = []
    for number in (0, BUDGET.steps - 1):
        step = Step(number, BUDGET, 0, cast(Any, Alone(device)), optimizers)
        report = method.train_step(step, named)
        assert {scalar.device for scalar in report.values()} == {device}
        reports.append({key: scalar.item() for key, scalar in report.items()})
    with torch.no_grad():
        points, _ = method.eval().predict(samples.images.to(device), flip=True)
    assert points.device == device
    return reports


def test_cases_name_every_method():
    assert {name for name, _ in CASES} == set(METHODS)


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_methods_learn_and_answer_on_another_device(name, options, samples):
    of_method = samples["scenes" if name == "scale_selection" else "people"]
    here = two_steps(make(name, options), of_method, HERE)
    with Elsewhere():
        there = two_steps(make(name, options), of_method, THERE)
    # pictures are warped by other code there, and rounded by it
    assert [*here[0]] == [*there[0]]
    assert list(there[0].values()) == pytest.approx(list(here[0].values()), rel=0.02, abs=1e-3)


@pytest.mark.parametrize("name", corruptions.NAMES)
def test_corruptions_are_the_same_but_for_rounding_on_another_device(name):
    images = torch.randint(0, 256, (3, 3, 32, 40), dtype=torch.uint8, generator=seeded(1))
    here = corruptions.corrupt(images, name, 3, seeded(2))
    with Elsewhere():
        there = corruptions.corrupt(images.to(THERE), name, 3, seeded(2))
        assert there.device == THERE
        assert (there.cpu().int() - here.int()).abs().max() <= 1  # zooming is other code there


@pytest.mark.parametrize(
    "mixed",
    [
        lambda here, there: there + here,
        lambda here, there: here[there.long()],
        lambda here, there: there.add_(here),
        lambda here, there: torch.cat([here, there]),
        lambda here, there: torch.rand(3, generator=seeded(1), device=there.device),
    ],
)
def test_the_other_device_refuses_what_a_gpu_refuses(mixed):
    with Elsewhere():
        here, there = torch.zeros(3), torch.zeros(3, device=THERE)
        with pytest.raises(RuntimeError, match=r"tensors of two devices|generator of another device"):
            mixed(here, there)


def test_the_other_device_computes():
    with Elsewhere():
        weight = torch.tensor([1.0, 2.0], device=THERE).requires_grad_()
        (weight[torch.tensor([0, 0])] * 3 + torch.tensor(1.0)).sum().backward()
        weight.grad[1:] = 5
        assert weight.grad.device == THERE and weight.grad.tolist() == [6.0, 5.0]
