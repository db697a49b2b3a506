"""Discriminators that answer maps: an image and heatmaps in, the same heatmaps out as far as they make a real pose.

Each has the form of a pose network (Chou et al. 2018), but works at the maps' own resolution from its first layer on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from posenb.models import hourglass, small
from posenb.models.layers import conv_norm_relu, norm
from posenb.options import build, require_counts


class SmallDiscriminator(nn.Module):
    """The small network's form, for CPU profiles. Sides of the maps are multiples of ``2 ** (len(widths) - 1)``."""

    def __init__(self, joints: int, options: small.Options) -> None:
        super().__init__()
        self.body = small.Small(joints, options)
        self.body.stem = conv_norm_relu(3 + joints, options.widths[0], 1, options.norm)
        self.body.least //= 2

    def forward(self, images: Tensor, maps: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` in [0, 1], at any size, and maps ``(B, K, h, w)`` -> maps ``(B, K, h, w)``."""
        return self.body(beside(images, maps))[-1]


class HourglassDiscriminator(nn.Module):
    """One hourglass, as in the paper's code: a 3 x 3 stem of stride 1. Sides are multiples of ``2 ** depth``."""

    def __init__(self, joints: int, options: hourglass.Options) -> None:
        super().__init__()
        c, half = options.channels, options.channels // 2
        self.body = hourglass.Hourglass(joints, options)
        self.body.stride = 1
        self.body.stem = nn.Sequential(
            nn.Conv2d(3 + joints, c // 4, 3, 1, 1, bias=False),
            norm(c // 4, options.norm),
            nn.ReLU(),
            hourglass.Residual(c // 4, half, options.norm),
            hourglass.Residual(half, c, options.norm),
        )

    def forward(self, images: Tensor, maps: Tensor) -> Tensor:
        """As :meth:`SmallDiscriminator.forward`."""
        return self.body(beside(images, maps))[-1]


DISCRIMINATORS: dict[str, tuple[type[nn.Module], type[Any]]] = {
    "small": (SmallDiscriminator, small.Options),
    "hourglass": (HourglassDiscriminator, hourglass.Options),
}
"""The discriminators by name, each with its options."""


def beside(images: Tensor, maps: Tensor) -> Tensor:
    """The image at the maps' size, and the maps, as one input ``(B, 3 + K, h, w)``.

    Area averages keep image and maps in register: a map pixel sees exactly the image pixels that it covers.
    """
    small = F.adaptive_avg_pool2d(images, (maps.shape[-2], maps.shape[-1]))
    return torch.cat([small, maps.to(images.dtype)], dim=1)


def create(name: str, joints: int, options: Mapping[str, Any] | None = None, seed: int = 0) -> nn.Module:
    """A discriminator for K = ``joints`` joints with weights drawn from ``seed``; the global random state stays.

    Args:
        name: 'small' or 'hourglass'.
        options: fields of :class:`posenb.models.small.Options` or :class:`posenb.models.hourglass.Options`. The norm is
            'group' unless they say otherwise: a judgement of one pose must not depend on the rest of its batch, and
            real and generated maps come in batches of their own.

    Raises:
        ValueError: for an unknown name or option, or a value that it refuses.
    """
    if name not in DISCRIMINATORS:
        raise ValueError(f"discriminator must be one of {', '.join(DISCRIMINATORS)}, not {name!r}")
    kind, options_type = DISCRIMINATORS[name]
    wanted = build(options_type(norm="group"), options or {}, f"discriminator {name!r}")
    require_counts(wanted)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return kind(joints, wanted)
