"""Which joints are right, image by image."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from posenb import metrics
from posenb.experiments import accuracy
from tests.tiny import tiny_data


def test_hits_by_hand():
    data = tiny_data(2)
    visible = data.visible.clone()
    visible[0, 3] = False
    data = replace(data, visible=visible, reference=torch.tensor([10.0, float("nan")]))
    points = data.points.clone()
    points[0, 0, 0] += 1.9  # of 2 allowed
    points[0, 1, 0] += 2.1
    found = accuracy.hits(points, data)
    assert found.shape == (2, 2, 14)
    assert_array_equal(found[0, 0], [1, 0, 1, 0] + [1] * 10)
    assert_array_equal(found[0, 1], [1, 1, 1, 0] + [1] * 10)
    assert not found[1].any()  # nobody knows how long its torso is


def test_the_mean_of_hits_is_the_metric():
    data = tiny_data(30)
    points = data.points + torch.randn(data.points.shape, generator=torch.Generator().manual_seed(0)) * 1.5
    expected = metrics.pck(points, data.points, data.visible, data.reference, 0.2).mean
    assert 0.1 < expected < 0.9
    assert accuracy.pck(accuracy.hits(points, data).mean(axis=0)) == pytest.approx(expected)
    # a joint that is labelled nowhere is left out
    mean = accuracy.hits(points, data).mean(axis=0)
    without = np.delete(mean, 4, axis=1)
    mean[:, 4] = 0
    assert accuracy.pck(mean) == pytest.approx(accuracy.pck(without))
