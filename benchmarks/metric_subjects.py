"""Metrics: what is compared. An image is a person here."""

from __future__ import annotations

from collections.abc import Callable

import inputs
import numpy as np
import torch
from subjects import Contender, Subject, timed

from posenb import metrics

MPII_PEOPLE = 2958  # the validation set that everybody uses
MPII_SECONDS = 0.02  # that its curve may take


def pckh_loop(pred: np.ndarray, target: np.ndarray, visible: np.ndarray, head: np.ndarray) -> list[list[float]]:
    """The curve a threshold and a joint at a time."""
    return [
        [
            float(np.mean(np.linalg.norm(pred[seen, k] - target[seen, k], axis=1) / head[seen] <= threshold))
            for k, seen in enumerate(visible.T)
        ]
        for threshold in metrics.PCKH_THRESHOLDS
    ]


def pckh() -> Subject:
    pred, target, visible, area = inputs.people(MPII_PEOPLE, 16)
    arrays = (pred, target, visible, 0.15 * np.sqrt(area))
    points, labels, seen, head = (torch.from_numpy(array) for array in arrays)
    return Subject(
        f"PCKh {MPII_PEOPLE}",
        timed(lambda: lambda: metrics.pckh_curve(points, labels, seen, head)),
        {
            "20 ms": Contender(lambda: lambda _: MPII_SECONDS, target=1, images=MPII_PEOPLE),
            "naive loop": Contender(timed(lambda: lambda: pckh_loop(*arrays)), images=MPII_PEOPLE),
            "limit": Contender(timed(lambda: points.sum), images=MPII_PEOPLE),  # every number is read once
        },
        images=MPII_PEOPLE,
    )


def oks_ap() -> Subject:
    pred, target, visible, area = (torch.from_numpy(array) for array in inputs.people(inputs.PEOPLE, inputs.JOINTS))
    scores = torch.linspace(1, 0, inputs.PEOPLE)
    return Subject(
        f"OKS-AP {inputs.PEOPLE}",
        timed(lambda: lambda: metrics.oks_ap(pred, scores, target, visible, area)),
        {
            "pycocotools": Contender(target=5, images=inputs.PEOPLE),
            "limit": Contender(timed(lambda: pred.sum), images=inputs.PEOPLE),
        },
        images=inputs.PEOPLE,
    )


GROUPS: dict[str, list[Callable[[], Subject]]] = {"metrics": [pckh, oks_ap]}
