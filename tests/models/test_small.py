"""The small network: its numbers from before it had bridges, and its bridges."""

import pytest
import torch

from posenb.models import create


@torch.no_grad()
@pytest.mark.parametrize(
    ("norm", "total", "some"),
    [
        ("batch", -135.038147, [-0.041579, -0.041032, -0.041786, -0.041752, -0.042015]),
        ("group", -288.419189, [-0.103711, -0.119196, -0.366918, -0.308771, -0.275985]),
    ],
)
def test_weights_and_maps_are_those_of_stored_runs(norm, total, some):
    # written down before the network could show its bridges
    network = create("small", 3, {"widths": (8, 8, 16), "norm": norm}, 5)
    picture = torch.linspace(0, 1, 2 * 3 * 32 * 32).view(2, 3, 32, 32).sin().abs()
    network(picture)  # batch statistics take a first step
    (maps,) = network.eval()(picture)
    assert maps.sum().item() == pytest.approx(total, rel=1e-5)
    assert maps[1, 2, 5, 3:8].tolist() == pytest.approx(some, abs=2e-6)


def test_names_of_its_weights_are_those_of_stored_runs():
    names = {key.split(".")[0] for key in create("small", 3, {"widths": (8, 8)}).state_dict()}
    assert names == {"stem", "down", "neck", "lift", "up", "head"}


@torch.no_grad()
def test_bridges_of_a_64_pixel_image():
    maps, bridges = create("small", 3).forward_bridges(torch.zeros(1, 3, 64, 64))
    assert [tuple(bridge.shape[1:]) for bridge in bridges] == [(24, 32, 32), (64, 16, 16), (112, 8, 8), (160, 4, 4)]
    assert [tuple(stack.shape) for stack in maps] == [(1, 3, 32, 32)]
