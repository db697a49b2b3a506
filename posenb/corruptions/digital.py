"""Brightness, contrast, saturation and compression, as in ImageNet-C (Hendrycks and Dietterich 2019).

Pictures are ``(B, H, W, 3)`` uint8 here, RGB. Hue, saturation and value are never computed: with V the largest of a
pixel's three values, changing V scales all three, and changing S scales their distances from V.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Generator, Tensor

from posenb.corruptions.filters import to_bytes


def brightness(pictures: Tensor, amount: float, generators: Sequence[Generator]) -> Tensor:
    """``amount`` added to V of HSV, in [0, 1]. Black becomes grey."""
    x = pictures.float()
    value = _largest(x)
    gain = (value + 255 * amount).clamp_(max=255) / value.clamp(min=1)
    return to_bytes(x.mul_(gain).add_((value == 0) * (255 * amount)))


def contrast(pictures: Tensor, gain: float, generators: Sequence[Generator]) -> Tensor:
    """Distances from each channel's mean over the picture, times ``gain``."""
    x = pictures.float().flatten(2)  # rows of RGB RGB ...: a CPU is slow with a last axis of three
    mean = x.mean(dim=1).unflatten(1, (-1, 3)).mean(dim=1)
    offset = (1 - gain) * mean.repeat(1, pictures.shape[2])
    return to_bytes(x.mul_(gain).add_(offset[:, None])).view(pictures.shape)


def saturate(pictures: Tensor, setting: tuple[float, float], generators: Sequence[Generator]) -> Tensor:
    """S of HSV becomes ``gain S + offset``, in [0, 1]; ``setting`` is (gain, offset).

    Greys have hue 0, which is red: an offset gives them colour, as in the published pictures.
    """
    gain, offset = setting
    x = pictures.float()
    value = _largest(x)
    chroma = value + _largest(-x)
    wanted = (chroma / value.clamp(min=1)).mul_(gain).add_(offset).clamp_(0, 1).mul_(value)
    out = value - (value - x).mul_(wanted / chroma.clamp(min=1))
    if offset:
        red = torch.cat([value, value - wanted, value - wanted], dim=-1)
        out = torch.where(chroma == 0, red, out)
    return to_bytes(out)


def jpeg_compression(pictures: Tensor, quality: int, generators: Sequence[Generator]) -> Tensor:
    """Written as a JPEG file of this quality, colour at half the resolution, and read again; on the CPU."""
    out = np.empty(pictures.shape, np.uint8)
    for target, picture in zip(out, pictures.cpu().numpy(), strict=True):
        # OpenCV writes blue first and can read red first
        blue_first = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        _, file = cv2.imencode(".jpg", blue_first, [cv2.IMWRITE_JPEG_QUALITY, quality])
        target[:] = cv2.imdecode(file, cv2.IMREAD_COLOR_RGB)
    return torch.from_numpy(out).to(pictures.device)


def _largest(x: Tensor) -> Tensor:
    """``(B, H, W, 1)``; much faster than ``amax`` over three."""
    return torch.maximum(torch.maximum(x[..., :1], x[..., 1:2]), x[..., 2:])
