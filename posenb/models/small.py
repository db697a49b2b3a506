"""A small U-shaped network for CPU profiles: 1.2M weights, maps at half the input's resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from posenb.models.hourglass import occlude
from posenb.models.layers import check_sides, conv_norm_relu, norm


@dataclass(frozen=True)
class Options:
    """widths: channels at strides 2, 4, 8, 16; norm: 'batch' or 'group'."""

    widths: tuple[int, ...] = (24, 64, 112, 160)
    norm: str = "batch"


class Small(nn.Module):
    """Images ``(B, 3, H, W)`` -> a list of one map ``(B, K, H / 2, W / 2)``. H and W are multiples of 16."""

    stride = 2

    def __init__(self, joints: int, options: Options | None = None) -> None:
        super().__init__()
        o = self.options = options or Options()
        self.least = 2 ** len(o.widths)
        first, *_ = o.widths
        pairs = list(zip(o.widths[:-1], o.widths[1:], strict=True))
        self.stem = conv_norm_relu(3, first, 2, o.norm)
        self.down = nn.ModuleList(
            nn.Sequential(conv_norm_relu(a, b, 2, o.norm), conv_norm_relu(b, b, 1, o.norm)) for a, b in pairs
        )
        # low resolutions are cheap: what needs to see far is decided there
        self.neck = nn.Sequential(*(conv_norm_relu(o.widths[-1], o.widths[-1], 1, o.norm) for _ in range(2)))
        self.lift = nn.ModuleList(nn.Sequential(nn.Conv2d(b, a, 1, bias=False), norm(a, o.norm)) for a, b in pairs)
        self.up = nn.ModuleList(conv_norm_relu(a, a, 1, o.norm) for a, _ in pairs)
        self.head = nn.Conv2d(first, joints, 1)

    def forward(self, images: Tensor, mask: Tensor | Sequence[Tensor] | None = None) -> list[Tensor]:
        """With a ``mask (B, 1, h, w)`` (0 = occluded), or one for each bridge, on the bridges."""
        return self.forward_bridges(images, mask)[0]

    def forward_bridges(
        self, images: Tensor, mask: Tensor | Sequence[Tensor] | None = None
    ) -> tuple[list[Tensor], list[Tensor]]:
        """The maps, and the bridges before any mask: what is added on the way up, at strides 2, 4, 8, and the neck."""
        check_sides(images, self.least)
        x = self.stem(images)
        bridges = []
        for down in self.down:
            bridges.append(x)
            x = down(x)
        bridges.append(self.neck(x))
        *skips, x = occlude(bridges, mask)
        for lift, up, skip in zip(reversed(self.lift), reversed(self.up), reversed(skips), strict=True):
            x = up(torch.relu(skip + F.interpolate(lift(x), scale_factor=2.0)))
        return [self.head(x)], bridges
