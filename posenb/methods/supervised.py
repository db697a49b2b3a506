"""Supervised training on heatmaps: the baseline of every chapter.

Tompson et al. 2014, Newell et al. 2016: a network answers a map a joint, trained towards a Gaussian at the label.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer

from posenb import augment
from posenb.data.dataset import PoseDataset
from posenb.heatmaps import gaussian
from posenb.losses import heatmap_mse, soft_cross_entropy
from posenb.methods.base import Method, Setting, require_positive
from posenb.step import Step

LOSSES = {"mse": heatmap_mse, "soft_cross_entropy": soft_cross_entropy}


@dataclass(frozen=True)
class Options:
    """Attributes:
    loss: 'mse', the papers' loss, or 'soft_cross_entropy', which learns about three times faster.
    sigma: of the target Gaussian, in map pixels.
    lr: learning rate of AdamW.
    weight_decay: of AdamW.
    augmentation: what is drawn at random.
    """

    loss: str = "mse"
    sigma: float = 1.5
    lr: float = 2e-3
    weight_decay: float = 1e-2
    augmentation: augment.Family = field(default_factory=augment.Family)

    def __post_init__(self) -> None:
        require_positive(sigma=self.sigma)
        if self.loss not in LOSSES:
            raise ValueError(f"loss must be one of {', '.join(LOSSES)}, not {self.loss!r}")


class Supervised(Method):
    """One network, one loss; with several stacks, the mean over their losses."""

    options_type = Options

    def __init__(self, options: Options, setting: Setting) -> None:
        super().__init__(options, setting)
        self.network = setting.create_network()

    def optimizers(self) -> dict[str, Optimizer]:
        o = self.options
        return {"network": AdamW(self.network.parameters(), o.lr, weight_decay=o.weight_decay)}

    def train_step(self, step: Step, data: Mapping[str, PoseDataset]) -> dict[str, Tensor]:
        batch = step.batch(data["train"])
        sample = augment.apply(batch, step.draw(self.options.augmentation), self.setting.size, self.setting.skeleton)
        loss = self.loss(step.forward(self.network, sample.images), sample)
        step.update("network", loss)
        return {"loss": loss.detach()}

    def target(self, sample: augment.Sample) -> Tensor:
        """Gaussians at the labels, ``(B, K, h, w)``."""
        return gaussian(sample.points, self.map_size(), self.stride, self.options.sigma)

    def loss(self, maps: list[Tensor], sample: augment.Sample) -> Tensor:
        """Mean over the stacks of the loss between maps and the sample's target."""
        target, loss = self.target(sample), LOSSES[self.options.loss]
        return torch.stack([loss(stack, target, sample.visible) for stack in maps]).mean()

    def heatmaps(self, images: Tensor) -> Tensor:
        """Trained by MSE the maps themselves, trained by cross-entropy their softmax."""
        maps = super().heatmaps(images)
        if self.options.loss == "mse":
            return maps
        return maps.flatten(-2).softmax(dim=-1).unflatten(-1, maps.shape[-2:])
