"""The supervised method."""

import pytest
import torch

from posenb import augment
from posenb.methods.supervised import Options
from tests.tiny import tiny_data, tiny_method


def sample_of(data):
    return augment.apply(data.batch(torch.arange(len(data))), augment.still(len(data)), (32, 32), data.skeleton)


@pytest.mark.parametrize("loss", ["mse", "soft_cross_entropy"])
def test_joints_without_a_label_teach_nothing(loss):
    method, sample = tiny_method(loss=loss), sample_of(tiny_data(2))
    hidden = sample._replace(visible=torch.zeros_like(sample.visible))
    method.loss(method.network(sample.images), hidden).backward()
    assert all(weight.grad is None or not weight.grad.any() for weight in method.parameters())


@pytest.mark.parametrize("loss", ["mse", "soft_cross_entropy"])
def test_the_loss_is_lowest_at_the_target(loss):
    method, sample = tiny_method(loss=loss), sample_of(tiny_data(2))
    target = method.target(sample)
    perfect = [target if loss == "mse" else target.clamp(min=1e-30).log()]
    at_best = method.loss(perfect, sample)
    for _ in range(5):
        worse = [perfect[0] + 0.1 * torch.randn_like(target)]
        assert method.loss(worse, sample) > at_best


def test_answers_of_a_cross_entropy_network_are_probabilities():
    method, data = tiny_method(), tiny_data(3)
    maps = method.eval().heatmaps(augment.center(data.images, data.size))
    assert maps.sum(dim=(-2, -1)).flatten().tolist() == pytest.approx([1] * 42, abs=1e-4)


def test_predictions_are_in_pixels_of_the_sample_proper():
    method, data = tiny_method().eval(), tiny_data(3, size=40)
    points, scores = method.predict(data.images)  # 4 pixels of margin are cut off
    inner, _ = method.predict(augment.center(data.images, (32, 32)))
    assert points.shape == (3, 14, 2) and scores.shape == (3, 14)
    assert torch.equal(points, inner)
    assert (points >= 0).all() and (points <= 32).all()


def test_an_unknown_loss_is_refused():
    with pytest.raises(ValueError, match="loss must be one of mse, soft_cross_entropy"):
        Options(loss="l3")
