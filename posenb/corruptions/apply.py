"""``corrupt`` and ``perturb``: one corruption for a batch, or one for each image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from posenb.corruptions import blur, digital, draws, frost, glass, noise, weather
from posenb.corruptions.severities import setting, table_for

TRAIN = (
    "brightness",
    "defocus_blur",
    "zoom_blur",
    "frost",
    "contrast",
    "gaussian_noise",
    "glass_blur",
    "motion_blur",
    "shot_noise",
    "snow",
)
TEST = ("gaussian_blur", "jpeg_compression", "saturate", "spatter", "speckle_noise")
NAMES = TRAIN + TEST

_FUNCTIONS: dict[str, Callable[[Tensor, Any, Sequence[Generator]], Tensor]] = {
    "brightness": digital.brightness,
    "defocus_blur": blur.defocus_blur,
    "zoom_blur": blur.zoom_blur,
    "frost": frost.frost,
    "contrast": digital.contrast,
    "gaussian_noise": noise.gaussian_noise,
    "glass_blur": glass.glass_blur,
    "motion_blur": blur.motion_blur,
    "shot_noise": noise.shot_noise,
    "snow": weather.snow,
    "gaussian_blur": blur.gaussian_blur,
    "jpeg_compression": digital.jpeg_compression,
    "saturate": digital.saturate,
    "spatter": weather.spatter,
    "speckle_noise": noise.speckle_noise,
}

SMALLEST = 16
# on a CPU some images at a time, so that what is computed on the way stays in its cache
_PIXELS_AT_ONCE = 2**16


def corrupt(images: Tensor, name: str, severity: int, generator: Generator, table: int | None = None) -> Tensor:
    """The images with one corruption.

    Each image has a seed, drawn from the generator in the order of the batch, and all that is random about the image
    follows from it. So an image comes out the same whatever the rest of the batch is, on any device, and a batch's
    first images as they would alone. Also the corruptions without randomness draw the seeds.

    Args:
        images: ``(B, 3, H, W)``, RGB, uint8, or float in [0, 1], which is first rounded to 8 bits: the published
            definitions are for pictures of 8 bits.
        name: one of ``NAMES``.
        severity: 1 to 5.
        generator: on the CPU for images on any device, or on a device of its own; never a GPU's for the same numbers as
            a CPU's.
        table: whose constants are taken, those for 224, 64 or 32 pixels. By default 32 for a shorter side up to 48
            pixels, 64 up to 128, 224 above.

    Returns:
        As the images: shape, type and device.

    Raises:
        UserError: for a name, severity or table that is not there.
        ValueError: for images of another shape or type, or a side of fewer than 16 pixels.
    """
    _check(images)
    constants = setting(name, severity, _table(images, table))
    seeds = draws.seeds(len(images), generator).tolist()
    return _restored(_corrupted(_pictures(images), name, constants, seeds, generator.device), images)


def perturb(
    images: Tensor,
    names: Sequence[str],
    generator: Generator,
    severities: Sequence[int] = (1, 2, 3, 4, 5),
    table: int | None = None,
) -> Tensor:
    """The images with a corruption each, name and severity chosen at random, all equally likely.

    Images, generator, table, result and errors as :func:`corrupt`; an image's result does not depend on the rest of the
    batch. Maximum-stability training takes one of ten, ``TRAIN``, for each image.
    """
    _check(images)
    size = _table(images, table)
    constants = {(name, severity): setting(name, severity, size) for name in names for severity in severities}
    if not constants:
        raise ValueError("perturb needs at least one name and one severity")
    drawn = torch.randint(2**62, (len(images), 3), generator=generator, device=generator.device).tolist()
    groups: dict[tuple[str, int], list[int]] = {}
    for index, (which, how_much, _) in enumerate(drawn):
        chosen = names[which % len(names)], severities[how_much % len(severities)]
        groups.setdefault(chosen, []).append(index)
    pictures = _pictures(images)
    out = torch.empty_like(pictures)
    for (name, severity), members in groups.items():
        seeds = [drawn[index][2] for index in members]
        of_group = torch.tensor(members, device=pictures.device)
        out[of_group] = _corrupted(pictures[of_group], name, constants[name, severity], seeds, generator.device)
    return _restored(out, images)


def _corrupted(pictures: Tensor, name: str, constants: Any, seeds: Sequence[int], device: torch.device) -> Tensor:
    """Pictures ``(B, H, W, 3)`` uint8, some at a time."""
    if len(pictures) == 0:
        return pictures
    pixels = pictures.shape[1] * pictures.shape[2]
    most = max(1, _PIXELS_AT_ONCE // pixels) if pictures.device.type == "cpu" else len(pictures)
    out = []
    for start in range(0, len(pictures), most):
        part = slice(start, start + most)
        out.append(_FUNCTIONS[name](pictures[part], constants, draws.streams(seeds[part], device)))
    return torch.cat(out)


def _table(images: Tensor, table: int | None) -> int:
    return table_for(images.shape[2], images.shape[3]) if table is None else table


def _check(images: Tensor) -> None:
    if images.ndim != 4 or images.shape[1] != 3 or min(images.shape[2:]) < SMALLEST:
        wanted = f"(B, 3, H, W) with sides of {SMALLEST} pixels or more"
        raise ValueError(f"images must be {wanted}, not {tuple(images.shape)}")
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise ValueError(f"images must be uint8 or float, not {images.dtype}")


def _pictures(images: Tensor) -> Tensor:
    """``(B, H, W, 3)`` uint8, contiguous."""
    if images.dtype != torch.uint8:
        images = (images.detach().float() * 255).round_().clamp_(0, 255).to(torch.uint8)
    return images.permute(0, 2, 3, 1).contiguous()


def _restored(pictures: Tensor, images: Tensor) -> Tensor:
    out = pictures.permute(0, 3, 1, 2)
    return out if images.dtype == torch.uint8 else (out.float() / 255).to(images.dtype)
