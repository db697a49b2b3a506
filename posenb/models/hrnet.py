"""HRNet (Sun et al. 2019): timm's backbone, read at its highest resolution, and a 1 x 1 head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import timm
from torch import Tensor, nn

from posenb.models.layers import check_sides, normalised


@dataclass(frozen=True)
class Options:
    """width: of the highest resolution, 18, 32 or 48; pretrained: fetch timm's ImageNet weights on first use."""

    width: int = 32
    pretrained: bool = False


class HRNet(nn.Module):
    """Images ``(B, 3, H, W)`` in [0, 1] -> a list of one map ``(B, K, H / 4, W / 4)``. H and W are multiples of 32.

    Raises:
        ValueError: for another width, or other sides.
    """

    stride = 4

    def __init__(self, joints: int, options: Options | None = None) -> None:
        super().__init__()
        o = self.options = options or Options()
        if o.width not in (18, 32, 48):
            raise ValueError(f"width must be 18, 32 or 48, not {o.width}")
        # index 1: the branch of stride 4, without the classifier's channel expansion
        self.backbone = timm.create_model(
            f"hrnet_w{o.width}",
            pretrained=o.pretrained,
            features_only=True,
            out_indices=(1,),
            feature_location="",
        )
        # what the last fusion makes for the lower resolutions is never read, so it would never learn
        stage4: Any = self.backbone.stage4
        stage4[-1].fuse_layers = stage4[-1].fuse_layers[:1]
        self.head = nn.Conv2d(o.width, joints, 1)

    def forward(self, images: Tensor) -> list[Tensor]:
        check_sides(images, 32)
        return [self.head(self.backbone(normalised(images))[-1])]
