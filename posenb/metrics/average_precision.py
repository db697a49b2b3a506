"""Average precision and recall over OKS, as COCO's keypoint evaluation defines them.

Ten thresholds of OKS from .5 to .95; the 20 best-scored poses of an image; people without a labelled joint, crowds and
people outside an area range neither help nor hurt. Agrees with pycocotools, for one category.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from posenb.metrics.keypoints import check_shapes
from posenb.metrics.matching import THRESHOLDS, Matches, People, match_images, match_rows
from posenb.metrics.similarity import COCO_SIGMAS

_RECALLS = np.linspace(0, 1, 101)  # NumPy's steps, as in matching.py
_AT_50, _AT_75 = (int(np.abs(THRESHOLDS - value).argmin()) for value in (0.5, 0.75))


class OksScore(NamedTuple):
    """AP and AR over all thresholds, at .5 and at .75, and for people of medium (32^2 to 96^2 px) and large area.

    NaN where nobody is in the range (pycocotools says -1).
    """

    ap: float
    ap50: float
    ap75: float
    ap_medium: float
    ap_large: float
    ar: float
    ar50: float
    ar75: float
    ar_medium: float
    ar_large: float


def oks_ap(
    pred: Tensor,
    scores: Tensor,
    target: Tensor,
    visible: Tensor,
    area: Tensor,
    *,
    image: Tensor | None = None,
    crowd: Tensor | None = None,
    boxes: Tensor | None = None,
    sigmas: Sequence[float] | Tensor = COCO_SIGMAS,
) -> OksScore:
    """AP and AR of one pose a labelled person, row by row.

    Args:
        pred, target: ``(B, K, 2)`` in pixels. A NaN prediction is infinitely far away.
        scores: ``(B,)``, the confidence in each pose. Among equal scores the earlier row is first.
        visible: ``(B, K)`` bool.
        area: ``(B,)`` in pixels^2 of the picture, see :func:`~posenb.metrics.similarity.oks`.
        image: ``(B,)`` integers: a pose may be matched to anybody of the same image, so points must then be in pixels
            of that image and not of a crop. None: every row is an image of its own, as a crop is.
        crowd: ``(B,)`` bool, COCO's iscrowd; None: nobody.
        boxes: ``(B, 4)`` x, y, width, height. Without them people without a labelled joint are left out, together
            with the poses of their rows.
        sigmas: a number a joint, see :func:`~posenb.metrics.similarity.oks_sigmas`.

    Raises:
        ValueError: where shapes disagree, or an area is not finite.
    """
    check_shapes(pred, target, visible)
    rows = torch.arange(len(pred), device=pred.device)
    crowd = torch.zeros_like(rows, dtype=torch.bool) if crowd is None else crowd
    people = People(target, visible, area, rows if image is None else image, crowd, boxes)
    _check(people, scores, len(pred), people.image)
    if boxes is None:
        kept = visible.any(dim=-1)
        pred, scores = pred[kept], scores[kept]
        people = People(*(part[kept] for part in people if part is not None))
    if image is None:
        return _summary(match_rows(pred, scores, people, sigmas))
    return _summary(match_images(pred, scores, people.image, people, sigmas))


def oks_ap_detections(
    pred: Tensor,
    scores: Tensor,
    image: Tensor,
    people: People,
    sigmas: Sequence[float] | Tensor = COCO_SIGMAS,
) -> OksScore:
    """AP and AR of D poses that somebody found, in any number and order.

    Args:
        pred: ``(D, K, 2)`` in pixels of the images. A NaN point is infinitely far away.
        scores: ``(D,)``. Among equal scores images go by their ids, and within an image the earlier pose is first.
        image: ``(D,)``, which image each pose was found in.
        people: all labelled people of the images.
        sigmas: a number a joint, see :func:`~posenb.metrics.similarity.oks_sigmas`.

    Raises:
        ValueError: where shapes disagree, an area is not finite, or somebody has neither a labelled joint nor a box.
    """
    check_shapes(people.points, people.points, people.visible)
    if pred.shape[1:] != people.points.shape[1:]:
        raise ValueError(f"pred must be (D, {people.points.shape[1]}, 2) as the people are, not {tuple(pred.shape)}")
    _check(people, scores, len(pred), image)
    if people.boxes is None and not people.visible.any(dim=-1).all():
        raise ValueError("people without a labelled joint need boxes: give them, or leave these people out")
    return _summary(match_images(pred, scores, image, people, sigmas))


def _check(people: People, scores: Tensor, poses: int, image: Tensor) -> None:
    count = len(people.points)
    expected: dict[str, tuple[Tensor | None, tuple[int, ...]]] = {
        "scores": (scores, (poses,)),
        "image": (image, (poses,)),
        "the people's image": (people.image, (count,)),
        "area": (people.area, (count,)),
        "crowd": (people.crowd, (count,)),
        "boxes": (people.boxes, (count, 4)),
    }
    for name, (tensor, shape) in expected.items():
        if tensor is not None and tensor.shape != shape:
            raise ValueError(f"{name} must be {shape}, not {tuple(tensor.shape)}")
    if people.crowd.dtype != torch.bool:
        raise ValueError(f"crowd must be bool, not {people.crowd.dtype}")
    unknown = (~torch.isfinite(people.area)).nonzero()
    if len(unknown):
        raise ValueError(f"the area of person {int(unknown[0])} is not known: leave out people without an area")


def _summary(matches: Matches) -> OksScore:
    precision, recall = _precision_and_recall(matches)

    def row(everyone: Tensor, medium: Tensor, large: Tensor) -> list[float]:
        picked = (everyone.mean(), everyone[_AT_50], everyone[_AT_75], medium.mean(), large.mean())
        return [value.item() for value in picked]

    return OksScore(*row(*precision), *row(*recall))


def _precision_and_recall(matches: Matches) -> tuple[Tensor, Tensor]:
    """The mean precision over 101 recalls, and the recall of all poses, ``(A, T)``; NaN where nobody counts."""
    order = matches.scores.argsort(descending=True, stable=True)
    counted = ~matches.ignored[..., order]
    right = (matches.matched[..., order] & counted).cumsum(dim=-1, dtype=torch.float64)
    total = counted.cumsum(dim=-1, dtype=torch.float64)
    recall = right / matches.people.double()[:, None, None]
    # while no pose has counted the precision is 0, not 0 / 0
    precision = right / (total + torch.finfo(torch.float64).eps)
    # at a recall the best precision of that or a higher one; 0 at recalls that are never reached, one place further on
    best = torch.nn.functional.pad(precision.flip(-1).cummax(dim=-1).values.flip(-1), (0, 1))
    wanted = torch.from_numpy(_RECALLS).to(recall.device).expand(*recall.shape[:-1], -1)
    reached = torch.searchsorted(recall, wanted.contiguous())
    final = torch.nn.functional.pad(recall, (1, 0))[..., -1]  # 0 without any pose
    nobody = matches.people[:, None] == 0
    return best.gather(-1, reached).mean(dim=-1).masked_fill(nobody, torch.nan), final.masked_fill(nobody, torch.nan)
