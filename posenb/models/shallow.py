"""A shallow network that answers a few numbers about a picture, such as which of nine boxes fits the person."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from posenb.models.layers import check_sides, conv_norm_relu


@dataclass(frozen=True)
class Options:
    """Attributes:
    outputs: how many numbers.
    widths: channels at strides 2, 4, 8, 16.
    norm: 'batch' or 'group'.
    """

    outputs: int = 9
    widths: tuple[int, ...] = (16, 32, 64, 96)
    norm: str = "batch"


class Shallow(nn.Module):
    """Images ``(B, 3, H, W)`` in [0, 1] -> ``(B, outputs)``. H and W are multiples of 16.

    The mean over the last map is taken: what counts is how large something is, less where it is.
    """

    def __init__(self, joints: int, options: Options | None = None) -> None:
        super().__init__()
        o = self.options = options or Options()
        self.least = 2 ** len(o.widths)
        pairs = zip((3, *o.widths[:-1]), o.widths, strict=True)
        self.body = nn.Sequential(*(conv_norm_relu(a, b, 2, o.norm) for a, b in pairs))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * o.widths[-1], o.outputs))

    def forward(self, images: Tensor) -> Tensor:
        check_sides(images, self.least)
        return self.head(self.body(images))
