"""Simple baselines (Xiao et al. 2018): a torchvision backbone, then upsampling to maps of stride 4."""

from __future__ import annotations

from dataclasses import dataclass

import torchvision.models as backbones
from torch import Tensor, nn
from torchvision.models import WeightsEnum
from torchvision.models.feature_extraction import create_feature_extractor

from posenb.models.layers import check_sides, norm, normalised

# the last node with spatial extent, and its channels; all have stride 32
_LAST = {
    "resnet18": ("layer4", 512),
    "resnet50": ("layer4", 2048),
    "resnet101": ("layer4", 2048),
    "resnet152": ("layer4", 2048),
    "vgg19_bn": ("features", 512),
    "mobilenet_v2": ("features", 1280),
    "shufflenet_v2_x1_0": ("conv5", 1024),
}


def known_weights(backbone: str, name: str | None) -> WeightsEnum | None:
    """torchvision's pretrained weights by their name. Raises ValueError for an unknown one."""
    if name is None:
        return None
    known = backbones.get_model_weights(backbone)
    if name not in known.__members__:
        raise ValueError(f"weights of {backbone} must be one of {', '.join(known.__members__)}, not {name!r}")
    return known[name]


@dataclass(frozen=True)
class Options:
    """Attributes:
    backbone: a torchvision network.
    weights: torchvision's name of pretrained weights, such as 'DEFAULT' (fetched on first use), or None.
    channels: width of the three upsampling steps.
    """

    backbone: str = "resnet18"
    weights: str | None = None
    channels: int = 256


class Baseline(nn.Module):
    """Images ``(B, 3, H, W)`` in [0, 1] -> a list of one map ``(B, K, H / 4, W / 4)``. H and W are multiples of 32.

    Raises:
        ValueError: for a backbone or weights that are not known, or sides that are no multiples of 32.
    """

    stride = 4

    def __init__(self, joints: int, options: Options | None = None) -> None:
        super().__init__()
        o = self.options = options or Options()
        if o.backbone not in _LAST:
            raise ValueError(f"backbone must be one of {', '.join(_LAST)}, not {o.backbone!r}")
        node, width = _LAST[o.backbone]
        whole = backbones.get_model(o.backbone, weights=known_weights(o.backbone, o.weights))
        self.backbone = create_feature_extractor(whole, {node: "last"})
        steps: list[nn.Module] = []
        for inside in (width, o.channels, o.channels):
            steps += [nn.ConvTranspose2d(inside, o.channels, 4, 2, 1, bias=False), norm(o.channels), nn.ReLU()]
        self.up = nn.Sequential(*steps)
        self.head = nn.Conv2d(o.channels, joints, 1)

    def forward(self, images: Tensor) -> list[Tensor]:
        check_sides(images, 32)
        # ImageNet's colour statistics, which pretrained weights expect
        return [self.head(self.up(self.backbone(normalised(images))["last"]))]
