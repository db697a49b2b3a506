"""Training: a Spec -> a Run. Ask twice, train once; kill it at any time, ask again, and get the same numbers.

``runs/KEY/`` holds ``spec.json``; while training ``checkpoint.pt``; and when done ``weights.pt``, ``snapshots/``,
``history.parquet``, ``predictions.pt`` and, written last, ``result.json`` with metrics, provenance and the digests of
the other files. A run is done when its ``result.json`` is there and every digest agrees.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pandas as pd
import torch

from posenb import __version__
from posenb.errors import UserError, first_line
from posenb.evaluation import Predictions, predict, score
from posenb.files import alone, being_written, digest, load_tensors, partial_path, save_json, save_tensors
from posenb.methods.base import Method
from posenb.spec import Budget, Data, Network, Spec, from_description
from posenb.store import Run, create, find, folder, is_stored, remove, stored
from posenb.training import check_share, fit, make_fabric

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = [
    "Budget",
    "Data",
    "Network",
    "Run",
    "Spec",
    "create",
    "find",
    "folder",
    "is_stored",
    "remove",
    "stored",
    "train",
]


def train(
    spec: Spec,
    *,
    device: str = "auto",
    processes: int = 1,
    fresh: bool = False,
    checkpoint_seconds: float = 20.0,
    logs: bool = False,
) -> Run:
    """The run of a spec: found in the store, waited for, resumed, or trained.

    Args:
        spec: what to train; the runs that it starts from are trained first where they are missing.
        device: 'auto', 'cpu', 'cuda' or 'mps'.
        processes: processes on this machine that share each batch.
        fresh: forget what is stored of this run.
        checkpoint_seconds: time between checkpoints.
        logs: also write TensorBoard logs.

    Raises:
        UserError: for a spec that cannot be trained; nothing is stored then.
    """
    # a wrong spec is refused before anything is written
    try:
        create(spec).optimizers()
    except ValueError as error:
        raise UserError(f"{spec.title}: {first_line(error)}") from None
    check_share(spec.budget, processes)
    path = folder() / spec.key
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path.with_suffix(".lock"), f"another process is training {spec.title}"):
        if not fresh and _finished(path):
            _clear_leftovers(path)
            return Run(spec, path)
        for source in spec.start:
            train(source, device=device, processes=processes, checkpoint_seconds=checkpoint_seconds)
        fabric = make_fabric(spec.budget.precision, device, processes)
        with _replaced(path) if fresh else nullcontext():
            save_json(spec.describe(), path / "spec.json")
            try:
                # a spec travels as JSON: Fabric refuses frozen dataclasses on their way to other processes
                fabric.launch(cast(Any, _work), json.dumps(spec.describe()), path, checkpoint_seconds, logs)
            finally:
                if [file.name for file in path.iterdir()] == ["spec.json"]:
                    shutil.rmtree(path)  # it never began
        _clear_leftovers(path)
    return Run(spec, path)


@contextmanager
def _replaced(path: Path) -> Iterator[None]:
    """Set what is stored of a run aside while it is trained again; it comes back where that fails or is stopped."""
    old = _old(path)
    if old.exists():
        shutil.rmtree(path, ignore_errors=True)
    elif path.exists():
        path.replace(old)
    try:
        yield
    except BaseException:
        if old.exists():
            shutil.rmtree(path, ignore_errors=True)
            old.replace(path)
        raise


def _old(path: Path) -> Path:
    return path.with_name(f"{path.name}.old")


def _work(fabric: Fabric, description: str, path: Path, checkpoint_seconds: float, logs: bool) -> None:
    """Train and evaluate; in every process of the run."""
    began, spec = time.monotonic(), from_description(json.loads(description))
    if fabric.world_size > 1:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // fabric.world_size))
    method = create(spec)
    if spec.start:
        sources = [Run(source, folder() / source.key).method for source in spec.start]
        try:
            if any(source.setting.skeleton.joints != method.setting.skeleton.joints for source in sources):
                raise RuntimeError
            method.start_from(sources)
        except RuntimeError:
            raise UserError(f"{spec.title} cannot start from a run of another network or joint set") from None
    parts = {"train": spec.data.load("train")}
    if spec.data.unlabelled:
        parts["unlabelled"] = spec.data.load("unlabelled")
    # the test set is only loaded, so that a data set without one is refused now and not at the end
    monitor, final = spec.data.load("monitor"), spec.data.load("final")

    def evaluate() -> dict[str, float]:
        scores = score(predict(method, monitor, fabric.device, fabric.autocast()), monitor)
        return {name: value for name, value in scores.items() if "/" not in name}

    try:
        predict(method, monitor[:1], "cpu")  # what cannot answer one picture need not be trained
    except (ValueError, RuntimeError, AttributeError, ArithmeticError) as error:
        raise UserError(
            f"{spec.title} cannot answer a picture of {spec.data.size} pixels: {first_line(error)}"
        ) from None
    damaged, earlier = _checkpoint(path, fabric)
    if damaged:
        warnings.warn(f"{damaged}; this run starts again", stacklevel=2)
    history = fit(method, parts, evaluate, spec.budget, spec.seed, fabric, path, checkpoint_seconds, spec.title, logs)
    if fabric.global_rank == 0:
        pred = predict(method, final, fabric.device, fabric.autocast())
        _store(path, method, pd.DataFrame(history), pred, score(pred, final), _provenance(fabric, began - earlier))
    fabric.barrier()


def _checkpoint(path: Path, fabric: Fabric) -> tuple[str, float]:
    """What is wrong with the checkpoint, which is removed then, empty where nothing is; and its seconds of training."""
    problem, seconds = "", 0.0
    if fabric.global_rank == 0 and (path / "checkpoint.pt").exists():
        try:
            seconds = load_tensors(path / "checkpoint.pt")["seconds"]
        except OSError as error:
            problem = str(error)
            (path / "checkpoint.pt").unlink()
    fabric.barrier()
    return problem, seconds


def _store(
    path: Path,
    method: Method,
    history: pd.DataFrame,
    pred: Predictions,
    metrics: dict[str, float],
    provenance: dict[str, Any],
) -> None:
    """Write what a finished run keeps, ``result.json`` last."""
    save_tensors({name: value.cpu() for name, value in method.state_dict().items()}, path / "weights.pt")
    save_tensors(pred._asdict(), path / "predictions.pt")
    partial = partial_path(path / "history.parquet")
    history.to_parquet(partial)
    partial.replace(path / "history.parquet")
    files = ["weights.pt", "predictions.pt", "history.parquet"]
    files += [f"snapshots/{file.name}" for file in sorted((path / "snapshots").glob("*.pt"))]
    result = {
        "metrics": metrics,
        "provenance": provenance,
        "skeleton": asdict(method.setting.skeleton),
        "files": {name: digest(path / name) for name in files},
    }
    save_json(result, path / "result.json")


def _clear_leftovers(path: Path) -> None:
    """Remove what a finished run no longer needs, or a killed process left half-written.

    Measurements are kept beside a run, and another process may be writing one.
    """
    (path / "checkpoint.pt").unlink(missing_ok=True)
    shutil.rmtree(_old(path), ignore_errors=True)
    for leftover in path.glob("**/*.partial"):
        if not being_written(leftover):
            leftover.unlink(missing_ok=True)


def _finished(path: Path) -> bool:
    """Whether a run is whole. What is damaged is named, and the run is cleared away to be trained again."""
    if not (path / "result.json").exists():
        return False
    try:
        files = json.loads((path / "result.json").read_text())["files"]
        wrong = [name for name, sum_ in files.items() if not (path / name).exists() or digest(path / name) != sum_]
    except (ValueError, KeyError, TypeError, AttributeError):
        wrong = ["result.json"]
    if wrong:
        warnings.warn(f"run {path.name} is damaged in {', '.join(wrong)}; it is trained again", stacklevel=3)
        shutil.rmtree(path)
    return not wrong


def _provenance(fabric: Fabric, began: float) -> dict[str, Any]:
    cuda = fabric.device.type == "cuda"
    return {
        "posenb": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": torch.cuda.get_device_name() if cuda else f"{platform.machine()} CPU",
        "processes": fabric.world_size,
        "threads": torch.get_num_threads(),
        "seconds": round(time.monotonic() - began, 1),
        "commit": commit(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def commit() -> str | None:
    """The git commit of this package's checkout, '+' behind it where files were changed; None outside a checkout."""
    with suppress(OSError, subprocess.CalledProcessError):
        here = Path(__file__).parent
        command = ["git", "-C", os.fspath(here), "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return None
