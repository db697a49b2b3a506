"""What is measured on: the same arrays in our process and in the peers', from NumPy alone."""

from __future__ import annotations

import cv2
import numpy as np

BATCH = 32
JOINTS = 17
SIGMA = 2.0
STRIDE = 4
STORED = 512
PEOPLE = 5000
FLIP = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]


def points(size: int, count: int = BATCH) -> np.ndarray:
    """Joints ``(count, 17, 2)`` float32, (x, y) in pixels of an image of this side, none near its border."""
    return np.random.default_rng(1).uniform(0.15 * size, 0.85 * size, (count, JOINTS, 2)).astype(np.float32)


def images(size: int, count: int = BATCH) -> np.ndarray:
    """Pictures ``(count, size, size, 3)`` uint8 of coarse noise: as smooth as photographs are."""
    coarse = np.random.default_rng(2).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return np.stack([cv2.resize(picture, (size, size), interpolation=cv2.INTER_CUBIC) for picture in coarse])


def maps(size: int) -> np.ndarray:
    """Heatmaps ``(32, 17, size / 4, size / 4)`` float32 as a network gives them: Gaussians, and a little noise."""
    place = (np.arange(size // STRIDE) + 0.5).astype(np.float32)
    x, y = np.moveaxis(points(size)[..., None] / STRIDE, 2, 0)
    profile_x, profile_y = (np.exp(-((place - p) ** 2) / (2 * SIGMA**2)) for p in (x, y))
    clean = profile_y[..., :, None] * profile_x[..., None, :]
    noise = np.random.default_rng(3).normal(0, 0.01, clean.shape)
    return (clean + noise).clip(1e-3).astype(np.float32)


def transforms(size: int) -> np.ndarray:
    """Affine matrices ``(32, 2, 3)`` float32, input to output pixels: turned up to 60 degrees, scaled .7 to 1.4."""
    rng = np.random.default_rng(4)
    turns = zip(rng.uniform(-60, 60, BATCH), rng.uniform(0.7, 1.4, BATCH), strict=True)
    middle = (size / 2, size / 2)
    return np.stack([cv2.getRotationMatrix2D(middle, angle, scale) for angle, scale in turns]).astype(np.float32)


def people(count: int, joints: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Predictions and labels ``(count, joints, 2)`` in pixels, visible ``(count, joints)``, areas ``(count,)``."""
    rng = np.random.default_rng(6)
    side = rng.uniform(20, 300, (count, 1, 1))
    labels = side * rng.uniform(0, 1, (count, joints, 2))
    found = labels + 0.05 * side * rng.standard_normal(labels.shape)
    return found, labels, rng.uniform(size=(count, joints)) < 0.8, 0.5 * side[:, 0, 0] ** 2
