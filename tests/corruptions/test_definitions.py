"""The corruptions without randomness against straightforward versions of their published definitions."""

import io

import numpy as np
import pytest
import torch
from matplotlib.colors import hsv_to_rgb, rgb_to_hsv
from PIL import Image
from scipy import ndimage

from posenb.corruptions import corrupt
from posenb.corruptions.severities import TABLES
from tests.corruptions.pictures import pictures


def disk(radius, softness):
    """A disk on a grid of 17 x 17, or as large as it needs, blurred by 3 x 3 or 5 x 5 Gaussian taps."""
    reach = np.arange(-8, 9) if radius <= 8 else np.arange(-radius, radius + 1)
    x, y = np.meshgrid(reach, reach)
    kernel = (x**2 + y**2 <= radius**2).astype(float)
    kernel /= kernel.sum()
    near = np.arange(-1, 2) if radius <= 8 else np.arange(-2, 3)
    taps = np.exp(-0.5 * (near / softness) ** 2)
    for axis in (0, 1):
        kernel = ndimage.correlate1d(kernel, taps / taps.sum(), axis, mode="mirror")
    return kernel


def enlarged(x, zoom):
    kept = [int(np.ceil(side / zoom)) for side in x.shape[:2]]
    top, left = ((side - k) // 2 for side, k in zip(x.shape, kept, strict=False))
    out = ndimage.zoom(x[top : top + kept[0], left : left + kept[1]], (zoom, zoom, 1), order=1)
    top, left = ((made - side) // 2 for made, side in zip(out.shape, x.shape[:2], strict=False))
    return out[top : top + x.shape[0], left : left + x.shape[1]]


def brightness(x, amount):
    hsv = rgb_to_hsv(x)
    hsv[..., 2] = np.clip(hsv[..., 2] + amount, 0, 1)
    return hsv_to_rgb(hsv)


def saturate(x, setting):
    hsv = rgb_to_hsv(x)
    hsv[..., 1] = np.clip(hsv[..., 1] * setting[0] + setting[1], 0, 1)
    return hsv_to_rgb(hsv)


def contrast(x, gain):
    mean = x.mean(axis=(0, 1))
    return (x - mean) * gain + mean


def gaussian_blur(x, sigma):
    return ndimage.gaussian_filter(x, (sigma, sigma, 0), mode="nearest", truncate=4)


def defocus_blur(x, setting):
    return ndimage.correlate(x, disk(*setting)[..., None], mode="mirror")


def zoom_blur(x, setting):
    zooms = np.arange(1, *setting)
    return (x + sum(enlarged(x, zoom) for zoom in zooms)) / (len(zooms) + 1)


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("table", [224, 64, 32])
@pytest.mark.parametrize(
    "definition", [brightness, saturate, contrast, gaussian_blur, defocus_blur, zoom_blur], ids=lambda f: f.__name__
)
def test_agrees_with_the_definition_to_half_a_level(definition, table, severity):
    images = pictures(count=1)
    name = definition.__name__
    got = corrupt(images, name, severity, torch.Generator(), table)[0].permute(1, 2, 0).numpy()
    wanted = definition(images[0].permute(1, 2, 0).numpy() / 255, TABLES[table][name][severity - 1])
    assert np.abs(got - 255 * wanted.clip(0, 1)).max() < 0.501


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("table", [224, 64, 32])
def test_jpeg_is_what_pillow_writes_at_that_quality(table, severity):
    images = pictures(count=2)
    got = corrupt(images, "jpeg_compression", severity, torch.Generator(), table)
    for image, out in zip(images, got, strict=True):
        file = io.BytesIO()
        quality = TABLES[table]["jpeg_compression"][severity - 1]
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=quality)
        assert np.abs(np.asarray(Image.open(file)).astype(int) - out.permute(1, 2, 0).numpy()).max() <= 1


def test_zooms_are_counted_as_arange_does():
    """Rounding makes 1.11 one of its own factors; no other stop is."""
    assert [len(np.arange(1, *setting)) for setting in TABLES[224]["zoom_blur"]] == [12, 16, 11, 13, 11]


def test_greys_get_a_red_tint_from_an_offset_of_saturation():
    grey = torch.full((1, 3, 32, 32), 100, dtype=torch.uint8)
    out = corrupt(grey, "saturate", 5, torch.Generator(), 32)[0, :, 0, 0]
    assert out.tolist() == [100, 80, 80]
