"""What the loop lends a method for one step: its number, its samples, its randomness, and the device's ways.

All randomness of a step follows from (seed, step number), and the order of the samples from (seed, epoch). So there is
no random state to save: a run that was killed draws on exactly as if it had not been. Every process of a run draws
for the whole batch and takes its share, so several processes see what one would.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from posenb.augment import Draw, Family, draw
from posenb.data.dataset import Batch, PoseDataset
from posenb.errors import UserError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Precision = Literal["bf16-mixed", "32-true"]


@dataclass(frozen=True)
class Budget:
    """How long and how a run trains.

    Attributes:
        steps: optimizer steps (of the pose network).
        batch: samples a step, over all processes.
        precision: 'bf16-mixed' (networks in bfloat16, losses and weights in float32) or '32-true'.
        evaluations: how often the monitored images are evaluated, at equal distances, the end included.
        snapshots: how many copies of the weights are kept, at equal distances, the end included.
    """

    steps: int = 1500
    batch: int = 32
    precision: Precision = "bf16-mixed"
    evaluations: int = 10
    snapshots: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1:
            raise ValueError(f"steps and batch must be at least 1, not {self.steps} and {self.batch}")
        if self.precision not in ("bf16-mixed", "32-true"):
            raise ValueError(f"precision must be 'bf16-mixed' or '32-true', not {self.precision!r}")

    def marks(self, count: int) -> set[int]:
        """``count`` step numbers at equal distances, the last step included."""
        return {round(self.steps * (k + 1) / count) for k in range(count)}


def seeded(*numbers: int) -> Generator:
    """A generator for this tuple of numbers; other tuples give unrelated streams, but for zeros at their end."""
    state = np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]
    return Generator().manual_seed(int(state) >> 1)


@lru_cache(maxsize=8)
def _permutation(count: int, seed: int, stream: int, epoch: int) -> Tensor:
    return torch.randperm(count, generator=seeded(seed, 1, stream, epoch))


def order(count: int, batch: int, number: int, seed: int, stream: int = 0) -> Tensor:
    """Indices ``(batch,)`` of step ``number``: epochs of all ``count`` samples, each shuffled, end to end."""
    position = torch.arange(number * batch, (number + 1) * batch)
    epochs = range(int(position[0]) // count, int(position[-1]) // count + 1)
    shuffled = torch.cat([_permutation(count, seed, stream, epoch) for epoch in epochs])
    return shuffled[position - epochs[0] * count]


class Step:
    """What the loop lends a method for one step: its number, randomness, and the device's ways."""

    def __init__(
        self, number: int, budget: Budget, seed: int, fabric: Fabric, optimizers: Mapping[str, Optimizer]
    ) -> None:
        self.number, self.budget, self.seed = number, budget, seed
        self.fabric, self.optimizers = fabric, optimizers
        self.generator = seeded(seed, 0, number)

    @property
    def progress(self) -> float:
        """From 0 at the first step towards 1."""
        return self.number / self.budget.steps

    @property
    def pixel_generator(self) -> Generator:
        """Fresh each time, for what is drawn pixel by pixel: each process draws for its own images."""
        return seeded(self.seed, 2, self.number, self.fabric.global_rank)

    def share(self, count: int) -> slice:
        """This process's part of ``count`` samples.

        Raises:
            UserError: where they do not divide among the processes.
        """
        if count % self.fabric.world_size:
            raise UserError(f"{count} samples a step do not divide among {self.fabric.world_size} processes")
        part = count // self.fabric.world_size
        return slice(self.fabric.global_rank * part, (self.fabric.global_rank + 1) * part)

    def batch(self, data: PoseDataset, count: int | None = None, stream: int = 0) -> Batch:
        """This process's part of the step's next ``count`` samples (default: the budget's batch), on the device.

        ``stream`` keeps apart the orders of several data sets, such as labelled and unlabelled images.
        """
        count = count or self.budget.batch
        index = order(len(data), count, self.number, self.seed, stream)[self.share(count)]
        return Batch(*(tensor.to(self.fabric.device, non_blocking=True) for tensor in data.batch(index)))

    def draw(self, family: Family, count: int | None = None) -> Draw:
        """This process's part of ``count`` augmentations drawn for the whole batch."""
        count = count or self.budget.batch
        return draw(count, family, self.generator)[self.share(count)]

    def forward(self, network: nn.Module, *inputs: Tensor, **options: Any) -> Any:
        """Run a network in the run's precision; maps come back as float32. Only networks run in low precision."""
        first, *rest = inputs
        with self.fabric.autocast():
            out = network(first.contiguous(memory_format=torch.channels_last), *rest, **options)
        return _float(out)

    def mean(self, tensor: Tensor) -> Tensor:
        """The mean of a tensor over the processes."""
        return cast(Tensor, self.fabric.all_reduce(tensor, reduce_op="mean"))

    def scale_learning_rates(self, factor: float) -> None:
        """Set every group's learning rate to ``factor`` times the one that its optimizer was made with."""
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor

    def update(self, name: str, loss: Tensor) -> None:
        """Backpropagate a loss, average gradients over the processes, and step the optimizer of that name."""
        optimizer = self.optimizers[name]
        optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        if self.fabric.world_size > 1:
            weights = [w for group in optimizer.param_groups for w in group["params"] if w.grad is not None]
            flat = torch.cat([w.grad.flatten() for w in weights])
            mean = self.mean(flat)
            for weight, part in zip(weights, mean.split([w.numel() for w in weights]), strict=True):
                weight.grad.copy_(part.view_as(weight))
        optimizer.step()


def _float(out: Any) -> Any:
    if isinstance(out, Tensor):
        return out.float()
    return type(out)(_float(part) for part in out) if isinstance(out, (list, tuple)) else out
