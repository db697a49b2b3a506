"""How long a call takes on a machine that others may use too."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import cv2
import torch

Work = Callable[[], object]

_LEAST = 0.001  # seconds a sample: clocks are coarse, and some calls take microseconds
_one_thread = False


def use_threads(count: int) -> None:
    """The same number of threads for every library."""
    global _one_thread
    _one_thread = count == 1
    cv2.setNumThreads(count)
    torch.set_num_threads(count)


def now() -> float:
    """Seconds; with one thread those that this process computed, so that others on the machine hardly count."""
    return time.process_time() if _one_thread else time.perf_counter()


def pick(samples: Sequence[float]) -> float:
    """One number for many. Others only ever add to a wall clock; a processor's clock errs both ways."""
    return statistics.median(samples) if _one_thread else min(samples)


def duration(work: Work, seconds: float) -> float:
    """Seconds a call, of the calls that fit into ``seconds`` after one that is not counted."""
    work()
    start = time.perf_counter()
    work()
    calls = max(1, round(_LEAST / (time.perf_counter() - start)))
    samples, end = [], time.perf_counter() + seconds
    while True:
        start = now()
        for _ in range(calls):
            work()
        samples.append((now() - start) / calls)
        if time.perf_counter() >= end:
            return pick(samples)
