"""Many runs as one queue over the store, several trained at a time: each once, however many ask for it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context

import torch

from posenb import runs
from posenb.errors import UserError, first_line
from posenb.runs import Run
from posenb.spec import Spec

_SHORT = 100  # steps: starting a process takes as long
_DIED = "a training process died; was there too little memory? The same command goes on"


@dataclass(frozen=True)
class Trained:
    """How a run of the queue ended: with which error (empty: none)."""

    spec: Spec
    error: str = ""


def with_starts(specs: Iterable[Spec]) -> list[Spec]:
    """Every run once, in order, each behind those that it starts from."""
    found: dict[str, Spec] = {}

    def add(spec: Spec) -> None:
        for source in spec.start:
            add(source)
        found.setdefault(spec.key, spec)

    for spec in specs:
        add(spec)
    return list(found.values())


def missing(specs: Iterable[Spec]) -> list[Spec]:
    """Those of :func:`with_starts` that the store does not have; what a stored run started from is not needed again."""
    found: dict[str, Spec] = {}

    def add(spec: Spec) -> None:
        if spec.key not in found and not runs.is_stored(spec):
            for source in spec.start:
                add(source)
            found[spec.key] = spec

    for spec in specs:
        add(spec)
    return list(found.values())


def together(specs: Mapping[str, Spec], device: str = "auto", jobs: int | None = None) -> dict[str, Run]:
    """The runs of several specs, by their names; on a CPU as many of the missing ones are trained at a time as it has
    cores, a thread each: small networks leave a second thread little to do (``benchmarks/README.md``). Of a chain, each
    run starting from the one before, none can share: there :func:`posenb.runs.train` is faster, with all threads.

    Called from a script, the call stands below ``if __name__ == "__main__":``, as for all that starts processes.

    Args:
        specs: in order of worth; what they start from is added.
        device: 'auto', 'cpu', 'cuda' or 'mps'.
        jobs: runs at a time; None: as above, and one on an accelerator.

    Raises:
        UserError: for a spec that cannot be trained, or a run that failed; others are trained nevertheless.
    """
    absent = missing(specs.values())
    if jobs is None:
        alone = device != "cpu" and (device != "auto" or torch.accelerator.is_available())
        short = sum(spec.budget.steps for spec in absent) < _SHORT
        jobs = 1 if alone or short else min(torch.get_num_threads(), len(absent))
    if jobs > 1 and (failed := [ended for ended in train(absent, device, jobs) if ended.error]):
        raise UserError(f"{failed[0].spec.title}: {failed[0].error}")
    return {name: runs.train(spec, device=device) for name, spec in specs.items()}


def train(specs: Sequence[Spec], device: str = "auto", jobs: int = 1) -> Iterator[Trained]:
    """Train what is missing, ``jobs`` runs at a time, and tell of each as it ends.

    A run waits for those that it starts from. One that fails is told of, what starts from it fails with it, and all
    others go on. What a training warns of is warned of here.

    Args:
        specs: in order of worth; what they start from is added.
        device: 'auto', 'cpu', 'cuda' or 'mps'.
        jobs: processes; they share the cores.

    Raises:
        UserError: where a process died.
        ValueError: for less than one job.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, not {jobs}")
    waiting = missing(specs)
    broken: set[str] = set()
    threads = max(1, torch.get_num_threads() // jobs)
    with ProcessPoolExecutor(jobs, get_context("spawn"), torch.set_num_threads, (threads,)) as pool:
        at_work: dict[Future[list[str]], Spec] = {}
        while waiting or at_work:
            unfinished = {spec.key for spec in (*waiting, *at_work.values())}
            for spec in list(waiting):
                sources = {source.key for source in spec.start}
                if sources & broken:
                    waiting.remove(spec)
                    broken.add(spec.key)
                    yield Trained(spec, "a run that it starts from failed")
                elif len(at_work) < jobs and not sources & unfinished:
                    waiting.remove(spec)
                    try:
                        at_work[pool.submit(_train_one, spec, device)] = spec
                    except BrokenProcessPool:
                        raise UserError(_DIED) from None
            done, _ = wait(at_work, return_when=FIRST_COMPLETED)
            for future in done:
                spec = at_work.pop(future)
                if error := future.exception():
                    if isinstance(error, BrokenProcessPool):  # and so are all others
                        raise UserError(_DIED)
                    broken.add(spec.key)
                    yield Trained(spec, first_line(str(error) or type(error).__name__))
                    continue
                for message in future.result():
                    warnings.warn(f"{spec.title}: {message}", stacklevel=2)
                yield Trained(spec)


def _train_one(spec: Spec, device: str) -> list[str]:
    """Train, and return what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        runs.train(spec, device=device)
    return list(dict.fromkeys(str(warning.message) for warning in caught))
