"""A small U-shaped network for CPU profiles: 1.2M weights, maps at half the input's resolution."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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

    def forward(self, images: Tensor) -> list[Tensor]:
        check_sides(images, self.least)
        x = self.stem(images)
        skips = []
        for down in self.down:
            skips.append(x)
            x = down(x)
        x = self.neck(x)
        for lift, up, skip in zip(reversed(self.lift), reversed(self.up), reversed(skips), strict=True):
            x = up(torch.relu(skip + F.interpolate(lift(x), scale_factor=2.0)))
        return [self.head(x)]
