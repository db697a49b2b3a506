"""The rivals' parts: what they change, by how much, and what they leave alone."""

import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from posenb import rivals


@pytest.fixture
def images(generator):
    return torch.rand(6, 3, 24, 32, generator=generator)


def fresh(seed=1):
    return torch.Generator().manual_seed(seed)


CHANGES = {
    "noise": lambda x, g: rivals.add_noise(x, 0.1, g),
    "patch": lambda x, g: rivals.patch_gaussian(x, 0.8, 0.5, g),
    "augmix": lambda x, g: rivals.augmix(x, 3.0, g),
    "attack": lambda x, g: rivals.attack(lambda y: (y - x).square().sum(), x, 0.02, 2, g),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changes_follow_from_the_generator_and_stay_in_range(change, images):
    before = images.clone()
    once, again, other = change(images, fresh()), change(images, fresh()), change(images, fresh(2))
    assert torch.equal(once, again) and not torch.equal(once, other)
    assert torch.equal(images, before)
    assert once.shape == images.shape and once.min() >= 0 and once.max() <= 1
    assert not torch.equal(once, images)


class TestAttack:
    def test_stays_within_the_radius_and_raises_the_loss(self, images, generator):
        weights = torch.randn(images.shape, generator=generator)

        def loss(x):
            return (x * weights).sum()

        found = rivals.attack(loss, images, 0.05, 3, fresh())
        assert (found - images).abs().max() <= 0.05 + 1e-6
        assert not found.requires_grad
        # of a linear loss the best is known: each pixel goes to the end of its range
        best = torch.where(weights > 0, (images + 0.05).clamp(max=1), (images - 0.05).clamp(min=0))
        assert loss(images) < loss(found) <= loss(best) + 1e-3
        assert (loss(found) - loss(images)) > 0.9 * (loss(best) - loss(images))

    def test_leaves_no_gradient_on_a_network(self, images):
        network = nn.Conv2d(3, 1, 3)
        rivals.attack(lambda x: network(x).square().mean(), images, 0.05, 1, fresh())
        assert all(weight.grad is None for weight in network.parameters())


class TestPatchGaussian:
    def test_changes_one_rectangle_no_larger_than_allowed(self, images):
        changed = (rivals.patch_gaussian(images, 0.5, 0.5, fresh()) != images).any(dim=1)
        for mask in changed:
            rows, columns = mask.nonzero().unbind(-1)
            if len(rows):
                height, width = rows.max() - rows.min() + 1, columns.max() - columns.min() + 1
                assert max(height, width) <= 0.5 * 24 + 1
                assert mask.sum() > 0.8 * height * width  # the noise may be cut off at 0 and 1
        assert changed.any(dim=(1, 2)).sum() >= 3 and not changed.all()


class TestAugmix:
    def test_is_a_mixture_so_a_grey_image_stays_as_it_is(self):
        # all operations leave a constant at 0 alone
        zero = torch.zeros(4, 3, 16, 16)
        assert torch.equal(rivals.augmix(zero, 3.0, fresh()), zero)

    def test_each_image_is_mixed_by_itself(self, images):
        mixed = rivals.augmix(images, 3.0, fresh())
        others = images.clone()
        others[1:] = 0.3
        assert_close(rivals.augmix(others, 3.0, fresh())[0], mixed[0])

    def test_operations_by_hand(self):
        ramp = (torch.arange(256.0) / 255).repeat_interleave(16).view(1, 1, 64, 64).expand(1, 3, 64, 64)
        level = torch.tensor([2.5])
        autocontrast, equalize, posterize, solarize = (op(ramp * 0.5 + 0.2, level) for op in rivals.OPERATIONS)
        assert_close(autocontrast, ramp.contiguous())
        assert equalize.max() == 1 and equalize.min() == 0
        assert len(posterize.unique()) == 5  # 51 ... 178.5 in steps of 2^(4 + 1) = 32: from 32 to 160
        assert_close(posterize.unique() * 255, torch.tensor([32.0, 64, 96, 128, 160]))
        inverted = (ramp * 0.5 + 0.2) >= 0.75
        assert_close(solarize, torch.where(inverted, 0.8 - ramp * 0.5, ramp * 0.5 + 0.2))
        assert not inverted.any()
        assert_close(rivals.OPERATIONS[3](ramp.contiguous(), level), torch.where(ramp >= 0.75, 1 - ramp, ramp))

    def test_a_flat_image_has_no_contrast_to_stretch(self):
        flat = torch.full((1, 3, 8, 8), 0.4)
        assert torch.equal(rivals.OPERATIONS[0](flat, torch.ones(1)), flat)


class TestLosses:
    def test_disagreement_by_hand(self):
        a, b, c = torch.zeros(1, 2, 1, 2), torch.zeros(1, 2, 1, 2), torch.zeros(1, 2, 1, 2)
        a[0, 0, 0, 0], b[0, 0, 0, 0] = 3.0, 0.0
        a[0, 1], b[0, 1] = 100.0, -100.0
        visible = torch.tensor([[True, False]])
        # 3, 0, 0 about 1: (4 + 1 + 1) / 3 at one pixel of two, one joint of two
        assert rivals.disagreement([a, b, c], visible).item() == pytest.approx(2 / 2 / 2)
        assert rivals.disagreement([a, a, a], visible) == 0

    def test_change_norm_by_hand(self):
        clean, perturbed = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
        perturbed[0, 0] = torch.tensor([[3.0, 0.0], [0.0, 4.0]])
        perturbed[0, 1] = 9.0
        visible = torch.tensor([[True, False, True]])
        assert rivals.change_norm(clean, perturbed, visible).item() == pytest.approx(5 / 3)

    def test_change_norm_has_a_gradient_where_nothing_changed(self):
        clean = torch.zeros(1, 1, 2, 2, requires_grad=True)
        loss = rivals.change_norm(clean, clean.detach().clone(), torch.ones(1, 1).bool())
        (grad,) = torch.autograd.grad(loss, clean)
        assert loss == 0 and not grad.any()


class TestLipschitz:
    def network(self):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 20, 1), nn.Linear(5, 2))

    def test_gains_are_limited_and_smaller_ones_left_alone(self):
        network = self.network()
        with torch.no_grad():
            network[0].weight.mul_(50)
            network[1].weight[3] = 40.0
            network[1].running_var.fill_(4.0)
            network[2].weight.mul_(0.01)
        small = network[2].weight.clone()
        rivals.limit_lipschitz(network, 2.0)
        gain = torch.linalg.matrix_norm(network[0].weight.flatten(1), 2).item()
        assert gain == pytest.approx(2.0, rel=1e-4)
        assert network[1].weight[3].item() == pytest.approx(4.0, rel=1e-4)  # 4 / sqrt(4) = 2
        assert torch.equal(network[2].weight, small)

    def test_transposed_and_synchronised_layers_are_limited_alike(self):
        with torch.random.fork_rng([]):
            torch.default_generator.manual_seed(0)
            up = nn.ConvTranspose2d(8, 4, 4, bias=False)
        norm = nn.SyncBatchNorm(3)
        with torch.no_grad():
            up.weight.mul_(50)
            norm.weight.fill_(50.0)
        rivals.limit_lipschitz(nn.Sequential(up, norm), 2.0)
        outputs_by_all_else = up.weight.transpose(0, 1).flatten(1)
        assert torch.linalg.matrix_norm(outputs_by_all_else, 2).item() == pytest.approx(2.0, rel=1e-4)
        assert norm.weight.tolist() == pytest.approx([2.0] * 3, rel=1e-4)

    def test_a_network_without_weight_is_no_trouble(self):
        network = self.network()
        with torch.no_grad():
            for weight in network.parameters():
                weight.zero_()
        rivals.limit_lipschitz(network, 2.0)
        assert all(math.isfinite(weight.sum().item()) for weight in network.parameters())
