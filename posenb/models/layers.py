"""Layers that several networks share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase


def norm(channels: int, kind: str = "batch") -> nn.Module:
    """A normalisation layer: 'batch', or 'group' whose result does not depend on the rest of the batch.

    Raises:
        ValueError: for another kind.
    """
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "group":
        return nn.GroupNorm(min(8, channels), channels)
    raise ValueError(f"norm must be 'batch' or 'group', not {kind!r}")


def conv_norm_relu(inside: int, outside: int, stride: int = 1, kind: str = "batch") -> nn.Sequential:
    """3 x 3 convolution, normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride, 1, bias=False), norm(outside, kind), nn.ReLU(inplace=True)
    )


@contextmanager
def running_statistics_kept(networks: Iterable[nn.Module]) -> Iterator[None]:
    """Batch normalisation of networks in training uses each batch's statistics as ever, but its running statistics,
    with which it answers in evaluation, stay as they are."""
    layers = [layer for network in networks for layer in network.modules() if isinstance(layer, _NormBase)]
    layers = [layer for layer in layers if layer.track_running_stats]
    try:
        for layer in layers:
            layer.track_running_stats = False
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True


def normalised(images: Tensor) -> Tensor:
    """Images in [0, 1] as networks trained on ImageNet expect them: its mean and standard deviation by channel."""
    mean = images.new_tensor([0.485, 0.456, 0.406])[:, None, None]
    std = images.new_tensor([0.229, 0.224, 0.225])[:, None, None]
    return (images - mean) / std


def check_sides(images: Tensor, least: int) -> None:
    """Raises ValueError where a side of images ``(B, 3, H, W)`` is no multiple of ``least``."""
    if images.shape[-2] % least or images.shape[-1] % least:
        raise ValueError(f"image sides must be multiples of {least}, not {tuple(images.shape[-2:])}")


def parameters(network: nn.Module) -> int:
    """How many numbers a network learns."""
    return sum(weight.numel() for weight in network.parameters())
