"""What a training step of a run costs: arithmetic, memory and time, on any machine.

Arithmetic and memory are counted, so that they come out the same everywhere; time is measured, and only ratios of times
from one process say anything.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from posenb import runs
from posenb.data.dataset import PoseDataset
from posenb.methods.base import Method
from posenb.spec import Spec
from posenb.step import Step
from posenb.training import make_fabric

# of each data set: enough for a batch
_IMAGES = 64


@dataclass(frozen=True)
class Cost:
    """Of one step.

    Attributes:
        flops: floating-point operations of all networks' convolutions and products, forward and backward.
        kept: bytes that the forward passes keep for the backward ones, the most that any update of the step needs.
        seconds: the median over some steps.
    """

    flops: float
    kept: float
    seconds: float


class Trial:
    """A run's method before its first step, with what a step needs.

    Args:
        spec: of the run; what it starts from is trained where it is missing.
        device: 'auto', 'cpu', 'cuda' or 'mps'.
    """

    def __init__(self, spec: Spec, device: str) -> None:
        self.spec = spec
        self.fabric = make_fabric(spec.budget.precision, device)
        self.fabric.launch()
        method = runs.create(spec)
        if spec.start:
            method.start_from([runs.train(source, device=device).method for source in spec.start])
        self.method: Method = method.to(self.fabric.device).train()
        for network in self.method.children():
            cast(Any, network).to(memory_format=torch.channels_last)
        small = replace(spec.data, train=min(spec.data.train or _IMAGES, _IMAGES))
        self.data: dict[str, PoseDataset] = {"train": small.load("train")}
        if spec.data.unlabelled:
            self.data["unlabelled"] = replace(small, unlabelled=min(_IMAGES, spec.data.unlabelled)).load("unlabelled")
        self.method.prepare(self.data)
        self.optimizers = method.optimizers()

    def step(self, number: int) -> None:
        """One step of training."""
        at = Step(number, self.spec.budget, self.spec.seed, self.fabric, self.optimizers)
        self.method.train_step(at, self.data)

    def timed(self, number: int) -> float:
        """Seconds of a step, the device's work included."""
        self._wait()
        began = time.perf_counter()
        self.step(number)
        self._wait()
        return time.perf_counter() - began

    def _wait(self) -> None:
        if self.fabric.device.type != "cpu":
            torch.accelerator.synchronize(self.fabric.device)


def count(trial: Trial) -> tuple[float, float]:
    """Floating-point operations, and bytes kept for backward passes, of one step."""
    kept: dict[int, int] = {}
    most = 0

    def keep(tensor: Tensor) -> Tensor:
        nonlocal most
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        most = max(most, sum(kept.values()))
        return tensor

    def use(tensor: Tensor) -> Tensor:
        # a backward pass has begun: what is kept from here on belongs to another update
        kept.clear()
        return tensor

    with FlopCounterMode(display=False) as counter, saved_tensors_hooks(keep, use):
        trial.step(1)
    return float(counter.get_total_flops()), float(most)


def costs(specs: Sequence[Spec], device: str = "auto", rounds: int = 3) -> list[Cost]:
    """What a step of each run costs; their steps take turns, so that a busy machine slows all of them alike.

    Args:
        specs: of the runs; what they start from is trained first where it is missing.
        device: 'auto', 'cpu', 'cuda' or 'mps'.
        rounds: steps that are timed, of each.
    """
    trials = [Trial(spec, device) for spec in specs]
    counted = []
    for trial in trials:
        trial.step(0)
        counted.append(count(trial))
    seconds = [[trial.timed(2 + number) for trial in trials] for number in range(rounds)]
    return [
        Cost(flops, kept, median(of_trial))
        for (flops, kept), of_trial in zip(counted, zip(*seconds, strict=True), strict=True)
    ]
