"""Both ways of filtering, OpenCV's and torch's, are one definition; kernels are what they should be."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from posenb.corruptions import blur, filters
from posenb.corruptions.severities import TABLES
from tests.corruptions.pictures import pictures

LAST = pictures().permute(0, 2, 3, 1).contiguous()
ANGLES = torch.tensor([-45.0, 30.0])


@pytest.mark.parametrize("border", ["replicate", "reflect"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (3, 3), (15, 15), (21, 5), (41, 41)])
def test_convolution_by_opencv_is_that_by_torch(border, channels, size):
    kernels = np.random.default_rng(0).random((2, *size), dtype=np.float32)
    kernels /= kernels.sum(axis=(1, 2), keepdims=True)
    images = LAST[..., :channels]
    for chosen in (kernels, kernels[:1]):
        got = filters._convolve_opencv(images, chosen, border)
        assert_close(got, filters._convolve_torch(images.float(), chosen, border), atol=1e-3, rtol=0)


@pytest.mark.parametrize("angle", [-135.0, -90.0, -45.0, 0.0, 17.0, 45.0])
def test_lines_by_opencv_are_those_by_torch(angle):
    kernels = blur.line_kernels(torch.tensor([angle, angle / 2]), 15, 8)
    got = filters._convolve_opencv(LAST, kernels, "replicate")
    assert_close(got, filters._convolve_torch(LAST.float(), kernels, "replicate"), atol=1e-3, rtol=0)


@pytest.mark.parametrize("zoom", [1.0, 1.01, 1.06, 1.26, 2.0])
def test_zoom_by_opencv_is_that_by_torch(zoom):
    zooms = np.array([1.0, zoom])
    assert_close(filters.zoom_sum(LAST, zooms), filters._zoom_sum_torch(LAST, zooms), atol=5e-3, rtol=0)


@pytest.mark.parametrize("table", [224, 64, 32])
def test_motion_kernels_are_lines_of_the_settings_spread(table):
    for radius, sigma in TABLES[table]["motion_blur"]:
        kernels = blur.line_kernels(ANGLES, radius, sigma)
        assert_close(kernels.sum(axis=(1, 2)), np.ones(2, np.float32), atol=1e-5, rtol=0)
        reach = kernels.shape[1] // 2
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        taps = np.arange(2 * radius + 1)
        weights = np.exp(-0.5 * (taps / sigma) ** 2)
        mean = (weights * taps).sum() / weights.sum()
        for kernel, angle in zip(kernels, np.deg2rad(ANGLES.numpy()), strict=True):
            # its centre of mass lies on the line, as far out as the half Gaussian's
            assert abs((kernel * x).sum() - mean * np.cos(angle)) < 0.01
            assert abs((kernel * y).sum() - mean * np.sin(angle)) < 0.01
            across = -np.sin(angle) * x + np.cos(angle) * y
            assert np.abs(across[kernel > 0]).max() < 1.5


def test_motion_blur_carries_a_point_against_the_line():
    """Pixels take from where the line points to: at 0 degrees from the right, so light moves to the left."""
    images = torch.zeros(1, 33, 33, 1, dtype=torch.uint8)
    images[:, 16, 16] = 255
    out = filters.convolve(images, blur.line_kernels(torch.zeros(1), 5, 2), "replicate")[0, :, :, 0]
    assert out[16, 16] == out.max() and (out[16, 7:17] > 0).sum() == (out > 0).sum() > 3


def test_gaussian_kernel_has_its_sigma():
    for sigma in (0.4, 1.0, 3.0, 6.0):
        kernel = filters.gaussian_kernel(sigma)
        assert len(kernel) == 2 * int(4 * sigma + 0.5) + 1
        assert kernel.sum() == pytest.approx(1, abs=1e-6)
    place = np.arange(-24, 25)
    assert (kernel * place**2).sum() == pytest.approx(36, rel=0.01)


@pytest.mark.parametrize("sigma", [0.05, 0.4, 1.0, 3.0, 6.0])
def test_gaussian_by_opencv_is_that_by_torch(sigma):
    """Sums of float32 in another order may round the other way, but hardly ever do."""
    by_torch = filters._gaussian_torch(LAST, filters.gaussian_kernel(sigma))
    difference = (filters.gaussian(LAST, sigma).int() - by_torch.int()).abs()
    assert difference.max() <= 1 and difference.float().mean() < 0.001
