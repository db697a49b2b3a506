"""Data and methods small enough for tests that are not about them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch.optim import SGD, Optimizer

from posenb.data.dataset import PoseDataset
from posenb.methods.base import Setting
from posenb.methods.supervised import Options, Supervised
from posenb.skeletons import LSP14
from posenb.spec import Budget, Data, Network, Spec

NETWORK = {"widths": (8, 8), "norm": "group"}


def tiny_data(count: int, size: int = 32, seed: int = 0) -> PoseDataset:
    """Noise with bright squares at the joints, so that there is something to learn."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(count, 14, 2, generator=generator) * (size - 4) + 2
    images = torch.randint(0, 60, (count, size, size, 3), generator=generator, dtype=torch.uint8)
    for image, pose in zip(images, points.int(), strict=True):
        for k, (x, y) in enumerate(pose.tolist()):
            image[y - 1 : y + 2, x - 1 : x + 2] = torch.tensor([17 * k + 10, 255 - 17 * k, 128])
    ones = torch.ones(count, 14, dtype=torch.bool)
    return PoseDataset(
        images=images.permute(0, 3, 1, 2),
        points=points,
        visible=ones,
        occluded=~ones,
        reference=torch.full((count,), 10.0),
        head=torch.full((count,), float("nan")),
        skeleton=LSP14,
        name="tiny",
    )


def tiny_method(lr: float = 1e-3, loss: str = "soft_cross_entropy") -> Supervised:
    setting = Setting(LSP14, (32, 32), "small", NETWORK)
    return Supervised(Options(loss=loss, lr=lr), setting)


def tiny_spec(seed: int = 0, steps: int = 12, method: str = "supervised") -> Spec:
    """A run of about a second on synthetic people."""
    return Spec(
        method=method,
        options={"loss": "soft_cross_entropy"},
        data=Data("body", train=32, test=16, monitor=8, size=32, margin=0),
        network=Network("small", NETWORK),
        budget=Budget(steps=steps, batch=8, precision="32-true", evaluations=3, snapshots=2),
        seed=seed,
    )


class Counted(Supervised):
    """Appends a line to ``$COUNT_FILE`` for every training that starts from its beginning."""

    def prepare(self, data: Mapping[str, PoseDataset]) -> None:
        with Path(os.environ["COUNT_FILE"]).open("a") as file:
            file.write("started\n")


class Plain(Supervised):
    """Gradient descent: Adam would turn the rounding noise of a gradient that is zero into full steps."""

    def optimizers(self) -> dict[str, Optimizer]:
        return {"network": SGD(self.network.parameters(), self.options.lr)}
