"""The networks that answer numbers: corrections of joints, and which box fits."""

import pytest
import torch

from posenb import models
from posenb.models.feedback import _widened

SMALL = {"widths": (8, 8), "norm": "group", "size": 32}


@pytest.mark.parametrize(
    ("options", "side"), [(SMALL, 32), ({}, 64), ({"backbone": "googlenet"}, 64)], ids=["tiny", "small", "googlenet"]
)
def test_answers_a_correction_of_about_nothing_for_every_joint_at_first(options, side):
    network = models.create("feedback", 14, options).eval()
    stacked = torch.rand(2, 3 + 14 + 1, side, side, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        answer = network(stacked)
    assert answer.shape == (2, 14, 2) and 0 < answer.abs().max() < 0.2


@pytest.mark.parametrize("options", [SMALL, {"backbone": "googlenet"}])
def test_every_map_can_change_the_answer(options):
    network = models.create("feedback", 4, options).eval()
    last = network.head[-1] if options is SMALL else network.whole.fc
    torch.nn.init.normal_(last.weight, generator=torch.Generator().manual_seed(0))
    stacked = torch.rand(1, 8, 32, 32, generator=torch.Generator().manual_seed(0)).requires_grad_()
    network(stacked).square().sum().backward()
    assert stacked.grad is not None and (stacked.grad.abs().amax(dim=(0, 2, 3)) > 0).all()


def test_the_image_is_read_by_the_weights_of_before():
    """Widening GoogLeNet's first layer leaves what it says about the image alone."""
    conv = torch.nn.Conv2d(3, 5, 7, 2, 3, bias=False)
    wide = _widened(conv, 9)
    images = torch.rand(2, 3, 16, 16)
    stacked = torch.cat([images, torch.zeros(2, 6, 16, 16)], dim=1)
    assert torch.equal(wide.weight[:, :3], conv.weight)
    torch.testing.assert_close(wide(stacked), conv(images))


def test_wrong_options_and_sizes_are_refused():
    with pytest.raises(ValueError, match="backbone must be"):
        models.create("feedback", 4, {"backbone": "vgg"})
    with pytest.raises(ValueError, match="multiples of 4"):
        models.create("feedback", 4, SMALL)(torch.rand(1, 8, 30, 30))


def test_the_shallow_network_answers_a_number_a_box():
    network = models.create("shallow", 16, {"outputs": 9}).eval()
    assert network(torch.rand(3, 3, 64, 64)).shape == (3, 9)
    assert models.parameters(network) < 100_000
    with pytest.raises(ValueError, match="multiples of 16"):
        network(torch.rand(1, 3, 40, 40))
