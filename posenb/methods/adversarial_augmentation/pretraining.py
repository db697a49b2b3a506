"""Stage 2: the augmenters learn what the frozen pose network finds hard (sections 4.1 and 4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer

from posenb import augment
from posenb.data.dataset import Batch, PoseDataset
from posenb.errors import UserError
from posenb.methods.adversarial_augmentation.adversaries import (
    Adversaries,
    AgentOptions,
    difficulty,
    known,
    upside_down,
)
from posenb.methods.base import Setting
from posenb.step import Step

SWEEPS = {"pairs": augment.sweep, "apart": augment.sweep_apart}
_AT_ONCE = 512  # images of a sweep that pass through the network together


@dataclass(frozen=True)
class PretrainingOptions(AgentOptions):
    """Attributes of AgentOptions, and:

    sweep: 'pairs', all m x n, the paper's; 'apart', m + n, the released code's, which also has ``noise`` 0.
    """

    sweep: str = "pairs"

    def __post_init__(self) -> None:
        super().__post_init__()
        known("sweep", self.sweep, SWEEPS)


class AdversarialPretraining(Adversaries):
    """Stage 2. The pose network stays as it is, to the last bit."""

    options_type = PretrainingOptions
    cell_counts: Tensor

    def __init__(self, options: PretrainingOptions, setting: Setting) -> None:
        super().__init__(options, setting)
        self.network.requires_grad_(False).eval()
        self.register_buffer("cell_counts", torch.zeros(self.grid))

    def prepare(self, data: Mapping[str, PoseDataset]) -> None:
        if not self.started:
            raise UserError("adversarial_pretraining goes on from a trained pose network: give its run as start")
        plain = data["train"].cropped()
        self.cell_counts.copy_(augment.cell_counts(plain.points, plain.visible, plain.size, self.grid))

    def train(self, mode: bool = True) -> AdversarialPretraining:
        """As of any module, but D stays as it is: its batch statistics are frozen as well."""
        super().train(mode)
        self.network.eval()
        return self

    def optimizers(self) -> dict[str, Optimizer]:
        return self.agent_optimizers()

    def train_step(self, step: Step, data: Mapping[str, PoseDataset]) -> dict[str, Tensor]:
        batch = step.batch(data["train"])
        bridges = self.bridges(step, batch.images)
        losses: dict[str, Tensor] = {}
        found: dict[str, Tensor] = {}
        if "asr" in self.agents and self.options.direct:
            own, climbed = self.climb(step, batch, augment.still(len(batch.images)).to(batch.images.device), bridges)
            losses["asr"], found["upside_down"] = climbed.mean(), upside_down(own.angle)
        elif "asr" in self.agents:
            targets = self.sweep(step, batch)
            predicted = step.forward(self.agents["asr"], *bridges)
            pairs = zip(targets, predicted, strict=True)
            losses["asr"] = torch.stack([augment.divergence(target, logits) for target, logits in pairs]).sum(0).mean()
        if "aho" in self.agents:
            target = augment.normalize(self.cell_counts.view(1, -1)).expand(len(batch.images), -1)
            losses["aho"] = augment.divergence(target, step.forward(self.agents["aho"], *bridges)).mean()
        for name, loss in losses.items():
            step.update(name, loss)
        found |= {f"loss_{name}": loss.detach() for name, loss in losses.items()}
        return {"loss": torch.stack(list(losses.values())).detach().sum(), **found}

    @torch.no_grad()
    def sweep(self, step: Step, batch: Batch) -> tuple[Tensor, Tensor]:
        """P^s ``(B, m)`` and P^r ``(B, n)`` of this process's images: the losses of all pairs of bins, gathered."""
        m, n, o = len(self.scales), len(self.rotations), self.options
        count, each = step.budget.batch, m * n if o.sweep == "pairs" else m + n
        share = step.share(count)
        drawn = SWEEPS[o.sweep](count, self.scales, self.rotations, step.generator)
        drawn = drawn[slice(share.start * each, share.stop * each)]
        index = torch.arange(len(batch.images), device=batch.images.device).repeat_interleave(each)
        found = []
        for part, rows in zip(torch.arange(len(index)).split(_AT_ONCE), index.split(_AT_ONCE), strict=True):
            images = Batch(*(tensor[rows] for tensor in batch))
            sample = augment.apply(images, drawn[part], self.setting.size, self.setting.skeleton)
            found.append(difficulty(self, step.forward(self.network, sample.images), sample))
        losses = torch.cat(found)
        if o.sweep == "pairs":
            return augment.accumulate(losses.view(-1, m, n))
        scale, rotation = losses.view(-1, m + n).split([m, n], dim=1)
        return augment.normalize(scale), augment.normalize(rotation)
