"""The runs that claims need, as one queue over the store: each is trained once, whichever claims read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context

import torch

from posenb import runs
from posenb.errors import UserError, first_line
from posenb.spec import Spec


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
    """Those of :func:`with_starts` that the store does not have."""
    return [spec for spec in with_starts(specs) if not runs.is_stored(spec)]


def train(specs: Sequence[Spec], device: str = "auto", jobs: int = 1) -> Iterator[Trained]:
    """Train what is missing, ``jobs`` runs at a time, and tell of each as it ends.

    A run waits for those that it starts from. One that fails is told of, what starts from it fails with it, and all
    others go on.

    Args:
        specs: in order of worth; what they start from is added.
        device: 'auto', 'cpu', 'cuda' or 'mps'.
        jobs: processes; they share the cores.

    Raises:
        UserError: where a process died.
    """
    waiting = missing(specs)
    broken: set[str] = set()
    threads = max(1, torch.get_num_threads() // jobs)
    with ProcessPoolExecutor(jobs, get_context("spawn"), torch.set_num_threads, (threads,)) as pool:
        at_work: dict[Future[None], Spec] = {}
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
                        raise UserError(
                            "a training process died; was there too little memory? The same command goes on"
                        ) from None
            done, _ = wait(at_work, return_when=FIRST_COMPLETED)
            for future in done:
                spec = at_work.pop(future)
                if error := future.exception():
                    broken.add(spec.key)
                    yield Trained(spec, first_line(str(error) or type(error).__name__))
                else:
                    yield Trained(spec)


def _train_one(spec: Spec, device: str) -> None:
    runs.train(spec, device=device)
