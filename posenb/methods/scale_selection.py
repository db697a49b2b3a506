"""Which of nine boxes fits a person of unknown size (Carreira et al. 2016, section 3): a shallow network chooses.

It sees the largest box and is regressed, by squared error, to 1 for the fitting box and 0 for the others. (The paper
does not say what it sees; the released code looks through every box, and takes the one of the highest score.) Asked for
points it answers a standing mean pose of the size that it chose.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer

from posenb import augment, models
from posenb.data import scenes
from posenb.data.dataset import PoseDataset
from posenb.errors import UserError
from posenb.methods.base import Method, Setting
from posenb.step import Step, order


@dataclass(frozen=True)
class Options:
    """Attributes:
    lr: learning rate of AdamW.
    weight_decay: of AdamW.
    augmentation: what is drawn at random; it must not scale, or the label would be wrong.
    """

    lr: float = 2e-3
    weight_decay: float = 1e-2
    augmentation: augment.Family = field(default_factory=lambda: augment.Family(rotation=0, scale=0))

    def __post_init__(self) -> None:
        if self.augmentation.scale:
            raise ValueError("scale selection cannot be trained with pictures that are scaled at random")


class ScaleSelection(Method):
    """A network of nine answers, and the mean pose in statures about the marking point."""

    options_type = Options
    standing: Tensor

    def __init__(self, options: Options, setting: Setting) -> None:
        super().__init__(options, setting)
        if setting.network != "shallow":
            raise ValueError(f"scale selection needs the network 'shallow', not {setting.network!r}")
        given = {**setting.network_options, "outputs": scenes.BOXES}
        self.network = models.create("shallow", len(setting.skeleton), given, setting.seed * 1000)
        self.register_buffer("standing", torch.zeros(len(setting.skeleton), 2))

    def prepare(self, data: Mapping[str, PoseDataset]) -> None:
        """The mean pose: the median over the training people of (point - marking point) / stature.

        Raises:
            UserError: for people without statures.
        """
        train = data["train"].cropped()
        if train.stature is None:
            raise UserError(f"{train.name}: nobody's stature is known; scale selection needs the data set 'scene'")
        relative = (train.points - scenes.markers(train)[:, None]) / train.stature[:, None, None]
        self.standing.copy_(torch.where(train.visible[..., None], relative, torch.nan).nanmedian(dim=0).values)

    def optimizers(self) -> dict[str, Optimizer]:
        o = self.options
        return {"network": AdamW(self.network.parameters(), o.lr, weight_decay=o.weight_decay)}

    def train_step(self, step: Step, data: Mapping[str, PoseDataset]) -> dict[str, Tensor]:
        train, count = data["train"], step.budget.batch
        batch, drawn = step.batch(train), step.draw(self.options.augmentation)
        sample = augment.apply(batch, drawn, self.setting.size, self.setting.skeleton)
        index = order(len(train), count, step.number, step.seed)[step.share(count)]
        assert train.stature is not None  # prepare has looked
        wanted = self.fitting(train.stature[index]).to(sample.images.device)
        answer = step.forward(self.network, sample.images)
        loss = (answer - torch.nn.functional.one_hot(wanted, scenes.BOXES)).square().sum(dim=1).mean()
        step.update("network", loss)
        right = (answer.argmax(dim=1) == wanted).float().mean()
        return {"loss": loss.detach(), "right": right}

    def fitting(self, stature: Tensor) -> Tensor:
        """The fitting box ``(B,)`` of people whose statures ``(B,)`` are in pixels of the largest box's picture."""
        return (self.sides() - scenes.ROOM * stature[:, None]).abs().argmin(dim=1)

    def sides(self) -> Tensor:
        """Sides ``(9,)`` of the boxes in pixels of the largest one's picture, which is the network's input."""
        ratios = scenes.sides((1, 1))
        return ratios / ratios[scenes.WIDE] * self.setting.size[0]

    def choose(self, images: Tensor) -> Tensor:
        """The box ``(B,)`` for pictures of the largest box, ``(B, 3, H, W)``: floats in [0, 1] or bytes."""
        if images.dtype == torch.uint8:
            images = augment.center(images, self.setting.size)
        return self.network(images).argmax(dim=1)

    def predict(self, images: Tensor, flip: bool = False) -> tuple[Tensor, Tensor]:
        """A standing person of the chosen size about the marking point, the middle; scores are 1."""
        stature = self.sides().to(images.device)[self.choose(images)] / scenes.ROOM
        middle = self.standing.new_tensor([self.setting.size[1] / 2, self.setting.size[0] / 2])
        points = middle + self.standing * stature[:, None, None]
        return points, torch.ones(points.shape[:2], device=points.device)
