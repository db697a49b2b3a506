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


@dataclass(frozen=True)
class Measurement:
    """What one seed gave.

    Attributes:
        value: the statistic.
        images: per-image quantities ``(N, ...)`` whose mean over images gives the statistic, for the bootstrap.
        statistic: from that mean to the value.
        runs: keys of the runs it was measured on.
        curves: numbers for the figures, as JSON values.
    """

    value: float
    images: NDArray[np.float64]
    statistic: Callable[[NDArray[np.float64]], float]
    runs: list[str]
    curves: dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """Mean and 95% interval over seeds, and the verdict. The interval of one seed has no ends: NaN."""

    mean: float
    low: float
    high: float
    verdict: str


def judge(values: Sequence[float]) -> Verdict:
    """The verdict on one number a seed.

    'Reproduced' where the interval's lower end is above 0, 'not reproduced' where its upper end is below 0, else
    'inconclusive'; with fewer than three seeds 'not judged'. A claim that two things are equally good is put the same
    way: its statistic is a margin less their difference.
    """
    mean = float(np.mean(values))
    if len(values) < 3:
        return Verdict(mean, float("nan"), float("nan"), NOT_JUDGED)
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    half = float(stats.t.ppf(0.975, len(values) - 1) * error)
    low, high = mean - half, mean + half
    otherwise = NOT_REPRODUCED if high < 0 else INCONCLUSIVE
    return Verdict(mean, low, high, REPRODUCED if low > 0 else otherwise)


def bootstrap(measurements: Sequence[Measurement], draws: int = 1000) -> tuple[float, float]:
    """95% interval of the statistic's mean over seeds when the test images are drawn again, the same for all seeds."""
    generator = np.random.default_rng(0)
    count = len(measurements[0].images)
    flat = [m.images.reshape(count, -1) for m in measurements]
    values = np.empty(draws)
    for k in range(draws):
        weight = np.bincount(generator.integers(count, size=count), minlength=count) / count
        means = [(weight @ rows).reshape(m.images.shape[1:]) for rows, m in zip(flat, measurements, strict=True)]
        values[k] = np.mean([m.statistic(mean) for m, mean in zip(measurements, means, strict=True)])
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
