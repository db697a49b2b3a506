"""Loss over rotation, and ADA-1's statistic."""

import numpy as np
import pytest
import torch

from posenb import augment
from posenb.experiments.rotation import bowl_depth, loss_over_rotation
from tests.tiny import tiny_data, tiny_method


def test_bowl_depth_by_hand():
    bowl = [[3.0, 1.0, 2.0], [4.0, 2.0, 5.0]]
    assert bowl_depth(np.array(bowl)) == 1.0  # both stages: the lower end is twice the middle
    assert bowl_depth(np.array([*bowl, [0.5, 1.0, 3.0]])) == -0.5  # one end below the middle: no bowl


def test_the_loss_at_zero_degrees_is_the_loss_of_the_images_as_they_are():
    method, data = tiny_method(loss="mse").eval(), tiny_data(6)
    losses = loss_over_rotation(method, data, (-30, 0, 30))
    assert losses.shape == (6, 3)
    sample = augment.apply(data.batch(torch.arange(6)), augment.still(6), (32, 32), data.skeleton)
    with torch.inference_mode():
        whole = method.loss(method.network(sample.images), sample).item()
    assert sample.visible.all()
    assert losses[:, 1].mean() == pytest.approx(whole, rel=1e-5)


def test_each_image_has_its_own_loss():
    method, data = tiny_method(loss="mse").eval(), tiny_data(4)
    together = loss_over_rotation(method, data, (20,))
    alone = [loss_over_rotation(method, data[[k]], (20,))[0, 0] for k in range(4)]
    assert together[:, 0] == pytest.approx(np.array(alone), rel=1e-5)
