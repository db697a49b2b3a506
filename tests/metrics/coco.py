"""COCO's own evaluation, as the judge of ours: people and poses as tensors, to and from its dictionaries."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import Tensor

from posenb.metrics import OksScore, People


def people_of(annotations: list[dict[str, Any]]) -> People:
    """Annotations as people, with boxes."""
    joints = torch.tensor([a["keypoints"] for a in annotations], dtype=torch.float64).unflatten(1, (-1, 3))
    return People(
        joints[..., :2],
        joints[..., 2] > 0,
        torch.tensor([a["area"] for a in annotations], dtype=torch.float64),
        torch.tensor([a["image_id"] for a in annotations]),
        torch.tensor([bool(a["iscrowd"]) for a in annotations]),
        torch.tensor([a["bbox"] for a in annotations], dtype=torch.float64),
    )


def annotations_of(people: People) -> list[dict[str, Any]]:
    """People as annotations, numbered from 1: COCO's code takes a match with number 0 for none."""
    joints = torch.cat([people.points.double(), people.visible[..., None].double()], dim=-1)
    assert people.boxes is not None
    columns = (joints.flatten(1), people.visible.sum(1), people.area, people.image, people.crowd.int(), people.boxes)
    names = ("keypoints", "num_keypoints", "area", "image_id", "iscrowd", "bbox")
    return [
        dict(zip(names, row, strict=True), id=number, category_id=1)
        for number, row in enumerate(zip(*(column.tolist() for column in columns), strict=True), 1)
    ]


def coco_score(
    pred: Tensor, scores: Tensor, image: Tensor, annotations: list[dict[str, Any]], sigmas: Tensor | None = None
) -> OksScore:
    """pycocotools' ten numbers; its -1 as NaN."""
    joints = torch.cat([pred.double(), torch.ones_like(pred[..., :1]).double()], dim=-1).flatten(1)
    found = [
        {"image_id": i, "category_id": 1, "keypoints": k, "score": s}
        for i, k, s in zip(image.tolist(), joints.tolist(), scores.tolist(), strict=True)
    ]
    images = {a["image_id"] for a in annotations} | set(image.tolist())
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        # its code writes into what it is given
        truth.dataset = {
            "images": [{"id": number} for number in sorted(images)],
            "annotations": [dict(a) for a in annotations],
            "categories": [{"id": 1}],
        }
        truth.createIndex()
        run = COCOeval(truth, truth.loadRes(found), "keypoints")
        if sigmas is not None:
            run.params.kpt_oks_sigmas = np.asarray(sigmas.tolist())
        run.evaluate()
        run.accumulate()
        run.summarize()
    return OksScore(*(float("nan") if value == -1 else float(value) for value in run.stats))
