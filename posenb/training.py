"""The one loop: device, precision, progress, evaluation, checkpoints, resume.

All randomness of a step follows from (seed, step number), and the order of the samples from (seed, epoch). So there is
no random state to save: a run that was killed draws on exactly as if it had not been. Every process of a run draws
for the whole batch and takes its share, so several processes see what one would.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer
from torch.random import fork_rng
from tqdm import tqdm

from posenb.augment import Draw, Family, draw
from posenb.data.dataset import Batch, PoseDataset
from posenb.errors import UserError, first_line
from posenb.files import load_tensors, save_tensors

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from posenb.methods.base import Method

Precision = Literal["bf16-mixed", "32-true"]

# Raised whenever the loop gives other numbers than before
VERSION = 1


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
    """A generator for this tuple of numbers; other tuples give unrelated streams."""
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
        """This process's part of ``count`` samples."""
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


def make_fabric(precision: Precision, device: str = "auto", processes: int = 1) -> Fabric:
    """Lightning's Fabric for a device ('auto', 'cpu', 'cuda', 'mps') and a number of processes on this machine.

    Raises:
        UserError: where the device is not there.
    """
    from lightning_fabric import Fabric  # takes seconds

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    try:
        strategy = "ddp_spawn" if processes > 1 else "auto"
        return Fabric(accelerator=device, devices=processes, strategy=strategy, precision=precision)
    except Exception as error:
        raise UserError(
            f"device {device!r} with {processes} process(es) is not available: {first_line(error)}"
        ) from None


def check_share(budget: Budget, processes: int) -> None:
    """Raise a UserError where a batch does not divide among so many processes."""
    if budget.batch % processes:
        raise UserError(f"a batch of {budget.batch} does not divide among {processes} processes")


def fit(
    method: Method,
    data: Mapping[str, PoseDataset],
    evaluate: Callable[[], Mapping[str, float]],
    budget: Budget,
    seed: int,
    fabric: Fabric,
    folder: Path,
    checkpoint_seconds: float = 20.0,
    title: str = "",
    logs: bool = False,
) -> list[dict[str, float]]:
    """Train a method, resuming from ``folder/checkpoint.pt`` where there is one.

    Args:
        method: what is trained, in place.
        data: data sets by the names that the method uses, such as 'train' and 'unlabelled'.
        evaluate: called at the budget's evaluations; its numbers go into the history.
        budget: steps, batch and precision.
        seed: of the order of samples and of augmentation.
        fabric: device, precision and processes; launched.
        folder: where checkpoint and snapshots are written, atomically.
        checkpoint_seconds: time between checkpoints.
        title: of the progress bar, which is shown on terminals only.
        logs: also write TensorBoard logs into ``folder/logs``.

    Returns:
        the history: a row every hundredth of the run, with the means of the step's scalars since the last row, and at
        evaluations what ``evaluate`` gave.

    Raises:
        UserError: when the loss is no longer finite, or the batch does not divide among the processes.
    """
    check_share(budget, fabric.world_size)
    method.to(device=fabric.device)
    for network in method.children():
        cast(Any, network).to(memory_format=torch.channels_last)
    if fabric.world_size > 1 and fabric.device.type == "cuda":
        for name, network in list(method.named_children()):
            setattr(method, name, nn.SyncBatchNorm.convert_sync_batchnorm(network))
    optimizers = method.optimizers()
    checkpoint = folder / "checkpoint.pt"
    history: list[dict[str, float]] = []
    sums: dict[str, Tensor] = {}
    start, since, spent, waited = 0, 0, 0.0, 0.0
    if checkpoint.exists():
        state = load_tensors(checkpoint, fabric.device)
        method.load_state_dict(state["method"])
        for name, optimizer in optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        history, sums = state["history"], state["sums"]
        start, since, spent = state["step"], state["since"], state["seconds"]
        waited = state.get("since_seconds", 0.0)
    else:
        method.prepare(data)

    def save_all(number: int) -> None:
        state = {
            "method": method.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in optimizers.items()},
            "history": history,
            "sums": sums,
            "step": number,
            "since": since,
            "since_seconds": time.monotonic() - logged,
            "seconds": spent + time.monotonic() - began,
        }
        save_tensors(state, checkpoint)

    first = fabric.global_rank == 0
    log_marks, evaluation_marks = budget.marks(min(100, budget.steps)), budget.marks(budget.evaluations)
    snapshot_marks = budget.marks(budget.snapshots)
    logger = _tensorboard(folder) if logs and first else None
    began = saved = time.monotonic()
    logged = began - waited  # the last row of the history, as if there had been no interruption
    images, seen = budget.steps * budget.batch, start * budget.batch
    # None: no bar where standard error is no terminal, such as in a notebook that is stored
    bar = tqdm(total=images, initial=seen, unit="img", desc=title, disable=None if first else True)
    with bar, fork_rng([fabric.device] if fabric.device.type == "cuda" else []):
        method.train()
        for number in range(start, budget.steps):
            step = Step(number, budget, seed, fabric, optimizers)
            # what layers draw for themselves, such as dropout, follows from the step's number, too
            torch.manual_seed(seeded(seed, 3, number, fabric.global_rank).initial_seed())
            step.scale_learning_rates(method.schedule(step.progress))
            for name, value in method.train_step(step, data).items():
                sums[name] = sums[name] + value if name in sums else value
            since, done = since + 1, number + 1
            bar.update(budget.batch)
            if done in log_marks or done in evaluation_marks:
                row = {name: step.mean(value / since).item() for name, value in sums.items()}
                if not all(map(math.isfinite, row.values())):
                    raise UserError(f"the loss is no longer finite at step {done}: lower the learning rate")
                row |= {"step": done, "images_per_second": since * budget.batch / (time.monotonic() - logged)}
                if done in evaluation_marks:
                    row |= evaluate()
                    method.train()
                history.append(row)
                sums, since, logged = {}, 0, time.monotonic()
                bar.set_postfix({name: f"{row[name]:.3g}" for name in ("loss", "pck") if name in row})
                if logger:
                    logger.log_metrics({name: value for name, value in row.items() if name != "step"}, step=done)
            if first and done in snapshot_marks:
                save_tensors(method.state_dict(), folder / "snapshots" / f"{done}.pt")
            if first and (time.monotonic() - saved >= checkpoint_seconds or done == budget.steps):
                save_all(done)
                saved = time.monotonic()
    if logger:
        logger.finalize("success")
    return history


def _tensorboard(folder: Path) -> Any:
    try:
        from lightning_fabric.loggers import TensorBoardLogger

        return TensorBoardLogger(folder, name="logs", version="")
    except ModuleNotFoundError:
        raise UserError("TensorBoard is not installed: install posenb[logs], or leave out --tensorboard") from None
