"""How stable a trained run is: its answers on images and on corrupted copies of them (Zhang et al. 2022, section 4).

Everything is kept image by image, so that claims can be bootstrapped over images. Distances count in pixels of a
256-pixel image, whatever the input's size, so that thresholds mean the same: the paper names no size, and its 30 pixels
are read as those.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posenb import augment, corruptions, runs
from posenb.data.dataset import PoseDataset
from posenb.files import load_tensors, save_tensors
from posenb.methods.base import Method
from posenb.metrics import correct
from posenb.metrics import stability as metrics
from posenb.step import seeded

SEVERITIES = (1, 2, 3, 4, 5)
REACH = 30  # pixels of a 256-pixel image: the end of AUC's thresholds in the paper, and of RUC's, which it leaves open
HIGHEST = 64  # n of D_n

# Raised whenever a measurement gives other numbers than before
VERSION = 2


@dataclass(frozen=True)
class Stability:
    """A run on N images, and on their copies under C corruptions at S severities.

    Every array is a mean over an image's labelled joints. R and RUC say nothing without accuracy beside them: a
    constant answer is perfectly stable.

    Attributes:
        corruptions: the C names.
        severities: the S severities.
        auc: ``(N,)``, area under PCK over 0 to 30 px of 256.
        pck: ``(N,)``, PCK@0.2 of the reference length.
        spread: ``(N,)``, squared map pixels, whose mean is D_64.
        gap: ``(N,)``, whose mean is D(1)(2).
        moves: ``(N, C, S)``, squared pixels of 256 that answers move, whose mean is R.
        curve: ``(N, C, P)``, the share of joints that move at most 1 to 30 px of 256, a mean over severities.
        stable: ``(N, C, S)``, whose mean is RUC over 1 to 30 px of 256.
        corrupted_auc: ``(N, C, S)``, as ``auc``, on the corrupted images.
    """

    corruptions: tuple[str, ...]
    severities: tuple[int, ...]
    auc: NDArray[np.float64]
    pck: NDArray[np.float64]
    spread: NDArray[np.float64]
    gap: NDArray[np.float64]
    moves: NDArray[np.float64]
    curve: NDArray[np.float64]
    stable: NDArray[np.float64]
    corrupted_auc: NDArray[np.float64]

    def summary(self) -> dict[str, float]:
        """The means: 'auc', 'pck', 'd_n', 'peak_gap'; 'r' and 'ruc' over all corruptions, 'mpc' and 'rpc' of AUC."""
        corrupted = metrics.corruption_scores(float(self.auc.mean()), torch.from_numpy(self.corrupted_auc.mean(axis=0)))
        return {
            "auc": float(self.auc.mean()),
            "pck": float(self.pck.mean()),
            "d_n": float(self.spread.mean()),
            "peak_gap": float(self.gap.mean()),
            "r": float(self.moves.mean()),
            "ruc": float(self.stable.mean()),
            "mpc": corrupted.mpc,
            "rpc": corrupted.rpc,
        }


@torch.inference_mode()
def measure_method(
    method: Method,
    data: PoseDataset,
    names: Sequence[str] = corruptions.TEST,
    severities: Sequence[int] = SEVERITIES,
    seed: int = 0,
    batch: int = 100,
) -> Stability:
    """Measure a method, on its device, in float32: half precision has ties between a map's highest pixels.

    Args:
        method: in evaluation mode afterwards.
        data: N images; those without a labelled joint or a reference length are left out.
        names: corruptions.
        severities: of each.
        seed: of the corruptions, so that all methods see the same pictures.
        batch: images at a time.
    """
    method.eval()
    data = data.cropped()
    data = data[(data.visible.any(dim=1) & data.reference.isfinite()).nonzero().flatten()]
    scale = 256 / data.size[0]
    device = next(method.parameters()).device
    pixels = augment.center(data.images, data.size)
    clean = _answers(method, data.images, device, batch)
    maps = [method.heatmaps(part.to(device)).cpu() for part in pixels.split(batch)]

    def over_joints(values: Tensor) -> NDArray[np.float64]:
        """The mean over labelled joints of ``(N, K, ...)``: ``(N, ...)``."""
        further = [1] * (values.ndim - 2)
        # what is not labelled may be anything, NaN included
        kept = torch.where(data.visible.reshape(*data.visible.shape, *further), values.double(), 0.0)
        return (kept.sum(dim=1) / data.visible.sum(dim=1).reshape(-1, *further)).numpy()

    def area(points: Tensor) -> NDArray[np.float64]:
        return over_joints((1 - (points - data.points).norm(dim=-1) * scale / REACH).clamp(min=0))

    moves, stable, corrupted = (np.empty((len(data), len(names), len(severities))) for _ in range(3))
    curve = np.zeros((len(data), len(names), REACH))
    for c, name in enumerate(names):
        for s, severity in enumerate(severities):
            # per image, whatever its neighbours: parts of a data set give parts of the measurement
            changed = corruptions.corrupt(data.images, name, severity, seeded(seed, c, severity))
            points = _answers(method, changed, device, batch)
            moves[:, c, s] = over_joints(metrics.squared_moves(clean * scale, points * scale))
            within = over_joints(metrics.within(clean * scale, points * scale, REACH))
            stable[:, c, s] = within.mean(axis=1)
            curve[:, c] += within / len(severities)
            corrupted[:, c, s] = area(points)
    return Stability(
        corruptions=tuple(names),
        severities=tuple(severities),
        auc=area(clean),
        pck=over_joints(correct(clean, data.points, data.visible, data.reference)),
        spread=over_joints(torch.cat([metrics.spreads(part, HIGHEST) for part in maps])),
        gap=over_joints(torch.cat([metrics.gaps(part) for part in maps])),
        moves=moves,
        curve=curve,
        stable=stable,
        corrupted_auc=corrupted,
    )


def measure(run: runs.Run, count: int | None = None, device: torch.device | str = "cpu") -> Stability:
    """Measure a run on the first ``count`` images of its final evaluation, under the five test corruptions.

    What was measured is kept beside the run: several claims read the same.
    """
    path = run.path / f"stability-{VERSION}-{count or 'all'}.pt"
    # one that is damaged is measured again
    with suppress(OSError):
        kept = load_tensors(path)
        arrays = {name: value.numpy() for name, value in kept["arrays"].items()}
        return Stability(tuple(kept["corruptions"]), tuple(kept["severities"]), **arrays)
    method = run.method.to(torch.device(device))
    found = measure_method(method, run.spec.data.load("final")[slice(count)])
    arrays = {
        name: torch.from_numpy(value)
        for name, value in vars(found).items()
        if name not in ("corruptions", "severities")
    }
    state = {"corruptions": list(found.corruptions), "severities": list(found.severities), "arrays": arrays}
    save_tensors(state, path)
    return found


def _answers(method: Method, images: Tensor, device: torch.device, batch: int) -> Tensor:
    return torch.cat([method.predict(part.to(device))[0].cpu() for part in images.split(batch)])


def off_diagonal(run: runs.Run, edges: Sequence[float] = (0, 5, 10, 20, 30, 64)) -> list[float]:
    """PCK@0.2 of a run's joints by how far their labels lie off the main diagonal, where x = y.

    Args:
        run: evaluated on N images.
        edges: in pixels of a 64-pixel image; a joint at an edge belongs to the bin above it.

    Returns:
        a share for each bin, NaN where no joint is in it.
    """
    data = run.spec.data.load("final")
    right = correct(run.predictions.points, data.points, data.visible, data.reference)
    away = (data.points[..., 0] - data.points[..., 1]).abs() * 64 / data.size[0]
    found = [right[(away >= low) & (away < high)] for low, high in pairwise(edges)]
    return [float(one.nanmean()) for one in found]
