"""Row-column correlation: the product, its normalisation, its range, its gradients."""

import math

import pytest
import torch
from torch.testing import assert_close

from posenb.heatmaps import argmax, gaussian, log_rcc, rcc


def off_diagonal(offset, sigma=2.0, size=64, dtype=torch.float32):
    """A Gaussian whose column is ``offset`` pixels right of its row, ``(1, 1, size, size)``."""
    return gaussian(torch.tensor([[[2.5 + offset, 2.5]]], dtype=dtype), (size, size), 1, sigma)


def test_equals_the_sum_pixel_by_pixel(generator):
    maps = torch.rand(2, 3, 4, 4, generator=generator, dtype=torch.float64)
    product = rcc(maps, normalize=False)
    for b, k, row, column in ((0, 0, 0, 3), (1, 2, 3, 1), (0, 1, 2, 2)):
        by_hand = sum(maps[b, k, row, i].item() * maps[b, k, i, column].item() for i in range(4))
        assert product[b, k, row, column].item() == pytest.approx(by_hand, rel=1e-14)
    assert_close(rcc(maps), product / product.amax(dim=(-2, -1), keepdim=True))


@pytest.mark.parametrize("shape", [(1, 1, 4, 5), (2, 5, 4), (7,)])
@pytest.mark.parametrize("layer", [rcc, log_rcc])
def test_maps_that_are_not_square_are_refused(layer, shape):
    with pytest.raises(ValueError, match="square"):
        layer(torch.zeros(shape))


def test_negative_values_count_as_zero_and_get_no_gradient():
    maps = torch.tensor([[-5.0, 2.0], [1.0, -3.0]], requires_grad=True)
    product = rcc(maps, normalize=False)
    assert product.tolist() == [[2.0, 0.0], [0.0, 2.0]]
    (grad,) = torch.autograd.grad(product.sum(), maps)
    assert grad[0, 0] == 0 and grad[1, 1] == 0 and grad[0, 1] != 0


def test_a_single_gaussian_comes_back():
    maps = gaussian(torch.tensor([[[20.3, 11.8], [3.0, 3.0]], [[31.0, 28.4], [5.5, 29.0]]]), (32, 32), 1, 3.0)
    # a peak between pixels is below 1 in the map, and 1 after it
    assert_close(rcc(maps), maps / maps.amax(dim=(-2, -1), keepdim=True))


@pytest.mark.parametrize("dtype, offset", [(torch.float32, 44), (torch.float64, 60)])
def test_far_from_the_diagonal_the_plain_product_is_0_and_this_one_is_right(dtype, offset):
    maps = off_diagonal(offset, dtype=dtype)
    if dtype == torch.float32:
        assert not (maps @ maps).any()
    assert_close(rcc(maps), maps, atol=1e-6, rtol=0)


def test_the_height_of_a_map_does_not_matter():
    maps = off_diagonal(20)
    for height in (1e-18, 1e-6, 1e12):
        assert_close(rcc(height * maps), rcc(maps))


@pytest.mark.parametrize("offset", [0, 8, 24, 30, 48, 60])
def test_gradients_are_finite_at_any_distance_from_the_diagonal(offset):
    maps = off_diagonal(offset).requires_grad_()
    answer = rcc(maps)
    (grad,) = torch.autograd.grad((answer - 0.5).square().sum(), maps)
    assert answer.isfinite().all() and grad.isfinite().all()
    # 12 sigma away and more the layer is right, and passes no gradient
    assert bool(grad.any()) == (offset <= 24)


def test_a_map_of_zeros_stays_so_and_is_no_trouble_to_its_neighbours():
    maps = torch.stack([torch.zeros(8, 8), torch.ones(8, 8)]).requires_grad_()
    answer = rcc(maps)
    assert not answer[0].any() and (answer[1] == 1).all()
    (grad,) = torch.autograd.grad(answer.square().sum(), maps)
    assert grad.isfinite().all()


@pytest.mark.parametrize("normalize", [True, False])
def test_gradient_is_the_derivative(normalize, generator):
    maps = torch.rand(2, 5, 5, generator=generator, dtype=torch.float64).add(0.1).requires_grad_()
    assert torch.autograd.gradcheck(lambda m: rcc(m, normalize), maps)


def test_half_precision_is_raised():
    assert rcc(torch.ones(4, 4, dtype=torch.bfloat16)).dtype == torch.float32


def test_mirroring_before_is_not_mirroring_after(generator):
    # so flip-test averages must be taken before the layer
    maps = torch.rand(6, 6, generator=generator)
    assert (rcc(maps.flip(-1)) - rcc(maps).flip(-1)).abs().max() > 0.01
    assert_close(rcc(maps.flip(-2, -1)), rcc(maps).flip(-2, -1))  # both ways at once it is


@pytest.mark.parametrize("offset", [0, 24])
def test_signed_noise_hides_a_peak_far_from_the_diagonal_and_positive_noise_does_not(offset, generator):
    noise = torch.randn(200, 64, 64, generator=generator) * 0.02
    points = torch.tensor([[[20.5 + offset, 20.5]]])
    peak = gaussian(points, (64, 64), 1, 2.0)[0, 0]

    def share(maps):
        """How often the maximum stays within two pixels of the peak."""
        return ((argmax(maps[None])[0] - points).abs().amax(dim=-1) <= 2).float().mean().item()

    signed, positive = (peak + noise) @ (peak + noise), rcc(peak + noise.abs())
    assert share(positive) > 0.9
    assert share(signed) > 0.9 if offset == 0 else share(signed) < 0.4


class TestLog:
    def test_is_the_logarithm_of_the_product(self, generator):
        maps = torch.rand(2, 3, 6, 6, generator=generator, dtype=torch.float64) + 0.01
        assert_close(log_rcc(maps.log()), rcc(maps, normalize=False).log())

    def test_takes_logits_of_any_height(self, generator):
        logits = torch.randn(4, 8, 8, generator=generator) * 3
        for shift in (-500.0, 0.0, 500.0):
            assert_close(log_rcc(logits + shift) - 2 * shift, log_rcc(logits), atol=2e-3, rtol=0)

    def test_gradient_is_the_derivative(self, generator):
        logits = torch.randn(2, 4, 4, generator=generator, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(log_rcc, logits)

    def test_what_underflows_stays_finite(self):
        logits = torch.tensor([[-500.0, 500.0], [-500.0, -500.0]], requires_grad=True)
        answer = log_rcc(logits)
        (grad,) = torch.autograd.grad(answer.sum(), logits)
        assert answer.isfinite().all() and grad.isfinite().all()
        # e^0 + e^0 there, which is far below the maxima of its row and column, e^500 each
        assert answer[0, 1].item() == pytest.approx(1000 - 35 * math.log(10))
