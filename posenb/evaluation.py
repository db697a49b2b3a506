"""A method on a data set: predictions, and the metrics of that data set's protocol."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from posenb import metrics
from posenb.data.dataset import PoseDataset

if TYPE_CHECKING:
    from posenb.methods.base import Method


class Predictions(NamedTuple):
    """Points ``(N, K, 2)`` in pixels of the samples proper, and scores ``(N, K)``, on the CPU."""

    points: Tensor
    scores: Tensor


@torch.inference_mode()
def predict(
    method: Method,
    data: PoseDataset,
    device: torch.device | str = "cpu",
    precision: AbstractContextManager | None = None,
    batch: int = 128,
    flip: bool = False,
) -> Predictions:
    """What a method answers on every sample of a data set.

    Args:
        method: in evaluation mode afterwards.
        data: N samples; their margins are not seen.
        device: where the method is.
        precision: a context such as ``fabric.autocast()``; none is float32.
        batch: samples at a time.
        flip: average each sample's maps with those of its mirror image.
    """
    method.eval()
    parts = []
    for images in data.images.split(batch):
        with precision or nullcontext():
            parts.append(method.predict(images.to(device), flip=flip))
    points, scores = (torch.cat(part).float().cpu() for part in zip(*parts, strict=True))
    return Predictions(points, scores)


def score(pred: Predictions, data: PoseDataset) -> dict[str, float]:
    """Metrics of predictions, as fractions.

    'pck' and 'pck_pooled': PCK@0.2 of the skeleton's reference length; 'pckh': PCKh@0.5 where head sizes are known;
    'auc': area under PCK from 0 to 30 pixels of a 256-pixel image, so 30 x H / 256; 'epe': mean error, not a fraction
    but pixels of the sample; 'oks_ap': where areas are known, AP over OKS with the mean of a pose's joint scores as its
    score, each person in an image of their own (points of different crops cannot be compared); 'pck/JOINT': each
    joint's PCK@0.2.
    """
    data = data.cropped()
    labels = (data.points, data.visible)
    pck = metrics.pck(pred.points, *labels, data.reference, 0.2)
    result = {"pck": pck.mean, "pck_pooled": pck.pooled}
    result["auc"] = metrics.auc(pred.points, *labels, 30 * data.size[0] / 256).mean
    if torch.isfinite(data.head).any():
        result["pckh"] = metrics.pckh(pred.points, *labels, data.head).mean
    result["epe"] = metrics.epe(pred.points, *labels).mean
    if data.area is not None and (known := torch.isfinite(data.area)).any():
        rows = (pred.points, pred.scores.mean(dim=1), *labels, data.area)
        sigmas = metrics.oks_sigmas(data.skeleton)
        result["oks_ap"] = metrics.oks_ap(*(row[known] for row in rows), sigmas=sigmas).ap
    joints = zip(data.skeleton.joints, pck.per_joint.tolist(), strict=True)
    return result | {f"pck/{joint}": value for joint, value in joints}
