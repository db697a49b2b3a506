"""Why a network that learns from itself forgets: the small computations agree with their formulas."""

import pytest
import torch

from posenb import augment
from posenb.experiments import collapse_theory as theory


def test_a_wrong_peak_costs_twice_an_empty_map_and_a_right_one_nothing():
    assert theory.costs(1.5, 9).aside == pytest.approx(2, abs=1e-3)
    assert theory.costs(1.5, 0).aside == 0
    assert theory.costs(1.5, 2).aside < theory.costs(1.5, 4).aside
    # the height where a peak aside costs as much as none: exp(-d^2 / 4 sigma^2) = 1 / 2
    limit = (4 * 1.5**2 * torch.tensor(2.0).log()).sqrt().item()
    assert theory.costs(1.5, limit).aside == pytest.approx(1, abs=1e-3)


def test_the_foreground_is_a_few_pixels():
    # 37 whole pixels lie within sigma sqrt(2 log 10) = 3.2 of a pixel's centre
    assert theory.costs(1.5, 0).foreground == pytest.approx(37 / 32**2)


@pytest.mark.parametrize("spread", [0.5, 1.5, 3.0])
def test_the_best_answer_to_scattered_peaks_is_as_high_as_the_formula_says(spread):
    mean = theory.mean_answer(1.5, spread)
    assert mean.max().item() == pytest.approx(theory.height_after(1, 1.5, spread), abs=0.04)


def test_the_best_height_is_the_agreement():
    agreements = [0.0, 0.25, 0.5, 0.8, 1.0]
    assert theory.best_heights(agreements) == pytest.approx(agreements, abs=0.011)


def test_carrying_lowers_a_peak_each_time_and_not_at_all_where_nothing_moves(generator):
    moving = theory.carried(1.5, 3, augment.Family(rotation=30, scale=0.1), generator)
    assert (moving.diff() < -0.01).all()
    still = theory.carried(1.5, 3, augment.NONE, generator)
    torch.testing.assert_close(still, torch.ones(4), atol=1e-4, rtol=0)
