"""The augmentation networks G (Peng et al. 2018, sections 4 and 5.1): from a pose network's bridges to distributions.

They take the top-down half of an hourglass with one residual a resolution, and read the pose network's bridges instead
of an image. Any pose network will do that has ``forward_bridges(images, mask)``: maps, and bridges ``(B, C, h, w)``
from the highest resolution to the lowest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from posenb.models.hourglass import Residual
from posenb.models.layers import norm

# groups of channels that are normalised together; batch statistics of a third of a batch would be noise
_KIND, _GROUPS = "group", 8

MOST_CELLS = 4
"""A side of the occlusion grid has no more cells (the paper's w = h = 4), and no more than the lowest resolution."""


class Shape(NamedTuple):
    """Of a bridge: C channels, h x w pixels."""

    channels: int
    size: tuple[int, int]


@torch.no_grad()
def bridge_shapes(network: nn.Module, size: tuple[int, int]) -> list[Shape]:
    """Shapes of a pose network's bridges for images of (H, W) = ``size``.

    Raises:
        ValueError: where the network has no ``forward_bridges``.
    """
    if not hasattr(network, "forward_bridges"):
        raise ValueError(
            "adversarial augmentation needs a network with forward_bridges(images, mask), such as small or hourglass"
        )
    training = network.training
    _, bridges = network.eval().forward_bridges(torch.zeros(1, 3, *size))  # type: ignore[operator]
    network.train(training)
    return [Shape(b.shape[1], (b.shape[2], b.shape[3])) for b in bridges]


class Descent(nn.Module):
    """Bridges -> features at the lowest resolution: a residual, max-pooling, and the next bridge is added.

    No gradient reaches the bridges. Each resolution is as wide as its bridge, rounded up to a multiple of 16.
    """

    def __init__(self, shapes: Sequence[Shape]) -> None:
        super().__init__()
        widths = [-(-shape.channels // (2 * _GROUPS)) * 2 * _GROUPS for shape in shapes]
        self.entries = nn.ModuleList(
            nn.Identity() if shape.channels == width else nn.Conv2d(shape.channels, width, 1)
            for shape, width in zip(shapes, widths, strict=True)
        )
        self.places = nn.ModuleList(
            Residual(width, after, _KIND) for width, after in zip(widths, [*widths[1:], widths[-1]], strict=True)
        )
        self.last = nn.Sequential(norm(widths[-1], _KIND), nn.ReLU())
        self.channels = widths[-1]

    def forward(self, *bridges: Tensor) -> Tensor:
        x = torch.zeros(())
        for level, bridge in enumerate(bridges):
            entered = self.entries[level](bridge.detach())
            if level > 0:
                entered = entered + F.adaptive_max_pool2d(x, bridge.shape[-2:])
            x = self.places[level](entered)
        return self.last(x)


class ScaleRotation(nn.Module):
    """Adversarial scaling and rotating: bridges -> logits of m scale and n rotation bins, ``(B, m)`` and ``(B, n)``."""

    def __init__(self, shapes: Sequence[Shape], scales: int = 7, rotations: int = 9) -> None:
        super().__init__()
        self.descent = Descent(shapes)
        self.scale = nn.Linear(self.descent.channels, scales)
        self.rotation = nn.Linear(self.descent.channels, rotations)

    def forward(self, *bridges: Tensor) -> tuple[Tensor, Tensor]:
        x = self.descent(*bridges).mean(dim=(-2, -1))
        return self.scale(x), self.rotation(x)


class Direct(nn.Module):
    """What section 4.1 warns of: bridges -> log2 of the enlargement ``(B,)`` in +-.6, and angle ``(B,)`` in +-180."""

    def __init__(self, shapes: Sequence[Shape], most_exponent: float = 0.6, most_degrees: float = 180.0) -> None:
        super().__init__()
        self.descent = Descent(shapes)
        self.head = nn.Linear(self.descent.channels, 2)
        self.most = (most_exponent, most_degrees)

    def forward(self, *bridges: Tensor) -> tuple[Tensor, Tensor]:
        exponent, angle = self.head(self.descent(*bridges).mean(dim=(-2, -1))).float().tanh().unbind(-1)
        return exponent * self.most[0], angle * self.most[1]


class Occluder(nn.Module):
    """Adversarial hierarchical occluding: bridges -> logits ``(B, rows * columns)`` of the cells of a grid."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        super().__init__()
        self.descent = Descent(shapes)
        self.head = nn.Conv2d(self.descent.channels, 1, 1)
        self.grid = grid(shapes)

    def forward(self, *bridges: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(self.head(self.descent(*bridges)), self.grid).flatten(1)


def make_uniform(agent: ScaleRotation | Occluder) -> None:
    """Sets an agent's last layers to 0: it predicts the same probability for all bins or cells, whatever it reads."""
    for last in [agent.scale, agent.rotation] if isinstance(agent, ScaleRotation) else [agent.head]:
        for weight in last.parameters():
            nn.init.zeros_(weight)


def grid(shapes: Sequence[Shape]) -> tuple[int, int]:
    """(rows, columns) of the occlusion grid: the lowest resolution, at most 4 a side."""
    height, width = shapes[-1].size
    return min(height, MOST_CELLS), min(width, MOST_CELLS)


def create(kind: type[nn.Module], seed: int, *args: Any) -> nn.Module:
    """A network of this class with weights drawn from ``seed``; the global random state is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return kind(*args)
