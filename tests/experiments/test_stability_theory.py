"""The paper's theorems: exact where it is right, and the counter-examples where it is not."""

import math

import pytest
import torch

from posenb.experiments.stability_theory import (
    Peak,
    counterexample,
    expansion,
    figure3,
    heatmap,
    theorem3,
    theorem_error,
    weight,
    weight_on_a_fine_grid,
)
from posenb.heatmaps import rcc


def random_peaks(count, generator, size=64):
    values = torch.rand(count, 4, generator=generator, dtype=torch.float64)
    return [
        Peak(row * size, column * size, 1 + 6 * sigma, 0.1 + height) for row, column, sigma, height in values.tolist()
    ]


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_theorems_1_and_2_hold_to_float64_precision(count, generator):
    # places anywhere, so that Gaussians are cut off at borders as well
    errors = [theorem_error(random_peaks(count, generator), 64) for _ in range(50)]
    assert max(errors) < 1e-13


def test_theorem_1_needs_a_separable_peak_not_a_round_one():
    i = torch.arange(64, dtype=torch.float64) - 32
    along = torch.outer((-(i**2) / 8).exp(), (-(i**2) / 50).exp())  # an ellipse along the axes
    assert (rcc(along) - along).abs().max() < 1e-14
    turned = (-((i[:, None] + i) ** 2) / 50 - (i[:, None] - i) ** 2 / 8).exp()
    assert (rcc(turned) - turned).abs().max() > 0.15


@pytest.mark.parametrize("sigma", [2.0, 3.0, 5.0])
@pytest.mark.parametrize("offset", [0, 8, 16, 24])
def test_the_weight_in_closed_form(sigma, offset):
    peak = Peak(50.0, 50.0 + offset, sigma)
    assert weight(peak, 128) == pytest.approx(weight_on_a_fine_grid(peak), rel=1e-12)


def test_the_weight_falls_with_the_distance_from_the_diagonal_not_from_the_centre():
    corner, center = Peak(14, 14, 3.0), Peak(31.5, 31.5, 3.0)
    assert weight(corner, 64) == pytest.approx(weight(center, 64), rel=1e-6)
    near = Peak(27, 37, 3.0)  # closer to the centre than the corner, but 10 pixels off the diagonal
    assert weight(near, 64) < 0.1 * weight(corner, 64)


def test_figure_3():
    cases = figure3()
    narrow, wide = (16, 16), (48, 48)
    after = cases["variance"].after
    assert set(cases["variance"].peaks_before) == {narrow, wide}
    assert (after[narrow] / after[wide]).item() == pytest.approx(2 / 5, rel=1e-5)  # sigma against sigma
    assert cases["center"].peaks_before == [(24, 24), (40, 54)] and cases["center"].peaks_after == [(24, 24)]
    assert set(cases["equal"].peaks_before) == {(16, 48), (48, 16)}
    assert set(cases["equal"].peaks_after) == {(16, 16), (48, 48)}  # on the diagonal, where no joint is


def test_the_joint_terms_are_counted():
    peaks = [Peak(16, 48, 3.0), Peak(48, 16, 3.0)]
    own = sum(weight(p, 64) * heatmap([p], 64) for p in peaks)
    assert (expansion(peaks, 64) - own).max() > 1  # without them Theorem 2 would be wrong here by more than it is


def perverse(kind, generator, count=64):
    """A map and a change that tries to move its maximum, ``(8, 8)`` each."""
    heights = torch.rand(count, generator=generator, dtype=torch.float64)
    place = int(heights.argmax())
    second = heights.index_fill(0, torch.tensor([place]), -1.0).argmax()
    gap = heights[place] - heights[second]
    scale = 2 * gap * torch.rand(1, generator=generator, dtype=torch.float64)
    change = torch.zeros(count, dtype=torch.float64)
    if kind == "noise":
        change = scale * torch.randn(count, generator=generator, dtype=torch.float64)
    elif kind == "against the maximum":
        share = torch.rand(1, generator=generator, dtype=torch.float64) ** 4
        change[place], change[second] = (-scale * share).item(), (scale * (1 - share)).item()
    elif kind == "worst for the printed bound":
        # D(1) = D(j) / (HW) is where |D1| + |Dj| most exceeds sqrt(D1^2 + Dj^2 + HW D1^2)
        scale = gap * (0.97 + 0.02 * scale / gap)  # from 3% below the gap to 1% above it
        change[place], change[second] = (-scale / count).item(), scale.item()
    return heights.view(8, 8), change.view(8, 8)


@pytest.mark.parametrize("kind", ["noise", "against the maximum", "worst for the printed bound"])
def test_the_corrected_conditions_keep_the_maximum(kind, generator):
    found = [theorem3(*perverse(kind, generator)) for _ in range(1000)]
    assert all(c.kept for c in found if c.gap >= c.corrected)
    assert all(c.kept for c in found if c.gap >= c.tight)
    assert all(c.tight <= c.corrected * (1 + 1e-12) for c in found)  # so it says more
    # neither is empty, and neither always true
    assert 0 < sum(c.gap >= c.tight for c in found) < 1000
    if kind != "noise":
        assert 0 < sum(c.gap >= c.corrected for c in found) < 1000


def test_the_printed_condition_has_counter_examples(generator):
    found = [theorem3(*perverse("worst for the printed bound", generator)) for _ in range(1000)]
    assert any(c.gap >= c.printed and not c.kept for c in found)


def test_the_counter_example():
    c = counterexample()
    assert c.gap == pytest.approx(0.50007, abs=1e-12)
    assert c.printed == pytest.approx(math.sqrt(0.25 + 1e-8 + 4096e-8)) and c.printed == pytest.approx(
        0.50004, abs=1e-5
    )
    assert c.gap >= c.printed and not c.kept
    assert c.gap < c.tight == pytest.approx(0.5001) and c.gap < c.corrected
