"""The pose loss over rotation angle (ADA paper, Fig. 5): how much harder a turned image is than an upright one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from posenb import augment, profiles, runs
from posenb.claims import Measurement
from posenb.data.dataset import PoseDataset
from posenb.methods.supervised import Supervised
from posenb.spec import Spec

ANGLES = tuple(range(-60, 61, 10))


class Curves(NamedTuple):
    """Losses ``(S, N, A)`` of N images turned by A angles, at S steps of training."""

    steps: list[int]
    angles: tuple[int, ...]
    losses: NDArray[np.float64]


@torch.inference_mode()
def loss_over_rotation(
    method: Supervised,
    data: PoseDataset,
    angles: tuple[int, ...] = ANGLES,
) -> NDArray[np.float64]:
    """The method's own training loss of each image turned by each angle, ``(N, A)``.

    A mean over the joints that are in view, so that those which a turn moves out of it do not make it look easier.

    Args:
        method: in evaluation mode.
        data: N images; their margin shows real surroundings where corners turn into view.
        angles: degrees, positive counter-clockwise as seen.
    """
    method.eval()
    batch = data.batch(torch.arange(len(data)))
    losses = np.empty((len(data), len(angles)))
    for column, angle in enumerate(angles):
        drawn = augment.still(len(data))
        drawn.angle.fill_(angle)
        sample = augment.apply(batch, drawn, method.setting.size, data.skeleton)
        maps = [stack.float() for stack in method.network(sample.images)]
        # the loss is a mean over images and joints: of one image it is that image's
        for row in range(len(data)):
            one = augment.Sample(*(field[row : row + 1] for field in sample))
            in_view = one.visible.float().mean().item()
            loss = method.loss([stack[row : row + 1] for stack in maps], one).item()
            losses[row, column] = loss / in_view if in_view else np.nan
    return losses


def curves(run: runs.Run, count: int = 300) -> Curves:
    """Loss over rotation at every snapshot of a run, on the first ``count`` images of its final evaluation."""
    data = run.spec.data.load("final", margin=run.spec.data.margin)[:count]
    losses = np.stack([loss_over_rotation(run.at(step), data) for step in run.snapshots])  # type: ignore[arg-type]
    complete = np.isfinite(losses).all(axis=(0, 2))  # an image without a joint in view has no loss
    return Curves(run.snapshots, ANGLES, losses[:, complete])


def bowl_depth(losses: NDArray[np.float64]) -> float:
    """ADA-1's statistic, from mean losses ``(S, A)`` over steps and angles.

    The smaller of the losses at the two ends, less the loss at 0 degrees, as a fraction of the latter; the smallest
    over the steps. Above 0 the curve is a bowl at every stage.
    """
    middle = losses[:, losses.shape[1] // 2]
    ends = np.minimum(losses[:, 0], losses[:, -1])
    return float(((ends - middle) / middle).min())


def specs(profile: str, dataset: str, seed: int = 0) -> dict[str, Spec]:
    """ADA-1's one run."""
    return {"random_rotation": profiles.rotation(profile, dataset, seed)}


def measure_ada1(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """the smaller of the mean losses at -60 and +60 degrees, less the mean loss at 0, as a fraction of the latter; the
    smallest over four stages of training

    Of one run with random rotation.
    """
    run = runs.train(specs(profile, dataset, seed)["random_rotation"], device=device)
    found = curves(run)
    return Measurement(
        parts=bowl_depth(found.losses.mean(axis=1)),
        images=found.losses.transpose(1, 0, 2),
        statistic=bowl_depth,
        runs=[run.spec.key],
        curves={
            "steps": list(found.steps),
            "angles": list(found.angles),
            "loss": found.losses.mean(axis=1).tolist(),
            "pck": run.metrics["pck"],
        },
    )
