"""Stable heatmap regression (Zhang et al. 2022): RCC, HDHR and MST, each by itself or together, and their rivals.

Maps have the input's size, and the highest pixel is the joint. With nothing switched on this is the paper's baseline:
Gaussian maps and mean squared error. What the paper leaves open is a named option; what does not train as printed is
the class's docstring.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.optim import AdamW, Optimizer

from posenb import augment, corruptions, rivals
from posenb.data.dataset import PoseDataset
from posenb.heatmaps import decode, gaussian, highly_differentiated, log_rcc, rcc
from posenb.losses import heatmap_l1, heatmap_mse, maximum_stability, weighted_cross_entropy
from posenb.methods.base import Method, Setting
from posenb.training import Step, seeded

# rival -> the default weight of its own loss, where it has one
RIVALS = {"none": 0.0, "at": 0.0, "augmix": 1.0, "lipschitz": 0.0, "patch_gaussian": 0.0, "st_g": 1e-3, "st_a": 1e-3}


@dataclass(frozen=True)
class Options:
    """What is switched on, and how strongly.

    Attributes:
        rcc: row-column correlation, in training and in inference.
        hdhr: highly differentiated heatmaps by weighted cross-entropy, instead of Gaussians by mean squared error.
        mst: maximum stability training: each image beside itself with one of the ten training corruptions.
        rival: a method that the paper compares with: 'at', 'augmix', 'lipschitz', 'patch_gaussian', 'st_g', 'st_a'; on
            the baseline. See :mod:`posenb.rivals`.
        sigma: of the Gaussian, in map pixels. The paper gives none; its baseline's peak gap is that of 3.0 to 3.2.
        alpha, threshold: of the highly differentiated heatmap; the paper's.
        hdhr_loss: 'wce', the weighted cross-entropy; or 'l1' or 'l2', a direct regression, which the paper says does
            not converge.
        sharpness: of the softplus that makes maps positive for RCC, where no softmax does: log(1 + exp(s x)) / s.
        fade: the share of the training over which RCC's answer takes over from the map itself in the loss. The paper
            has 0, which trains; more helps a little.
        weight: of the stability loss (MST's, or a rival's) against the main one. The paper gives none. None is 2 for
            MST beside cross-entropy in nats and .1 beside mean squared error, our choice on validation images, where
            more bought stability with accuracy; for a rival what ``RIVALS`` says.
        strengths: of the rivals.
        lr: learning rate of AdamW.
        weight_decay: of AdamW.
        augmentation: what is drawn at random.
    """

    rcc: bool = False
    hdhr: bool = False
    mst: bool = False
    rival: str = "none"
    sigma: float = 3.0
    alpha: float = 0.7
    threshold: int = 8
    hdhr_loss: str = "wce"
    sharpness: float = 20.0
    fade: float = 0.0
    weight: float | None = None
    strengths: rivals.Strengths = field(default_factory=rivals.Strengths)
    lr: float = 2e-3
    weight_decay: float = 1e-2
    augmentation: augment.Family = field(default_factory=augment.Family)

    def __post_init__(self) -> None:
        if self.rival not in RIVALS:
            raise ValueError(f"rival must be one of {', '.join(RIVALS)}, not {self.rival!r}")
        if self.hdhr_loss not in ("wce", "l1", "l2"):
            raise ValueError(f"hdhr_loss must be 'wce', 'l1' or 'l2', not {self.hdhr_loss!r}")
        if self.rival != "none" and (self.rcc or self.hdhr or self.mst):
            raise ValueError(f"rival {self.rival!r} stands on the baseline: switch rcc, hdhr and mst off")

    @property
    def stability_weight(self) -> float:
        """``weight``, or its default."""
        if self.weight is not None:
            return self.weight
        if self.mst:
            return 2.0 if self.probabilities else 0.1
        return RIVALS[self.rival]

    @property
    def probabilities(self) -> bool:
        """Whether answers are probability maps, from a softmax."""
        return self.hdhr and self.hdhr_loss == "wce"


class StableHeatmaps(Method):
    """One network whose raw maps are read in one of four ways: see :meth:`answer`.

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

    version = 2
    options_type = Options

    def __init__(self, options: Options, setting: Setting) -> None:
        super().__init__(options, setting)
        self.network = setting.create_network()
        self._reset_heads()

    def _reset_heads(self) -> None:
        """Heads that answer nearly 0: what starts far from a map of zeros first unlearns all features to get there."""
        generator = seeded(self.setting.seed, 3)
        for name, layer in self.network.named_children():
            if name in ("head", "heads"):
                for part in layer.modules():
                    if isinstance(part, nn.Conv2d):
                        nn.init.normal_(part.weight, std=1e-3, generator=generator)
                        nn.init.zeros_(part.bias)  # type: ignore[arg-type]

    def start_from(self, sources: Sequence[Method]) -> None:
        """Take over all but the head from the first source, which may have maps of another kind and size."""
        own, learned = self.network.state_dict(), sources[0].network.state_dict()
        same = {name for name in own if name in learned and own[name].shape == learned[name].shape}
        kept = {name for name in same if name.partition(".")[0] not in ("head", "heads")}
        self.network.load_state_dict(own | {name: learned[name] for name in kept})

    def optimizers(self) -> dict[str, Optimizer]:
        o = self.options
        return {"network": AdamW(self.network.parameters(), o.lr, weight_decay=o.weight_decay)}

    @property
    def stride(self) -> int:
        """1: maps of the input's size."""
        return 1

    def train_step(self, step: Step, data: Mapping[str, PoseDataset]) -> dict[str, Tensor]:
        """Images, and where stability is trained their perturbed copies in the same batch, through the network once."""
        o = self.options
        batch = step.batch(data["train"])
        sample = augment.apply(batch, step.draw(o.augmentation), self.setting.size, self.setting.skeleton)
        # what is drawn pixel by pixel is drawn by each process for its own images
        generator = seeded(step.seed, 2, step.number, step.fabric.global_rank)
        images = self.replaced(sample._replace(images=sample.images.clamp(0, 1)), step, generator)
        copies = self.copies(images, generator)
        stacks = self.enlarge(step.forward(self.network, torch.cat([images, *copies])))
        # row-column correlation costs much: the main loss and the stability loss read the same answers
        read = [self.read(stack, o.rcc) for stack in stacks]
        count = len(images)
        loss = self.loss([stack[:count] for stack in stacks], sample, step.progress, [one[:count] for one in read])
        report = {"main": loss.detach()}
        if copies:
            groups = [self.peaked(one).chunk(1 + len(copies)) for one in read]
            stability = torch.stack([self.stability(group, sample.visible) for group in groups]).mean()
            report["stability"] = stability.detach()
            loss = loss + o.stability_weight * stability
        step.update("network", loss)
        if o.rival == "lipschitz":
            rivals.limit_lipschitz(self.network, o.strengths.lipschitz)
        return {"loss": loss.detach(), **report}

    def replaced(self, sample: augment.Sample, step: Step, generator: Generator) -> Tensor:
        """What is trained on in place of the sample's images: only two rivals change them."""
        how, rival = self.options.strengths, self.options.rival
        if rival == "patch_gaussian":
            return rivals.patch_gaussian(sample.images, how.patch, how.patch_std, generator)
        if rival == "at":

            def loss(images: Tensor) -> Tensor:
                return self.loss(self.enlarge(step.forward(self.network, images)), sample, step.progress)

            return rivals.attack(loss, sample.images, how.radius, how.attack_steps, generator)
        return sample.images

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
        return [F.interpolate(stack, self.setting.size, mode="bilinear", align_corners=False) for stack in stacks]

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
        if o.hdhr:
            target = highly_differentiated(sample.points, self.map_size(), 1, o.alpha, o.threshold)
        else:
            target = gaussian(sample.points, self.map_size(), 1, o.sigma)
        fit = weighted_cross_entropy if o.probabilities else heatmap_l1 if o.hdhr_loss == "l1" else heatmap_mse

        def mean_over_stacks(answers: list[Tensor]) -> Tensor:
            return torch.stack([fit(answer, target, sample.visible) for answer in answers]).mean()

        share = min(1.0, progress / o.fade) if o.rcc and o.fade else 1.0
        loss = torch.zeros(())
        if share > 0:
            loss = share * mean_over_stacks(read or [self.read(stack, o.rcc) for stack in maps])
        if share < 1:
            loss = loss + (1 - share) * mean_over_stacks([self.read(stack, False) for stack in maps])
        return loss

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

    def raw(self, images: Tensor) -> Tensor:
        """Raw maps ``(B, K, H, W)`` of the last stack."""
        return self.enlarge([stack.float() for stack in self.network(images)])[-1]

    def heatmaps(self, images: Tensor) -> Tensor:
        return self.answer(self.raw(images))

    def predict(self, images: Tensor, flip: bool = False) -> tuple[Tensor, Tensor]:
        """The highest pixel, as the paper has it. Maps of mirrored images are averaged before RCC, which they need."""
        if images.dtype == torch.uint8:
            images = augment.center(images, self.setting.size)
        images = images.contiguous(memory_format=torch.channels_last)
        raw = self.raw(images)
        if flip:
            mirrored = self.raw(images.flip(-1)).flip(-1)[:, list(self.setting.skeleton.flip)]
            raw = (raw + mirrored) / 2
        return decode(self.answer(raw), 1, "argmax")


def _log_softmax(maps: Tensor) -> Tensor:
    """Over each map's pixels."""
    return maps.flatten(-2).log_softmax(dim=-1).unflatten(-1, maps.shape[-2:])
