"""What adversarial augmentation's runs show (ADA paper, claims ADA-2 to ADA-14). Each statistic is stated here.

A statistic is signed so that the claim says "above 0". :func:`specs` names the runs; the functions take finished ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from posenb import augment, profiles
from posenb.augment import Draw
from posenb.claims import Measurement
from posenb.data.dataset import PoseDataset
from posenb.evaluation import Predictions
from posenb.methods.adversarial_augmentation import Adversaries, difficulty, upside_down
from posenb.runs import Run
from posenb.spec import Budget, Network, Spec

HARD_JOINTS = ("wrist", "knee", "ankle")
"""Those that the paper calls more difficult to localise (section 5.3)."""

Array = NDArray[np.float64]


VARIANTS: dict[str, dict[str, Any]] = {
    "asr": {"agents": ["asr"]},
    "aho": {"agents": ["aho"]},
    "both": {},
    "scaled down": {"agents": ["aho"], "occlusion": "down"},
    "independent": {"agents": ["aho"], "occlusion": "independent"},
    "pixels": {"agents": ["aho"], "occlusion": "pixels"},
    "together": {"together": True},
    "unprepared": {"pretrained": False},
    "uncapped": {"cap": None},
}
"""What each run of stage 3 has of its own. Components (ADA-4), masks (8), pixels (11), one image (12), fresh (13).

All have the released code's cap but 'uncapped': without it the equations as they are printed settle on one bin, because
a bin grows as long as it wins more than beta / (alpha + beta) = .71 of its comparisons, and the outermost do.
"""


def specs(profile: str, dataset: str, seed: int = 0, network: Network | None = None) -> dict[str, Spec]:
    """The runs of the chapter by name, as a graph: whoever trains one trains those that it starts from.

    'start' is stage 1; 'agents' and 'direct agents' are stage 2; then stage 3: 'random', which goes on as it began,
    :data:`VARIANTS`, and 'direct'. All of stage 3 take as many steps of D from the same weights.

    Args:
        profile, dataset, seed: as everywhere.
        network: in place of the profile's, with ``forward_bridges``; for dense and for stacked hourglasses.
    """
    base = profiles.foundations(profile, dataset, seed)
    base = replace(base, network=network or base.network)
    # the papers' loss learns too little in the minutes of a small profile
    pose: dict[str, Any] = {"loss": "mse"} if profile == "paper" else dict(base.options)
    # the paper's learning rates for tens of thousands of steps; fewer need larger ones, a fifth in stage 3 as there
    rate = 1.0 if profile == "paper" else 4.0

    def budget(steps: Mapping[str, int], snapshots: int, batch: int | None = None) -> Budget:
        count = steps[profile]
        return replace(
            base.budget,
            steps=count,
            batch=min(batch or base.budget.batch, base.budget.batch),
            evaluations=min(count, 6),
            snapshots=min(count, snapshots),
        )

    start = replace(base, options=pose, budget=budget({"smoke": 4, "quick": 600, "full": 2000, "paper": 10_000}, 1))
    sweep = budget({"smoke": 2, "quick": 100, "full": 400, "paper": 2000}, 2, batch=8)
    last = budget({"smoke": 4, "quick": 500, "full": 4000, "paper": 50_000}, 4)

    def second(**options: Any) -> Spec:
        options = pose | {"agent_lr": 2.5e-4 * rate} | options
        return replace(start, method="adversarial_pretraining", options=options, budget=sweep, start=(start,))

    def third(source: Spec, **options: Any) -> Spec:
        options = pose | {"agent_lr": 5e-5 * rate, "cap": 2.0} | options
        return replace(start, method="adversarial_augmentation", options=options, budget=last, start=(source,))

    agents, direct = second(), second(agents=["asr"], direct=True)
    return {
        "start": start,
        "agents": agents,
        "direct agents": direct,
        "random": replace(start, budget=last, start=(start,)),
        **{name: third(agents, **options) for name, options in VARIANTS.items()},
        "direct": third(direct, agents=["asr"], direct=True),
    }


# ADA-2: the pose loss over rotation becomes flatter


@torch.inference_mode()
def difficulty_over(method: Any, data: PoseDataset, draws: Draw, batch: int = 256) -> Array:
    """How hard each image is under each of A augmentations, ``(N, A)``: see the method's ``difficulty``.

    Args:
        method: supervised or adversarial, in evaluation mode afterwards.
        data: N images; their margin shows real surroundings where corners turn into view.
        draws: A augmentations, each applied to all images.
    """
    method.eval()
    found = np.empty((len(data), len(draws.angle)))
    for rows in torch.arange(len(data)).split(batch):
        stored = data.batch(rows)
        for column in range(found.shape[1]):
            sample = augment.apply(stored, draws[torch.full((len(rows),), column)], method.setting.size, data.skeleton)
            maps = [stack.float() for stack in method.network(sample.images)]
            found[rows.numpy(), column] = difficulty(method, maps, sample).numpy()
    return found


def turned(angles: Sequence[float] = augment.ROTATIONS.centres) -> Draw:
    """A draw for each of these angles in degrees, and nothing else changed."""
    drawn = augment.still(len(angles))
    drawn.angle.copy_(torch.tensor(angles))
    return drawn


def curves_over_training(runs: Sequence[Run], data: PoseDataset) -> tuple[list[str], Array]:
    """Difficulty over rotation at the end of the first run and at every snapshot of the next ones.

    Returns:
        names of the S stages, and ``(S, N, A)``.
    """
    first, *rest = runs
    stages = [("start", first.method), *((f"step {step}", run.at(step)) for run in rest for step in run.snapshots)]
    return [name for name, _ in stages], np.stack([difficulty_over(method, data, turned()) for _, method in stages])


def depth(curves: Array) -> Array:
    """How far curves ``(..., A)`` rise from their middle to their ends (mean of both), as a fraction of their mean."""
    ends = (curves[..., 0] + curves[..., -1]) / 2
    return (ends - curves[..., curves.shape[-1] // 2]) / curves.mean(axis=-1)


def flattening(curves: Array) -> float:
    """ADA-2's statistic, from mean curves ``(S, A)`` over stages: depth at the start less depth at the end.

    The paper draws loss *distributions*, so depth is a fraction of the curve's mean: a loss that falls everywhere by
    the same factor is not flatter.
    """
    found = depth(curves)
    return float(found[0] - found[-1])


# ADA-3: the predicted distribution follows the loss distribution


class Agreement(NamedTuple):
    """Between two distributions of each of N images: correlations over bins, and KL(loss || predicted) in nats."""

    pearson: Array
    spearman: Array
    divergence: Array


def agreement(predicted: Tensor, losses: Tensor) -> Agreement:
    """How well predicted distributions ``(N, k)`` follow distributions of losses ``(N, k)``.

    ADA-3's statistic is the mean of ``pearson`` over images. An image with one flat distribution has none: NaN.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        pearson = _correlation(predicted.double().numpy(), losses.double().numpy())
        ranks = (stats.rankdata(rows.numpy(), axis=1) for rows in (predicted, losses))
        spearman = _correlation(*ranks)
    return Agreement(pearson, spearman, augment.divergence(losses, predicted.log()).double().numpy())


def _correlation(a: Array, b: Array) -> Array:
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    return (a * b).sum(axis=1) / np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))


@torch.inference_mode()
def predicted_distributions(method: Adversaries, data: PoseDataset, batch: int = 256) -> dict[str, Tensor]:
    """What the augmenters predict for the samples of a data set: see the method's ``predict_distributions``."""
    method.eval()
    parts = [method.predict_distributions(augment.center(i, method.setting.size)) for i in data.images.split(batch)]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def rotation_agreement(method: Adversaries, data: PoseDataset) -> Agreement:
    """ADA-3: the rotation distribution that G predicts against D's losses over the rotation bins' centres."""
    predicted = predicted_distributions(method, data)["rotation"]
    losses = torch.from_numpy(difficulty_over(method, data, turned(method.rotations.centres)))
    return agreement(predicted, augment.normalize(losses).float())


# ADA-4, 5, 8, 11, 12, 13: accuracy


def hits(run: Run) -> Array:
    """Of the run's final evaluation ``(N, 2, K)``: which joints are right, PCK@.2, and which are labelled."""
    data, points = run.spec.data.load("final").cropped(), run.predictions.points
    near = (points - data.points).norm(dim=-1) <= 0.2 * data.reference[:, None]
    labelled = data.visible & torch.isfinite(data.reference)[:, None]
    return torch.stack([near & labelled, labelled], dim=1).double().numpy()


def accuracy(mean: Array) -> float:
    """PCK@.2, the mean over joints, of a mean over images of :func:`hits` ``(2, K)``."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.nanmean(mean[0] / mean[1]))


def gain(better: Run, *others: Run) -> Measurement:
    """ADA-8, 11, 12, 13's statistic: PCK@.2 of a run less the highest of the others on the same images."""

    def statistic(mean: Array) -> float:
        first, *rest = (accuracy(of_run) for of_run in mean)
        return first - max(rest)

    return _measured([better, *others], statistic)


def component_gain(random: Run, asr: Run, aho: Run, both: Run) -> Measurement:
    """ADA-4's statistic, in PCK@.2: the smallest of asr - random, aho - random, both - asr, both - aho."""

    def statistic(mean: Array) -> float:
        none, first, second, all_ = (accuracy(of_run) for of_run in mean)
        return min(first - none, second - none, all_ - first, all_ - second)

    return _measured([random, asr, aho, both], statistic)


def hard_joint_gain(random: Run, both: Run) -> Measurement:
    """ADA-5's statistic: the mean gain in PCK@.2 of wrists, knees and ankles less that of the other joints."""
    joints = random.spec.data.load("final")[:1].skeleton.joints
    hard = np.array([joint.endswith(HARD_JOINTS) for joint in joints])

    def statistic(mean: Array) -> float:
        before, after = mean
        return sum(sign * (accuracy(after[:, of]) - accuracy(before[:, of])) for sign, of in ((1, hard), (-1, ~hard)))

    return _measured([random, both], statistic)


def _measured(found: Sequence[Run], statistic: Any) -> Measurement:
    images = np.stack([hits(run) for run in found], axis=1)  # (N, runs, 2, K)
    keys, scores = [run.spec.key for run in found], [run.metrics["pck"] for run in found]
    return Measurement(statistic(images.mean(axis=0)), images, statistic, keys, {"pck": scores})


# ADA-7: direct generation collapses


def collapse(direct: Adversaries, data: PoseDataset) -> float:
    """ADA-7's statistic: the share of images that a direct agent turns by more than 90 degrees, less a half."""
    return upside_down(predicted_distributions(direct, data)["angle"]).item() - 0.5


# ADA-10: what a step costs


AUGMENTATIONS = {"asr": len(augment.SCALES) * len(augment.ROTATIONS), "aho": 16}
"""How many augmentations an agent chooses from: m n = 63 pairs of bins, 4 x 4 cells."""


class Passes(NamedTuple):
    """Passes of one image: D forward, D forward and backward, and an agent forward and backward."""

    forward: float
    learned: float
    agent: float

    def units(self, agent: float) -> float:
        """In forward passes of D, where backward costs two and an agent's pass ``agent`` of one."""
        return self.forward + 3 * self.learned + 3 * agent * self.agent


def passes(images: float, agents: Sequence[str] = ("asr", "aho"), swept: bool = False) -> Passes:
    """ADA-10: what a joint step takes with a batch of ``images``, of which each agent has an equal share.

    Args:
        images: the batch, B.
        agents: 'asr', 'aho', or both.
        swept: in place of the pair, all of an agent's augmentations are judged, as in pre-training.
    """
    share = images / (1 + len(agents))
    judged = sum(AUGMENTATIONS[agent] if swept else 2 for agent in agents)
    return Passes(forward=share * (len(agents) + judged), learned=images, agent=share * len(agents))


# ADA-14: left and right


def confusion(pred: Predictions, data: PoseDataset) -> Array:
    """For ADA-14: of each image ``(N, 2)``, how many joints are taken for their mirror image, and how many are wrong.

    Counted are joints that have a left and a right, both labelled. Wrong: further off than .2 of the reference length.
    Taken for the other: wrong, and nearer to the other's place than to their own.
    """
    data = data.cropped()
    flip = torch.tensor(data.skeleton.flip)
    paired = flip != torch.arange(len(flip))
    own = (pred.points - data.points).norm(dim=-1)
    other = (pred.points - data.points[:, flip]).norm(dim=-1)
    wrong = (own > 0.2 * data.reference[:, None]) & data.visible & data.visible[:, flip] & paired
    return torch.stack([(wrong & (other < own)).sum(dim=1), wrong.sum(dim=1)], dim=1).double().numpy()


def confusion_less(random: Run, adversarial: Run) -> Measurement:
    """ADA-14's statistic: the share of wrong joints that are taken for their mirror image, random less adversarial."""
    pairs = ((run, run.spec.data.load("final")) for run in (random, adversarial))
    images = np.stack([confusion(run.predictions, data) for run, data in pairs], axis=1)

    def statistic(mean: Array) -> float:
        shares = mean[:, 0] / np.maximum(mean[:, 1], 1e-12)
        return float(shares[0] - shares[1])

    keys = [random.spec.key, adversarial.spec.key]
    return Measurement(statistic(images.mean(axis=0)), images, statistic, keys, {"counts": images.sum(axis=0).tolist()})
