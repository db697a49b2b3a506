"""One training step of semi-supervised training: Algorithm 1 of Xie et al. 2021, and what it is compared with."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from posenb import augment
from posenb.augment.joint_cutout import Patches, cover, draw_patches
from posenb.augment.rand_augment import Distortions, distort, draw_distortions
from posenb.data.dataset import PoseDataset
from posenb.errors import UserError
from posenb.heatmaps import gaussian
from posenb.losses import heatmap_mse
from posenb.methods.base import Method, Setting
from posenb.methods.heads import reset_heads, without_heads
from posenb.methods.semi_supervised.detector import NEW_HEAD, CollapseDetector
from posenb.methods.semi_supervised.options import Options
from posenb.methods.semi_supervised.unlabelled import Lesson, View, consistency_loss, lesson, open_view
from posenb.models.layers import running_statistics_kept
from posenb.step import Step

# 'distill': the image as it is, mirrored, and turned both ways (degrees)
TURNS = (0.0, 0.0, 20.0, -20.0)


class SemiSupervised(Method):
    """Students learn labels on labelled images, and their teachers' answers on unlabelled ones.

    Where it differs from the released code:

    * The student's view is drawn by itself, not on top of the teacher's. Both are cut from the stored image at once.
    * What the teacher cannot see is not taught (``mask``).
    * Unlabelled images do not contain the labelled ones.
    """

    options_type = Options

    def __init__(self, options: Options, setting: Setting) -> None:
        super().__init__(options, setting)
        if options.cutout > len(setting.skeleton):
            raise ValueError(f"cutout must be at most the {len(setting.skeleton)} joints, not {options.cutout}")
        self.network = setting.create_network()
        self.detector = CollapseDetector()
        self.answering = 0  # which student answers
        self.started = False  # from runs of this method, whose heads say something
        if options.scheme == "dual":
            self.other = setting.create_network(1)
        elif options.scheme == "mean_teacher" or options.frozen_teacher:
            self.teacher = copy.deepcopy(self.network).requires_grad_(False)

    @property
    def students(self) -> list[nn.Module]:
        """The networks that learn: two in 'dual', else one."""
        return [self.network, self.other] if self.options.scheme == "dual" else [self.network]

    @property
    def teachers(self) -> list[nn.Module]:
        """Each student's teacher."""
        if self.options.scheme == "dual":
            return [self.other, self.network]
        return [self.teacher] if hasattr(self, "teacher") else [self.network]

    @property
    def teaches(self) -> bool:
        """Whether unlabelled images are learned from; not so where lambda is 0."""
        return self.options.scheme != "supervised" and self.options.weight > 0

    def start_from(self, sources: Sequence[Method]) -> None:
        """Students take over the sources' networks in turn; a teacher of its own starts as its student does.

        Raises:
            UserError: where 'dual' gets one source: two equal networks have nothing to teach each other. Where a
                teacher that stays as it is would get a new head, and teach for ever what that says.
        """
        if len(sources) < len(self.students):
            raise UserError("scheme 'dual' starts from two runs, of other initial weights: give two in `start`")
        self.started = all(isinstance(source, SemiSupervised) for source in sources)
        if self.options.frozen_teacher:
            self._require_start()
        for number, (student, source) in enumerate(zip(self.students, sources, strict=False)):
            learned = source.network.state_dict()
            if not isinstance(source, SemiSupervised):
                learned = without_heads(learned)
                if self.options.scheme != "supervised":
                    # what a new head says would be taught; near 0 it says nothing
                    reset_heads(student, self.setting.seed * 1000 + number)
            student.load_state_dict(student.state_dict() | learned)
        self.detector.start = 1 if self.started else NEW_HEAD
        if hasattr(self, "teacher"):
            self.teacher.load_state_dict(self.network.state_dict())

    def _require_start(self) -> None:
        if not self.started:
            raise UserError(
                f"scheme {self.options.scheme!r} is taught by the run that it starts from: train a semi_supervised run "
                "with scheme=supervised first, and give that as start"
            )

    def prepare(self, data: Mapping[str, PoseDataset]) -> None:
        if self.options.frozen_teacher:
            self._require_start()
        if self.teaches and "unlabelled" not in data:
            raise UserError(f"scheme {self.options.scheme!r} needs unlabelled images: set the data's `unlabelled`")

    def train(self, mode: bool = True) -> SemiSupervised:
        """A teacher that is no student answers as in evaluation; students that teach use their batch's statistics."""
        super().train(mode)
        if hasattr(self, "teacher"):
            self.teacher.eval()
        return self

    def optimizers(self) -> dict[str, Optimizer]:
        o = self.options
        weights = [weight for student in self.students for weight in student.parameters()]
        return {"network": AdamW(weights, o.lr, weight_decay=o.weight_decay)}

    def train_step(self, step: Step, data: Mapping[str, PoseDataset]) -> dict[str, Tensor]:
        """L_s of every student, and lambda times the loss against what its teacher says of unlabelled images."""
        o, setting = self.options, self.setting
        # labelled images are drawn first, so that all schemes see the same ones
        sample = augment.apply(step.batch(data["train"]), step.draw(o.augmentation), setting.size, setting.skeleton)
        loss = torch.stack([self.labelled_loss(step, student, sample) for student in self.students]).sum()
        report = {"supervised": loss.detach() / len(self.students)}
        if self.teaches:
            unlabelled, response = self.unlabelled_loss(step, data["unlabelled"])
            self.detector.update(response)
            report |= {"unlabelled": unlabelled.detach() / len(self.students), "response": response}
            loss = loss + o.weight * unlabelled
        step.update("network", loss)
        if o.scheme == "mean_teacher":
            self.follow()
        return {"loss": loss.detach(), **report}

    def labelled_loss(self, step: Step, student: nn.Module, sample: augment.Sample) -> Tensor:
        """L_s of a student: the mean over its stacks."""
        target = gaussian(sample.points, self.map_size(), self.stride, self.options.sigma)
        maps = self.maps(step, student, sample.images)
        return torch.stack([heatmap_mse(stack, target, sample.visible) for stack in maps]).mean()

    def maps(self, step: Step, network: nn.Module, images: Tensor) -> list[Tensor]:
        """The maps that a network teaches or is taught in, a ``(B, K, h, w)`` for each stack."""
        return step.forward(network, images)

    def unlabelled_loss(self, step: Step, data: PoseDataset) -> tuple[Tensor, Tensor]:
        """Lines 5 to 11 of Algorithm 1 for a batch: the sum over the students, and the teachers' response."""
        o, setting = self.options, self.setting
        count = max(1, round(o.ratio * step.budget.batch))
        stored = step.batch(data, count, stream=1).images
        easy, hard = step.draw(o.easy, count), step.draw(o.hard, count)
        share = step.share(count)
        drawn_patches = draw_patches(count, len(setting.skeleton), o.cutout, step.generator)
        patches = Patches(*(part[share] for part in drawn_patches))
        drawn_colours = draw_distortions(count, step.generator)
        colours = Distortions(*(part[share] for part in drawn_colours))
        if o.frozen_teacher:
            easy = augment.still(len(stored))
        teacher_view, student_view = self.open(stored, easy), self.open(stored, hard)
        losses, responses = [], []
        kept = self.students if o.statistics == "labelled" else []
        with running_statistics_kept(kept):
            for student, teacher in zip(self.students, self.teachers, strict=True):
                maps = self.teach(step, teacher, stored, teacher_view)
                taught = self.lesson(maps, stored, teacher_view.drawn, student_view.drawn)
                images = self.harden(student_view.images, taught, patches, colours)
                losses.append(consistency_loss(self.maps(step, student, images), taught))
                responses.append(maps.amax(dim=(-2, -1)).mean())
        return torch.stack(losses).sum(), torch.stack(responses).mean()

    def open(self, stored: Tensor, drawn: augment.Draw) -> View:
        """A view of stored images."""
        return open_view(stored, drawn, self.setting.size, self.setting.skeleton)

    @torch.no_grad()
    def teach(self, step: Step, teacher: nn.Module, stored: Tensor, view: View) -> Tensor:
        """The teacher's maps of its view, ``(B, K, h, w)``, without gradient; in 'distill' a mean over four views."""
        if self.options.scheme != "distill":
            return self.maps(step, teacher, view.images)[-1]
        total = torch.zeros(())
        for number, angle in enumerate(TURNS):
            drawn = replace(
                augment.still(len(stored)),
                angle=torch.full((len(stored),), angle),
                flip=torch.full((len(stored),), number == 1),
            )
            turned = self.open(stored, drawn)
            maps = self.maps(step, teacher, turned.images)[-1]
            total = total + self.lesson(maps, stored, turned.drawn, view.drawn, soft=True).maps
        return total / len(TURNS)

    def lesson(
        self, maps: Tensor, stored: Tensor, easy: augment.Draw, hard: augment.Draw, soft: bool = False
    ) -> Lesson:
        """What maps of the easy view teach in the hard one: themselves, or the labels that a frozen teacher gives."""
        o = self.options
        sigma = o.sigma if o.frozen_teacher and not soft else None
        size = (stored.shape[-2], stored.shape[-1])
        return lesson(maps, easy, hard, size, self.setting.size, self.setting.skeleton, o.mask, sigma)

    def harden(self, images: Tensor, taught: Lesson, patches: Patches, colours: Distortions) -> Tensor:
        """The student's pictures after RandAugment and Joint Cutout, each where it is switched on."""
        if self.options.magnitude is not None:
            images = distort(images, colours, self.options.magnitude)
        return cover(images, taught.points, patches) if self.options.cutout else images

    @torch.no_grad()
    def follow(self) -> None:
        """Move the mean teacher towards its student; whole numbers are copied."""
        for mean, now in zip(self.teacher.state_dict().values(), self.network.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(now, 1 - self.options.decay)
            else:
                mean.copy_(now)

    def raw(self, images: Tensor) -> Tensor:
        """What the student gives that ``answering`` names, the first by default."""
        return self.students[self.answering](images)[-1].float()
