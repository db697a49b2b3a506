"""Losses by hand, what they leave out, and what their minimum is."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from posenb.heatmaps import gaussian, highly_differentiated
from posenb.losses import heatmap_mse, maximum_stability, soft_cross_entropy, weighted_cross_entropy

LOSSES = [heatmap_mse, soft_cross_entropy, weighted_cross_entropy, maximum_stability]


def case(generator, count=6, joints=4, size=(5, 7)):
    """Predictions, non-negative targets and a mask with both kinds of joints, in double precision."""
    pred = torch.randn(count, joints, *size, generator=generator, dtype=torch.float64)
    target = torch.rand(count, joints, *size, generator=generator, dtype=torch.float64)
    visible = torch.rand(count, joints, generator=generator) < 0.6
    assert visible.any() and not visible.all()
    return pred, target, visible


def gradient(loss, pred, target, visible):
    pred = pred.clone().requires_grad_()
    (grad,) = torch.autograd.grad(loss(pred, target, visible), pred)
    return grad


def test_mse_by_hand():
    pred, target = torch.zeros(2, 2, 1, 2), torch.zeros(2, 2, 1, 2)
    pred[0, 0] = torch.tensor([[1.0, 3.0]])  # mean of squares 5
    pred[0, 1] = torch.tensor([[2.0, 0.0]])  # 2
    pred[1, 0] = torch.tensor([[9.0, 9.0]])  # 81, masked
    target[1, 1] = torch.tensor([[0.0, 1.0]])  # 1/2
    visible = torch.tensor([[True, True], [False, True]])
    # over all four maps, the masked one as zero
    assert heatmap_mse(pred, target, visible).item() == (5 + 2 + 0 + 0.5) / 4


def test_mse_equals_torchs_where_everything_is_labelled(generator):
    pred, target, visible = case(generator)
    assert_close(heatmap_mse(pred, target, visible | True), F.mse_loss(pred, target))


def test_cross_entropy_by_hand():
    # softmax of (log 3, 0) is (3/4, 1/4); the targets (2, 2) and (0, 5) become (1/2, 1/2) and (0, 1)
    logits = torch.tensor([math.log(3.0), 0.0]).view(1, 1, 1, 2).expand(1, 3, 1, 2)
    target = torch.tensor([[2.0, 2.0], [0.0, 5.0], [1.0, 0.0]]).view(1, 3, 1, 2)
    visible = torch.tensor([[True, True, False]])
    by_hand = -0.5 * math.log(3 / 4) - 0.5 * math.log(1 / 4) - math.log(1 / 4)
    assert soft_cross_entropy(logits, target, visible).item() == pytest.approx(by_hand / 3)


def test_cross_entropy_equals_torchs_for_a_single_pixel(generator):
    logits = torch.randn(5, 3, 4, 6, generator=generator)
    index = torch.randint(0, 24, (5, 3), generator=generator)
    target = F.one_hot(index, 24).float().view(5, 3, 4, 6)
    expected = F.cross_entropy(logits.view(15, 24), index.view(15))
    assert_close(soft_cross_entropy(logits, target, torch.ones(5, 3).bool()), expected)


def test_cross_entropy_is_least_at_the_normalized_target(generator):
    _, target, visible = case(generator)
    best = target.log() + 3  # softmax does not see the constant
    assert_close(gradient(soft_cross_entropy, best, target, visible), torch.zeros_like(best))
    density = target / target.sum(dim=(-2, -1), keepdim=True)
    entropy = (-(density * density.log()).sum(dim=(-2, -1)) * visible).mean()
    assert_close(soft_cross_entropy(best, target, visible), entropy)
    for _ in range(5):
        other = best + 0.3 * torch.randn(best.shape, generator=generator, dtype=torch.float64)
        assert soft_cross_entropy(other, target, visible) > entropy


def test_cross_entropy_does_not_see_the_height_of_the_target(generator):
    pred, target, visible = case(generator)
    assert_close(soft_cross_entropy(pred, 7 * target, visible), soft_cross_entropy(pred, target, visible))


@pytest.mark.parametrize("loss", LOSSES)
class TestEveryLoss:
    def test_is_zero_and_without_gradient_where_nothing_is_labelled(self, loss, generator):
        pred, target, visible = case(generator)
        assert loss(pred, target, visible & False) == 0
        assert not gradient(loss, pred, target, visible & False).any()

    def test_unlabelled_joints_have_exactly_no_gradient_and_labelled_ones_have(self, loss, generator):
        pred, target, visible = case(generator)
        grad = gradient(loss, pred, target, visible)
        assert torch.equal(grad.flatten(2).ne(0).any(dim=-1), visible)

    def test_what_stands_at_unlabelled_joints_does_not_matter(self, loss, generator):
        pred, target, visible = case(generator)
        others = torch.where(visible[..., None, None], pred, 100.0)
        assert torch.equal(loss(others, target, visible), loss(pred, target, visible))

    def test_a_batch_is_the_mean_of_its_equal_parts_whatever_is_labelled(self, loss, generator):
        pred, target, visible = case(generator)
        visible[0:2], visible[2:4, 1:] = False, True  # a part with no label, and one with nearly all
        parts = [loss(*part) for part in zip(pred.split(2), target.split(2), visible.split(2), strict=True)]
        assert_close(torch.stack(parts).mean(), loss(pred, target, visible))
        grads = [gradient(loss, *part) for part in zip(pred.split(2), target.split(2), visible.split(2), strict=True)]
        assert_close(torch.cat(grads) / 3, gradient(loss, pred, target, visible))

    def test_gradient_is_the_derivative(self, loss, generator):
        pred, target, visible = case(generator, count=2, joints=2, size=(2, 3))
        pred.requires_grad_()
        assert torch.autograd.gradcheck(lambda p: loss(p, target, visible), pred)

    def test_points_that_are_nan_or_far_outside_are_no_trouble(self, loss, generator):
        nan = float("nan")
        points = torch.tensor([[[nan, nan], [500.0, -80.0], [8.0, 8.0]]])
        target = gaussian(points, (8, 8), 2, 1.5)
        pred = torch.randn(1, 3, 8, 8, generator=generator)
        visible = torch.tensor([[False, True, True]])
        assert loss(pred, target, visible).isfinite()
        assert gradient(loss, pred, target, visible).isfinite().all()


@pytest.mark.parametrize("mass", [0.0, 1e-30, 1e-14, 1e-4])
def test_cross_entropy_leaves_out_empty_targets(mass, generator):
    pred, target, visible = case(generator)
    target[:, 1] = 0
    target[:, 1, 0, 0] = mass
    visible[:] = True
    grad = gradient(soft_cross_entropy, pred, target, visible)
    assert grad.isfinite().all()
    assert grad.flatten(2).ne(0).any(dim=-1).tolist() == [[True, False, True, True]] * len(pred)
    visible[:, 1] = False
    assert torch.equal(grad, gradient(soft_cross_entropy, pred, target, visible))


def test_cross_entropy_takes_large_logits():
    logits = torch.tensor([2e4, -2e4, 0.0, 1e4]).view(1, 1, 2, 2)
    target = torch.tensor([1.0, 0.0, 1.0, 0.0]).view(1, 1, 2, 2)
    loss = soft_cross_entropy(logits, target, torch.ones(1, 1).bool())
    assert loss.item() == pytest.approx(1e4)  # (0 + 2e4) / 2
    assert gradient(soft_cross_entropy, logits, target, torch.ones(1, 1).bool()).isfinite().all()


def log_softmax(logits):
    return logits.flatten(-2).log_softmax(dim=-1).unflatten(-1, logits.shape[-2:])


class TestWeightedCrossEntropy:
    def test_by_hand(self):
        r = torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]]).view(1, 2, 1, 3)
        w = torch.tensor([[1.0, 0.7, 0.0], [0.0, 0.0, 0.0]]).view(1, 2, 1, 3)
        visible = torch.ones(1, 2, dtype=torch.bool)
        printed = -math.log(0.5) - 0.7 * math.log(0.25)
        # the second joint has no weight: zero
        assert weighted_cross_entropy(r.log(), w, visible, normalize=False).item() == pytest.approx(printed / 2)
        assert weighted_cross_entropy(r.log(), w, visible).item() == pytest.approx(printed / 1.7 / 2)

    def test_its_least_values_are_those_computed_by_hand_for_the_papers_map(self):
        weights = highly_differentiated(torch.tensor([[[32.5, 32.5]]], dtype=torch.float64), (64, 64), 1)
        best = weights / weights.sum()
        one = torch.ones(1, 1, dtype=torch.bool)
        # -inf where the weight is 0
        assert weighted_cross_entropy(best.log(), weights, one, normalize=False).item() == pytest.approx(
            274.1, abs=0.05
        )
        assert weighted_cross_entropy(best.log(), weights, one).item() == pytest.approx(5.37, abs=0.005)
        flat = torch.full_like(weights, 1 / 4096).log()
        assert weighted_cross_entropy(flat, weights, one, normalize=False).item() == pytest.approx(424, abs=0.5)

    def test_is_least_at_the_weights_made_to_sum_to_1(self, generator):
        _, weights, visible = case(generator)
        best = weights.log()

        def loss(logits, weights, visible):
            return weighted_cross_entropy(log_softmax(logits), weights, visible)

        assert_close(gradient(loss, best, weights, visible), torch.zeros_like(best))
        for _ in range(5):
            other = best + 0.3 * torch.randn(best.shape, generator=generator, dtype=torch.float64)
            assert loss(other, weights, visible) > loss(best, weights, visible)

    def test_minus_infinity_is_no_trouble_where_nothing_is_weighed_or_labelled(self):
        log_r = torch.tensor([[0.0, -math.inf], [-math.inf, 0.0]]).view(1, 2, 1, 2).requires_grad_()
        weights = torch.tensor([[1.0, 0.0], [1.0, 0.0]]).view(1, 2, 1, 2)
        loss = weighted_cross_entropy(log_r, weights, torch.tensor([[True, False]]))
        (grad,) = torch.autograd.grad(loss, log_r)
        assert loss.item() == 0 and grad.isfinite().all()


class TestMaximumStability:
    def test_by_hand(self):
        clean = torch.tensor([[0.0, 1.0, 0.5, 0.0], [2.0, 0.0, 0.0, 0.0]]).view(1, 2, 2, 2)
        perturbed = torch.tensor([[0.0, 0.4, 0.9, 0.0], [0.0, 0.0, 0.0, 2.0]]).view(1, 2, 2, 2)
        visible = torch.ones(1, 2, dtype=torch.bool)
        # at the clean maximum's place, though the second map's maximum is as high as before
        first, second = (0.6**2 + 0.4**2) / 4 + 0.6**2, (4 + 4) / 4 + 4
        assert maximum_stability(clean, perturbed, visible).item() == pytest.approx((first + second) / 2)

    def test_both_branches_get_opposite_gradients(self, generator):
        clean, perturbed, visible = case(generator)
        clean.requires_grad_(), perturbed.requires_grad_()
        one, other = torch.autograd.grad(maximum_stability(clean, perturbed, visible), (clean, perturbed))
        assert one.any()
        assert_close(one, -other)

    def test_nothing_changed_costs_nothing(self, generator):
        clean, _, visible = case(generator)
        assert maximum_stability(clean, clean.clone(), visible) == 0
