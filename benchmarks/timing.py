"""How long a call takes: the shortest of many, since a busy machine only ever adds."""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import torch

Work = Callable[[], object]


def use_threads(count: int) -> None:
    """The same number of threads for every library."""
    cv2.setNumThreads(count)
    torch.set_num_threads(count)


def shortest(work: Work, seconds: float) -> float:
    """Seconds of the quickest call among those that fit into ``seconds``, after one that is not counted."""
    work()
    best, end = float("inf"), time.perf_counter() + seconds
    while True:
        start = time.perf_counter()
        work()
        now = time.perf_counter()
        best = min(best, now - start)
        if now >= end:
            return best
