"""What both stages of adversarial augmentation share: D, its augmenters, and how hard an image is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from posenb import augment
from posenb.augment import Draw, Sample
from posenb.data.dataset import Batch
from posenb.heatmaps import gaussian
from posenb.losses import heatmap_mse, over_visible, per_image, soft_cross_entropy
from posenb.methods.base import Method, Setting, require_positive
from posenb.models import augmenter
from posenb.step import Step

LOSSES = {"mse": heatmap_mse, "soft_cross_entropy": soft_cross_entropy}
AGENTS = ("asr", "aho")


@dataclass(frozen=True)
class AgentOptions:
    """What is trained, and against which loss.

    Attributes:
        loss: of the pose network, 'mse' or 'soft_cross_entropy'; as in the run that this one starts from.
        sigma: of the target Gaussian, in map pixels.
        agents: 'asr' (scale and rotation), 'aho' (occlusion), or both.
        agent_lr: learning rate of the agents; the default is the paper's for this stage.
        weight_decay: of AdamW.
        direct: ASR outputs a scale and an angle instead of distributions, and climbs the pose loss (ADA-7).
        noise: standard deviations of the bins' Gaussians, .05 (log2) and 5 degrees, are multiplied by this.
    """

    loss: str = "mse"
    sigma: float = 1.5
    agents: tuple[str, ...] = AGENTS
    agent_lr: float = 2.5e-4
    weight_decay: float = 1e-2
    direct: bool = False
    noise: float = 1.0

    def __post_init__(self) -> None:
        require_positive(sigma=self.sigma)
        known("loss", self.loss, LOSSES)
        # from JSON a list, from a command line one word
        object.__setattr__(self, "agents", (self.agents,) if isinstance(self.agents, str) else tuple(self.agents))
        for agent in self.agents or ("",):
            known("agents", agent, AGENTS)


def known(name: str, value: str, values: Sequence[str] | Mapping[str, Any]) -> None:
    """Raises ValueError for an option that has none of these values."""
    if value not in values:
        raise ValueError(f"{name} must be one of {', '.join(values)}, not {value!r}")


def image_losses(method: Any, maps: Sequence[Tensor], sample: Sample) -> Tensor:
    """The pose loss of each image ``(B,)``, the mean over the stacks.

    Args:
        method: has ``target`` and ``options.loss``, as the methods here and the supervised one have.
        maps: a ``(B, K, h, w)`` for each stack, as the network gives them.
        sample: B images and their labels.
    """
    target, loss = method.target(sample), per_image(LOSSES[method.options.loss])
    return torch.stack([loss(stack, target, sample.visible) for stack in maps]).mean(dim=0)


def difficulty(method: Any, maps: Sequence[Tensor], sample: Sample) -> Tensor:
    """How hard each image is, ``(B,)``: its loss above the least that any answer has, over the joints in view.

    The least is 0 for the mean squared error, and the target's own entropy for the cross-entropy. A joint that is
    turned or scaled out of view does not make an image look easier. Arguments as of :func:`image_losses`.
    """
    best = method.target(sample)
    best = best if method.options.loss == "mse" else best.clamp(min=1e-30).log()
    above = (image_losses(method, maps, sample) - image_losses(method, [best], sample)).clamp(min=0)
    return over_visible(above, sample.visible)


@contextmanager
def judging(network: nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradient in the weights: an image is judged alone, and no statistic learns from it."""
    training, learns = network.training, next(network.parameters()).requires_grad
    network.eval().requires_grad_(False)
    try:
        yield
    finally:
        network.train(training).requires_grad_(learns)


class Adversaries(Method):
    """What both stages share: D, its augmenters, and how hard an image is."""

    def __init__(self, options: Any, setting: Setting) -> None:
        super().__init__(options, setting)
        o, self.started = self.options, False
        self.network = setting.create_network()
        self.shapes = augmenter.bridge_shapes(self.network, setting.size)
        self.grid = augmenter.grid(self.shapes)
        self.scales = replace(augment.SCALES, std=augment.SCALES.std * o.noise)
        self.rotations = replace(augment.ROTATIONS, std=augment.ROTATIONS.std * o.noise)
        kinds = {"asr": augmenter.Direct if o.direct else augmenter.ScaleRotation, "aho": augmenter.Occluder}
        self.agents = nn.ModuleDict(
            {
                name: augmenter.create(kinds[name], setting.seed * 1000 + 1 + k, self.shapes)
                for k, name in enumerate(AGENTS)
                if name in o.agents
            }
        )

    def start_from(self, sources: Sequence[Method]) -> None:
        super().start_from(sources)
        self.started = True

    def agent_optimizers(self) -> dict[str, Optimizer]:
        o = self.options
        return {
            name: AdamW(agent.parameters(), o.agent_lr, weight_decay=o.weight_decay)
            for name, agent in self.agents.items()
        }

    def target(self, sample: Sample) -> Tensor:
        """Gaussians at the labels, ``(B, K, h, w)``."""
        return gaussian(sample.points, self.map_size(), self.stride, self.options.sigma)

    def loss(self, maps: Sequence[Tensor], sample: Sample) -> Tensor:
        """The pose loss, a mean over images and stacks."""
        return image_losses(self, maps, sample).mean()

    def difficulty(self, maps: Sequence[Tensor], sample: Sample) -> Tensor:
        """:func:`difficulty` of B images, by this method's loss."""
        return difficulty(self, maps, sample)

    def heatmaps(self, images: Tensor) -> Tensor:
        maps = super().heatmaps(images)
        if self.options.loss == "mse":
            return maps
        return maps.flatten(-2).softmax(dim=-1).unflatten(-1, maps.shape[-2:])

    @torch.no_grad()
    def bridges(self, step: Step, images: Tensor) -> list[Tensor]:
        """What G reads: D's bridges of stored images un-augmented (Algorithm 2, line 1)."""
        with judging(self.network):
            network = cast(Any, self.network).forward_bridges
            return step.forward(network, augment.center(images, self.setting.size))[1]

    def predict_distributions(self, images: Tensor) -> dict[str, Tensor]:
        """What G predicts for images ``(B, 3, H, W)`` in [0, 1]: 'scale' ``(B, m)`` and 'rotation' ``(B, n)``, and
        'occlusion' ``(B, rows, columns)``; from a direct agent 'exponent' (log2) and 'angle' (degrees), ``(B,)``.
        """
        _, bridges = cast(Any, self.network).forward_bridges(images)
        found: dict[str, Tensor] = {}
        if "asr" in self.agents:
            pair = self.agents["asr"](*bridges)
            names = ("exponent", "angle") if self.options.direct else ("scale", "rotation")
            found |= dict(zip(names, pair if self.options.direct else (p.softmax(dim=-1) for p in pair), strict=True))
        if "aho" in self.agents:
            found["occlusion"] = self.agents["aho"](*bridges).softmax(dim=-1).unflatten(-1, self.grid)
        return found

    def climb(self, step: Step, batch: Batch, drawn: Draw, bridges: Sequence[Tensor]) -> tuple[Draw, Tensor]:
        """Direct generation: the draws with G's own scale and angle, and minus the difficulty of each image ``(B,)``.

        The gradient goes through the warp, so images are resampled as floats.
        """
        exponent, angle = step.forward(self.agents["asr"], *bridges)
        drawn = replace(drawn, scale=2**exponent, angle=angle)
        sample = augment.apply(
            batch._replace(images=batch.images.float()), drawn, self.setting.size, self.setting.skeleton
        )
        with judging(self.network):
            gain = self.difficulty(step.forward(self.network, sample.images), sample)
        return replace(drawn, scale=drawn.scale.detach(), angle=angle.detach()), -gain


def upside_down(angle: Tensor) -> Tensor:
    """The share of images that are turned by more than 90 degrees either way, a scalar (ADA-7)."""
    return (angle.abs() > 90).float().mean()
