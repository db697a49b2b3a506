"""The hourglass's bridges, and the mask on them."""

import pytest
import torch
from torch.testing import assert_close

from posenb.models import create
from posenb.models.hourglass import occlude

OPTIONS = {"channels": 16, "blocks": 1, "norm": "group"}


def images(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("stacks", [1, 2])
def test_bridges_of_a_256_pixel_image(stacks):
    network = create("hourglass", 3, OPTIONS | {"stacks": stacks})
    with torch.no_grad():
        maps, bridges = network.forward_bridges(images(1, 3, 256, 256))
    assert [tuple(bridge.shape) for bridge in bridges] == [(1, 16, side, side) for side in (64, 32, 16, 8, 4)]
    assert [tuple(stack.shape) for stack in maps] == [(1, 3, 64, 64)] * stacks


@pytest.fixture(params=[1, 2, "small"], ids=["1 stack", "2 stacks", "small"])
def network(request):
    """Every network with bridges; all of them keep the same promises."""
    if request.param == "small":
        return create("small", 3, {"widths": (8, 8, 16, 16), "norm": "group"}).eval()
    return create("hourglass", 3, OPTIONS | {"depth": 3, "stacks": request.param}).eval()


@torch.no_grad()
def test_forward_is_the_maps_of_forward_bridges(network):
    batch, mask = images(2, 3, 64, 96), images(2, 1, 2, 3, seed=1).round()
    for given in (None, mask):
        pairs = zip(network(batch, given), network.forward_bridges(batch, given)[0], strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)


@torch.no_grad()
@pytest.mark.parametrize("mask", [torch.ones(2, 1, 4, 4), torch.ones(2, 1, 4, 4).bool()], ids=["float", "bool"])
def test_a_mask_of_ones_changes_nothing(network, mask):
    batch = images(2, 3, 64, 64)
    assert all(torch.equal(a, b) for a, b in zip(network(batch, mask), network(batch), strict=True))


@torch.no_grad()
def test_a_mask_of_zeros_lets_nothing_through_any_stack(network):
    first, second = images(2, 3, 64, 64), images(2, 3, 64, 64, seed=1)
    nothing = torch.zeros(2, 1, 4, 4)
    for open_maps, closed, others in zip(
        network(first), network(first, nothing), network(second, nothing), strict=True
    ):
        assert_close(closed, others, rtol=0, atol=0)  # whatever the picture
        assert not torch.allclose(open_maps, closed, atol=1e-3)
    pairs = zip(network(first), network(second), strict=True)
    assert not any(torch.allclose(a, b, atol=1e-3) for a, b in pairs), "the pictures made no difference anyway"


@torch.no_grad()
def test_each_image_has_its_own_mask(network):
    batch = images(2, 3, 64, 64)
    mask = torch.tensor([1.0, 0.0]).view(2, 1, 1, 1).expand(2, 1, 4, 4)
    maps, free, closed = network(batch, mask)[-1], network(batch)[-1], network(batch, mask * 0)[-1]
    assert_close(maps[0], free[0])
    assert_close(maps[1], closed[1])


@torch.no_grad()
def test_bridges_come_as_they_were_before_the_mask(network):
    batch = images(2, 3, 64, 64)
    masked = network.forward_bridges(batch, torch.zeros(2, 1, 4, 4))[1]
    assert all(torch.equal(a, b) for a, b in zip(masked, network.forward_bridges(batch)[1], strict=True))
    assert all(bridge.any() for bridge in masked)


@torch.no_grad()
def test_a_mask_for_each_bridge(network):
    batch = images(2, 3, 64, 64)
    bridges = network.forward_bridges(batch)[1]
    one = images(2, 1, 4, 4, seed=2).round()
    each = [torch.nn.functional.interpolate(one, size=bridge.shape[-2:]) for bridge in bridges]
    for a, b in zip(network(batch, one), network(batch, each), strict=True):
        assert torch.equal(a, b)
    for level in range(len(bridges)):  # each of them is looked at
        other = [mask * (k != level) for k, mask in enumerate(each)]
        assert not torch.equal(network(batch, other)[-1], network(batch, each)[-1])
    with pytest.raises(ValueError):
        network(batch, each[1:])


def test_occlude_scales_the_mask_to_each_bridge():
    mask = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).view(1, 1, 2, 2)
    bridges = [torch.ones(1, 3, side, side) for side in (8, 4, 2)]
    for bridge, occluded in zip(bridges, occlude(bridges, mask), strict=True):
        half = bridge.shape[-1] // 2
        quarters = occluded.unfold(2, half, half).unfold(3, half, half)  # (1, 3, 2, 2, half, half)
        assert torch.equal(quarters, mask[..., None, None].expand_as(quarters))
        assert bridge.all(), "the bridge itself was changed"


def test_the_gradient_reaches_a_mask():
    # adversarial occlusion is learned by reward, but nothing in the network stands in a gradient's way
    network = create("hourglass", 3, OPTIONS | {"depth": 2})
    mask = torch.full((1, 1, 4, 4), 0.5, requires_grad=True)
    network(images(1, 3, 32, 32), mask)[-1].square().sum().backward()
    assert (mask.grad != 0).all()


@pytest.mark.parametrize("block", ["residual", "dense"])
def test_stacks_share_no_weights(block):
    network = create("hourglass", 3, OPTIONS | {"depth": 2, "stacks": 2, "block": block})
    # the first stack's maps alone: nothing of the second is in them
    network(images(1, 3, 32, 32))[0].sum().backward()
    assert all(weight.grad is None for weight in network.hourglasses[1].parameters())
    assert all(weight.grad is not None for weight in network.hourglasses[0].parameters())


def test_the_second_stack_reads_the_first_ones_maps():
    network = create("hourglass", 3, OPTIONS | {"depth": 2, "stacks": 2})
    network(images(1, 3, 32, 32))[1].square().sum().backward()
    assert network.heads[0].weight.grad.any() and network.feed_maps[0].weight.grad.any()
