"""RandAugment (Cubuk et al. 2020) without its geometric operations, batched: Xie et al. 2021 use it in hard views.

Magnitudes go from 0 to 30; every operation changes more with a larger one. Posterize and solarize-add are weaker than
in the released code, which keeps two bits fewer, and brightens bright pixels, too, before it inverts them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

LARGEST = 30
_GREY = (0.299, 0.587, 0.114)


class Distortions(NamedTuple):
    """What is drawn for B images with n operations each.

    Attributes:
        operation: ``(B, n)``, indices into ``OPERATIONS``.
        sign: ``(B, n)``, -1 or 1, for those that go both ways.
        place: ``(B, n, 2)`` in [0, 1), for the one that has a place.
    """

    operation: Tensor
    sign: Tensor
    place: Tensor


def draw_distortions(count: int, generator: Generator, n: int = 2) -> Distortions:
    """Draw ``n`` operations, with replacement, for each of ``count`` images."""
    return Distortions(
        operation=torch.randint(len(OPERATIONS), (count, n), generator=generator),
        sign=torch.randint(2, (count, n), generator=generator) * 2.0 - 1,
        place=torch.rand(count, n, 2, generator=generator),
    )


def distort(images: Tensor, drawn: Distortions, magnitude: float) -> Tensor:
    """Images ``(B, 3, H, W)`` in [0, 1] with the drawn operations, one after the other, of one magnitude.

    Raises:
        ValueError: for a magnitude outside [0, 30].
    """
    if not 0 <= magnitude <= LARGEST:
        raise ValueError(f"magnitude must lie in 0 to {LARGEST}, not {magnitude}")
    level, out = magnitude / LARGEST, images
    drawn = Distortions(*(part.to(images.device) for part in drawn))
    for k in range(drawn.operation.shape[1]):
        before, out = out, out.clone()
        for number, operation in enumerate(OPERATIONS.values()):
            rows = (drawn.operation[:, k] == number).nonzero().flatten()
            if len(rows):
                sign = drawn.sign[rows, k, None, None, None]
                out[rows] = operation(before[rows], level, sign, drawn.place[rows, k]).clamp(0, 1)
    return out


def rand_augment(images: Tensor, magnitude: float, generator: Generator, n: int = 2) -> Tensor:
    """Images with ``n`` random operations on their colours each; nothing is moved.

    Args:
        images: ``(B, 3, H, W)``, RGB float32 in [0, 1].
        magnitude: 0 to 30; the paper's best is 20 (Fig. 12). At 0 three operations still act: auto-contrast, equalize
            and invert have no magnitude.
        generator: on the CPU.
        n: operations an image; the paper has 2.

    Raises:
        ValueError: for a magnitude outside [0, 30].
    """
    return distort(images, draw_distortions(len(images), generator, n), magnitude)


# Each operation: images (n, 3, H, W), level in [0, 1], sign (n, 1, 1, 1), place (n, 2)


def _auto_contrast(x: Tensor, level: float, sign: Tensor, place: Tensor) -> Tensor:
    low, high = x.amin(dim=(-2, -1), keepdim=True), x.amax(dim=(-2, -1), keepdim=True)
    return torch.where(high > low, (x - low) / (high - low).clamp(min=1e-6), x)


def _equalize(x: Tensor, level: float, sign: Tensor, place: Tensor) -> Tensor:
    """Each channel's 256 values by how many pixels have at most as much; the lowest becomes 0, the highest 1."""
    levels = (x * 255).round().long().flatten(2)
    counts = torch.zeros(*levels.shape[:2], 256, device=x.device)
    counts = counts.scatter_add_(2, levels, torch.ones_like(levels, dtype=counts.dtype)).cumsum(dim=-1)
    rank, pixels = counts.gather(2, levels), levels.shape[-1]
    first = rank.amin(dim=-1, keepdim=True)
    return torch.where(first < pixels, (rank - first) / (pixels - first).clamp(min=1), x.flatten(2)).view_as(x)


def _invert(x: Tensor, level: float, sign: Tensor, place: Tensor) -> Tensor:
    return 1 - x


def _posterize(x: Tensor, level: float, sign: Tensor, place: Tensor) -> Tensor:
    steps = 2 ** (8 - int(4 * level))
    return ((x * 255).round() * steps / 256).floor() * (256 / steps) / 255


def _solarize(x: Tensor, level: float, sign: Tensor, place: Tensor) -> Tensor:
    return torch.where(x > 1 - level, 1 - x, x)


def _solarize_add(x: Tensor, level: float, sign: Tensor, place: Tensor) -> Tensor:
    return torch.where(x < 0.5, x + 110 / 255 * level, x)


def _blend(x: Tensor, plain: Tensor, level: float, sign: Tensor) -> Tensor:
    """``plain`` at factor 0, the image at 1, beyond it at more."""
    return plain + (x - plain) * (1 + 0.9 * level * sign)


def _grey(x: Tensor) -> Tensor:
    return (x * x.new_tensor(_GREY)[:, None, None]).sum(dim=1, keepdim=True)


def _colour(x: Tensor, level: float, sign: Tensor, place: Tensor) -> Tensor:
    return _blend(x, _grey(x), level, sign)


def _contrast(x: Tensor, level: float, sign: Tensor, place: Tensor) -> Tensor:
    return _blend(x, _grey(x).mean(dim=(-2, -1), keepdim=True), level, sign)


def _brightness(x: Tensor, level: float, sign: Tensor, place: Tensor) -> Tensor:
    return _blend(x, torch.zeros_like(x), level, sign)


def _sharpness(x: Tensor, level: float, sign: Tensor, place: Tensor) -> Tensor:
    kernel = torch.ones(3, 1, 3, 3, device=x.device)
    kernel[..., 1, 1] = 5
    smooth = F.conv2d(F.pad(x, (1, 1, 1, 1), "replicate"), kernel / 13, groups=3)
    return _blend(x, smooth, level, sign)


def _cutout(x: Tensor, level: float, sign: Tensor, place: Tensor) -> Tensor:
    """A grey square of up to 80 pixels of 256, somewhere."""
    height, width = x.shape[-2:]
    half = 40 / 256 * height * level
    down = (torch.arange(height, device=x.device) + 0.5 - place[:, 1:] * height).abs() <= half
    across = (torch.arange(width, device=x.device) + 0.5 - place[:, :1] * width).abs() <= half
    # nothing at level 0, also where a pixel's centre is hit exactly
    hidden = (down[:, None, :, None] & across[:, None, None, :]) & (half > 0)
    return torch.where(hidden, 0.5, x)


OPERATIONS: dict[str, Callable[[Tensor, float, Tensor, Tensor], Tensor]] = {
    "auto_contrast": _auto_contrast,
    "equalize": _equalize,
    "invert": _invert,
    "posterize": _posterize,
    "solarize": _solarize,
    "solarize_add": _solarize_add,
    "colour": _colour,
    "contrast": _contrast,
    "brightness": _brightness,
    "sharpness": _sharpness,
    "cutout": _cutout,
}
"""By name: the released code's eleven."""
