"""What agents and pose networks do in adversarial augmentation (ADA paper, claims ADA-2, 3, 7 and 10).

The functions take finished runs, which :mod:`posenb.experiments.adversarial_specs` names. Accuracy has a file of its
own, :mod:`posenb.experiments.adversarial_accuracy`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Generator, Tensor

from posenb import augment
from posenb.augment import Draw
from posenb.data.dataset import PoseDataset
from posenb.methods.adversarial_augmentation import Adversaries, difficulty
from posenb.runs import Run

Array = NDArray[np.float64]


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


def flattening(adversarial: Array, random: Array) -> tuple[float, float]:
    """ADA-2's statistic, from mean curves ``(S, A)`` of two runs over stages that begin with the same one.

    Two numbers: how much shallower adversarial training ends than it began, and how much shallower it
    ends than random training. The paper draws loss *distributions*, so depth is a fraction of the curve's mean: a loss
    that falls everywhere by the same factor is not flatter.
    """
    ours, theirs = depth(adversarial), depth(random)
    return float(ours[0] - ours[-1]), float(theirs[-1] - ours[-1])


def ends(records: Sequence[Mapping[str, Any]]) -> dict[str, pd.DataFrame]:
    """By data set, where the runs of ADA-15's records end, means over seeds: a row a run, columns depth and pck."""
    found = {}
    for record in records:
        depths = [{name: of_run[-1] for name, of_run in seed["depth"].items()} for seed in record["curves"]]
        accuracies = [seed["pck"] for seed in record["curves"]]
        means = {"depth": pd.DataFrame(depths).mean(), "pck": pd.DataFrame(accuracies).mean()}
        found[record["dataset"]] = pd.DataFrame(means)
    return found


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
    losses = difficulty_over(method, data, turned(method.rotations.centres))
    return agreement(predicted_distributions(method, data)["rotation"], loss_distributions(losses))


def loss_distributions(losses: Array) -> Tensor:
    """Losses ``(N, k)`` over bins as distributions, float32."""
    return augment.normalize(torch.from_numpy(losses)).float()


@torch.inference_mode()
def drawn_views(method: Adversaries, data: PoseDataset, count: int, generator: Generator) -> Tensor:
    """What an agent shows: ``count`` views of each of N people, ``(N, count, 3, H, W)`` in [0, 1].

    Scales and angles are drawn from the distributions that it predicts for each person; of a direct agent, all views
    are the same.
    """
    predicted = predicted_distributions(method, data)
    drawn = augment.still(len(data) * count)
    if method.options.direct:
        drawn.scale.copy_((2 ** predicted["exponent"]).repeat_interleave(count))
        drawn.angle.copy_(predicted["angle"].repeat_interleave(count))
    else:
        values = []
        for name, bins in (("scale", method.scales), ("rotation", method.rotations)):
            rows = predicted[name].repeat_interleave(count, dim=0)
            index = augment.sample(rows, torch.rand(rows.shape, generator=generator))[:, 0]
            values.append(bins.values(index, torch.randn(len(rows), generator=generator)))
        drawn.scale.copy_(2 ** values[0])
        drawn.angle.copy_(values[1])
    stored = data.batch(torch.arange(len(data)).repeat_interleave(count))
    return augment.apply(stored, drawn, method.setting.size, data.skeleton).images.unflatten(0, (len(data), count))


# What reward and penalty settle on


def settle(wins: Tensor, alpha: float, beta: float, cap: float | None, updates: int = 300, rate: float = 0.2) -> Tensor:
    """Where eq. (3) and (4) lead when bin i wins a share ``wins[i]`` of its comparisons: ``(updates + 1, k)``.

    In expectation: each update moves the distribution, which begins uniform, by ``rate`` towards the mean of what is
    asked for over the bins that it draws, as a network does that learns slowly.
    """
    bins = len(wins)
    each, found = torch.arange(bins), [torch.full((bins,), 1 / bins)]
    for _ in range(updates):
        now = found[-1].expand(bins, bins)
        asked = wins[:, None] * augment.reward(now, each, alpha, cap)
        asked = asked + (1 - wins[:, None]) * augment.penalize(now, each, beta, cap)
        # rounding would grow: a sum of 1 - e becomes one of (1 - e) squared
        found.append(augment.normalize(torch.lerp(found[-1], found[-1] @ asked, rate)[None])[0])
    return torch.stack(found)


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
        swept: in place of the pair, all of an agent's augmentations are judged, as ASR's are in pre-training.
    """
    share = images / (1 + len(agents))
    judged = sum(AUGMENTATIONS[agent] if swept else 2 for agent in agents)
    return Passes(forward=share * (len(agents) + judged), learned=images, agent=share * len(agents))
