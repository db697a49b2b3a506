"""What a method is: its networks, its optimizers, one training step, and how it answers.

A method file holds one subclass of :class:`Method`. The loop (:mod:`posenb.training`) knows nothing else of it, so two
adversaries with their own optimizers, frozen stages, two networks that teach each other, or a curriculum are all
written the same way: as the body of :meth:`Method.train_step`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from posenb import models
from posenb.augment import center
from posenb.data.dataset import PoseDataset
from posenb.heatmaps import decode
from posenb.skeletons import Skeleton
from posenb.step import Step

# metadata of an option that is younger than stored runs: at its default it is left out of a run's description, so that
# the keys of those runs stay
LATER: Mapping[str, Any] = {"later": True}


@dataclass(frozen=True)
class Setting:
    """What a method is built for.

    Attributes:
        skeleton: the joint set, K joints.
        size: (H, W) of the network's input.
        network: a name of :mod:`posenb.models`.
        network_options: its options.
        seed: of the initial weights.
    """

    skeleton: Skeleton
    size: tuple[int, int]
    network: str = "small"
    network_options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    def create_network(self, offset: int = 0) -> nn.Module:
        """A pose network; another ``offset`` gives other initial weights."""
        joints = len(self.skeleton)
        return models.create(self.network, joints, self.network_options, self.seed * 1000 + offset)


def require_positive(**options: float) -> None:
    """Raise ValueError for an option that must be above 0 and is not."""
    for name, value in options.items():
        if not value > 0:
            raise ValueError(f"{name} must be above 0, not {value}")


class Method(nn.Module, ABC):
    """A way to train pose networks.

    Whatever must survive a kill lives in parameters or buffers (a controller's state is a buffer), or follows from the
    step's number. Subclasses name their ``options_type``, set ``network`` and say what a step is.
    """

    version: ClassVar[int] = 1  #: raised whenever training gives other numbers than before
    options_type: ClassVar[type]  #: the method's frozen dataclass of options
    network: nn.Module  #: the pose network that answers

    def __init__(self, options: Any, setting: Setting) -> None:
        super().__init__()
        self.options, self.setting = options, setting

    @abstractmethod
    def optimizers(self) -> dict[str, Optimizer]:
        """Fresh optimizers, named; the loop scales their learning rates and keeps their states."""

    @abstractmethod
    def train_step(self, step: Step, data: Mapping[str, PoseDataset]) -> dict[str, Tensor]:
        """One step: draw batches by ``step.batch``, run networks by ``step.forward``, learn by ``step.update``.

        Returns:
            scalars for the history, detached.
        """

    def prepare(self, data: Mapping[str, PoseDataset]) -> None:
        """Called once, before the first step: for what is measured on the training set, such as a mean pose."""

    def start_from(self, sources: Sequence[Method]) -> None:
        """Take over what earlier runs have learned; by default the first one's pose network."""
        self.network.load_state_dict(sources[0].network.state_dict())

    def schedule(self, progress: float) -> float:
        """Factor on every learning rate at ``progress`` in [0, 1]: a short warm-up, then a cosine to zero."""
        warm = 0.05
        return (
            progress / warm + 0.02
            if progress < warm
            else 0.5 * (1 + math.cos(math.pi * (progress - warm) / (1 - warm)))
        )

    @property
    def stride(self) -> int:
        """Input pixels a map pixel."""
        return self.network.stride  # type: ignore[return-value]

    def map_size(self) -> tuple[int, int]:
        """(H, W) of the pose network's maps."""
        height, width = self.setting.size
        return height // self.stride, width // self.stride

    def raw(self, images: Tensor) -> Tensor:
        """What the network itself gives for images ``(B, 3, H, W)`` in [0, 1]: ``(B, K, h, w)``, of its last stack."""
        return self.network(images)[-1].float()

    def heatmaps(self, images: Tensor) -> Tensor:
        """Maps ``(B, K, h, w)`` of images ``(B, 3, H, W)`` in [0, 1], as the decoder wants them."""
        return self.raw(images)

    def heatmaps_of_mirrored(self, images: Tensor) -> Tensor:
        """Maps of the mirror images, mirrored back: ``(B, K, h, w)``, as :meth:`heatmaps` of the images themselves.

        Nothing is shifted: mirroring takes x to W - x in the image and to w - x in its maps, which are W / stride wide.
        """
        return self.heatmaps(images.flip(-1)).flip(-1)[:, list(self.setting.skeleton.flip)]

    def predict(self, images: Tensor, flip: bool = False) -> tuple[Tensor, Tensor]:
        """Points ``(B, K, 2)`` in pixels of the input, and scores ``(B, K)``.

        Args:
            images: ``(B, 3, H, W)``: floats in [0, 1], or uint8 whose middle is taken where they are larger than the
                network's input.
            flip: the flip test: decode the mean of the maps of the images and of their mirror images.
        """
        if images.dtype == torch.uint8:
            images = center(images, self.setting.size)
        images = images.contiguous(memory_format=torch.channels_last)
        maps = self.heatmaps(images)
        if flip:
            maps = (maps + self.heatmaps_of_mirrored(images)) / 2
        return decode(maps, self.stride, "dark")
