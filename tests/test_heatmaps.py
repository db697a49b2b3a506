"""Codecs: maps by formula, and points that come back within stated errors."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from posenb.heatmaps import METHODS, argmax, decode, gaussian, highly_differentiated, multi_label

NAN = float("nan")
SIZES = [(32, 32), (24, 40), (41, 25)]
STRIDES = [1, 2, 4]


def inner_points(size, stride, margin, count=200, seed=0):
    """``(1, count, 2)`` random places, at least ``margin`` map pixels away from the borders."""
    extent = torch.tensor([size[1], size[0]], dtype=torch.float64)
    uniform = torch.rand(1, count, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return (margin + uniform * (extent - 2 * margin)) * stride


def errors(points, size, stride, sigma, method):
    """Errors in map pixels, ``(1, count, 2)``, after encoding and decoding."""
    found, _ = decode(gaussian(points, size, stride, sigma), stride, method)
    return (found - points) / stride


class TestGaussian:
    def test_equals_the_formula_pixel_by_pixel(self):
        points = [[(13.3, 9.1), (-4.0, 22.0)], [(30.0, 0.5), (7.25, 40.0)]]
        height, width, stride, sigma = 6, 9, 4, 1.3
        maps = gaussian(torch.tensor(points, dtype=torch.float64), (height, width), stride, sigma)
        assert maps.shape == (2, 2, height, width)
        for b, k in ((0, 0), (0, 1), (1, 0), (1, 1)):
            x, y = points[b][k]
            for i in range(height):
                for j in range(width):
                    # the centre of map pixel (i, j) in map pixels; a map sees x / stride
                    squared = (j + 0.5 - x / stride) ** 2 + (i + 0.5 - y / stride) ** 2
                    assert maps[b, k, i, j].item() == pytest.approx(math.exp(-squared / (2 * sigma**2)), abs=1e-12)

    def test_the_peak_is_1_at_the_exact_place_alone(self):
        # (10, 14) is the centre of map pixel (3, 2) at stride 4; (11, 14) is not a centre
        maps = gaussian(torch.tensor([[[10.0, 14.0], [11.0, 14.0]]]), (8, 8), 4, 1.5)
        assert maps[0, 0, 3, 2] == 1 and (maps[0, 0] == 1).sum() == 1
        assert maps[0, 1, 3, 2] == maps[0, 1].max() == pytest.approx(math.exp(-(0.25**2) / (2 * 1.5**2)))

    @pytest.mark.parametrize("point", [(NAN, NAN), (NAN, 8.0), (8.0, NAN)])
    def test_nan_gives_an_empty_map_and_spoils_no_neighbour(self, point):
        maps = gaussian(torch.tensor([[point, (8.0, 8.0)]]), (16, 16), 1, 2.0)
        assert not maps[0, 0].any()
        assert torch.equal(maps[0, 1], gaussian(torch.tensor([[(8.0, 8.0)]]), (16, 16), 1, 2.0)[0, 0])

    def test_moving_by_whole_map_pixels_moves_the_map(self):
        points = torch.tensor([[[37.0, 42.0]]])
        maps = gaussian(points, (24, 20), 4, 1.5)
        moved = gaussian(points + torch.tensor([8.0, -12.0]), (24, 20), 4, 1.5)
        assert_close(moved[..., :-3, 2:], maps[..., 3:, :-2])

    def test_is_differentiable_in_the_points(self):
        points = torch.tensor([[[7.3, 5.9]]], dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda p: gaussian(p, (5, 6), 2, 1.5), points)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("stride", STRIDES)
class TestRoundTrip:
    """Encode, then decode: error bounds in map pixels, times the stride in image pixels."""

    def test_argmax_is_within_half_a_pixel(self, size, stride):
        assert errors(inner_points(size, stride, 0), size, stride, 2.0, "argmax").abs().max() <= 0.5 + 1e-9

    def test_quarter_is_within_a_quarter(self, size, stride):
        points = inner_points(size, stride, 1)
        assert errors(points, size, stride, 2.0, "quarter").abs().max() <= 0.25 + 1e-9
        # an error uniform in +-1/2 becomes one uniform in +-1/4
        means = [errors(points, size, stride, 2.0, method).abs().mean() for method in ("argmax", "quarter")]
        assert means[0] == pytest.approx(0.25, abs=0.03)
        assert means[1] == pytest.approx(0.125, abs=0.015)

    @pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0])
    def test_dark_is_exact_for_a_gaussian(self, size, stride, sigma):
        assert errors(inner_points(size, stride, 1), size, stride, sigma, "dark").abs().max() < 1e-6

    def test_dark_is_within_a_hundredth_in_single_precision(self, size, stride):
        points = inner_points(size, stride, 1).float()
        assert errors(points, size, stride, 2.0, "dark").abs().max() < 0.01

    def test_soft_is_exact_away_from_the_borders(self, size, stride):
        assert errors(inner_points(size, stride, 8), size, stride, 1.5, "soft").abs().max() < 1e-5

    @pytest.mark.parametrize("method", METHODS)
    def test_scores_are_the_maxima(self, size, stride, method):
        maps = gaussian(inner_points(size, stride, 0, count=20), size, stride, 2.0)
        assert torch.equal(decode(maps, stride, method)[1], maps.amax(dim=(-2, -1)))


@pytest.mark.parametrize("method", METHODS)
class TestEveryMethod:
    @pytest.mark.parametrize("size", [(3, 3), (5, 8)], ids=str)
    def test_no_peak_leads_outside_the_map(self, method, size):
        # a single bright pixel, at every place in turn: inside, on the borders and in the corners
        count = size[0] * size[1]
        maps = torch.eye(count).view(1, count, *size)
        points, _ = decode(maps, 4, method)
        extent = torch.tensor([size[1], size[0]]) * 4
        assert ((points >= 0) & (points <= extent)).all()
        rows, columns = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij")
        centres = (torch.stack([columns, rows], dim=-1).view(1, count, 2) + 0.5) * 4
        assert_close(points, centres)

    @pytest.mark.parametrize("place", [(0.0, 0.0), (40.0, 0.0), (0.0, 24.0), (40.0, 24.0), (20.0, -3.0), (43.0, 11.0)])
    def test_places_on_the_border_and_outside_stay_finite_and_in_the_map(self, method, place):
        found, score = decode(gaussian(torch.tensor([[place]]), (12, 20), 2, 1.5), 2, method)
        assert ((found >= 0) & (found <= torch.tensor([40.0, 24.0]))).all()
        assert 0 < score <= 1
        # at a border the pixel's own centre is the answer; soft sees half a Gaussian
        nearest = torch.tensor([[[min(max(place[0], 1), 39), min(max(place[1], 1), 23)]]])
        assert (found - nearest).abs().max() <= (0.5 * 2 if method != "soft" else 1.5 * 2)

    def test_a_flat_map_gives_a_finite_point_in_the_map(self, method):
        for value in (0.0, 0.7, -1.0):
            points, scores = decode(torch.full((1, 2, 6, 9), value), 4, method)
            assert ((points >= 0) & (points <= torch.tensor([36, 24]))).all()
            assert_close(scores, torch.full((1, 2), value))

    def test_a_negative_map_still_has_a_highest_pixel(self, method):
        maps = gaussian(torch.tensor([[[21.0, 13.0]]]), (8, 12), 2, 1.5) - 2
        points, scores = decode(maps, 2, method)
        assert points.isfinite().all()
        assert scores.item() == pytest.approx(-1.0, abs=1e-6)
        if method != "soft":
            assert (points - torch.tensor([21.0, 13.0])).abs().max() <= 0.5 * 2

    def test_stride_scales_the_points(self, method, generator):
        maps = torch.rand(2, 3, 9, 7, generator=generator)
        assert_close(decode(maps, 4, method)[0], 4 * decode(maps, 1, method)[0])

    def test_each_joint_is_decoded_by_itself(self, method, generator):
        maps = torch.rand(3, 4, 9, 7, generator=generator)
        points, scores = decode(maps, 2, method)
        alone, score = decode(maps[1:2, 2:3], 2, method)
        assert_close(points[1, 2], alone[0, 0])
        assert torch.equal(scores[1, 2], score[0, 0])

    def test_mirroring_the_maps_mirrors_the_points(self, method, generator):
        maps = torch.rand(2, 3, 9, 8, generator=generator)
        points, _ = decode(maps, 2, method)
        mirrored, _ = decode(maps.flip(-1), 2, method)
        assert_close(mirrored, points * torch.tensor([-1.0, 1.0]) + torch.tensor([16.0, 0.0]))

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_half_precision_maps_have_points_of_single_precision(self, method, dtype):
        # a place beyond 128 is known to a whole pixel in bfloat16
        maps = gaussian(torch.tensor([[[201.5, 150.5]]]), (256, 256), 1, 2.0)
        points, _ = decode(maps.to(dtype), 1, method)
        assert points.dtype == torch.float32
        assert_close(points, torch.tensor([[[201.5, 150.5]]]), rtol=0, atol=0.02)


def test_argmax_is_in_map_pixels_at_their_centres():
    maps = torch.zeros(1, 2, 4, 6)
    maps[0, 0, 3, 1], maps[0, 1, 0, 5] = 0.25, 2.0
    points, scores = argmax(maps)
    assert points.tolist() == [[[1.5, 3.5], [5.5, 0.5]]]
    assert scores.tolist() == [[0.25, 2.0]]


def test_quarter_steps_towards_the_higher_neighbour_on_each_axis():
    maps = torch.zeros(1, 1, 5, 5)
    maps[0, 0, 2, 2] = 1
    assert decode(maps, 1, "quarter")[0].tolist() == [[[2.5, 2.5]]]  # equal neighbours: no step
    maps[0, 0, 2, 3], maps[0, 0, 1, 2] = 0.5, 0.1
    assert decode(maps, 1, "quarter")[0].tolist() == [[[2.75, 2.25]]]


@pytest.mark.parametrize(("column", "row"), [(3, 2), (2, 3)])
def test_dark_puts_the_peak_between_two_equal_pixels(column, row):
    # the Gaussian's centre lies on the edge between pixels: a tie, whichever of them wins
    place = torch.tensor([[[(2.5 + column + 0.5) / 2, (2.5 + row + 0.5) / 2]]], dtype=torch.float64)
    maps = gaussian(place, (6, 6), 1, 1.5)
    assert maps[0, 0, 2, 2] == maps[0, 0, row, column] == maps.max()
    assert_close(decode(maps, 1, "dark")[0], place)


def test_dark_is_exact_for_a_gaussian_that_lies_askew():
    # the mixed derivative counts here, unlike for a round one
    precision = torch.tensor([[0.5, 0.3], [0.3, 0.4]], dtype=torch.float64)
    place = torch.tensor([5.7, 4.15], dtype=torch.float64)
    axis = torch.arange(10, dtype=torch.float64) + 0.5
    apart = torch.cartesian_prod(axis, axis).flip(-1).view(10, 10, 2) - place
    maps = (-0.5 * torch.einsum("hwi,ij,hwj->hw", apart, precision, apart)).exp()[None, None]
    assert_close(decode(maps, 1, "dark")[0][0, 0], place)


def test_dark_takes_no_step_on_a_saddle():
    # highest along both axes, but the diagonal neighbours bend the paraboloid upwards between them
    maps = torch.zeros(1, 1, 5, 5)
    maps[0, 0, 1:4, 1:4] = torch.tensor([[0.9, 0.5, 0.01], [0.5, 1.0, 0.6], [0.01, 0.5, 0.9]])
    assert decode(maps, 1, "dark")[0].tolist() == [[[2.5, 2.5]]]


def test_dark_takes_no_step_where_the_map_is_not_peaked():
    maps = torch.zeros(1, 1, 7, 7)
    maps[0, 0, 3, 1:6] = 1.0  # a ridge: the paraboloid about its first pixel has no peak of its own
    points, _ = decode(maps, 1, "dark")
    assert points[0, 0, 1] == 3.5
    assert 1 <= points[0, 0, 0] <= 6


@given(st.floats(0.01, 100), st.floats(0.8, 4.0), st.integers(0, 10**6))
def test_dark_does_not_depend_on_the_height_of_the_peak(height, sigma, seed):
    points = inner_points((20, 20), 2, 1, count=5, seed=seed)
    found, _ = decode(height * gaussian(points, (20, 20), 2, sigma), 2, "dark")
    assert_close(found, points, rtol=0, atol=1e-5)


@given(st.integers(0, 10**6))
def test_dark_never_steps_further_than_half_a_pixel(seed):
    maps = torch.randn(1, 20, 6, 7, generator=torch.Generator().manual_seed(seed))
    assert (decode(maps, 1, "dark")[0] - decode(maps, 1, "argmax")[0]).abs().max() <= 0.5


def test_soft_is_the_mean_position_under_the_map():
    maps = torch.zeros(1, 1, 4, 6)
    maps[0, 0, 1, 2], maps[0, 0, 3, 4], maps[0, 0, 0, 0] = 3.0, 1.0, -5.0  # what is negative has no weight
    # x: (3 * 2.5 + 4.5) / 4, y: (3 * 1.5 + 3.5) / 4
    assert decode(maps, 2, "soft")[0].tolist() == [[[6.0, 4.0]]]


def test_the_gradient_flows_through_soft():
    maps = torch.rand(1, 2, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 0.1
    maps.requires_grad_()
    assert torch.autograd.gradcheck(lambda m: decode(m, 4, "soft")[0], maps)
    (grad,) = torch.autograd.grad(decode(maps, 4, "soft")[0].sum(), maps)
    assert (grad != 0).all()


@pytest.mark.parametrize("method", ["argmax", "quarter"])
def test_no_gradient_flows_through_the_place_of_a_maximum(method):
    maps = gaussian(torch.tensor([[[9.3, 10.8]]]), (16, 16), 1, 2.0).requires_grad_()
    points, scores = decode(maps, 1, method)
    total = points.sum() + 0 * scores.sum()
    (grad,) = torch.autograd.grad(total, maps)
    assert not grad.any()


def test_unknown_methods_are_refused():
    with pytest.raises(ValueError, match=r"one of argmax, quarter, dark, soft, not 'mean'") as error:
        decode(torch.zeros(1, 1, 4, 4), 4, "mean")
    assert "\n" not in str(error.value)


class TestHighlyDifferentiated:
    def test_equals_the_definition_pixel_by_pixel(self):
        points = [[(13.3, 9.1), (-2.5, 22.0)], [(30.0, 0.5), (7.25, 40.0)]]
        height, width, stride, alpha, threshold = 9, 7, 4, 0.6, 3
        maps = highly_differentiated(
            torch.tensor(points, dtype=torch.float64), (height, width), stride, alpha, threshold
        )
        for b, k in ((0, 0), (0, 1), (1, 0), (1, 1)):
            column, row = (math.floor(c / stride) for c in points[b][k])
            for i in range(height):
                for j in range(width):
                    d = max(abs(i - row), abs(j - column))
                    assert maps[b, k, i, j].item() == pytest.approx(alpha**d if d <= threshold else 0, abs=1e-15)

    def test_the_papers_map_has_289_pixels_that_sum_to_51(self):
        maps = highly_differentiated(torch.tensor([[[32.4, 30.7]]]), (64, 64), 1)
        label = multi_label(maps)[0, 0]
        assert label.dtype == torch.bool and label.sum() == 17 * 17
        rows, columns = label.nonzero().unbind(-1)
        # d = 8 is included; the peak is the pixel that contains the point
        assert (rows.min(), rows.max(), columns.min(), columns.max()) == (22, 38, 24, 40)
        assert maps[0, 0, 30, 32] == 1 and (maps[0, 0] == 1).sum() == 1
        by_hand = 1 + sum(8 * d * 0.7**d for d in range(1, 9))
        assert maps.sum().item() == pytest.approx(by_hand) == pytest.approx(51.03, abs=0.005)

    def test_the_same_anywhere_in_a_pixel_and_decoded_at_its_centre(self):
        points = torch.tensor([[[8.0, 12.0], [9.9, 13.9], [11.9, 15.9]]])
        maps = highly_differentiated(points, (16, 16), 4)
        assert torch.equal(maps[0, 0], maps[0, 1]) and torch.equal(maps[0, 0], maps[0, 2])
        found, scores = decode(maps, 4, "argmax")
        assert found[0].tolist() == [[10.0, 14.0]] * 3 and scores.tolist() == [[1.0] * 3]

    @pytest.mark.parametrize("point", [(NAN, NAN), (NAN, 8.0), (8.0, NAN), (500.0, 8.0)])
    def test_what_is_nowhere_near_gives_an_empty_map_and_spoils_no_neighbour(self, point):
        maps = highly_differentiated(torch.tensor([[point, (8.0, 8.0)]]), (16, 16), 1)
        assert not maps[0, 0].any()
        assert torch.equal(maps[0, 1], highly_differentiated(torch.tensor([[(8.0, 8.0)]]), (16, 16), 1)[0, 0])

    def test_moving_by_whole_map_pixels_moves_the_map(self):
        points = torch.tensor([[[37.0, 42.0]]])
        maps = highly_differentiated(points, (40, 40), 2)
        moved = highly_differentiated(points + torch.tensor([8.0, -12.0]), (40, 40), 2)
        assert torch.equal(moved, maps.roll((-6, 4), (-2, -1)))

    @pytest.mark.parametrize("alpha", [0.0, 1.0, 1.2])
    def test_another_alpha_is_refused(self, alpha):
        with pytest.raises(ValueError, match="alpha"):
            highly_differentiated(torch.zeros(1, 1, 2), (8, 8), 1, alpha)
