"""What semi-supervised runs show: response and accuracy over training, on easy and on hard views, image by image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from posenb import augment, runs
from posenb.augment import Family
from posenb.data.dataset import PoseDataset
from posenb.evaluation import predict
from posenb.experiments import accuracy
from posenb.methods.base import Method
from posenb.methods.semi_supervised import SemiSupervised
from posenb.metrics import correct
from posenb.runs import Run
from posenb.spec import Data
from posenb.step import seeded

Array = accuracy.Array


class Timeline(NamedTuple):
    """A run over S stages of its training, the start included.

    Attributes:
        steps: the S step numbers; 0 is the start.
        response: ``(S, N)``, each image's mean over joints of the maps' maxima.
        hits: ``(S, M, 2, K)``: see :func:`~posenb.experiments.accuracy.hits`.
    """

    steps: list[int]
    response: Array
    hits: Array

    def pck(self) -> list[float]:
        """Accuracy at each stage."""
        return [accuracy.pck(of_stage.mean(axis=0)) for of_stage in self.hits]


def stages(run: Run) -> Iterator[tuple[int, Method]]:
    """The method as it was before the first step, and at each of its snapshots; in evaluation mode."""
    first = runs.create(run.spec)
    if run.spec.start:
        first.start_from([runs.train(source).method for source in run.spec.start])
    yield 0, first.eval().requires_grad_(False)
    for step in run.snapshots:
        yield step, run.at(step)


def timeline(run: Run, unlabelled: PoseDataset, final: PoseDataset) -> Timeline:
    """Response on unlabelled images and accuracy on labelled ones, over a run's snapshots."""
    found = [(step, responses(method, unlabelled), hits(method, final)) for step, method in stages(run)]
    steps, response, right = zip(*found, strict=True)
    return Timeline(list(steps), np.stack(response), np.stack(right))


def unlabelled_images(data: Data, count: int) -> PoseDataset:
    """The first ``count`` unlabelled images that runs on this data train on."""
    return data.load("unlabelled", margin=0)[:count]


@torch.inference_mode()
def maps_of(method: Method, images: Tensor, batch: int = 128) -> Tensor:
    """Maps ``(N, K, h, w)`` of stored images ``(N, 3, H, W)`` uint8, on the method's device; without a gradient."""
    device = next(method.parameters()).device
    parts = (augment.center(part, method.setting.size).to(device) for part in images.split(batch))
    return torch.cat([method.heatmaps(part).cpu() for part in parts])


def responses(method: Method, data: PoseDataset) -> Array:
    """Each image's response ``(N,)``: the mean over joints of its maps' maxima. Its mean is ``metrics.response``."""
    return maps_of(method, data.images).amax(dim=(-2, -1)).mean(dim=1).double().numpy()


def hits(method: Method, data: PoseDataset) -> Array:
    """:func:`~posenb.experiments.accuracy.hits` ``(N, 2, K)`` of a method's answers."""
    return accuracy.hits(predict(method, data).points, data)


def student_hits(run: Run) -> list[Array]:
    """Hits of each student of a run, on its final images: two of the dual networks."""
    method, data = cast(SemiSupervised, run.method), run.spec.data.load("final")
    found = []
    for number in range(len(method.students)):
        method.answering = number
        found.append(hits(method, data))
    method.answering = 0
    return found


def view_hits(method: Method, data: PoseDataset, family: Family, seed: int = 0) -> Array:
    """:func:`~posenb.experiments.accuracy.hits` ``(N, 2, K)`` on a view of each image, drawn from a family.

    Args:
        method: in evaluation mode afterwards.
        data: N images; their margin shows real surroundings.
        family: of the teacher's or of the student's views.
        seed: of the draws: the same for every method.
    """
    method.eval()
    batch = data.batch(torch.arange(len(data)))
    drawn = augment.draw(len(data), family, seeded(seed, 7))
    sample = augment.apply(batch, drawn, method.setting.size, data.skeleton)
    with torch.inference_mode():
        points, _ = method.predict(sample.images)
    right = correct(points, sample.points, sample.visible, data.reference * drawn.scale)
    return accuracy.split(right.numpy())


def film(run: Run, images: Tensor) -> tuple[list[int], Tensor]:
    """Steps, and what the run answers there: ``(S, N, h, w)``, the highest of the joints' maps at each pixel."""
    found = [(step, maps_of(method, images).amax(dim=1)) for step, method in stages(run)]
    return [step for step, _ in found], torch.stack([maps for _, maps in found])
