"""What the run store holds: finished runs, found by their specs or by the first letters of their keys."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock, Timeout

from posenb import data, methods
from posenb.errors import UserError, first_line
from posenb.evaluation import Predictions
from posenb.files import MOMENT, load_tensors
from posenb.home import home
from posenb.methods.base import Method, Setting
from posenb.skeletons import Skeleton
from posenb.spec import Spec, from_description


@dataclass(frozen=True)
class Run:
    """A finished run. Everything is read from disk when asked for."""

    spec: Spec
    path: Path

    @property
    def key(self) -> str:
        """Its name in the store; the key of its spec where neither the code nor the data have changed since."""
        return self.path.name

    @cached_property
    def result(self) -> dict[str, Any]:
        """Metrics, provenance, joint set, digests."""
        return json.loads((self.path / "result.json").read_text())

    @property
    def metrics(self) -> dict[str, float]:
        """Of the final evaluation: see :func:`posenb.evaluation.score`. NaN where nothing was counted."""
        return {name: float("nan") if value is None else value for name, value in self.result["metrics"].items()}

    @property
    def provenance(self) -> dict[str, Any]:
        """Versions, device, duration, commit, time."""
        return self.result["provenance"]

    @cached_property
    def history(self) -> pd.DataFrame:
        """A row every hundredth of the run; evaluation columns are NaN between evaluations."""
        return pd.read_parquet(self.path / "history.parquet")

    @cached_property
    def predictions(self) -> Predictions:
        """Of the final evaluation, in the order of its data set."""
        return Predictions(**load_tensors(self.path / "predictions.pt"))

    @cached_property
    def method(self) -> Method:
        """The trained method, in evaluation mode, on the CPU."""
        return self._with_weights(self.path / "weights.pt")

    @property
    def snapshots(self) -> list[int]:
        """Steps of which weights were kept."""
        return sorted(int(path.stem) for path in (self.path / "snapshots").glob("*.pt"))

    def at(self, step: int) -> Method:
        """The method as it was after ``step`` steps, one of :attr:`snapshots`."""
        if step not in self.snapshots:
            raise UserError(f"no weights were kept at step {step}; there are {self.snapshots}")
        return self._with_weights(self.path / "snapshots" / f"{step}.pt")

    @property
    def skeleton(self) -> Skeleton:
        """The joint set that it was trained on, whatever the data set has become since."""
        described = self.result.get("skeleton")
        return Skeleton.from_description(described) if described else data.skeleton(self.spec.data.name)

    def _with_weights(self, path: Path) -> Method:
        method = create(self.spec, self.skeleton)
        method.load_state_dict(load_tensors(path))
        return method.eval().requires_grad_(False)


def create(spec: Spec, skeleton: Skeleton | None = None) -> Method:
    """The method of a spec, untrained; for its data set's joint set, or another."""
    skeleton = skeleton or data.skeleton(spec.data.name)
    if not len(skeleton):
        raise UserError(
            f"{spec.data.name} has no labels: train on another set, with --unlabelled-from {spec.data.name}"
        )
    setting = Setting(
        skeleton=skeleton,
        size=(spec.data.size, spec.data.size),
        network=spec.network.name,
        network_options=spec.network.options,
        seed=spec.seed,
    )
    try:
        return methods.find(spec.method)(spec.method_options(), setting)
    except (ValueError, TypeError, ArithmeticError, RuntimeError) as error:
        raise UserError(f"{spec.title}: {first_line(error)}") from None


def folder() -> Path:
    """Where runs are stored."""
    return home() / "runs"


def is_stored(spec: Spec) -> bool:
    """Whether the run of a spec is there and finished."""
    return (folder() / spec.key / "result.json").exists()


def stored() -> Iterator[tuple[str, dict[str, Any], dict[str, Any] | None]]:
    """Every run of the store: key, description, and its result or None where it is not finished."""
    for path in sorted(folder().glob("*/spec.json")):
        with suppress(ValueError, OSError):
            description = json.loads(path.read_text())
            result = path.with_name("result.json")
            if "method" in description and not path.parent.name.endswith(".old"):
                yield path.parent.name, description, json.loads(result.read_text()) if result.exists() else None


def find(prefix: str) -> Run:
    """The finished run whose key starts with ``prefix``.

    Raises:
        UserError: where there is none, or more than one.
    """
    keys = [key for key, _, result in stored() if key.startswith(prefix) and result]
    if len(keys) != 1:
        problem = f"{len(keys)} runs start with" if keys else "no finished run starts with"
        raise UserError(f"{problem} {prefix!r}: see `posenb runs list`")
    path = folder() / keys[0]
    return Run(from_description(json.loads((path / "spec.json").read_text())), path)


def remove(prefix: str) -> list[str]:
    """Delete the runs whose keys start with ``prefix`` (at least 4 letters); returns their keys."""
    if len(prefix) < 4:
        raise UserError("give at least 4 letters of the run's key: see `posenb runs list`")
    keys = [key for key, _, _ in stored() if key.startswith(prefix)]
    if not keys:
        raise UserError(f"no run starts with {prefix!r}: see `posenb runs list`")
    for key in keys:
        lock = FileLock(folder() / f"{key}.lock")
        try:
            with lock.acquire(timeout=MOMENT):
                shutil.rmtree(folder() / key)
                # set aside by a killed training with --fresh, which would bring it back
                shutil.rmtree(folder() / f"{key}.old", ignore_errors=True)
        except Timeout:
            raise UserError(f"run {key} is being trained by another process: stop that first") from None
    return keys
