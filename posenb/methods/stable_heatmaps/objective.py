"""What raw maps mean in stable heatmap regression: how they are read, what they learn, and what must not move them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from posenb import augment, corruptions, rivals
from posenb.heatmaps import gaussian, highly_differentiated, log_rcc, rcc
from posenb.losses import heatmap_l1, heatmap_mse, maximum_stability, over_visible, per_image, weighted_cross_entropy
from posenb.methods.stable_heatmaps.options import Options


class StableObjective:
    """Raw maps ``(B, K, H, W)`` of the input's size, read in one of four ways: see :meth:`answer`. It has no weights.

    Where it differs from the paper:

    * RCC's answer gets the height of the map that it came from, not 1. A Gaussian of any height then comes back as it
      was, and a doubtful map may be low. With the maximum made 1 squared error is least for a map of one high pixel in
      a low plane wherever the joint is in doubt, and from a network without peaks nothing is learned at all.
    * With HDHR the softmax stands before RCC, whose answer is made to sum to 1, all in logarithms. After the
      normalisation to [0, 1], where the paper has it, no map can be much less flat than a constant.
    * RCC sees positive maps: the softmax, or the softplus of the network's.
    * The network's maps are enlarged to the input's size by bilinear interpolation, before anything else is done. A
      learned enlargement (Shi et al. 2016) had hardly any gap between its highest pixels after as many steps.
    """

    def __init__(self, options: Options, size: tuple[int, int]) -> None:
        self.options, self.size = options, size

    def copies(self, images: Tensor, generator: Generator) -> list[Tensor]:
        """Perturbed copies of the images, whose maps must not differ much from theirs."""
        how, rival = self.options.strengths, self.options.rival
        if self.options.mst or rival == "st_a":
            return [corruptions.perturb(images, corruptions.TRAIN, generator)]
        if rival == "st_g":
            return [rivals.add_noise(images, how.noise_std, generator)]
        if rival == "augmix":
            return [rivals.augmix(images, how.severity, generator) for _ in range(2)]
        return []

    def enlarge(self, stacks: list[Tensor]) -> list[Tensor]:
        """Raw maps of the input's size from what the network gives."""
        return [F.interpolate(stack, self.size, mode="bilinear", align_corners=False) for stack in stacks]

    def learn(
        self, stacks: Sequence[Tensor], sample: augment.Sample, progress: float
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The whole loss of raw maps of B images and, behind them, of their copies; and its parts for the history."""
        o, count = self.options, len(sample.points)
        # row-column correlation costs much: the main loss and the stability loss read the same answers
        read = [self.read(stack, o.rcc).split(count) for stack in stacks]
        loss = self.loss([stack[:count] for stack in stacks], sample, progress, [clean for clean, *_ in read])
        report = {"main": loss.detach()}
        if len(stacks[0]) > count:
            groups = [[self.peaked(part) for part in parts] for parts in read]
            stability = torch.stack([self.stability(group, sample.visible) for group in groups]).mean()
            report["stability"] = stability.detach()
            loss = loss + o.stability_weight * stability
        return loss, report

    def loss(
        self,
        maps: list[Tensor],
        sample: augment.Sample,
        progress: float = 1.0,
        read: list[Tensor] | None = None,
    ) -> Tensor:
        """Mean over the stacks of the main loss of raw maps ``(B, K, H, W)``, at this ``progress`` of the training.

        ``read`` is what :meth:`read` makes of each, where it is known already.
        """
        o = self.options
        target = self.target(sample)

        def mean_over_stacks(answers: list[Tensor]) -> Tensor:
            return torch.stack([self.fit(answer, target, sample.visible) for answer in answers]).mean()

        share = min(1.0, progress / o.fade) if o.rcc and o.fade else 1.0
        loss = torch.zeros(())
        if share > 0:
            loss = share * mean_over_stacks(read or [self.read(stack, o.rcc) for stack in maps])
        if share < 1:
            loss = loss + (1 - share) * mean_over_stacks([self.read(stack, False) for stack in maps])
        return loss

    def target(self, sample: augment.Sample) -> Tensor:
        """What :meth:`read` should give: a highly differentiated heatmap, or a Gaussian."""
        o = self.options
        if o.hdhr:
            return highly_differentiated(sample.points, self.size, 1, o.alpha, o.threshold)
        return gaussian(sample.points, self.size, 1, o.sigma)

    def fit(self, read: Tensor, target: Tensor, visible: Tensor) -> Tensor:
        """How far from the target, a scalar: weighted cross-entropy with HDHR, else the mean squared error."""
        o = self.options
        fit = weighted_cross_entropy if o.probabilities else heatmap_l1 if o.hdhr_loss == "l1" else heatmap_mse
        return fit(read, target, visible)

    def difficulty(self, stacks: Sequence[Tensor], sample: augment.Sample) -> Tensor:
        """How hard each image is, ``(B,)``: its main loss above the least possible, over the joints in view."""
        target, o = self.target(sample), self.options
        losses = per_image(self.fit)
        above = torch.stack([losses(self.read(stack, o.rcc), target, sample.visible) for stack in stacks]).mean(dim=0)
        if o.probabilities:
            best = target / target.sum(dim=(-2, -1), keepdim=True).clamp(min=1e-12)
            above = above - losses(best.clamp(min=1e-30).log(), target, sample.visible)
        return over_visible(above.clamp(min=0), sample.visible)

    def read(self, raw: Tensor, correlated: bool) -> Tensor:
        """What the main loss sees: log-probabilities with HDHR, else the map; through RCC or not."""
        o = self.options
        if o.probabilities:
            log = _log_softmax(raw)
            return _log_softmax(log_rcc(log)) if correlated else log
        if not o.rcc:
            return raw
        positive = F.softplus(raw, beta=o.sharpness)
        return rcc(positive) * positive.amax(dim=(-2, -1), keepdim=True) if correlated else positive

    def stability(self, maps: Sequence[Tensor], visible: Tensor) -> Tensor:
        """The loss between maps of images and of their copies, as :meth:`peaked` gives them."""
        if self.options.mst:
            return maximum_stability(maps[0], maps[1], visible)
        if self.options.rival == "augmix":
            return rivals.disagreement(maps, visible)
        return rivals.change_norm(maps[0], maps[1], visible)

    def peaked(self, read: Tensor) -> Tensor:
        """What stability compares, peaks of about 1: probabilities are divided by their maximum."""
        return (read - read.amax(dim=(-2, -1), keepdim=True)).exp() if self.options.probabilities else read

    def answer(self, raw: Tensor) -> Tensor:
        """Raw maps as they are (the baseline), positive and through RCC, their softmax (HDHR), or that through RCC."""
        read = self.read(raw, self.options.rcc)
        return read.exp() if self.options.probabilities else read


def _log_softmax(maps: Tensor) -> Tensor:
    """Over each map's pixels."""
    return maps.flatten(-2).log_softmax(dim=-1).unflatten(-1, maps.shape[-2:])
