"""What a training step costs: counted arithmetic and memory."""

from dataclasses import replace

import pytest

from posenb.experiments import cost
from tests.tiny import tiny_spec

SPEC = tiny_spec()
TWICE = replace(SPEC, budget=replace(SPEC.budget, batch=16))


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("POSENB_HOME", str(tmp_path))


def test_twice_the_images_are_twice_the_arithmetic():
    once, twice = cost.costs([SPEC, TWICE], "cpu", rounds=1)
    assert twice.flops == pytest.approx(2 * once.flops)
    # weights are kept, too, and are as many
    assert 1.5 * once.kept < twice.kept < 2 * once.kept
    assert once.seconds > 0


def test_counts_come_out_the_same_again():
    first, again = (cost.costs([SPEC], "cpu", rounds=1)[0] for _ in range(2))
    assert (first.flops, first.kept) == (again.flops, again.kept)


def test_copies_for_stability_double_the_arithmetic():
    plain = replace(SPEC, method="stable_heatmaps", options={})
    steady = replace(plain, options={"mst": True})
    one, other = cost.costs([plain, steady], "cpu", rounds=1)
    # making the copies costs a little
    assert other.flops == pytest.approx(2 * one.flops, rel=2e-3)


def test_a_convolution_by_hand():
    """Forward 2 x pixels x weights; backward as much for weights, and for inputs but of the first layer."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    layers = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.Conv2d(4, 5, 1))
    with FlopCounterMode(display=False) as counter:
        layers(torch.rand(2, 3, 8, 8)).sum().backward()
    first, second = 2 * 2 * 64 * (3 * 4 * 9), 2 * 2 * 64 * (4 * 5)
    assert counter.get_total_flops() == 2 * first + 3 * second
