"""Two papers in one training: stable heatmaps inside semi-supervised training, and inside adversarial augmentation.

Stable heatmap regression says what a network's maps mean and what must not move them; the other two say which images
it learns from, and who teaches it. So each combination is the other method with the
:class:`~posenb.methods.stable_heatmaps.objective.StableObjective` in the place of Gaussians and squared error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from posenb import augment
from posenb.methods import adversarial_augmentation, semi_supervised, stable_heatmaps
from posenb.methods.adversarial_augmentation import AdversarialAugmentation
from posenb.methods.adversarial_augmentation.joint import View
from posenb.methods.base import Method, Setting
from posenb.methods.heads import reset_heads
from posenb.methods.semi_supervised import SemiSupervised
from posenb.methods.semi_supervised.detector import NEW_HEAD
from posenb.methods.stable_heatmaps import StableAnswers, StableObjective
from posenb.step import Step

# rivals that change the images or the weights of a step, which here belongs to the other method
_WHOLE_STEP = ("at", "patch_gaussian", "lipschitz")


def _steady() -> stable_heatmaps.Options:
    return stable_heatmaps.Options(mst=True)


def _check(stable: stable_heatmaps.Options) -> None:
    if stable.rival in _WHOLE_STEP:
        raise ValueError(f"rival {stable.rival!r} trains by itself: it cannot be combined with another method")


@dataclass(frozen=True)
class StableSemiSupervisedOptions(semi_supervised.Options):
    """Those of semi-supervised training, and what maps are.

    Attributes:
        stable: of the objective; maximum stability training by default. Its learning rate and augmentation are unused.
    """

    stable: stable_heatmaps.Options = field(default_factory=_steady)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self.stable)
        if self.frozen_teacher:
            raise ValueError(f"scheme {self.scheme!r} teaches Gaussians; choose consistency, dual or mean_teacher")


class StableSemiSupervised(StableAnswers, SemiSupervised):
    """Students and teachers with stable heatmaps: labels are learned by the objective, copies of labelled images
    included; what a teacher says is its answer, with a peak of about 1, by squared error as before."""

    options_type = StableSemiSupervisedOptions

    def __init__(self, options: StableSemiSupervisedOptions, setting: Setting) -> None:
        super().__init__(options, setting)
        self.objective = StableObjective(options.stable, setting.size)
        self._reset()

    def _reset(self) -> None:
        for number, student in enumerate(self.students):
            reset_heads(student, self.setting.seed * 1000 + number)
        self.detector.start = NEW_HEAD
        if hasattr(self, "teacher"):
            self.teacher.load_state_dict(self.network.state_dict())

    def start_from(self, sources: Sequence[Method]) -> None:
        """As semi-supervised training does; only the head of a run with stable heatmaps in semi-supervised training is
        kept."""
        super().start_from(sources)
        if not isinstance(sources[0], StableAnswers):
            self._reset()

    def labelled_loss(
        self,
        step: Step,
        student: nn.Module,
        sample: augment.Sample,
    ) -> Tensor:
        images = _with_copies(self.objective, sample.images, step)
        stacks = self.objective.enlarge(step.forward(student, images))
        return self.objective.learn(stacks, sample, step.progress)[0]

    def maps(
        self,
        step: Step,
        network: nn.Module,
        images: Tensor,
    ) -> list[Tensor]:
        # with peaks of about 1: the squares of probabilities would weigh nothing
        objective, rcc = self.objective, self.objective.options.rcc
        stacks = objective.enlarge(step.forward(network, images))
        return [objective.peaked(objective.read(stack, rcc)) for stack in stacks]


@dataclass(frozen=True)
class StableAdversarialOptions(adversarial_augmentation.Options):
    """Those of adversarial augmentation, and what maps are.

    Attributes:
        stable: of the objective, in the place of ``loss`` and ``sigma``; maximum stability training by default.
    """

    stable: stable_heatmaps.Options = field(default_factory=_steady)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self.stable)


class StableAdversarialAugmentation(StableAnswers, AdversarialAugmentation):
    """Adversaries against stable heatmaps: what is hard, and what is learned from hard images, says the objective."""

    options_type = StableAdversarialOptions

    def __init__(self, options: StableAdversarialOptions, setting: Setting) -> None:
        super().__init__(options, setting)
        self.objective = StableObjective(options.stable, setting.size)
        reset_heads(self.network, setting.seed)

    def start_from(self, sources: Sequence[Method]) -> None:
        """Pose network and agents, as adversarial augmentation does, but for the head."""
        super().start_from(sources)
        reset_heads(self.network, self.setting.seed)

    def run(self, step: Step, view: View) -> list[Tensor]:
        return self.objective.enlarge(super().run(step, view))

    def difficulty(self, maps: Sequence[Tensor], sample: augment.Sample) -> Tensor:
        return self.objective.difficulty(self.objective.enlarge(list(maps)), sample)

    def correct(self, maps: Sequence[Tensor], sample: augment.Sample) -> Tensor:
        return super().correct([self.objective.answer(self.objective.enlarge([maps[-1]])[0])], sample)

    def learn(self, step: Step, view: View) -> tuple[Tensor, dict[str, Tensor]]:
        images = _with_copies(self.objective, view.sample.images, step)
        times = len(images) // len(view.sample.images)
        masks = [torch.cat([mask] * times) for mask in view.masks]
        stacks = self.run(step, View(view.sample._replace(images=images), masks))
        return self.objective.learn(stacks, view.sample, step.progress)


def _with_copies(objective: StableObjective, images: Tensor, step: Step) -> Tensor:
    """Images, and behind them their perturbed copies where stability is trained."""
    images = images.clamp(0, 1)
    return torch.cat([images, *objective.copies(images, step.pixel_generator)])
