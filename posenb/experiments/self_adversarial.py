"""What a discriminator says of maps, and what poses are like (Chou et al. 2018). Everything is kept image by image.

Poses are damaged on purpose, so that it is known which joint is wrong: one is displaced, or a left and a right one are
exchanged. A joint's score is its discriminator error relative to that joint's mean error on labels' maps: some joints
are harder to reconstruct than others, and that is nobody's fault.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from posenb import augment, runs
from posenb.data.dataset import PoseDataset
from posenb.errors import UserError
from posenb.evaluation import predict
from posenb.heatmaps import gaussian
from posenb.methods.self_adversarial import SelfAdversarial
from posenb.metrics import correct, plausibility
from posenb.step import seeded

Array = NDArray[np.float64]

DAMAGES = ("displaced", "swapped")
DISPLACEMENT = 0.5  # of the reference length
COVERS, COVER = 3, 0.3  # squares an image, and their side in sides of the image


class Damaged(NamedTuple):
    """Poses ``(B, K, 2)`` with a fault each, and which joints it concerns, ``(B, K)`` bool."""

    points: Tensor
    wrong: Tensor


@dataclass(frozen=True)
class Judgement:
    """A discriminator on N images.

    Attributes:
        real, generated, damaged: ``(N,)``, reconstruction error of the labels' maps, of the generator's, and of labels'
            maps whose joints were moved until each map has the pixel error of the generator's; means over joints.
        score: by damage, and of the generator's own answers as 'answers': relative errors ``(N, K)``.
        wrong: by the same names, which joints are wrong, ``(N, K)`` bool.
    """

    real: Array
    generated: Array
    damaged: Array
    score: dict[str, Tensor]
    wrong: dict[str, Tensor]

    def auc(self, name: str) -> Array:
        """Per image, how often a wrong joint scores higher than a right one; NaN where it has not both."""
        return within_image_auc(self.score[name], self.wrong[name])


@dataclass(frozen=True)
class Poses:
    """A run's answers on N images; each a mean over an image's joints or limbs, NaN where there is none.

    Attributes:
        pck: PCK@0.2 of the reference length.
        hidden: the same over joints that are labelled as occluded.
        covered: the same over all joints, with squares of other pictures pasted over some of them.
        odd: share of limbs that are too long or too short to be real.
        asymmetric: mean abs(log2(left / right)) of limb lengths.
        swapped: share of joints at their mirror joint's place.
    """

    pck: Array
    hidden: Array
    covered: Array
    odd: Array
    asymmetric: Array
    swapped: Array

    def summary(self) -> dict[str, float]:
        """The means."""
        return {name: float(np.nanmean(value)) for name, value in vars(self).items()}


def displace(points: Tensor, visible: Tensor, reference: Tensor, generator: Generator) -> Damaged:
    """One labelled joint of each pose moved by ``DISPLACEMENT`` x its reference ``(B,)`` in a random direction."""
    chance = torch.rand(visible.shape, generator=generator) * visible
    joint = chance.argmax(dim=1)
    angle = torch.rand(len(points), generator=generator) * 2 * math.pi
    wrong = torch.zeros_like(visible).scatter(1, joint[:, None], True) & visible
    offset = torch.stack([angle.cos(), angle.sin()], dim=-1) * DISPLACEMENT * reference[:, None]
    return Damaged(points + wrong[..., None] * offset[:, None], wrong)


def swap_sides(points: Tensor, visible: Tensor, flip: tuple[int, ...], generator: Generator) -> Damaged:
    """One joint of each pose exchanged with its mirror joint, both labelled; a pose without such a pair stays."""
    mirror = torch.tensor(flip)
    possible = visible & visible[:, mirror] & (mirror != torch.arange(len(flip)))
    joint = (torch.rand(visible.shape, generator=generator) * possible).argmax(dim=1)
    wrong = torch.zeros_like(visible).scatter(1, joint[:, None], True).scatter(1, mirror[joint][:, None], True)
    wrong = wrong & possible
    return Damaged(torch.where(wrong[..., None], points[:, mirror], points), wrong)


def equal_error_distance(error: Tensor, sigma: float) -> Tensor:
    """How far a Gaussian must be moved to have this squared error against itself in place, in its own energies.

    The error of a shift by d is 2 (1 - exp(-d^2 / 4 sigma^2)); it never reaches 2, and beyond 1.99 it is taken as 1.99.
    """
    return 2 * sigma * (-torch.log1p(-error.clamp(0, 1.99) / 2)).sqrt()


def within_image_auc(score: Tensor, wrong: Tensor) -> Array:
    """Per image, over all pairs of a wrong and a right joint, how often the wrong one scores higher (ties half).

    Args:
        score, wrong: ``(N, K)``; joints whose score is NaN are left out.

    Returns:
        ``(N,)``, NaN for images without such a pair. Their mean is an area under the ROC curve.
    """
    known = score.isfinite()
    pair = (wrong & known)[:, :, None] & (~wrong & known)[:, None, :]
    higher = score[:, :, None] - score[:, None, :]
    won = torch.where(pair, (higher > 0).double() + 0.5 * (higher == 0), 0.0)
    return (won.sum(dim=(1, 2)) / pair.sum(dim=(1, 2))).numpy()


def roc(score: Tensor, wrong: Tensor) -> tuple[Array, Array]:
    """False and true positive rates over all joints, by falling score: the curve, from (0, 0) to (1, 1)."""
    known = score.isfinite()
    order = score[known].argsort(descending=True)
    hit = wrong[known][order].double()
    ends = [torch.cat([torch.zeros(1), part.cumsum(0) / part.sum().clamp(min=1)]) for part in (1 - hit, hit)]
    return ends[0].double().numpy(), ends[1].double().numpy()


def cover(images: Tensor, points: Tensor, visible: Tensor, generator: Generator) -> Tensor:
    """Heavy occlusion: ``COVERS`` squares of each image ``(B, 3, H, W)``, about random labelled joints, replaced by the
    same place of another picture of the batch."""
    height, width = images.shape[-2:]
    half = COVER * height / 2
    chosen = (torch.rand(visible.shape, generator=generator) + visible).topk(COVERS, dim=1).indices
    centers = points.gather(1, chosen[..., None].expand(-1, -1, 2))
    y = (torch.arange(height) + 0.5 - centers[..., 1, None]).abs() < half
    x = (torch.arange(width) + 0.5 - centers[..., 0, None]).abs() < half
    hidden = (y[..., :, None] & x[..., None, :]).any(dim=1, keepdim=True)
    return torch.where(hidden, images.roll(1, dims=0), images)


def discriminating(run: runs.Run) -> SelfAdversarial:
    """The run's method, which must have a discriminator.

    Raises:
        UserError: where it has none.
    """
    method = run.method
    if not (isinstance(method, SelfAdversarial) and method.options.adversary):
        raise UserError(f"{run.spec.title} has no discriminator: give a run of self_adversarial with adversary=True")
    return method


@torch.no_grad()
def scores(method: SelfAdversarial, images: Tensor, points: Tensor, usual: Tensor, batch: int = 100) -> Tensor:
    """Relative errors ``(N, K)`` of poses ``(N, K, 2)`` of any origin, on images in [0, 1]; ``usual (K,)`` is 1."""
    parts = zip(images.split(batch), points.split(batch), strict=True)
    return torch.cat([method.implausibility(*part) for part in parts]) / usual


@torch.no_grad()
def usual_error(method: SelfAdversarial, data: PoseDataset) -> Tensor:
    """Mean error of each joint's label maps, ``(K,)``, over the labelled ones."""
    data = data.cropped()
    found = [method.implausibility(x, p) for x, p in _parts(data)]
    return torch.where(data.visible, torch.cat(found), 0.0).sum(dim=0) / data.visible.sum(dim=0).clamp(min=1)


def _parts(data: PoseDataset, batch: int = 100) -> Iterator[tuple[Tensor, Tensor]]:
    images = augment.center(data.images, data.size)
    yield from zip(images.split(batch), data.points.nan_to_num(-1e6).split(batch), strict=True)


@torch.no_grad()
def judgement(run: runs.Run, count: int | None = None) -> Judgement:
    """Measure a run's discriminator on the first ``count`` images of its final evaluation."""
    method = discriminating(run)
    usual = usual_error(method, run.spec.data.load("monitor"))
    data = run.spec.data.load("final")[slice(count)].cropped()
    data = data[(data.visible.any(dim=1) & data.reference.isfinite()).nonzero().flatten()]
    images, visible, sigma = augment.center(data.images, data.size), data.visible, method.options.sigma
    points = torch.where(visible[..., None], data.points, -1e6)
    real, generated, damaged = [], [], []
    for number, (x, p) in enumerate(_parts(replace(data, points=points))):
        maps, target = method.heatmaps(x), gaussian(p, method.map_size(), method.stride, sigma)
        error = (maps - target).square().sum(dim=(-2, -1)) / method.energy
        angle = torch.rand(error.shape, generator=seeded(run.spec.seed, 7, number)) * 2 * math.pi
        step = torch.stack([angle.cos(), angle.sin()], dim=-1) * equal_error_distance(error, sigma)[..., None]
        real.append(method.implausibility(x, p))
        generated.append(method.comments(x, maps).sum(dim=(-2, -1)))
        damaged.append(method.implausibility(x, p + step * method.stride))

    def of_image(parts: list[Tensor]) -> Array:
        kept = torch.where(visible, torch.cat(parts).double(), 0.0)
        return (kept.sum(dim=1) / visible.sum(dim=1)).numpy()

    generator = seeded(run.spec.seed, 8)
    faults = {
        "displaced": displace(points, visible, data.reference, generator),
        "swapped": swap_sides(points, visible, data.skeleton.flip, generator),
    }
    answers = predict(method, data).points
    far = correct(answers, points, visible, data.reference) == 0
    faults["answers"] = Damaged(answers, far)
    score = {name: scores(method, images, one.points, usual).where(visible, math.nan) for name, one in faults.items()}
    wrong = {name: one.wrong & visible for name, one in faults.items()}
    return Judgement(of_image(real), of_image(generated), of_image(damaged), score, wrong)


@torch.no_grad()
def poses(run: runs.Run, count: int | None = None) -> Poses:
    """What a run of any method answers on the first ``count`` images of its final evaluation."""
    labels = run.spec.data.load("train").cropped()
    usual = plausibility.limb_range(labels.points, labels.visible, labels.skeleton)
    data = run.spec.data.load("final")[slice(count)].cropped()
    data = data[(data.visible.any(dim=1) & data.reference.isfinite()).nonzero().flatten()]
    hidden_images = cover(data.images, data.points.nan_to_num(-1e6), data.visible, seeded(run.spec.seed, 9))
    answers = predict(run.method, data).points
    under_cover = predict(run.method, replace(data, images=hidden_images)).points
    labelled, skeleton = data.visible, data.skeleton

    def share(points: Tensor, counted: Tensor) -> Array:
        return correct(points, data.points, counted, data.reference).nanmean(dim=1).numpy()

    paired = labelled & labelled[:, list(skeleton.flip)]
    exchanged = plausibility.swaps(answers, data.points, labelled, data.reference, skeleton)
    return Poses(
        pck=share(answers, labelled),
        hidden=share(answers, labelled & data.occluded),
        covered=share(under_cover, labelled),
        odd=plausibility.odd_limbs(answers, skeleton, usual).double().mean(dim=1).numpy(),
        asymmetric=plausibility.asymmetry(answers.double(), skeleton).mean(dim=1).numpy(),
        swapped=((exchanged & paired).sum(dim=1).double() / paired.sum(dim=1)).numpy(),
    )


def coverage(error: Tensor, doubt: Tensor) -> tuple[Array, Array]:
    """Mean error of the most trusted answers: shares kept ``(N,)``, and the mean over those, trusted ones first.

    Args:
        error, doubt: ``(N,)``; NaN errors are left out.
    """
    known = error.isfinite()
    ordered = error[known][doubt[known].argsort()].double()
    ranks = torch.arange(1, len(ordered) + 1)
    return (ranks / max(1, len(ordered))).numpy(), (ordered.cumsum(0) / ranks).numpy()
