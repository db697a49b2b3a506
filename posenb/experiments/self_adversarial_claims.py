"""The claims on self adversarial training: one function a claim measures one seed.

Every statistic is stated in its function's docstring before anything is measured; the claim says that it is above 0.
The runs of a seed start from the same network and see the same batches, so all differences are paired.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posenb import runs
from posenb.claims import Measurement
from posenb.experiments.self_adversarial import DAMAGES, judgement, poses
from posenb.experiments.self_adversarial_specs import IMAGES, specs

Array = NDArray[np.float64]


def _runs(names: tuple[str, ...], profile: str, dataset: str, seed: int, device: str) -> dict[str, runs.Run]:
    wanted = specs(profile, dataset, seed)
    return {name: runs.train(wanted[name], device=device) for name in names}


def _keys(found: dict[str, runs.Run]) -> list[str]:
    return [run.spec.key for run in found.values()]


def before_balance(history: pd.DataFrame, wait: float) -> pd.DataFrame:
    """The second half of the rows before k is released, one at least.

    In the first half the discriminator has learned nothing, and the generator's maps are empty: nothing is easier.
    """
    end = wait * history["step"].max()
    rows = history[history["step"] <= end]
    return rows.iloc[len(rows) // 2 :] if len(rows) else history.iloc[:1]


def last_third(history: pd.DataFrame) -> pd.DataFrame:
    """The rows of the last third of the steps, one at least."""
    return history[history["step"] > history["step"].max() * 2 / 3]


def measure_sat1(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """The smaller of: L_fake less L_real in the second half of the steps before k is released; at the end of training,
    on test images, the reconstruction error of damaged maps, each with the pixel error of the generator's, less that
    of the labels' maps. In energies of a label's map."""
    found = _runs(("sat",), profile, dataset, seed, device)
    run = found["sat"]
    judged = judgement(run, IMAGES[profile])
    rows = before_balance(run.history, run.spec.method_options().wait)
    before = float((rows["fake"] - rows["real"]).mean())
    images = np.stack([judged.damaged - judged.real, np.full(len(judged.real), before)], axis=1)
    means = {name: float(getattr(judged, name).mean()) for name in ("real", "generated", "damaged")}
    return _parts(images, found, means | {"before": before})


def measure_sat2(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """Over the last third of training, the smaller of: abs(gamma L_real - L_fake) / L_real with k fixed less the same
    with k steered; 1 less twice the share of steps at which the steered k is 0 or 1."""
    found = _runs(("fixed", "sat"), profile, dataset, seed, device)
    fixed, steered = (last_third(run.history) for run in found.values())
    count = min(len(fixed), len(steered))
    gain = fixed["imbalance"].to_numpy()[-count:] - steered["imbalance"].to_numpy()[-count:]
    images = np.stack([gain, 1 - 2 * steered["saturated"].to_numpy()[-count:]], axis=1)
    columns = ["step", "real", "fake", "k", "imbalance"]
    curves = {name: run.history[columns].to_dict("list") for name, run in found.items()}
    gamma = found["sat"].spec.method_options().gamma
    return _parts(images, found, {"gamma": gamma, "imbalance": _pair(fixed, steered), "histories": curves})


def _pair(fixed: pd.DataFrame, steered: pd.DataFrame) -> dict[str, float]:
    return {"fixed": float(fixed["imbalance"].mean()), "sat": float(steered["imbalance"].mean())}


def measure_sat3(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """How often a joint that was damaged has a higher relative discriminator error than another joint of its pose, less
    one half: the smaller of one joint displaced by half a reference length, and a left-right pair exchanged."""
    found = _runs(("sat",), profile, dataset, seed, device)
    judged = judgement(found["sat"], IMAGES[profile])
    both = np.stack([judged.auc(name) for name in DAMAGES], axis=1) - 0.5
    both = both[np.isfinite(both).all(axis=1)]
    answers = judged.auc("answers")
    return _parts(
        both, found, dict(zip(DAMAGES, (both.mean(axis=0) + 0.5).tolist(), strict=True)) | {"answers": _mean(answers)}
    )


def measure_sat4(profile: str, dataset: str, seed: int, device: str = "auto") -> Measurement:
    """With the adversary less without: the least of the gain in PCK@0.2, the fall of the share of limbs of unreal
    length, and the fall of the share of joints at their mirror joint's place."""
    found = _runs(("mse", "sat"), profile, dataset, seed, device)
    alone, trained = (poses(run, IMAGES[profile]) for run in found.values())
    images = np.stack([trained.pck - alone.pck, alone.odd - trained.odd, alone.swapped - trained.swapped], axis=1)
    images = images[np.isfinite(images).all(axis=1)]
    return _parts(images, found, {"variants": {"mse": alone.summary(), "sat": trained.summary()}})


def _parts(images: Array, found: dict[str, runs.Run], curves: dict[str, Any]) -> Measurement:
    return Measurement(images.mean(axis=0), images, lambda mean: mean, _keys(found), curves)


def _mean(values: Array) -> float | None:
    return float(np.nanmean(values)) if np.isfinite(values).any() else None
