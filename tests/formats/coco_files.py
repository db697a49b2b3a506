"""Small pictures, and annotation files as COCO and AI Challenger lay them out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from posenb.data.dataset import PoseDataset

HEIGHT, WIDTH = 120, 160
COCO_JOINTS = [
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
]
COCO_LINES = [[16, 14], [14, 12], [17, 15], [15, 13], [12, 13], [6, 12], [7, 13], [6, 7], [6, 8], [7, 9], [8, 10]]


def blob(path: Path, index: tuple[float, float], sigma: float = 5.0) -> None:
    """A picture with a bright blob whose brightest pixel has the 0-based index (column, row)."""
    x, y = np.arange(WIDTH) - index[0], np.arange(HEIGHT)[:, None] - index[1]
    value = 60 + 180 * np.exp(-(x**2 + y**2) / (2 * sigma**2))
    path.parent.mkdir(parents=True, exist_ok=True)
    quality = [cv2.IMWRITE_JPEG_QUALITY, 98] if path.suffix == ".jpg" else []
    good, file = cv2.imencode(path.suffix, value.round().astype(np.uint8), quality)
    assert good
    path.write_bytes(file.tobytes())


def blob_error(data: PoseDataset, joint: int) -> torch.Tensor:
    """How far the blob's middle is from the joint's label, in pixels of the sample, ``(N,)``."""
    height, width = data.images.shape[-2:]
    light = (data.images[:, 0].double() - 60).where(data.images[:, 0] > 66, 0)
    x = (light * (torch.arange(width) + 0.5)).sum((1, 2)) / light.sum((1, 2))
    y = (light * (torch.arange(height)[:, None] + 0.5)).sum((1, 2)) / light.sum((1, 2))
    return (torch.stack([x, y], dim=-1) - data.points[:, joint]).norm(dim=-1)


def pose(joints: int, seed: int, low: int = 30, high: int = 90) -> NDArray[np.int64]:
    """Indices of pixels ``(joints, 2)`` well inside of the pictures."""
    return np.random.default_rng(seed).integers(low, high, (joints, 2))


def annotation(
    number: int, picture: int, points: NDArray[Any], flags: list[int] | int = 2, **fields: Any
) -> dict[str, Any]:
    """An annotation with the fields of COCO's, outlines included; ``fields`` replace, and None takes away."""
    flag = np.full(len(points), flags) if isinstance(flags, int) else np.array(flags)
    shown = np.where(flag[:, None] > 0, points, 0)  # as COCO writes a joint without label
    entry = {
        "segmentation": [[1.5, 2.5, 80.25, 2.5, 80.25, 90.0]],
        "num_keypoints": int((flag > 0).sum()),
        "area": 2500.5,
        "iscrowd": 0,
        "keypoints": np.column_stack([shown, flag]).ravel().tolist(),
        "image_id": picture,
        "bbox": [20.25, 20.5, 80.0, 80.5],
        "category_id": 1,
        "id": number,
        **fields,
    }
    return {key: value for key, value in entry.items() if value is not None}


def image(number: int, name: str, **fields: Any) -> dict[str, Any]:
    entry = {"license": 4, "file_name": name, "height": HEIGHT, "width": WIDTH, "id": number}
    return entry | {"coco_url": f"http://images.cocodataset.org/val2017/{name}"} | fields


def keypoint_file(
    images: list[Any], annotations: list[Any], joints: list[str] | None = None, lines: list[Any] | None = None
) -> dict[str, Any]:
    """The contents of person_keypoints_*.json, for COCO's joints where none are named."""
    category = {
        "supercategory": "person",
        "id": 1,
        "name": "person",
        "keypoints": list(joints or COCO_JOINTS),
        "skeleton": list(COCO_LINES if lines is None else lines),
    }
    return {
        "info": {"description": "COCO 2017 Dataset", "year": 2017},
        "licenses": [{"url": "http://creativecommons.org/licenses/by/2.0/", "id": 4, "name": "Attribution"}],
        "images": images,
        "annotations": annotations,
        "categories": [category],
    }


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
