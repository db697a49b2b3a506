"""One step of stable heatmap regression, and how a method with such maps answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Generator, Tensor
from torch.optim import AdamW, Optimizer

from posenb import augment, rivals
from posenb.data.dataset import PoseDataset
from posenb.heatmaps import decode
from posenb.methods.base import Method, Setting
from posenb.methods.heads import reset_heads, take_over_body
from posenb.methods.stable_heatmaps.objective import StableObjective
from posenb.methods.stable_heatmaps.options import Options
from posenb.step import Step


class StableAnswers(Method):
    """Answers maps of the input's size, read by ``objective``; a joint is the highest pixel, as the paper has it."""

    objective: StableObjective

    @property
    def stride(self) -> int:
        """1: maps of the input's size."""
        return 1

    def raw(self, images: Tensor) -> Tensor:
        """Raw maps ``(B, K, H, W)`` of the last stack."""
        return self.objective.enlarge([super().raw(images)])[-1]

    def heatmaps(self, images: Tensor) -> Tensor:
        return self.objective.answer(self.raw(images))

    def predict(self, images: Tensor, flip: bool = False) -> tuple[Tensor, Tensor]:
        """The highest pixel. Maps of mirrored images are averaged before RCC, which they need."""
        if images.dtype == torch.uint8:
            images = augment.center(images, self.setting.size)
        images = images.contiguous(memory_format=torch.channels_last)
        raw = self.raw(images)
        if flip:
            mirrored = self.raw(images.flip(-1)).flip(-1)[:, list(self.setting.skeleton.flip)]
            raw = (raw + mirrored) / 2
        return decode(self.objective.answer(raw), 1, "argmax")


class StableHeatmaps(StableAnswers):
    """One network, trained by :class:`~posenb.methods.stable_heatmaps.objective.StableObjective`; or by a rival."""

    version = 2
    options_type = Options

    def __init__(self, options: Options, setting: Setting) -> None:
        super().__init__(options, setting)
        self.objective = StableObjective(options, setting.size)
        self.network = setting.create_network()
        reset_heads(self.network, setting.seed)

    def start_from(self, sources: Sequence[Method]) -> None:
        """Take over all but the head from the first source, which may have maps of another kind and size."""
        take_over_body(self.network, sources[0].network)

    def optimizers(self) -> dict[str, Optimizer]:
        o = self.options
        return {"network": AdamW(self.network.parameters(), o.lr, weight_decay=o.weight_decay)}

    def train_step(self, step: Step, data: Mapping[str, PoseDataset]) -> dict[str, Tensor]:
        """Images, and where stability is trained their perturbed copies in the same batch, through the network once."""
        o, objective = self.options, self.objective
        batch = step.batch(data["train"])
        sample = augment.apply(batch, step.draw(o.augmentation), self.setting.size, self.setting.skeleton)
        generator = step.pixel_generator
        images = self.replaced(sample._replace(images=sample.images.clamp(0, 1)), step, generator)
        seen = torch.cat([images, *objective.copies(images, generator)])
        stacks = objective.enlarge(step.forward(self.network, seen))
        loss, report = objective.learn(stacks, sample, step.progress)
        step.update("network", loss)
        if o.rival == "lipschitz":
            rivals.limit_lipschitz(self.network, o.strengths.lipschitz)
        return {"loss": loss.detach(), **report}

    def replaced(self, sample: augment.Sample, step: Step, generator: Generator) -> Tensor:
        """What is trained on in place of the sample's images: only two rivals change them."""
        how, rival, objective = self.options.strengths, self.options.rival, self.objective
        if rival == "patch_gaussian":
            return rivals.patch_gaussian(sample.images, how.patch, how.patch_std, generator)
        if rival == "at":

            def loss(images: Tensor) -> Tensor:
                return objective.loss(objective.enlarge(step.forward(self.network, images)), sample, step.progress)

            return rivals.attack(loss, sample.images, how.radius, how.attack_steps, generator)
        return sample.images
