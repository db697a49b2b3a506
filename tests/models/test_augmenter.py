"""The augmentation networks: what they read, what they say, and that nothing flows back."""

import pytest
import torch
from torch import nn

from posenb import models
from posenb.models import augmenter
from posenb.models.augmenter import Direct, Occluder, ScaleRotation, Shape, bridge_shapes

KINDS = [ScaleRotation, Occluder, Direct]
SHAPES = [Shape(24, (16, 16)), Shape(40, (8, 8)), Shape(16, (4, 4))]


@pytest.fixture(autouse=True)
def same_weights():
    """Layers draw their weights from the global generator."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        yield


def bridges(shapes=SHAPES, seed=0, grad=False):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(2, s.channels, *s.size, generator=generator).requires_grad_(grad) for s in shapes]


def tensors(out):
    return list(out) if isinstance(out, tuple) else [out]


def test_shapes_of_what_they_say():
    scale, rotation = ScaleRotation(SHAPES)(*bridges())
    assert scale.shape == (2, 7) and rotation.shape == (2, 9)
    assert Occluder(SHAPES)(*bridges()).shape == (2, 16)
    exponent, angle = Direct(SHAPES)(*bridges())
    assert exponent.shape == angle.shape == (2,)
    assert exponent.abs().max() <= 0.6 and angle.abs().max() <= 180


@pytest.mark.parametrize("kind", KINDS)
def test_no_gradient_reaches_the_bridges_and_every_weight_learns(kind):
    read, network = bridges(grad=True), kind(SHAPES)
    sum((part * torch.randn_like(part)).sum() for part in tensors(network(*read))).backward()
    assert all(bridge.grad is None for bridge in read)
    assert not [key for key, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_every_resolution_is_read_and_each_image_alone(kind):
    network = kind(SHAPES)
    whole = tensors(network(*bridges()))[0]
    for level in range(len(SHAPES)):
        other = bridges()
        other[level] = other[level] * 2 + 1
        assert not torch.allclose(tensors(network(*other))[0], whole)
    alone = tensors(network(*(bridge[1:] for bridge in bridges())))[0]
    assert torch.allclose(alone, whole[1:], atol=1e-5)


@pytest.mark.parametrize(("lowest", "grid"), [((4, 4), (4, 4)), ((2, 3), (2, 3)), ((8, 6), (4, 4)), ((1, 8), (1, 4))])
@torch.no_grad()
def test_the_grid_follows_the_lowest_resolution_up_to_4(lowest, grid):
    shapes = [Shape(8, (2 * lowest[0], 2 * lowest[1])), Shape(8, lowest)]
    assert augmenter.grid(shapes) == grid
    assert Occluder(shapes)(*bridges(shapes)).shape == (2, grid[0] * grid[1])


@torch.no_grad()
def test_a_cell_of_the_grid_lies_where_its_features_lie():
    shapes = [Shape(16, (4, 4))]
    network, read = Occluder(shapes), bridges(shapes)
    read[0][1] = read[0][0]
    read[0][1, :, 2, 3] += 3
    first, second = network(*read).view(2, 4, 4)
    changed = (second - first).abs()
    assert changed.argmax() == 2 * 4 + 3


@pytest.mark.parametrize(
    ("name", "options"),
    [("small", {}), ("hourglass", {"channels": 16, "blocks": 1, "depth": 3, "stem": 2, "stacks": 2})],
)
def test_pose_networks_show_their_bridges_shapes_and_stay_as_they_are(name, options):
    network = models.create(name, 3, options)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    shapes = bridge_shapes(network, (64, 96))
    assert [shape.size for shape in shapes] == [(32, 48), (16, 24), (8, 12), (4, 6)]
    assert network.training
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_a_network_of_ones_own_will_do():
    class Own(nn.Module):
        def forward_bridges(self, images, mask=None):
            return [images], [images, images[..., ::4, ::4]]

    shapes = bridge_shapes(Own(), (16, 32))
    assert shapes == [Shape(3, (16, 32)), Shape(3, (4, 8))]
    assert Occluder(shapes)(*bridges(shapes)).shape == (2, 16)


def test_a_network_without_bridges_is_refused():
    with pytest.raises(ValueError, match="needs a network with forward_bridges"):
        bridge_shapes(nn.Conv2d(3, 3, 1), (16, 16))


def test_the_seed_decides_the_weights_and_the_global_state_is_left_alone():
    before = torch.get_rng_state()
    first, again, other = (augmenter.create(Occluder, seed, SHAPES).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)
