"""Stability metrics: cases by hand, floors, and what they must not see."""

import math

import pytest
import torch

from posenb.heatmaps import gaussian, highly_differentiated
from posenb.metrics.stability import (
    concentration,
    concentration_floor,
    corruption_scores,
    displacement,
    gaps,
    gaussian_gap,
    peak_gap,
    ruc,
    spreads,
    squared_moves,
    stable_share,
)

STILL = torch.zeros(2, 3, 2)


def moved(distances):
    """Answers that moved by these distances, ``(2, 3)``, in a direction of their own each."""
    distances = torch.tensor(distances)
    angle = torch.arange(6).reshape(2, 3)
    return torch.stack([distances * angle.cos(), distances * angle.sin()], dim=-1)


DISTANCES = [[0.0, 3.0, 1.5], [10.0, 4.5, 100.0]]


def test_displacement_by_hand():
    expected = [[0, 9, 2.25], [100, 20.25, 10_000]]
    assert squared_moves(STILL, moved(DISTANCES)).tolist() == [pytest.approx(row, rel=1e-6) for row in expected]
    assert displacement(STILL, moved(DISTANCES)) == pytest.approx(sum(map(sum, expected)) / 6)


def test_ruc_by_hand_counts_equality():
    # of the limits 1 ... 10: all ten; 3 ... 10; 2 ... 10; 10 alone; 5 ... 10; none
    distances = [[0.0, 3.0, 1.5], [10.0, 4.5, 100.0]]
    along = torch.zeros(2, 3, 2)
    along[..., 0] = torch.tensor(distances)
    assert stable_share(STILL, along, 10).tolist() == [[1.0, 0.8, 0.9], [0.1, 0.6, 0.0]]
    assert ruc(STILL, along, 10) == pytest.approx((1 + 0.8 + 0.9 + 0.1 + 0.6) / 6)


def test_a_constant_answer_is_perfectly_stable():
    assert displacement(STILL + 7, STILL + 7) == 0 and ruc(STILL, STILL, 30) == 1


def test_ruc_falls_with_every_move_and_rises_with_the_range(generator):
    far = torch.randn(2, 3, 2, generator=generator) * 10
    assert ruc(STILL, 2 * far, 30) <= ruc(STILL, far, 30) <= ruc(STILL, far, 60) <= 1


def test_wrong_shapes_and_ranges_are_refused():
    with pytest.raises(ValueError, match=r"\(B, K, 2\)"):
        displacement(STILL, STILL[:, :2])
    with pytest.raises(ValueError, match="max_pixels"):
        ruc(STILL, STILL, 0)
    with pytest.raises(ValueError, match="n must be"):
        concentration(torch.zeros(1, 1, 4, 4), 17)


@pytest.mark.parametrize("n, floor", [(1, 0), (5, 4), (9, 12), (13, 28), (64, 652)])
def test_the_floor_is_that_of_the_nearest_pixels(n, floor):
    assert concentration_floor(n) == floor


@pytest.mark.parametrize("sigma", [2.0, 5.0])
def test_a_single_gaussian_has_the_floor_and_two_have_more(sigma):
    # off the centre of its pixel by less than ties allow: rings stay in order
    maps = gaussian(torch.tensor([[[30.5, 25.5]]], dtype=torch.float64), (64, 64), 1, sigma)
    assert concentration(maps) == pytest.approx(652, abs=0)
    other = gaussian(torch.tensor([[[50.5, 50.5]]], dtype=torch.float64), (64, 64), 1, sigma)
    assert concentration(maps + 0.9 * other) > 3 * 652


def test_spreads_by_hand():
    maps = torch.zeros(1, 2, 5, 5)
    maps[0, 0, 0, 0], maps[0, 0, 3, 4], maps[0, 0, 1, 0] = 3.0, 2.0, 1.0
    maps[0, 1, 2, 2], maps[0, 1, 2, 3], maps[0, 1, 1, 1] = -1.0, -2.0, -3.0
    maps[0, 1] -= 5 * (maps[0, 1] == 0)
    assert spreads(maps, 3).tolist() == [[25 + 1, 1 + 2]]
    assert concentration(maps, 3) == (26 + 3) / 2


def test_gap_by_hand_does_not_see_the_height():
    maps = torch.tensor([[8.0, 6.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0], [5.0, 5.0, 1.0, 0.0]]).view(1, 3, 2, 2)
    assert gaps(maps).tolist() == [[0.25, 0.0, 0.0]]
    assert peak_gap(maps / 1000) == pytest.approx(0.25 / 3)


def test_ideal_gaps():
    points = torch.tensor([[[30.5, 25.5]]], dtype=torch.float64)
    assert peak_gap(highly_differentiated(points, (64, 64), 1)) == pytest.approx(0.3)
    for sigma in (1.0, 3.0):
        assert peak_gap(gaussian(points, (64, 64), 1, sigma)) == pytest.approx(gaussian_gap(sigma))
    # the paper's baselines, .048 and .055, are those of sigma 3.2 and 3.0
    assert gaussian_gap(3.2) == pytest.approx(0.048, abs=5e-4) and gaussian_gap(3.0) == pytest.approx(0.055, abs=1e-3)


def test_a_gaussian_anywhere_in_its_pixel_has_a_third_of_the_gap():
    # u off the centre along an axis, the next pixel there is higher: the gap's exponent is (1 - 2u) / 2 sigma^2, and
    # the larger of two u in [0, 1/2] has a mean of 1/3
    generator = torch.Generator().manual_seed(0)
    points = 30 + torch.rand(4000, 1, 2, generator=generator, dtype=torch.float64)
    assert peak_gap(gaussian(points, (64, 64), 1, 3.0)) == pytest.approx(1 / 3 / 18, rel=0.04)


def test_corruption_scores():
    scores = corruption_scores(0.8, torch.tensor([[0.8, 0.6], [0.4, 0.2]]))
    assert scores.mpc == pytest.approx(0.5) and scores.rpc == pytest.approx(0.625)
    assert math.isnan(corruption_scores(0.0, torch.zeros(1, 1)).rpc)
