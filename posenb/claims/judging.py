"""From one number a seed to a verdict: 95% t interval over paired seeds, bootstrap over test images beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

REPRODUCED, NOT_REPRODUCED, INCONCLUSIVE = "reproduced", "not reproduced", "inconclusive"
NOT_JUDGED = "not judged"


Parts = float | Sequence[float] | NDArray[np.float64]
"""A statistic: one number, or one for each thing that a claim says at once, of which the least counts."""


@dataclass(frozen=True)
class Measurement:
    """What one seed gave.

    Attributes:
        parts: the statistic.
        images: per-image quantities ``(N, ...)`` whose mean over images gives the statistic, for the bootstrap.
        statistic: from that mean to the parts.
        runs: keys of the runs it was measured on.
        curves: numbers for the figures, as JSON values.
    """

    parts: Parts
    images: NDArray[np.float64]
    statistic: Callable[[NDArray[np.float64]], Parts]
    runs: list[str]
    curves: dict[str, Any]

    @property
    def value(self) -> float:
        """The least of the parts."""
        return float(np.min(self.parts))


@dataclass(frozen=True)
class Verdict:
    """Mean and 95% interval over seeds, and the verdict. The interval of one seed has no ends: NaN."""

    mean: float
    low: float
    high: float
    verdict: str


def judge(
    values: Sequence[float],
    parts: Sequence[Sequence[float]] | None = None,
) -> Verdict:
    """The verdict on one number a seed.

    'Reproduced' where the interval's lower end is above 0, 'not reproduced' where its upper end is below 0, else
    'inconclusive'; with fewer than three seeds 'not judged'. A claim that two things are equally good is put the same
    way: its statistic is a margin less their difference.

    Where a value is the least of several ``parts``, a row a seed, 'not reproduced' also needs one part whose own
    interval lies below 0: by chance alone a least is below 0 more often than any of its parts.
    """
    mean, low, high = (float(number) for number in _interval(np.array(values)))
    if len(values) < 3:
        return Verdict(mean, low, high, NOT_JUDGED)
    refuted = high < 0
    if parts is not None:
        refuted = refuted and bool((_interval(np.array(parts))[2] < 0).any())
    otherwise = NOT_REPRODUCED if refuted else INCONCLUSIVE
    verdict = REPRODUCED if low > 0 else otherwise
    return Verdict(mean, low, high, verdict)


def _interval(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean and both ends of the 95% t interval over the seeds, the first axis; of fewer than three seeds no ends."""
    mean, count = values.mean(axis=0), len(values)
    if count < 3:
        return np.stack([mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)])
    half = stats.t.ppf(0.975, count - 1) * values.std(axis=0, ddof=1) / np.sqrt(count)
    return np.stack([mean, mean - half, mean + half])


def bootstrap(measurements: Sequence[Measurement], draws: int = 1000) -> tuple[float, float]:
    """95% interval of the statistic's mean over seeds when the test images are drawn again, the same for all seeds."""
    generator = np.random.default_rng(0)
    count = len(measurements[0].images)
    flat = [m.images.reshape(count, -1) for m in measurements]
    values = np.empty(draws)
    for k in range(draws):
        weight = np.bincount(generator.integers(count, size=count), minlength=count) / count
        means = [(weight @ rows).reshape(m.images.shape[1:]) for rows, m in zip(flat, measurements, strict=True)]
        values[k] = np.mean([np.min(m.statistic(mean)) for m, mean in zip(measurements, means, strict=True)])
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
