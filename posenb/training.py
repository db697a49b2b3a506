"""The one loop: device, precision, progress, evaluation, checkpoints, resume."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.random import fork_rng
from tqdm import tqdm

from posenb.data.dataset import PoseDataset
from posenb.errors import UserError, first_line
from posenb.files import load_tensors, save_tensors
from posenb.methods.base import Method
from posenb.step import Budget, Precision, Step, seeded

if TYPE_CHECKING:
    from lightning_fabric import Fabric

# Raised whenever the loop gives other numbers than before
VERSION = 1


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
