"""Iterative error feedback (Carreira et al. 2016), and the two ways of regression that the paper compares it with.

A network sees the image beside its own current guess, drawn as Gaussians, and answers a correction. The corrected guess
is drawn and seen again. One network, T steps. It answers points: there are no heatmaps but those that it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer

from posenb import augment, models
from posenb.data.dataset import Batch, PoseDataset
from posenb.errors import UserError
from posenb.geometry import transform_points
from posenb.heatmaps import gaussian
from posenb.methods.base import LATER, Method, Setting
from posenb.step import Step

TARGETS, PATHS = ("bounded", "location"), ("fixed", "own")


@dataclass(frozen=True)
class Options:
    """What is corrected, how far, and from where.

    Attributes:
        target: 'bounded', a correction of at most L (the paper's), or 'location', the whole way to the label.
        path: the guesses that training starts from: 'fixed', those of the ground truth's path (the paper's), or 'own',
            where the network's own steps have led.
        steps: T. 'location' with one step is the paper's direct prediction, with T steps on its own path the paper's
            iterative direct prediction.
        curriculum: fixed path consolidation: train on step 1 alone, then on steps 1 and 2, and so on. Off: on all steps
            from the start.
        joints: names of the joints that are fed back and predicted; () is all. The others keep the mean pose.
        length: L, as a share of the input's side; the paper's 20 pixels of 224.
        sigma: of the drawn Gaussians, as a share of the side; that of the released renderer.
        lr: learning rate of AdamW.
        weight_decay: of AdamW.
        augmentation: what is drawn at random; the paper mirrors, crops at random and takes the three best scales.
        growing: stages as long as the paper's, epochs of a set that grows: stage t is t times as long as the first.
            Off: equally long.
    """

    target: str = "bounded"
    path: str = "fixed"
    steps: int = 4
    curriculum: bool = True
    joints: tuple[str, ...] = ()
    length: float = 20 / 224
    sigma: float = 0.1
    lr: float = 1e-3
    weight_decay: float = 1e-2
    augmentation: augment.Family = field(default_factory=lambda: augment.Family(rotation=10, scale=0.15, shift=0.05))
    growing: bool = field(default=False, metadata=LATER)

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise ValueError(f"target must be 'bounded' or 'location', not {self.target!r}")
        if self.path not in PATHS:
            raise ValueError(f"path must be 'fixed' or 'own', not {self.path!r}")
        if self.target == "location" and self.path == "fixed" and self.steps > 1:
            raise ValueError("a path of whole ways ends after one step: target 'location' needs path 'own' or steps 1")
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, not {self.steps}")
        one = isinstance(self.joints, str)  # of a command line
        object.__setattr__(self, "joints", (self.joints,) if one else tuple(self.joints))


def bounded_correction(target: Tensor, current: Tensor, length: float) -> Tensor:
    """``min(L, |u|) u / |u|`` with u = y - y_t, for points ``(..., 2)``; 0 where u is (section 2.1)."""
    way = target - current
    return way * (length / way.norm(dim=-1, keepdim=True).clamp(min=length))


def ground_truth_path(
    start: Tensor,
    target: Tensor,
    taken: Tensor,
    length: float,
) -> Tensor:
    """y_t: where ``taken`` bounded corrections towards the target lead from the start, without walking them.

    Args:
        start: y_0, ``(B, K, 2)``.
        target: y, ``(B, K, 2)``.
        taken: t, ``(B,)``, may differ from image to image.
        length: L.
    """
    way = target - start
    far = way.norm(dim=-1, keepdim=True)
    gone = taken[:, None, None].to(far.dtype) * length
    left = (far - gone).clamp(min=0) / far.clamp(min=1e-12)
    return target - left * way


def stage(progress: float, steps: int, growing: bool = False) -> int:
    """How many of T steps are trained at ``progress`` in [0, 1): T stages (Algorithm 1).

    Args:
        progress: of the training.
        steps: T.
        growing: stage t is t times as long as the first, as in epochs of the paper's growing set; else all are equal.
    """
    if not growing:
        return min(steps, 1 + int(progress * steps))
    whole = steps * (steps + 1) / 2
    return 1 + sum(progress * whole >= t * (t + 1) / 2 for t in range(1, steps))


def draw_guess(points: Tensor, sigma: float, out: Tensor) -> None:
    """g: write into ``out (B, C, H, W)`` a Gaussian for each of ``points (B, C, 2)``, 1/2 at the point, -1/2 far away.

    It is :func:`posenb.heatmaps.codecs.gaussian` less one half, in memory that is there already: a product of two
    profiles, so that exp runs on H + W numbers a map.
    """
    height, width = out.shape[-2:]
    x, y = points.unbind(-1)
    columns = torch.arange(width, device=points.device) + 0.5
    rows = torch.arange(height, device=points.device) + 0.5
    across = ((columns[:, None] - x[:, None]) ** 2 * (-0.5 / sigma**2)).exp_()
    down = ((rows[:, None] - y[:, None]) ** 2 * (-0.5 / sigma**2)).exp_()
    # rows, columns, points: the order of channels-last memory
    maps = out.permute(0, 2, 3, 1)
    torch.mul(down[:, :, None], across[:, None], out=maps)
    maps.sub_(0.5)


class ErrorFeedback(Method):
    """One network that answers corrections, and the mean pose that it starts from.

    Where it differs from the paper: steps are drawn at random among those of the stage, one an image and batch, where
    Algorithm 1 pools them all; stages are equally long, where those of its growing set grow; AdamW, not SGD; the step's
    length and the Gaussians' width are shares of the input's side; the marking point is the middle of the stored
    sample, as the paper has it for LSP.
    """

    options_type = Options
    mean_pose: Tensor

    def __init__(self, options: Options, setting: Setting) -> None:
        super().__init__(options, setting)
        if setting.network != "feedback":
            raise ValueError(f"error feedback needs the network 'feedback', not {setting.network!r}")
        names = setting.skeleton.joints
        if unknown := set(options.joints) - set(names):
            raise ValueError(f"the joint set has no {', '.join(sorted(unknown))}; it has {', '.join(names)}")
        self.modelled = [k for k, name in enumerate(names) if not options.joints or name in options.joints]
        given = {**setting.network_options, "size": setting.size[0]}
        self.network = models.create("feedback", len(self.modelled), given, setting.seed * 1000)
        middle = torch.tensor([setting.size[1] / 2, setting.size[0] / 2])
        self.register_buffer("mean_pose", middle.expand(len(names), 2).clone())

    @property
    def length(self) -> float:
        """L in pixels of the input."""
        return self.options.length * self.setting.size[0]

    @property
    def stride(self) -> int:
        """1: what is drawn has the input's size."""
        return 1

    def prepare(self, data: Mapping[str, PoseDataset]) -> None:
        """y_0: the median of the training poses, mirrored ones included where training mirrors."""
        train = data["train"].cropped()
        poses = torch.where(train.visible[..., None], train.points, torch.nan)
        if self.options.augmentation.flip:
            width = torch.tensor([float(train.size[1]), 0.0])
            poses = torch.cat([poses, (width - poses * poses.new_tensor([1.0, -1.0]))[:, list(train.skeleton.flip)]])
        median = poses.nanmedian(dim=0).values
        known = median.isfinite().all(dim=-1, keepdim=True)
        self.mean_pose.copy_(torch.where(known, median, self.mean_pose.cpu()))

    def start_from(self, sources: Sequence[Method]) -> None:
        """Take over what fits of the first source: from a pose network 'small' its encoder.

        Raises:
            UserError: where nothing fits.
        """
        own, learned = self.network.state_dict(), sources[0].network.state_dict()
        fits = [name for name, weight in own.items() if name in learned and learned[name].shape == weight.shape]
        own |= {name: learned[name] for name in fits}
        if "stem.0.weight" in learned and "stem.0.weight" in own and "stem.0.weight" not in fits:
            own["stem.0.weight"][:, :3] = learned["stem.0.weight"]
        elif not fits:
            raise UserError("error feedback can take over nothing of this start: give a run with the network 'small'")
        self.network.load_state_dict(own)

    def optimizers(self) -> dict[str, Optimizer]:
        o = self.options
        return {"network": AdamW(self.network.parameters(), o.lr, weight_decay=o.weight_decay)}

    def train_step(self, step: Step, data: Mapping[str, PoseDataset]) -> dict[str, Tensor]:
        """Each image at one of the stage's steps: what is left to go from there is the target."""
        o, setting = self.options, self.setting
        batch, drawn = step.batch(data["train"]), step.draw(o.augmentation)
        # joints out of view keep their labels, to be predicted from tails (section 3)
        sample = augment.apply(batch, drawn, setting.size, setting.skeleton, outside=True)
        marker = self.marker(batch, drawn)
        start = self.mean_pose.expand(len(sample.points), -1, -1)
        # no label, nowhere to go: drawn at the mean pose, and without gradient
        target = torch.where(sample.visible[..., None], sample.points, start)
        trained = stage(step.progress, o.steps, o.growing) if o.curriculum else o.steps
        taken = torch.randint(trained, (step.budget.batch,), generator=step.generator)
        taken = taken[step.share(step.budget.batch)].to(start.device)
        if o.path == "fixed":
            current = ground_truth_path(start, target, taken, self.length)
        else:
            current = self.own_path(step, sample.images, start, marker, taken)
        answer = step.forward(self.network, self.stack(sample.images, current, marker))
        labelled = step.mean(sample.visible[:, self.modelled].sum().float())
        loss = self.loss(answer, target, current, sample.visible, labelled)
        step.update("network", loss)
        trained_steps = torch.tensor(float(trained), device=loss.device)
        return {"loss": loss.detach(), "trained_steps": trained_steps}

    def marker(self, batch: Batch, drawn: augment.Draw) -> Tensor:
        """Where the middle of the stored samples comes to lie, ``(B, 1, 2)``."""
        height, width = batch.images.shape[-2:]
        matrix = augment.matrices(drawn.to(batch.points.device), (height, width), self.setting.size)
        middle = batch.points.new_tensor([width / 2, height / 2])
        return transform_points(middle.expand(len(batch.points), 1, 2), matrix)

    @torch.no_grad()
    def own_path(self, step: Step, images: Tensor, start: Tensor, marker: Tensor, taken: Tensor) -> Tensor:
        """Where the network's own steps lead, as many as each image has ``taken``; without gradient."""
        self.network.eval()
        current = start
        for number in range(int(taken.max())):
            answer = step.forward(self.network, self.stack(images, current, marker))
            current = torch.where((taken > number)[:, None, None], self.corrected(current, answer), current)
        self.network.train()
        return current

    def target(self, points: Tensor, current: Tensor) -> Tensor:
        """What the network should answer, ``(B, J, 2)`` in units of L, for labels and guesses ``(B, K, 2)``."""
        way = (points - current)[:, self.modelled]
        if self.options.target == "bounded":
            way = bounded_correction(way, torch.zeros_like(way), self.length)
        return way / self.length

    def loss(self, answer: Tensor, points: Tensor, current: Tensor, visible: Tensor, count: Tensor) -> Tensor:
        """Mean over labelled joints of the squared distance between correction and target, in units of L squared.

        ``count`` is how many they are, a mean over the processes: so several learn what one would.
        """
        distance = (answer - self.target(points, current)).square().sum(dim=-1)
        return (distance * visible[:, self.modelled]).sum() / count.clamp(min=1)

    def stack(self, images: Tensor, points: Tensor, marker: Tensor, out: Tensor | None = None) -> Tensor:
        """I + g(y): images ``(B, 3, H, W)`` over the modelled joints' and the marking point's maps in [-.5, .5].

        ``out`` is what an earlier step returned for these images: only its maps are drawn again.
        """
        drawn = torch.cat([points[:, self.modelled], marker], dim=1)
        if out is None:
            # channels last, as the network wants it
            size = (len(images), *self.setting.size, 3 + drawn.shape[1])
            out = torch.empty(size, device=images.device).permute(0, 3, 1, 2)
            out[:, :3] = images
        draw_guess(drawn, self.options.sigma * self.setting.size[0], out[:, 3:])
        return out

    def corrected(self, points: Tensor, answer: Tensor) -> Tensor:
        """y + epsilon: points ``(B, K, 2)`` after an answer ``(B, J, 2)`` in units of L."""
        return points.index_add(1, torch.tensor(self.modelled, device=points.device), answer, alpha=self.length)

    @torch.no_grad()
    def trajectory(
        self,
        images: Tensor,
        steps: int | None = None,
        start: Tensor | None = None,
    ) -> Tensor:
        """The guess before the first and after each step, ``(steps + 1, B, K, 2)`` in pixels of the input.

        Args:
            images: as :meth:`predict` takes them.
            steps: default T.
            start: y_0 ``(B, K, 2)``; default the mean pose.
        """
        images = self.framed(images)
        height, width = self.setting.size
        marker = images.new_tensor([width / 2, height / 2]).expand(len(images), 1, 2)
        points = [self.mean_pose.expand(len(images), -1, -1) if start is None else start]
        stacked = None
        for _ in range(self.options.steps if steps is None else steps):
            stacked = self.stack(images, points[-1], marker, stacked)
            points.append(self.corrected(points[-1], self.network(stacked).float()))
        return torch.stack(points)

    def framed(self, images: Tensor) -> Tensor:
        """The middle of stored bytes as floats; floats as they are."""
        return augment.center(images, self.setting.size) if images.dtype == torch.uint8 else images

    def heatmaps(self, images: Tensor) -> Tensor:
        """What the network would be shown next: its answer drawn as Gaussians of peak 1, ``(B, K, H, W)``."""
        points, _ = self.predict(images)
        return gaussian(points, self.setting.size, 1, self.options.sigma * self.setting.size[0])

    def predict(self, images: Tensor, flip: bool = False) -> tuple[Tensor, Tensor]:
        """The last guess; its score is exp(-s), s the length of its last step in units of L."""
        images = self.framed(images)
        before, points = self.trajectory(images)[-2:]
        score = torch.exp(-(points - before).norm(dim=-1) / self.length)
        if flip:
            other, other_score = self.predict(images.flip(-1))
            joints = list(self.setting.skeleton.flip)
            other = torch.stack([self.setting.size[1] - other[..., 0], other[..., 1]], dim=-1)
            points, score = (points + other[:, joints]) / 2, (score + other_score[:, joints]) / 2
        return points, score
