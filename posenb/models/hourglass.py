"""Stacked hourglasses (Newell et al. 2016), with residual or dense blocks (ADA paper, section 5).

B images of (H, W); the maps are (H / 4, W / 4). Between the two halves of an hourglass stand its *bridges*: one skip
map a resolution, and the neck. Adversarial augmentation reads them, and occludes them by a mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from posenb.models.layers import check_sides, norm


@dataclass(frozen=True)
class Options:
    """One stack of 256 channels and 3 residual bottlenecks a place is the ADA paper's ablation network.

    Attributes:
        stacks: hourglasses one after the other, each with its own maps and loss.
        block: 'residual' (bottleneck, pre-activation) or 'dense' (bottlenecks of growth 32).
        channels: width; the paper's dense hourglass has 128.
        blocks: bottlenecks a place; the paper has 3 residual, 6 dense.
        depth: how often the resolution is halved.
        stem: input pixels a map pixel, 4 as in the papers or 2 for small inputs.
        norm: 'batch' or 'group'.
    """

    stacks: int = 1
    block: str = "residual"
    channels: int = 256
    blocks: int = 3
    depth: int = 4
    stem: int = 4
    norm: str = "batch"


class Residual(nn.Module):
    """Pre-activation bottleneck, c -> c/2 -> c/2 -> c, added to its input."""

    def __init__(self, inside: int, outside: int, kind: str = "batch") -> None:
        super().__init__()
        half = outside // 2
        self.body = nn.Sequential(
            *(norm(inside, kind), nn.ReLU(), nn.Conv2d(inside, half, 1, bias=False)),
            *(norm(half, kind), nn.ReLU(), nn.Conv2d(half, half, 3, padding=1, bias=False)),
            *(norm(half, kind), nn.ReLU(), nn.Conv2d(half, outside, 1)),
        )
        self.skip = nn.Identity() if inside == outside else nn.Conv2d(inside, outside, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.skip(x)


class Dense(nn.Module):
    """Dense bottlenecks (Huang et al. 2017): each sees all before it and adds ``growth`` channels; 1 x 1 at the end."""

    def __init__(self, channels: int, blocks: int, kind: str = "batch", growth: int = 32, neck: int = 4) -> None:
        super().__init__()
        wide = neck * growth
        self.bottlenecks = nn.ModuleList(
            nn.Sequential(
                *(norm(seen, kind), nn.ReLU(), nn.Conv2d(seen, wide, 1, bias=False)),
                *(norm(wide, kind), nn.ReLU(), nn.Conv2d(wide, growth, 3, padding=1, bias=False)),
            )
            for seen in range(channels, channels + blocks * growth, growth)
        )
        last = channels + blocks * growth
        self.transition = nn.Sequential(norm(last, kind), nn.ReLU(), nn.Conv2d(last, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        for bottleneck in self.bottlenecks:
            x = torch.cat([x, bottleneck(x)], dim=1)
        return self.transition(x)


def _place(options: Options) -> nn.Module:
    if options.block == "dense":
        return Dense(options.channels, options.blocks, options.norm)
    if options.block == "residual":
        c = options.channels
        return nn.Sequential(*(Residual(c, c, options.norm) for _ in range(options.blocks)))
    raise ValueError(f"block must be 'residual' or 'dense', not {options.block!r}")


class Bridged(nn.Module):
    """One hourglass: halve and keep, then double and add."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.down = nn.ModuleList(_place(options) for _ in range(options.depth))
        self.skip = nn.ModuleList(_place(options) for _ in range(options.depth))
        self.neck = _place(options)
        self.up = nn.ModuleList(_place(options) for _ in range(options.depth))

    def bridges(self, x: Tensor) -> list[Tensor]:
        """The skip maps, from the highest resolution to the lowest, and last the neck."""
        maps = []
        for down, skip in zip(self.down, self.skip, strict=True):
            maps.append(skip(x))
            x = down(F.max_pool2d(x, 2))
        return [*maps, self.neck(x)]

    def merge(self, bridges: list[Tensor]) -> Tensor:
        """From the neck upwards."""
        *skips, x = bridges
        for up, skip in zip(reversed(self.up), reversed(skips), strict=True):
            x = skip + F.interpolate(up(x), size=skip.shape[-2:])
        return x


def occlude(bridges: list[Tensor], mask: Tensor | Sequence[Tensor] | None) -> list[Tensor]:
    """Multiply bridges ``(B, C, h, w)`` by a mask, 0 = occluded; None changes nothing.

    Args:
        mask: ``(B, 1, h0, w0)``, scaled to each bridge, or one for each bridge.
    """
    if mask is None:
        return bridges
    masks = [mask] * len(bridges) if isinstance(mask, Tensor) else mask
    pairs = zip(bridges, masks, strict=True)
    return [bridge * F.interpolate(one.to(bridge.dtype), size=bridge.shape[-2:]) for bridge, one in pairs]


class Hourglass(nn.Module):
    """Images ``(B, 3, H, W)`` -> a list of maps ``(B, K, H / stride, W / stride)``, one a stack.

    Raises:
        ValueError: where H or W is no multiple of ``stride * 2 ** depth``.
    """

    def __init__(self, joints: int, options: Options | None = None) -> None:
        super().__init__()
        o = self.options = options or Options()
        if o.stem not in (2, 4):
            raise ValueError(f"stem must be 2 or 4, not {o.stem}")
        if o.stacks < 1:
            raise ValueError(f"stacks must be at least 1, not {o.stacks}")
        self.stride = o.stem
        c, half = o.channels, o.channels // 2
        self.stem = nn.Sequential(
            nn.Conv2d(3, c // 4, 7, 2, 3, bias=False),
            norm(c // 4, o.norm),
            nn.ReLU(),
            Residual(c // 4, half, o.norm),
            nn.MaxPool2d(2) if o.stem == 4 else nn.Identity(),
            Residual(half, half, o.norm),
            Residual(half, c, o.norm),
        )
        self.hourglasses = nn.ModuleList(Bridged(o) for _ in range(o.stacks))
        self.features = nn.ModuleList(
            nn.Sequential(_place(o), nn.Conv2d(c, c, 1, bias=False), norm(c, o.norm), nn.ReLU())
            for _ in range(o.stacks)
        )
        self.heads = nn.ModuleList(nn.Conv2d(c, joints, 1) for _ in range(o.stacks))
        # a stack's features and maps flow on into the next
        self.feed_features = nn.ModuleList(nn.Conv2d(c, c, 1) for _ in range(o.stacks - 1))
        self.feed_maps = nn.ModuleList(nn.Conv2d(joints, c, 1) for _ in range(o.stacks - 1))

    def forward(self, images: Tensor, mask: Tensor | Sequence[Tensor] | None = None) -> list[Tensor]:
        """With a ``mask (B, 1, h, w)`` (0 = occluded), or one for each bridge, on the bridges of every stack."""
        return self.forward_bridges(images, mask)[0]

    def forward_bridges(
        self, images: Tensor, mask: Tensor | Sequence[Tensor] | None = None
    ) -> tuple[list[Tensor], list[Tensor]]:
        """The maps, and the first hourglass's bridges as they were before any mask."""
        check_sides(images, self.stride * 2**self.options.depth)
        x = self.stem(images)
        maps: list[Tensor] = []
        first: list[Tensor] = []
        for stack, hourglass in enumerate(self.hourglasses):
            bridges = hourglass.bridges(x)  # type: ignore[operator]
            first = first or bridges
            merged = hourglass.merge(occlude(bridges, mask))  # type: ignore[operator]
            features = self.features[stack](merged)
            maps.append(self.heads[stack](features))
            if stack + 1 < len(self.hourglasses):
                x = x + self.feed_features[stack](features) + self.feed_maps[stack](maps[-1])
        return maps, first
