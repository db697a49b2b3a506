"""Affine transforms, mirroring and colour, drawn at random for a batch at once and applied on its device."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from posenb.data.dataset import Batch
from posenb.geometry import affine, transform_points, translation, warp
from posenb.skeletons import Skeleton


@dataclass(frozen=True)
class Family:
    """A family of random augmentations.

    Attributes:
        rotation: standard deviation of the angle in degrees; the angle is clipped to twice that.
        rotation_rate: the share of images that are turned at all. Hourglass code turns .4, SimpleBaseline code .6.
        scale: standard deviation of log2 of the enlargement, clipped to twice that.
        shift: largest shift as a fraction of the image side, uniform in x and in y.
        flip: the share of images that are mirrored.
        colour: each channel is multiplied by U(1 - colour, 1 + colour).

    Raises:
        ValueError: for a share or a colour outside of [0, 1], or a spread below 0.
    """

    rotation: float = 30.0
    rotation_rate: float = 1.0
    scale: float = 0.25
    shift: float = 0.0
    flip: float = 0.5
    colour: float = 0.4

    def __post_init__(self) -> None:
        for name in ("rotation_rate", "flip", "colour"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], not {getattr(self, name)}")
        for name in ("rotation", "scale", "shift"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be 0 or more, not {getattr(self, name)}")


NONE = Family(rotation=0, scale=0, flip=0, colour=0)


@dataclass(frozen=True)
class Draw:
    """What was drawn for B images: angle (degrees), scale, shift ``(B, 2)`` (of the side), flip, gain ``(B, 3)``."""

    angle: Tensor
    scale: Tensor
    shift: Tensor
    flip: Tensor
    gain: Tensor

    def __getitem__(self, index: slice | Tensor) -> Draw:
        """The draws of some of the images."""
        return Draw(*(getattr(self, field.name)[index] for field in fields(self)))

    def to(self, device: torch.device) -> Draw:
        return Draw(*(getattr(self, field.name).to(device) for field in fields(self)))


class Sample(NamedTuple):
    """What a network sees: images ``(B, 3, H, W)`` float in [0, 1], points in their pixels, visible ``(B, K)``."""

    images: Tensor
    points: Tensor
    visible: Tensor


def draw(count: int, family: Family, generator: Generator) -> Draw:
    """Draw augmentations for ``count`` images."""

    def normal(std: float) -> Tensor:
        return (torch.randn(count, generator=generator) * std).clamp(-2 * std, 2 * std)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator)

    return Draw(
        angle=normal(family.rotation) * (uniform() < family.rotation_rate),
        scale=2 ** normal(family.scale),
        shift=(uniform(2) * 2 - 1) * family.shift,
        flip=uniform() < family.flip,
        gain=1 + (uniform(3) * 2 - 1) * family.colour,
    )


def still(count: int) -> Draw:
    """The draw that changes nothing."""
    return Draw(
        torch.zeros(count),
        torch.ones(count),
        torch.zeros(count, 2),
        torch.zeros(count).bool(),
        torch.ones(count, 3),
    )


def matrices(drawn: Draw, stored: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """``(B, 3, 3)`` from pixels of stored images (H, W) to pixels of the network's input, centre to centre."""
    (height, width), (rows, columns) = stored, size
    about = affine(drawn.angle, drawn.scale, (width / 2, height / 2), drawn.flip)
    dx, dy = (drawn.shift * torch.tensor([columns, rows], device=drawn.shift.device)).unbind(-1)
    return translation(dx + (columns - width) / 2, dy + (rows - height) / 2) @ about


def apply(batch: Batch, drawn: Draw, size: tuple[int, int], skeleton: Skeleton, outside: bool = False) -> Sample:
    """Warp, mirror and colour a stored batch into the network's input of (H, W) = ``size``.

    All of it on the batch's device. Joints that leave the view are not visible there, unless ``outside`` says that they
    keep their labels; those of mirrored pictures are renamed, left for right.
    """
    device = batch.images.device
    drawn = drawn.to(device)
    matrix = matrices(drawn, (batch.images.shape[-2], batch.images.shape[-1]), size)
    images = _unit(batch.images, matrix, size).mul_(drawn.gain[:, :, None, None])
    flip = torch.tensor(skeleton.flip, device=device)
    points = transform_points(batch.points, matrix)
    points = torch.where(drawn.flip[:, None, None], points[:, flip], points)
    visible = torch.where(drawn.flip[:, None], batch.visible[:, flip], batch.visible)
    if outside:
        return Sample(images.clamp_(0, 1), points, visible)
    inside = ((points >= 0) & (points <= points.new_tensor([size[1], size[0]]))).all(dim=-1)
    return Sample(images.clamp_(0, 1), points, visible & inside)


def center(images: Tensor, size: tuple[int, int]) -> Tensor:
    """The middle (H, W) = ``size`` of stored uint8 images, as floats in [0, 1]: the view without augmentation.

    Raises:
        ValueError: for images that are smaller.
    """
    top, left = (images.shape[-2] - size[0]) // 2, (images.shape[-1] - size[1]) // 2
    if min(top, left) < 0:
        raise ValueError(f"images of {images.shape[-2]} x {images.shape[-1]} have no middle of {size[0]} x {size[1]}")
    return images[..., top : top + size[0], left : left + size[1]].float().div_(255)


def _unit(images: Tensor, matrix: Tensor, size: tuple[int, int]) -> Tensor:
    """Warped images as floats in [0, 1]. On a CPU bytes are resampled (OpenCV), on a GPU floats."""
    if images.device.type == "cpu":
        return warp(images, matrix, size).float().div_(255)
    return warp(images.float(), matrix, size).div_(255)
