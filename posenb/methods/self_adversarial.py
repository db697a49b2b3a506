"""Self adversarial training (Chou et al. 2018): a discriminator, itself a pose network, that reconstructs heatmaps.

The generator is a pose network trained by mean squared error. The discriminator sees the image and heatmaps and gives
the heatmaps back; it learns to do so well for the labels' maps, and badly for the generator's. The generator learns to
be reconstructed. A controller, k, keeps the two in balance, as in BEGAN (Berthelot et al. 2017).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, AdamW, Optimizer

from posenb import augment
from posenb.data.dataset import PoseDataset
from posenb.heatmaps import gaussian
from posenb.losses import heatmap_mse
from posenb.methods.base import Method, Setting, require_positive
from posenb.methods.heads import reset_heads, take_over_body
from posenb.models import discriminator
from posenb.step import Step


@dataclass(frozen=True)
class Options:
    """What is trained, and in which balance. The losses' unit is that of :meth:`SelfAdversarial.error`.

    Attributes:
        adversary: whether there is a discriminator at all; False is the same generator by mean squared error alone.
        lambda_g: weight of the adversarial loss in the generator's. 0 trains the discriminator as a mere spectator.
        gamma: the ratio of L_fake to L_real that k steers to; the paper's code has .5.
        lambda_k: how fast k moves; 0 keeps it where it starts.
        k: where it starts; the code has 0.
        wait: the share of the training in which k stays where it starts and the generator hears nothing of the
            discriminator, which learns to reconstruct first. The paper has 0; there k hardly moves for as long anyway.
        through_target: whether the adversarial loss also moves the maps that are to be reconstructed, as its formula
            says. The authors' code takes them as constants.
        discriminator: a name of :data:`posenb.models.discriminator.DISCRIMINATORS`.
        discriminator_options: its options.
        discriminator_lr: of Adam; the authors' code has 8e-5 in 800,000 steps.
        sigma: of the target Gaussian, in map pixels.
        lr: learning rate of the generator's AdamW.
        weight_decay: of AdamW.
        augmentation: what is drawn at random.
    """

    adversary: bool = True
    lambda_g: float = 0.1
    gamma: float = 0.5
    lambda_k: float = 0.01
    k: float = 0.0
    wait: float = 0.0
    through_target: bool = True
    discriminator: str = "small"
    discriminator_options: Mapping[str, Any] = field(default_factory=dict)
    discriminator_lr: float = 1e-3
    sigma: float = 1.5
    lr: float = 2e-3
    weight_decay: float = 1e-2
    augmentation: augment.Family = field(default_factory=augment.Family)

    def __post_init__(self) -> None:
        require_positive(sigma=self.sigma)
        if not 0 <= self.k <= 1:
            raise ValueError(f"k must lie in [0, 1], not {self.k}")
        if min(self.lambda_g, self.lambda_k, self.gamma) < 0:
            raise ValueError("lambda_g, lambda_k and gamma must not be negative")


def balance(k: Tensor, real: Tensor, fake: Tensor, gamma: float, rate: float) -> Tensor:
    """The controller: k + rate (gamma L_real - L_fake), kept in [0, 1].

    Where L_fake is below gamma L_real the generator fools the discriminator (so the paper, of a gamma below 1), and k
    rises: generated maps then count more in what the discriminator learns.

    Args:
        k, real, fake: scalars, the controller's state and the two losses.
        gamma, rate: gamma and lambda_k.
    """
    return (k + rate * (gamma * real - fake)).clamp(0, 1)


class SelfAdversarial(Method):
    """Generator, discriminator and controller; ``k`` is a buffer, so a checkpoint has it."""

    options_type = Options
    k: Tensor

    def __init__(self, options: Options, setting: Setting) -> None:
        super().__init__(options, setting)
        self.network = setting.create_network()
        reset_heads(self.network, setting.seed)
        if options.adversary:
            o, joints = options, len(setting.skeleton)
            self.discriminator = discriminator.create(
                o.discriminator, joints, o.discriminator_options, setting.seed * 1000 + 1
            )
            reset_heads(self.discriminator, setting.seed)
        self.register_buffer("k", torch.tensor(float(options.k)))

    def start_from(self, sources: Sequence[Method]) -> None:
        """Take over all but the head from the first source, which may have been trained by another loss."""
        take_over_body(self.network, sources[0].network)

    def optimizers(self) -> dict[str, Optimizer]:
        o = self.options
        found: dict[str, Optimizer] = {"network": AdamW(self.network.parameters(), o.lr, weight_decay=o.weight_decay)}
        if o.adversary:
            found["discriminator"] = Adam(self.discriminator.parameters(), o.discriminator_lr)
        return found

    def train_step(self, step: Step, data: Mapping[str, PoseDataset]) -> dict[str, Tensor]:
        o, setting = self.options, self.setting
        batch, drawn = step.batch(data["train"]), step.draw(o.augmentation)
        sample = augment.apply(batch, drawn, setting.size, setting.skeleton)
        stacks = step.forward(self.network, sample.images)
        # what has no label is empty in both, so that nobody is told apart by it
        labelled = sample.visible[..., None, None]
        real, fake = self.target(sample) * labelled, stacks[-1] * labelled
        errors = [self.error(stack, real, sample.visible) for stack in stacks]
        mse = torch.stack(errors).mean()
        if not o.adversary:
            step.update("network", mse)
            return {"loss": mse.detach()}
        heard = step.progress >= o.wait
        found = self.judge(step, sample, real, fake.detach(), o.lambda_k if heard else 0.0)
        with frozen(self.discriminator):
            target = fake if o.through_target else fake.detach()
            rebuilt = step.forward(self.discriminator, sample.images, fake)
            adversarial = self.error(rebuilt, target, sample.visible)
        step.update("network", mse + (o.lambda_g if heard else 0.0) * adversarial)
        return {"loss": mse.detach(), "adversarial": adversarial.detach(), **found}

    def judge(
        self,
        step: Step,
        sample: augment.Sample,
        real: Tensor,
        fake: Tensor,
        rate: float,
    ) -> dict[str, Tensor]:
        """The discriminator's step, L_real - k L_fake, and then the controller's, with the losses from before it."""
        o, images, losses = self.options, sample.images, []
        for maps in (real, fake):
            rebuilt = step.forward(self.discriminator, images, maps)
            losses.append(self.error(rebuilt, maps, sample.visible))
        step.update("discriminator", losses[0] - self.k * losses[1])
        l_real, l_fake = (step.mean(loss.detach()) for loss in losses)
        self.k.copy_(balance(self.k, l_real, l_fake, o.gamma, rate))
        return {
            "real": l_real,
            "fake": l_fake,
            "k": self.k.clone(),
            "imbalance": (o.gamma * l_real - l_fake).abs() / l_real.clamp(min=1e-12),
            "saturated": ((self.k == 0) | (self.k == 1)).float(),
        }

    def target(self, sample: augment.Sample) -> Tensor:
        """Gaussians at the labels, ``(B, K, h, w)``."""
        return gaussian(sample.points, self.map_size(), self.stride, self.options.sigma)

    @property
    def energy(self) -> float:
        """The sum of squares of a whole target map, pi sigma^2."""
        return math.pi * self.options.sigma**2

    def error(self, pred: Tensor, target: Tensor, visible: Tensor) -> Tensor:
        """Squared error in the unit of this file: that of an empty map against a target is 1.

        The paper's formulas sum over pixels, its code takes means; in the one k jumps from end to end, in the other it
        never leaves 0. Dividing the sum by the target's own energy makes the weights independent of sigma and of the
        maps' size.

        Args:
            pred, target: ``(B, K, h, w)``.
            visible: ``(B, K)``; the other joints count as zero.

        Returns:
            a scalar: the sum over pixels by the energy, the mean over images and joints.
        """
        return heatmap_mse(pred, target, visible) * (target[0, 0].numel() / self.energy)

    def comments(self, images: Tensor, maps: Tensor) -> Tensor:
        """The discriminator's squared error at each pixel, ``(B, K, h, w)``, in the unit of :meth:`error`.

        "Detailed comments": where it is high the maps do not yield a real pose.

        Args:
            images: ``(B, 3, H, W)`` in [0, 1].
            maps: ``(B, K, h, w)``, Gaussians of peak 1, of any origin.
        """
        return (self.discriminator(images, maps).float() - maps).square() / self.energy

    def implausibility(self, images: Tensor, points: Tensor) -> Tensor:
        """How little each joint of a pose, of whatever network, fits picture and pose: ``(B, K)``.

        Args:
            images: ``(B, 3, H, W)`` in [0, 1].
            points: ``(B, K, 2)`` in their pixels.
        """
        maps = gaussian(points, self.map_size(), self.stride, self.options.sigma)
        return self.comments(images, maps).sum(dim=(-2, -1))


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Its weights get no gradient; what is computed within still passes one on to its input."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)
