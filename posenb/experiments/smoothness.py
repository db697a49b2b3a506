"""How smoothly answers follow small changes: over the frames of a video, and over directions in image space.

Both are judged by one measure for all methods, pixels of a 256-pixel image; losses of different kinds have no common
unit (Zhang et al. 2022, Figs. 1 and 10).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posenb import augment, corruptions
from posenb.data import SYNTHETIC, synthetic
from posenb.data.dataset import PoseDataset
from posenb.methods.base import Method
from posenb.step import seeded

FRAMES = 7
_STEP = 0.005  # the share of the way from one pose to the next that a frame makes
_TURN = 0.25  # degrees a frame
_NOISE = 2.0  # grey levels of a sensor's noise, new in every frame
_LARGEST = 0.1  # root mean square of the change at the end of an axis, on images in [0, 1]
_SEVERITY = 3  # of the corruption that one axis leads to


def frames(data: PoseDataset, dataset: str, video: int, step: float = _STEP) -> PoseDataset:
    """Seven nearly equal frames in order, on each of which a camera's noise is new.

    Of a synthetic data set a hand or person that moves a little; of a real one, which has no videos, the sample of the
    number ``video``, turned by a quarter of a degree from frame to frame.

    Args:
        data: the test samples.
        dataset: their data set's name.
        video: which one.
        step: for synthetic ones, the share of the way from one pose to the next that a frame makes.
    """
    data = data.cropped()
    if dataset in SYNTHETIC:
        still = synthetic.sequence(FRAMES, size=data.size, seed=1000 + video, kind=dataset, step=step)
    else:
        one = data[[video % len(data)] * FRAMES]
        drawn = augment.still(FRAMES)
        drawn.angle.copy_((torch.arange(FRAMES) - FRAMES // 2) * _TURN)
        sample = augment.apply(one.batch(torch.arange(FRAMES)), drawn, data.size, data.skeleton)
        still = _with(one, (sample.images * 255).round(), sample.points, sample.visible)
    noise = torch.randn(still.images.shape, generator=seeded(7, video)) * _NOISE
    return _with(still, (still.images.float() + noise).round(), still.points, still.visible)


def _with(data: PoseDataset, images: Tensor, points: Tensor, visible: Tensor) -> PoseDataset:
    pixels = images.clamp(0, 255).to(torch.uint8)
    fields = (data.occluded, data.reference, data.head, data.skeleton, data.name)
    return PoseDataset(pixels, points, visible, *fields)


@torch.inference_mode()
def jitter(method: Method, video: PoseDataset) -> tuple[Tensor, float]:
    """Answers ``(N, K, 2)`` on a video's frames, and how far they move from frame to frame beyond the true movement.

    The latter is a mean over labelled joints, in pixels of 256.
    """
    device = next(method.parameters()).device
    points = method.eval().predict(video.images.to(device))[0].cpu()
    moved = (points.diff(dim=0) - video.points.diff(dim=0)).norm(dim=-1)
    seen = video.visible[1:] & video.visible[:-1]
    return points, (moved[seen].mean() * 256 / video.size[0]).item()


@torch.inference_mode()
def surface(method: Method, data: PoseDataset, side: int = 9, seed: int = 0) -> NDArray[np.float64]:
    """Mean pixel error about each image over two directions, ``(N, side, side)`` (Zhang et al. 2022, Fig. 10).

    At (i, j) the image has a x u + b x v added; a and b go from -.1 to .1. As in the paper u leads from the image to a
    corrupted copy, here by one of the test corruptions in turn, which no method trains on, and v is a Rademacher
    vector. Both have mean square 1 and are the same for every method. Errors are means over labelled joints in pixels
    of 256.
    """
    device = next(method.parameters()).device
    data = data.cropped()
    steps = torch.linspace(-_LARGEST, _LARGEST, side)
    surfaces = np.empty((len(data), side, side))
    images = augment.center(data.images, data.size)
    for number, image in enumerate(images):
        draw = seeded(seed, 8, number)
        v = torch.randint(2, image.shape, generator=draw) * 2.0 - 1
        name = corruptions.TEST[number % len(corruptions.TEST)]
        u = corruptions.corrupt(image[None], name, _SEVERITY, draw)[0] - image
        u = u / u.square().mean().sqrt().clamp(min=1e-6)
        changed = image + steps[:, None, None, None, None] * u + steps[:, None, None, None] * v
        points = method.eval().predict(changed.flatten(0, 1).clamp(0, 1).to(device))[0].cpu()
        error = (points - data.points[number]).norm(dim=-1)[:, data.visible[number]].mean(dim=1)
        surfaces[number] = (error * 256 / data.size[0]).view(side, side).numpy()
    return surfaces


def roughness(surfaces: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean absolute second difference of each surface ``(N, side, side)`` along both axes: 0 for a plane."""
    along = [np.abs(np.diff(surfaces, n=2, axis=axis)).mean(axis=(1, 2)) for axis in (1, 2)]
    return np.mean(along, axis=0)
