"""The peers' side: runs in their own environment, measures a case for each line of JSON that it reads.

A request is ``{"case": NAME, "seconds": S}``, its answer ``{"seconds": seconds a call}`` or ``{"error": why}``. So the
caller can interleave peers with posenb, and imports are paid once.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable
from functools import cache, partial
from importlib.metadata import version
from types import ModuleType
from typing import Any

import cv2
import inputs
import numpy as np
from timing import Work, duration, use_threads

PACKAGES = (
    "albumentations",
    "kornia",
    "mmcv-lite",
    "mmengine-lite",
    "mmpose",
    "numpy",
    "opencv-python-headless",
    "pycocotools",
    "torch",
)


@cache
def mmpose() -> ModuleType:
    """mmpose's transforms. They import xtcocotools, whose builds are for NumPy 1; what is measured never calls it."""
    stub: Any = ModuleType("xtcocotools")
    for name in ("coco", "cocoeval", "mask"):
        part: Any = ModuleType(f"xtcocotools.{name}")
        part.COCO = part.COCOeval = None
        setattr(stub, name, part)
        sys.modules[part.__name__] = part
    sys.modules["xtcocotools"] = stub
    import mmpose.datasets.transforms as transforms

    return transforms


def codec(size: int, unbiased: bool) -> Any:
    from mmpose.codecs import MSRAHeatmap

    side = size // inputs.STRIDE
    return MSRAHeatmap((size, size), (side, side), inputs.SIGMA, unbiased=unbiased)


def targets(size: int, unbiased: bool) -> Work:
    encode, visible = codec(size, unbiased).encode, np.ones((1, inputs.JOINTS), np.float32)
    people = inputs.points(size)[:, None]
    return lambda: [encode(person, visible) for person in people]


def decode(size: int, unbiased: bool) -> Work:
    decode, maps = codec(size, unbiased).decode, inputs.maps(size)
    return lambda: [decode(of_image) for of_image in maps]


def albumentations_affine(size: int) -> Work:
    import albumentations

    images = inputs.images(size)
    affine = albumentations.Affine(scale=(0.7, 1.4), rotate=(-60.0, 60.0), border_mode=cv2.BORDER_REPLICATE, p=1.0)
    return lambda: [affine(image=image)["image"] for image in images]


def kornia_affine(size: int) -> Work:
    import torch
    from kornia.geometry.transform import warp_affine

    images = torch.from_numpy(inputs.images(size)).permute(0, 3, 1, 2).float().div(255).contiguous()
    matrices = torch.from_numpy(inputs.transforms(size))
    return lambda: warp_affine(images, matrices, (size, size), padding_mode="border")


class People:
    """mmpose's top-down training samples from pictures in memory: its pipeline for COCO, less reading of files."""

    def __init__(self, size: int) -> None:
        from mmcv.transforms import Compose

        transforms = mmpose()
        self.images, self.points = inputs.images(size, inputs.STORED), inputs.points(size, inputs.STORED)
        self.pipeline = Compose(
            [
                transforms.GetBBoxCenterScale(),
                transforms.RandomFlip(direction="horizontal"),
                transforms.RandomBBoxTransform(),
                transforms.TopdownAffine(input_size=(size, size)),
                transforms.GenerateTarget(
                    encoder={
                        "type": "MSRAHeatmap",
                        "input_size": (size, size),
                        "heatmap_size": (size // inputs.STRIDE, size // inputs.STRIDE),
                        "sigma": inputs.SIGMA,
                    }
                ),
                transforms.PackPoseInputs(),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Any:
        side = self.images.shape[1]
        return self.pipeline(
            {
                "img": self.images[index],
                "img_shape": (side, side),
                "ori_shape": (side, side),
                "bbox": np.array([[0, 0, side, side]], np.float32),
                "bbox_score": np.ones(1, np.float32),
                "keypoints": self.points[index : index + 1].copy(),
                "keypoints_visible": np.ones((1, inputs.JOINTS), np.float32),
                "dataset_keypoint_weights": np.ones(inputs.JOINTS, np.float32),
                "flip_indices": inputs.FLIP,
            }
        )


def input_path(size: int) -> Work:
    people = People(size)
    rng = np.random.default_rng(5)
    return lambda: [people[i] for i in rng.choice(len(people), inputs.BATCH, replace=False)]


def input_path_workers(size: int) -> Work:
    """All stored samples once, by two worker processes: an epoch of 16 batches."""
    from mmengine.dataset import pseudo_collate
    from torch.utils.data import DataLoader

    loader: DataLoader[Any] = DataLoader(
        People(size),  # type: ignore[arg-type]
        batch_size=inputs.BATCH,
        shuffle=True,
        num_workers=2,
        collate_fn=pseudo_collate,
        persistent_workers=True,
        worker_init_fn=lambda _: cv2.setNumThreads(0),  # as mmengine does: the workers are the threads
    )
    return lambda: sum(1 for _ in loader)


def oks_ap(count: int) -> Work:
    """COCO's evaluation of one pose a picture, from annotations that are read and indexed already."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def joints(points: np.ndarray, visible: np.ndarray) -> list[list[float]]:
        return np.concatenate([points, 2.0 * visible[..., None]], axis=-1).reshape(count, -1).tolist()

    found, labels, visible, area = inputs.people(count, inputs.JOINTS)
    scores = np.linspace(1, 0, count)
    truth = COCO()
    truth.dataset = {"images": [{"id": i} for i in range(count)], "categories": [{"id": 1}]}
    truth.dataset["annotations"] = [
        {"id": i + 1, "image_id": i, "category_id": 1, "iscrowd": 0, "area": area[i], "bbox": [0, 0, 1, 1]}
        | {"keypoints": points, "num_keypoints": int(visible[i].sum())}
        for i, points in enumerate(joints(labels, visible))
    ]
    poses = [
        {"image_id": i, "category_id": 1, "keypoints": points, "score": scores[i]}
        for i, points in enumerate(joints(found, np.ones_like(visible)))
    ]

    def work() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            run = COCOeval(truth, results, "keypoints")
            run.evaluate()
            run.accumulate()
            run.summarize()

    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        results = truth.loadRes(poses)
    return work


def cases() -> dict[str, Callable[[], Work]]:
    made: dict[str, Callable[[], Work]] = {}
    for size in (64, 256):
        made[f"targets {size} mmpose"] = partial(targets, size, False)
        made[f"targets {size} mmpose, unbiased"] = partial(targets, size, True)
        made[f"decode quarter {size} mmpose"] = partial(decode, size, False)
        made[f"decode dark {size} mmpose"] = partial(decode, size, True)
        made[f"warp {size} albumentations"] = partial(albumentations_affine, size)
        made[f"warp {size} kornia"] = partial(kornia_affine, size)
        made[f"input {size} mmpose"] = partial(input_path, size)
        made[f"input {size} mmpose, 2 workers"] = partial(input_path_workers, size)
    made[f"OKS-AP {inputs.PEOPLE} pycocotools"] = partial(oks_ap, inputs.PEOPLE)
    return made


def serve() -> None:
    """Answer requests until the input ends. Libraries may print: that goes to the error stream."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    use_threads(int(sys.argv[1]))
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    known, works = cases(), dict[str, Work]()
    print(json.dumps({name: version(name) for name in PACKAGES}), file=answers)
    for line in sys.stdin:
        request = json.loads(line)
        name = request["case"]
        try:
            if name not in works:
                works[name] = known[name]()
            answer: dict[str, Any] = {"seconds": duration(works[name], request["seconds"])}
        except Exception as error:  # a peer that fails is reported, and costs its own rows alone
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        serve()
