"""The same work an image, a joint at a time, as one writes it first: NumPy and OpenCV, no batches."""

from __future__ import annotations

import cv2
import inputs
import numpy as np


def gaussians(points: np.ndarray, size: int, stride: float) -> np.ndarray:
    """Heatmaps ``(B, K, size, size)`` of points ``(B, K, 2)`` in image pixels."""
    y, x = np.mgrid[:size, :size].astype(np.float32) + 0.5
    maps = np.zeros((*points.shape[:2], size, size), np.float32)
    for i, person in enumerate(points / stride):
        for k, (px, py) in enumerate(person):
            maps[i, k] = np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * inputs.SIGMA**2))
    return maps


def decode(maps: np.ndarray, stride: float, method: str) -> np.ndarray:
    """Points ``(B, K, 2)`` in image pixels, by 'quarter' or 'dark'."""
    count, joints, height, width = maps.shape
    points = np.zeros((count, joints, 2), np.float32)
    for i in range(count):
        for k in range(joints):
            y, x = np.unravel_index(maps[i, k].argmax(), (height, width))
            points[i, k] = x + 0.5, y + 0.5
            if not (0 < x < width - 1 and 0 < y < height - 1):
                continue
            around = maps[i, k, y - 1 : y + 2, x - 1 : x + 2]
            if method == "quarter":
                points[i, k, 0] += 0.25 * np.sign(around[1, 2] - around[1, 0])
                points[i, k, 1] += 0.25 * np.sign(around[2, 1] - around[0, 1])
                continue
            log = np.log(np.maximum(around, 1e-6))
            slope = np.array([log[1, 2] - log[1, 0], log[2, 1] - log[0, 1]]) / 2
            dxy = (log[2, 2] + log[0, 0] - log[2, 0] - log[0, 2]) / 4
            dxx, dyy = log[1, 2] + log[1, 0] - 2 * log[1, 1], log[2, 1] + log[0, 1] - 2 * log[1, 1]
            hessian = np.array([[dxx, dxy], [dxy, dyy]])
            if dxx * dyy - dxy**2 > 1e-12:
                points[i, k] += np.clip(-np.linalg.inv(hessian) @ slope, -0.5, 0.5)
    return points * stride


def warp(images: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Images ``(B, H, W, 3)`` resampled by matrices ``(B, 2, 3)``, borders repeated."""
    out = np.empty_like(images)
    height, width = images.shape[1:3]
    for image, matrix, result in zip(images, matrices, out, strict=True):
        cv2.warpAffine(
            image, matrix, (width, height), dst=result, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    return out


def input_path(images: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A batch drawn from stored images and points: turned, scaled, mirrored and coloured, and its heatmaps."""
    size = images.shape[1]
    pictures, people = np.empty((inputs.BATCH, size, size, 3), np.float32), np.empty_like(points[: inputs.BATCH])
    for i, index in enumerate(rng.choice(len(images), inputs.BATCH, replace=False)):
        angle, scale = rng.normal(0, 30), 2 ** rng.normal(0, 0.25)
        matrix, person = cv2.getRotationMatrix2D((size / 2, size / 2), angle, scale), points[index]
        if rng.random() < 0.5:
            matrix = matrix @ np.array([[-1, 0, size], [0, 1, 0], [0, 0, 1]])
            person = person[inputs.FLIP]
        picture = cv2.warpAffine(
            images[index], matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        gain = rng.uniform(0.6, 1.4, 3).astype(np.float32)
        pictures[i] = np.clip(picture / np.float32(255) * gain, 0, 1)
        people[i] = person @ matrix[:, :2].T + matrix[:, 2]
    return pictures, gaussians(people, size // inputs.STRIDE, inputs.STRIDE)
