"""The network of iterative error feedback: image and rendered guess in, a correction of every joint out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
import torchvision.models as backbones
from torch import Tensor, nn

from posenb.models.baseline import known_weights
from posenb.models.layers import check_sides, conv_norm_relu, normalised


@dataclass(frozen=True)
class Options:
    """Attributes:
    backbone: 'small', the encoder of :class:`posenb.models.small.Small`, or 'googlenet', torchvision's.
    widths: of 'small', channels at strides 2, 4, 8, 16.
    norm: of 'small': 'batch' or 'group'.
    hidden: of 'small': width of the layer before the answer.
    size: of 'small': side of the images, which are square.
    weights: of 'googlenet': torchvision's name of pretrained weights, 'DEFAULT' (fetched on first use), or None.
    """

    backbone: str = "small"
    widths: tuple[int, ...] = (24, 64, 112, 160)
    norm: str = "batch"
    hidden: int = 512
    size: int = 64
    weights: str | None = None


class Feedback(nn.Module):
    """Images and rendered points ``(B, 3 + C, H, W)`` -> corrections ``(B, J, 2)`` of J joints, in units of L.

    The first three channels are the image in [0, 1], the other C = J + 1 the maps of the joints and of the marking
    point, values in [-.5, .5]. Nothing bounds the answer: the network is taught bounded corrections (section 2).
    'small' is a convolutional encoder whose last map, 4 x 4 for images of 64, is read by two dense layers; 'googlenet'
    is the paper's as torchvision has it, batch-normalised, its last layer replaced. The first answer is about 0.

    Raises:
        ValueError: for a backbone that is neither, unknown weights, or images whose side does not fit.
    """

    def __init__(self, joints: int, options: Options | None = None) -> None:
        super().__init__()
        o = self.options = options or Options()
        self.joints, inputs = joints, 3 + joints + 1
        if o.backbone == "small":
            self.least = 2 ** len(o.widths)
            pairs = list(zip(o.widths[:-1], o.widths[1:], strict=True))
            self.stem = conv_norm_relu(inputs, o.widths[0], 2, o.norm)
            self.down = nn.ModuleList(
                nn.Sequential(conv_norm_relu(a, b, 2, o.norm), conv_norm_relu(b, b, 1, o.norm)) for a, b in pairs
            )
            self.neck = nn.Sequential(*(conv_norm_relu(o.widths[-1], o.widths[-1], 1, o.norm) for _ in range(2)))
            cells = (o.size // self.least) ** 2
            self.head = nn.Sequential(
                nn.Flatten(), nn.Linear(o.widths[-1] * cells, o.hidden), nn.ReLU(), nn.Linear(o.hidden, 2 * joints)
            )
            first, last = cast(nn.Conv2d, self.stem[0]), cast(nn.Linear, self.head[-1])
        elif o.backbone == "googlenet":
            self.least = 32
            # without weights the auxiliary heads would be made, with them they must be and are dropped then
            weights = known_weights("googlenet", o.weights)
            self.whole = backbones.googlenet(weights=weights, init_weights=False, aux_logits=weights is not None)
            self.whole.aux_logits, self.whole.aux1, self.whole.aux2 = False, None, None
            # the colours are normalised here, once for all backbones
            self.whole.transform_input = False
            self.whole.fc = nn.Linear(1024, 2 * joints)
            self.whole.conv1.conv = _widened(self.whole.conv1.conv, inputs)
            first, last = cast(nn.Conv2d, self.whole.conv1.conv), cast(nn.Linear, self.whole.fc)
        else:
            raise ValueError(f"backbone must be 'small' or 'googlenet', not {o.backbone!r}")
        # the paper's variance of .1 is for maps in [-50, 50] beside pixels of 255 (its released renderer); here both
        # are about 1, and what comes from the maps shall be about as strong as what comes from the image
        nn.init.normal_(first.weight[:, 3:], std=float(first.weight[:, :3].detach().std()))
        nn.init.normal_(last.weight, std=1e-3)
        nn.init.zeros_(last.bias)

    def forward(self, stacked: Tensor) -> Tensor:
        check_sides(stacked, self.least)
        if self.options.backbone == "googlenet":
            # ImageNet's colour statistics, which pretrained weights expect; their deviation is about a quarter
            stacked = torch.cat([normalised(stacked[:, :3]), 4 * stacked[:, 3:]], dim=1)
            return self.whole(stacked).unflatten(-1, (self.joints, 2))
        x = self.stem(stacked)
        for down in self.down:
            x = down(x)
        return self.head(self.neck(x)).unflatten(-1, (self.joints, 2))


def _widened(conv: nn.Conv2d, inputs: int) -> nn.Conv2d:
    """The same convolution over more channels, its weights for the first three kept."""
    wide = nn.Conv2d(inputs, conv.out_channels, conv.kernel_size, conv.stride, conv.padding, bias=False)  # type: ignore[arg-type]
    with torch.no_grad():
        wide.weight[:, :3] = conv.weight
    return wide
