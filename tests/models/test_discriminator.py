"""Discriminators: shapes, what they read, and that weights follow from the seed."""

import pytest
import torch

from posenb.models import discriminator

SMALL = {"widths": (8, 8)}
HOURGLASS = {"channels": 16, "blocks": 1, "depth": 2}
KINDS = [("small", SMALL), ("hourglass", HOURGLASS)]


@pytest.fixture
def seen(generator):
    """Images ``(2, 3, 32, 32)`` and maps ``(2, 5, 16, 16)``."""
    return torch.rand(2, 3, 32, 32, generator=generator), torch.rand(2, 5, 16, 16, generator=generator)


@pytest.mark.parametrize(("name", "options"), KINDS)
class TestEachForm:
    def test_answers_maps_like_those_it_is_given(self, name, options, seen):
        network = discriminator.create(name, 5, options)
        assert network(*seen).shape == seen[1].shape

    def test_reads_both_the_image_and_the_maps(self, name, options, seen):
        images, maps = (part.clone().requires_grad_() for part in seen)
        discriminator.create(name, 5, options)(images, maps).square().sum().backward()
        assert images.grad.any() and maps.grad.any()

    @torch.no_grad()
    def test_judges_each_pose_alone(self, name, options, seen):
        network = discriminator.create(name, 5, options).train()
        torch.testing.assert_close(network(*(part[1:] for part in seen)), network(*seen)[1:])

    @torch.no_grad()
    def test_weights_follow_from_the_seed_and_nothing_else_is_drawn(self, name, options, seen):
        state = torch.random.get_rng_state()
        answers = [discriminator.create(name, 5, options, seed)(*seen) for seed in (1, 1, 2)]
        assert torch.equal(answers[0], answers[1]) and not torch.equal(answers[0], answers[2])
        assert torch.equal(state, torch.random.get_rng_state())


def test_a_map_pixel_sees_the_image_pixels_that_it_covers():
    images = torch.arange(16.0).view(1, 1, 4, 4).expand(1, 3, 4, 4)
    both = discriminator.beside(images, torch.zeros(1, 2, 2, 2))
    assert both.shape == (1, 5, 2, 2)
    assert both[0, 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]


def test_what_is_not_known_is_refused():
    with pytest.raises(ValueError, match="discriminator must be one of small, hourglass"):
        discriminator.create("large", 5)
    with pytest.raises(ValueError, match="has no option depth"):
        discriminator.create("small", 5, {"depth": 3})
    with pytest.raises(ValueError, match="widths must be at least 1"):
        discriminator.create("small", 5, {"widths": [8, 0]})
