"""Stage 3: pose network D and augmenters G are trained together (section 4.3, Algorithms 1 and 2).

What a step costs, in passes of one image through D (forward 1, forward and backward 3; a pass through an agent is a
part g of D's): 3 B for the B images that D learns from, as in supervised training; and for each of the 2 B / 3 images
of the two agents one pass un-augmented, for its bridges, two that judge the pair, and 3 g in which the agent learns.
Altogether (5 + 2 g) B: 5/3 + 2 g / 3 times a supervised step. A sweep in place of the pair would judge m n = 63
augmentations of each image of ASR and 16 of AHO instead of two: 30 B instead of 5 B.
:func:`posenb.experiments.adversarial.passes` counts them for any options.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar, cast

import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer

from posenb import augment
from posenb.augment import Draw, Sample
from posenb.data.dataset import Batch, PoseDataset
from posenb.errors import UserError
from posenb.heatmaps import decode
from posenb.methods.adversarial_augmentation.adversaries import (
    Adversaries,
    AgentOptions,
    judging,
    known,
    upside_down,
)
from posenb.methods.base import LATER, Method, Setting
from posenb.models import augmenter
from posenb.step import Step


@dataclass(frozen=True)
class Options(AgentOptions):
    """The agents' options, and those of joint training.

    Attributes:
        lr: learning rate of the pose network.
        augmentation: the random augmentation; the reference of every comparison.
        alpha, beta: reward and penalty, eq. (3) and (4). The paper names no numbers; these are the released code's.
        cap: no probability passes ``cap`` times that of chance. None: the paper; 2: the released code. Without one a
            bin grows for as long as it wins more than beta / (alpha + beta) of its comparisons, .71 here.
        comparison: the harder of a pair has the higher 'loss' (the paper), or fewer joints within .2 of the reference
            length, 'pck' (the released code takes PCKh@.5, but a batch carries no head sizes). Ties are penalised.
        cells: how many cells are occluded. The paper: "one or two"; the released code: 2.
        occlusion: 'up', the paper's; 'down', 'independent' or 'pixels' (ADA-8, ADA-11):
            :func:`posenb.augment.occlusion.masks`.
        together: both agents work on the same images (ADA-12), on all but the random share.
        pretrained: take over pre-trained agents. False: begin with fresh ones (ADA-13).
        uniform: not the paper's, but its control: agents that neither know nor learn, and draw every bin and every cell
            with the same probability (ADA-15).
    """

    agent_lr: float = 5e-5
    lr: float = 2e-3
    augmentation: augment.Family = field(default_factory=augment.Family)
    alpha: float = 0.2
    beta: float = 0.5
    cap: float | None = None
    comparison: str = "loss"
    cells: int = 2
    occlusion: str = "up"
    together: bool = False
    pretrained: bool = True
    uniform: bool = field(default=False, metadata=LATER)

    def __post_init__(self) -> None:
        super().__post_init__()
        known("comparison", self.comparison, ("loss", "pck"))
        known("occlusion", self.occlusion, augment.PLACES)
        if not (0 < self.alpha <= 1 and 0 < self.beta <= 1):
            raise ValueError(f"alpha and beta must lie in (0, 1], not {self.alpha} and {self.beta}")
        if self.cap is not None and self.cap < 1:
            raise ValueError(f"cap must be at least 1, the probability of chance, not {self.cap}")
        if self.uniform and self.direct:
            raise ValueError("uniform needs agents that draw from bins: direct ones have none")


class Noise(NamedTuple):
    """What a step draws beside the random augmentation, for B images: uniform on [0, 1), but ``normal``."""

    bins: Tensor  #: ``(B, m + n)``
    normal: Tensor  #: ``(B, 2)``, where in the Gaussian of its bin a scale and an angle lie
    cells: Tensor  #: ``(B, 2, R, k)``, of the adversarial and of the reference masks, for R masks an image
    offset: Tensor  #: ``(B, 2, cells, 2)``, of squares where masks are drawn at the highest resolution


class Choice(NamedTuple):
    """What an agent predicted for R images, and what was drawn from it."""

    logits: Tensor  #: ``(R, k)``
    picked: Tensor  #: ``(R,)``, or ``(R, m)`` where m cells were drawn


class View(NamedTuple):
    """What D sees of B images: the sample, and a mask for each bridge (or one for the pictures); [] hides nothing."""

    sample: Sample
    masks: list[Tensor]

    def joined(self, other: View) -> View:
        """This view's images, then the other's."""
        parts = (torch.cat(pair) for pair in zip(self.sample, other.sample, strict=True))
        return View(Sample(*parts), [torch.cat(pair) for pair in zip(self.masks, other.masks, strict=True)])


class Pair(NamedTuple):
    """Two augmentations of each of the agents' images, and where the first came from."""

    drawn: Draw  #: the adversarial one
    adversarial: View
    reference: View
    rows: dict[str, Tensor]  #: each agent's images, indices
    choices: dict[str, dict[str, Choice]]  #: each agent's distributions over them, by what they are of
    losses: dict[str, Tensor]  #: of agents that need no comparison, image by image


class AdversarialAugmentation(Adversaries):
    """Stage 3. The mini-batch has an equal share for random augmentation and for each agent: three with both."""

    options_type = Options

    def __init__(self, options: Options, setting: Setting) -> None:
        super().__init__(options, setting)
        rows, columns = self.grid
        if not 1 <= options.cells <= rows * columns:
            raise ValueError(f"cells must lie between 1 and the {rows} x {columns} of the grid, not {options.cells}")
        if options.comparison == "pck" and not setting.skeleton.reference:
            raise ValueError(f"comparison=pck needs a reference length, which {setting.skeleton.name} lacks: say loss")
        if options.uniform:
            for agent in self.agents.values():
                augmenter.make_uniform(cast(Any, agent))

    def start_from(self, sources: Sequence[Method]) -> None:
        super().start_from(sources)
        if not self.options.pretrained or self.options.uniform:
            return
        learned = getattr(sources[0], "agents", {})
        if missing := [name for name in self.agents if name not in learned]:
            raise UserError(
                f"no pre-trained agent {' or '.join(missing)}: start from a run of adversarial_pretraining that has "
                "it, or set pretrained=false"
            )
        for name, agent in self.agents.items():
            agent.load_state_dict(learned[name].state_dict())

    def prepare(self, data: Mapping[str, PoseDataset]) -> None:
        if self.options.pretrained and not self.options.uniform and not self.started:
            raise UserError(
                "adversarial_augmentation goes on from a run of adversarial_pretraining: give it as start, or set "
                "pretrained=false"
            )

    def optimizers(self) -> dict[str, Optimizer]:
        o = self.options
        pose = AdamW(self.network.parameters(), o.lr, weight_decay=o.weight_decay)
        return {"network": pose} if o.uniform else {"network": pose, **self.agent_optimizers()}

    def train_step(self, step: Step, data: Mapping[str, PoseDataset]) -> dict[str, Tensor]:
        batch = step.batch(data["train"])
        device = batch.images.device
        drawn = step.draw(self.options.augmentation).to(device)
        noise = Noise(*(part.to(device) for part in self.noise(step)))
        shares = self.shares(step)[step.share(step.budget.batch)].to(device)
        # Algorithm 1: X1 is augmented at random, X2 and X3 by the agents
        x1 = shares == 0
        rest, rest_noise = _rows(batch, ~x1), _rows(noise, ~x1)
        pair = self.pair(step, rest, drawn[~x1], rest_noise, shares[~x1])
        found = self.teach_agents(step, pair)
        masks = self.masks(int(x1.sum()), device)
        view = self.view(_rows(batch, x1), drawn[x1], masks).joined(pair.adversarial)
        loss, parts = self.learn(step, view)
        step.update("network", loss)
        return {"loss": loss.detach(), **parts, **found}

    def learn(self, step: Step, view: View) -> tuple[Tensor, dict[str, Tensor]]:
        """D's loss on a view, and its parts for the history."""
        return self.loss(self.run(step, view), view.sample), {}

    def shares(self, step: Step) -> Tensor:
        """Which share of the mini-batch each image is in, over all processes: 0 random, then the agents'.

        Images take turns; their order is shuffled in each epoch already.
        """
        count, mine = 1 + len(self.agents), step.budget.batch // step.fabric.world_size
        if mine < count:
            raise UserError(f"{mine} images do not divide into {count} shares: take a larger batch")
        return torch.arange(step.budget.batch) % count

    def images_of(self, name: str, shares: Tensor) -> Tensor:
        """Which images are an agent's, bool."""
        return shares > 0 if self.options.together else shares == 1 + list(self.agents).index(name)

    def noise(self, step: Step) -> Noise:
        """This process's part of what is drawn for the whole batch."""
        o, count, mine = self.options, step.budget.batch, step.share(step.budget.batch)
        masks = len(self.shapes) if o.occlusion == "independent" else 1

        def uniform(*shape: int) -> Tensor:
            return torch.rand(count, *shape, generator=step.generator)[mine]

        return Noise(
            bins=uniform(len(self.scales) + len(self.rotations)),
            normal=torch.randn(count, 2, generator=step.generator)[mine],
            cells=uniform(2, masks, self.grid[0] * self.grid[1]),
            offset=uniform(2, o.cells, 2),
        )

    def pair(self, step: Step, batch: Batch, drawn: Draw, noise: Noise, shares: Tensor) -> Pair:
        """Algorithm 2, lines 1 to 3 and 5: what G makes of its images, and the random reference.

        The two differ in nothing but what the agent decides: mirroring, colour, and an occluder's rotation are shared.
        """
        device = shares.device
        rows = {name: self.images_of(name, shares).nonzero()[:, 0] for name in self.agents}
        bridges = self.bridges(step, batch.images)
        hard, choices, losses = drawn, {}, {}
        ours, theirs = self.masks(len(shares), device), self.masks(len(shares), device)
        for name, at in rows.items():
            read = [bridge[at] for bridge in bridges]
            if name == "aho":
                ours, theirs, choices[name] = self.occlude(step, read, _rows(noise, at), at, len(shares))
            elif self.options.direct:
                own, losses[name] = self.climb(step, _rows(batch, at), drawn[at], read)
                hard = _with(drawn, at, own.scale, own.angle)
            else:
                scale, angle, choices[name] = self.scale_and_rotate(step, read, _rows(noise, at))
                hard = _with(drawn, at, scale, angle)
        return Pair(hard, self.view(batch, hard, ours), self.view(batch, drawn, theirs), rows, choices, losses)

    def scale_and_rotate(
        self, step: Step, bridges: Sequence[Tensor], noise: Noise
    ) -> tuple[Tensor, Tensor, dict[str, Choice]]:
        """ASR: a scale ``(R,)`` and an angle ``(R,)``, each from a bin that is drawn from its distribution."""
        logits = step.forward(self.agents["asr"], *bridges)
        values, choices = [], {}
        uniform = noise.bins.split([len(self.scales), len(self.rotations)], dim=1)
        for k, (name, bins) in enumerate({"scale": self.scales, "rotation": self.rotations}.items()):
            index = augment.sample(logits[k].detach().softmax(dim=-1), uniform[k])[:, 0]
            values.append(bins.values(index, noise.normal[:, k]))
            choices[name] = Choice(logits[k], index)
        return 2 ** values[0], values[1], choices

    def occlude(
        self, step: Step, bridges: Sequence[Tensor], noise: Noise, rows: Tensor, count: int
    ) -> tuple[list[Tensor], list[Tensor], dict[str, Choice]]:
        """AHO: masks for ``count`` images of which ``rows`` are occluded, by G's cells and by cells of any place."""
        logits = step.forward(self.agents["aho"], *bridges)
        predicted = logits.detach().softmax(dim=-1)
        cells = [
            augment.sample(
                probabilities.repeat_interleave(noise.cells.shape[2], dim=0),
                noise.cells[:, k].flatten(0, 1),
                self.options.cells,
            ).unflatten(0, (len(rows), -1))
            for k, probabilities in enumerate((predicted, torch.full_like(predicted, 1 / predicted.shape[1])))
        ]
        masks = [self.masks(count, rows.device, rows, of_one, noise.offset[:, k]) for k, of_one in enumerate(cells)]
        return masks[0], masks[1], {"occlusion": Choice(logits, cells[0].flatten(1))}

    def masks(
        self,
        count: int,
        device: torch.device,
        rows: Tensor | None = None,
        cells: Tensor | None = None,
        offset: Tensor | None = None,
    ) -> list[Tensor]:
        """Masks of ``count`` images, those of ``rows`` with these cells ``(R, masks, cells)`` occluded."""
        place = self.options.occlusion
        if "aho" not in self.agents:
            return []
        sizes = [self.setting.size] if place == "pixels" else [shape.size for shape in self.shapes]
        whole = [torch.ones(count, 1, *size, device=device) for size in sizes]
        if rows is None or cells is None:
            return whole
        made = augment.masks(cells if place == "independent" else cells[:, 0], self.grid, sizes, place, offset)
        return [ones.index_copy(0, rows, mask) for ones, mask in zip(whole, made, strict=True)]

    def view(self, batch: Batch, drawn: Draw, masks: list[Tensor]) -> View:
        """A stored batch as D sees it."""
        return View(augment.apply(batch, drawn, self.setting.size, self.setting.skeleton), masks)

    def run(self, step: Step, view: View) -> list[Tensor]:
        """D's maps of a view."""
        images, masks = view.sample.images, view.masks
        if not masks:
            return step.forward(self.network, images)
        if self.options.occlusion == "pixels":
            return step.forward(self.network, images * masks[0])
        return step.forward(cast(Any, self.network).forward_bridges, images, mask=masks)[0]

    @torch.no_grad()
    def harder(self, step: Step, pair: Pair) -> Tensor:
        """Lines 4, 6 and 7: whether each adversarial augmentation is harder than its reference, ``(R,)`` bool."""
        both = pair.adversarial.joined(pair.reference)
        with judging(self.network):
            maps = self.run(step, both)
        if self.options.comparison == "loss":
            ours, theirs = self.difficulty(maps, both.sample).chunk(2)
            return ours > theirs
        ours, theirs = self.correct(maps, both.sample).chunk(2)
        return ours < theirs

    def correct(self, maps: Sequence[Tensor], sample: Sample) -> Tensor:
        """The share of each person's joints in view that lie within .2 of the reference length, ``(B,)``."""
        points, _ = decode(maps[-1], self.stride, "argmax")
        reference = self.setting.skeleton.reference_length(sample.points)
        right = (points - sample.points).norm(dim=-1) <= 0.2 * reference[:, None]
        return (right & sample.visible).sum(dim=-1) / sample.visible.sum(dim=-1).clamp(min=1)

    def teach_agents(self, step: Step, pair: Pair) -> dict[str, Tensor]:
        """Line 7: each agent learns its own distributions, rewarded or penalised. Returns scalars for the history."""
        harder = self.harder(step, pair) if pair.choices else None
        losses, found = dict(pair.losses), {}
        if losses:
            found["upside_down"] = upside_down(pair.drawn.angle[pair.rows["asr"]])
        for name, choices in pair.choices.items():
            won = harder[pair.rows[name]]  # type: ignore[index]
            losses[name] = torch.stack([self.divergence(choice, won) for choice in choices.values()]).sum(dim=0)
            found[f"rewarded_{name}"] = won.float().mean()
            for kind, choice in choices.items():
                found[f"entropy_{kind}"] = _entropy(choice.logits.detach()).mean()
        if self.options.uniform:
            return found
        for name, loss in losses.items():
            # a share of the batch may divide unevenly among processes: the mean is over all of them
            images = self.images_of(name, self.shares(step)).sum() / step.fabric.world_size
            step.update(name, loss.sum() / images)
        return found

    def divergence(self, choice: Choice, harder: Tensor) -> Tensor:
        """KL ``(R,)`` to the distribution that eq. (3) asks for where an image became harder, and else eq. (4)."""
        o, predicted = self.options, choice.logits.detach().softmax(dim=-1)
        cap = None if o.cap is None else o.cap / predicted.shape[-1]
        more = augment.reward(predicted, choice.picked, o.alpha, cap)
        less = augment.penalize(predicted, choice.picked, o.beta, cap)
        return augment.divergence(torch.where(harder[:, None], more, less), choice.logits)


Rows = TypeVar("Rows", Batch, Noise)


def _rows(parts: Rows, index: Tensor) -> Rows:
    """The same rows of each tensor."""
    return type(parts)(*(part[index] for part in parts))


def _with(drawn: Draw, rows: Tensor, scale: Tensor, angle: Tensor) -> Draw:
    return replace(drawn, scale=drawn.scale.index_copy(0, rows, scale), angle=drawn.angle.index_copy(0, rows, angle))


def _entropy(logits: Tensor) -> Tensor:
    """Of each row's softmax ``(R,)``, as a fraction of the uniform distribution's."""
    log = logits.log_softmax(dim=-1)
    return -(log.exp() * log).sum(dim=-1) / math.log(logits.shape[-1])
