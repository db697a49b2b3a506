"""A collapse detector: it watches the response on unlabelled images, and says so when it falls."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

ADVICE = (
    "the network is forgetting how to answer on unlabelled images (collapse). Lower the weight of the unlabelled loss, "
    "give the teacher easier views than the student, or let two networks teach each other"
)

NEW_HEAD = 20
"""Steps in which a new head finds its level: what its maps had before is no answer that could be forgotten."""


class CollapseDetector(nn.Module):
    """Warns once when the running response falls below a fraction of the highest that it has had.

    The response is the mean over images and joints of the maps' maxima. Feed it the teacher's maps of each step of any
    training. A module, so that its state is saved and loaded with the method that holds it.

    Args:
        fraction: the alarm's level, of the highest running response.
        memory: the running mean's decay a step.
        start: the first step that counts: :data:`NEW_HEAD`, or 1 where training goes on from a network that answers.
    """

    best: Tensor
    running: Tensor
    steps: Tensor
    alarm: Tensor

    def __init__(self, fraction: float = 0.5, memory: float = 0.9, start: int = NEW_HEAD) -> None:
        super().__init__()
        self.fraction, self.memory, self.start = fraction, memory, start
        self.register_buffer("best", torch.zeros(()))
        self.register_buffer("running", torch.zeros(()))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("alarm", torch.full((), -1, dtype=torch.int64))

    @torch.no_grad()
    def update(self, response: Tensor | float) -> bool:
        """Take in the response of one step; warn where it has fallen. Returns whether there was ever an alarm."""
        step = int(self.steps.add_(1))
        self.running.mul_(self.memory).add_(torch.as_tensor(response).to(self.running), alpha=1 - self.memory)
        # a running mean that starts at 0 is too low by this at first
        mean = self.running / (1 - self.memory**step)
        if step >= self.start:
            self.best.copy_(torch.maximum(self.best, mean))
        if self.alarm < 0 and step >= self.start and mean < self.fraction * self.best:
            self.alarm.fill_(step)
            warnings.warn(
                f"the response fell from {self.best:.2g} to {mean:.2g} by step {step}: {ADVICE}", stacklevel=2
            )
        return bool(self.alarm >= 0)
