"""The claims on stable heatmap regression: one function a claim measures one seed.

Every statistic is stated in its function's docstring before anything is measured; the claim says that it is above 0.
Variants of a seed start from the same run, see the same batches, and are measured on the same corrupted pictures, so
all differences are paired. R counts squared pixels of a 256-pixel image; AUC and RUC are fractions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from posenb import runs
from posenb.claims import Measurement, Parts
from posenb.experiments import accuracy, smoothness
from posenb.experiments import stability_theory as theory
from posenb.experiments.stability import Stability, measure, off_diagonal
from posenb.experiments.stability_specs import IMAGES, RIVALS, VARIANTS, architectures, specs
from posenb.metrics.stability import concentration_floor, gaussian_gap
from posenb.spec import Spec

Array = NDArray[np.float64]
SINGLE = ("rcc", "hdhr", "mst")
# an ablation: what row-column correlation adds to the other two
WITHOUT_RCC = "hdhr+mst"


def measured(
    names: Sequence[str], profile: str, dataset: str, seed: int, device: str
) -> tuple[dict[str, Stability], list[str]]:
    """The named variants' measurements, trained where they are missing, and the keys of their runs."""
    wanted = specs(profile, dataset, seed)
    return _measured({name: wanted[name] for name in names}, IMAGES[profile], device)


def _measured(wanted: Mapping[str, Spec], count: int, device: str) -> tuple[dict[str, Stability], list[str]]:
    found = {name: runs.train(spec, device=device) for name, spec in wanted.items()}
    return {name: measure(run, count) for name, run in found.items()}, [run.spec.key for run in found.values()]


def off_diagonals(profile: str, dataset: str, seed: int) -> dict[str, list[float]]:
    """Of the five variants and the ablation, which are trained: PCK by how far joints lie off the main diagonal."""
    wanted = specs(profile, dataset, seed)
    return {name: off_diagonal(runs.train(wanted[name])) for name in (*VARIANTS, WITHOUT_RCC)}


def _measurement(
    found: dict[str, Stability], keys: list[str], images: Array, statistic: Callable[[Array], Parts], **curves: Any
) -> Measurement:
    summaries = {name: stability.summary() for name, stability in found.items()}
    return Measurement(statistic(images.mean(axis=0)), images, statistic, keys, {"variants": summaries} | curves)


def stacked(found: dict[str, Stability], field: str) -> Array:
    """One field of all variants, ``(N, V, ...)``."""
    return np.stack([getattr(stability, field) for stability in found.values()], axis=1)


def _over_corruptions(found: dict[str, Stability], images: Array) -> dict[str, Any]:
    """The mean over images and severities of ``(N, V, C, S)``, for each variant and corruption."""
    return {"corruptions": list(found["base"].corruptions), "by_corruption": images.mean(axis=(0, 3)).tolist()}


def gains(means: Array) -> list[float]:
    """From (base, rcc, hdhr, mst, all), higher is better: the gains of each of the three over base, and of all over
    each of the three."""
    base, *single, together = means.reshape(5, -1).mean(axis=1)
    return [one - base for one in single] + [together - one for one in single]


def measure_shr1(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """1e-12 less the mean relative error of Theorems 1 and 2, over 200 random maps of one to six Gaussians, float64."""
    generator = torch.Generator().manual_seed(seed)
    errors = []
    for number in range(200):
        drawn = torch.rand(1 + number % 6, 4, generator=generator, dtype=torch.float64).tolist()
        peaks = [
            theory.Peak(64 * row, 64 * column, 1 + 6 * sigma, 0.1 + height) for row, column, sigma, height in drawn
        ]
        errors.append(theory.theorem_error(peaks, 64))
    images = 1e-12 - np.array(errors)
    return Measurement(float(images.mean()), images, float, [], {"largest": max(errors)})


def measure_shr2(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """D_64 of the baseline less that of RCC, as a fraction of the baseline's."""
    found, keys = measured(["base", "rcc"], profile, dataset, seed, device)
    return _measurement(
        found, keys, stacked(found, "spread"), lambda mean: float(1 - mean[1] / mean[0]), floor=concentration_floor()
    )


def measure_shr3(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """D(1)(2) of HDHR less that of the baseline, maps divided by their maximum."""
    found, keys = measured(["base", "hdhr"], profile, dataset, seed, device)
    ideal = {"gaussian": gaussian_gap(3.0), "highly_differentiated": 0.3}
    return _measurement(found, keys, stacked(found, "gap"), lambda mean: float(mean[1] - mean[0]), ideal=ideal)


def measure_shr4(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """Over 5,000 random changes that satisfy Theorem 3's corrected condition: 1 for each that keeps the maximum, -5,000
    for each that does not; the mean. So it is above 0 only where none moves it."""
    generator = torch.Generator().manual_seed(seed)
    kept: list[float] = []
    while len(kept) < 5000:
        condition = theory.theorem3(*theory.adversarial_change(generator))
        if condition.gap >= condition.corrected:
            kept.append(1.0 if condition.kept else -5000.0)
    images = np.array(kept)
    example = theory.counterexample()._asdict()
    return Measurement(float(images.mean()), images, float, [], {"counterexample": example})


def measure_shr5(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """On R over five test corruptions at five severities: the least of the falls from the baseline by RCC, by HDHR, by
    MST, and of the further fall from the best of them by all three, as a fraction of the baseline's R."""
    found, keys = measured(["base", *SINGLE, "all", WITHOUT_RCC], profile, dataset, seed, device)
    every = stacked(found, "moves")
    images = every[:, :5]  # the last variant is beside the claim
    return _measurement(
        found,
        keys,
        images,
        lambda mean: gains(-mean / mean[0].mean()),
        off_diagonal=off_diagonals(profile, dataset, seed),
        **_over_corruptions(found, every),
    )


def measure_shr6(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """On RUC over five test corruptions at five severities: the least of the rises from the baseline by RCC, by HDHR,
    by MST, and of the further rise from the best of them by all three."""
    found, keys = measured(["base", *SINGLE, "all"], profile, dataset, seed, device)
    curves = {name: one.curve.mean(axis=(0, 1)).tolist() for name, one in found.items()}
    return _measurement(found, keys, stacked(found, "stable"), gains, robustness=curves)


def measure_shr7(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """RUC over five test corruptions at five severities of all three less the baseline's; the least over the
    architectures. Below the paper's profile those are MobileNetV2 and ShuffleNetV2."""
    wanted = architectures(profile, dataset, seed)
    found, keys = _measured(wanted, IMAGES[profile], device)
    return _measurement(found, keys, stacked(found, "stable").mean(axis=(2, 3)), lambda mean: mean[1::2] - mean[::2])


def measure_shr8(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """The smaller of: RUC of all three less the best rival's; 2 points less the clean AUC that all three cost against
    the baseline."""
    found, keys = measured(["base", "all", *RIVALS], profile, dataset, seed, device)
    stable = stacked(found, "stable")
    images = np.stack([stable.mean(axis=(2, 3)), stacked(found, "auc")], axis=2)

    def statistic(mean: Array) -> list[float]:
        (_, ours, *rivals), (base, cost, *_) = mean.T
        return [*(ours - rival for rival in rivals), accuracy.MARGIN - (base - cost)]

    return _measurement(
        found,
        keys,
        images,
        statistic,
        **_over_corruptions(found, stable),
    )


def measure_shr9(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """AUC on corrupted images of all three less the baseline's, over five test corruptions at five severities."""
    found, keys = measured(["base", "all"], profile, dataset, seed, device)
    images = stacked(found, "corrupted_auc")
    return _measurement(
        found,
        keys,
        images,
        lambda mean: float((mean[1] - mean[0]).mean()),
        **_over_corruptions(found, images),
    )


def measure_shr10(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """Mean roughness of the pixel error about test images, towards a test corruption and along a random direction: the
    baseline's less that of all three, as a fraction of the baseline's."""
    return _smoothness(profile, dataset, seed, device, _roughness)


def measure_shr11(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """Pixels that keypoints move from frame to frame beyond the true movement, over nearly equal frames: the baseline's
    less those of all three, as a fraction of the baseline's."""
    return _smoothness(profile, dataset, seed, device, _jitter)


def _roughness(run: runs.Run, count: int) -> Array:
    data = run.spec.data.load("final")
    labelled = data[data.visible.any(dim=1).nonzero().flatten()]
    return smoothness.roughness(smoothness.surface(run.method, labelled[slice(count)]))


def _jitter(run: runs.Run, count: int) -> Array:
    data = run.spec.data.load("final")
    videos = (smoothness.frames(data, run.spec.data.name, number) for number in range(count))
    return np.array([smoothness.jitter(run.method, video)[1] for video in videos])


def _smoothness(
    profile: str, dataset: str, seed: int, device: str, of_run: Callable[[runs.Run, int], Array]
) -> Measurement:
    wanted = specs(profile, dataset, seed)
    both = [runs.train(wanted[name], device=device) for name in ("base", "all")]
    images = np.stack([of_run(run, 2 if profile == "smoke" else 50) for run in both], axis=1)
    means = images.mean(axis=0)
    curves: dict[str, Any] = {"base": float(means[0]), "all": float(means[1])}
    # what never moves is smooth: accuracy stands beside it
    curves["pck"] = [run.metrics["pck"] for run in both]
    return Measurement(_fall(means), images, _fall, [run.spec.key for run in both], curves)


def _fall(means: Array) -> float:
    return float(1 - means[1] / means[0])


def measure_shr12(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """RUC of MST alone less the better one's of stability training with noise and with all training corruptions."""
    found, keys = measured(["mst", "st_g", "st_a"], profile, dataset, seed, device)
    images = stacked(found, "stable").mean(axis=(2, 3))
    return _measurement(found, keys, images, lambda mean: mean[0] - mean[1:])


def measure_shr13(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """On clean AUC, the smaller of: HDHR's less the better of the same heatmap regressed by L1 and by L2; 2 points less
    what HDHR costs against the baseline."""
    found, keys = measured(["base", "hdhr", "hdhr_l1", "hdhr_l2"], profile, dataset, seed, device)

    def statistic(mean: Array) -> list[float]:
        base, hdhr, *direct = mean
        return [*(hdhr - one for one in direct), accuracy.MARGIN - (base - hdhr)]

    return _measurement(found, keys, stacked(found, "auc"), statistic)
