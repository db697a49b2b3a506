"""Run by test_runs.py in a process of its own, because it forks: kills and rivals for the run store."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from posenb import files, runs, training
from tests.tiny import tiny_spec


def child(work: Callable[[], object]) -> int:
    """Fork, work, and give the exit status; -9 for a kill."""
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at(what: str, count: int) -> None:
    """Arrange for a kill at the ``count``-th call of something in this process."""
    calls = 0

    def counted(function: Callable, before: bool) -> Callable:
        def wrapper(*args: object, **kwargs: object) -> object:
            nonlocal calls
            calls += 1
            if before and calls == count:
                die()
            result = function(*args, **kwargs)
            if calls == count:
                die()
            return result

        return wrapper

    if what == "before replace":
        Path.replace = counted(Path.replace, before=True)  # type: ignore[method-assign]
    elif what == "after replace":
        Path.replace = counted(Path.replace, before=False)  # type: ignore[method-assign]
    elif what == "half written":

        def half(state: object, path: Path) -> None:
            nonlocal calls
            calls += 1
            original(state, path)
            if calls == count:
                os.truncate(path, path.stat().st_size // 2)
                die()

        original, files.torch.save = torch.save, half  # type: ignore[attr-defined]
    elif what == "backward":
        training.Step.update = counted(training.Step.update, before=True)  # type: ignore[method-assign]
    elif what == "final evaluation":
        runs.score = counted(runs.score, before=False)  # type: ignore[attr-defined]


def kills() -> dict[str, int]:
    moments = [
        *(("backward", 1), ("half written", 1), ("before replace", 3), ("after replace", 4), ("backward", 3)),
        *(("half written", 3), ("after replace", 2), ("final evaluation", 2), ("half written", 2)),
        *(("after replace", 5), ("before replace", 4)),
    ]
    killed = 0
    for what, count in moments:

        def work(what: str = what, count: int = count) -> None:
            kill_at(what, count)
            runs.train(tiny_spec(), device="cpu", checkpoint_seconds=0)

        killed += child(work) == -signal.SIGKILL
    assert child(lambda: runs.train(tiny_spec(), device="cpu", checkpoint_seconds=0)) == 0
    return {"kills": killed}


def twins(home: Path) -> dict[str, object]:
    os.environ["COUNT_FILE"] = str(home / "count")
    spec = tiny_spec(method="tests.tiny:Counted")
    pids = []
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            runs.train(spec, device="cpu")
            os._exit(0)
        pids.append(pid)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    return {"trainings": len((home / "count").read_text().splitlines()), "exit_codes": codes}


def processes(home: Path) -> dict[str, object]:
    spec = dataclasses.replace(tiny_spec(method="tests.tiny:Plain"), options={"loss": "mse", "lr": 1.0})
    start = runs.create(spec).state_dict()
    os.environ["POSENB_HOME"] = str(home / "one")
    one_run = runs.train(spec, device="cpu")
    one = one_run.method.state_dict()
    os.environ["POSENB_HOME"] = str(home / "two")
    two = runs.train(spec, device="cpu", processes=2)
    weights = two.method.state_dict()
    return {
        "processes": two.provenance["processes"],
        "histories": [one_run.history["loss"].tolist(), two.history["loss"].tolist()],
        "largest_difference": max((one[name] - weights[name]).abs().max().item() for name in one),
        "moved": max((one[name] - start[name]).abs().max().item() for name in one),
    }


if __name__ == "__main__":
    what, home = sys.argv[1], Path(sys.argv[2])
    os.environ["POSENB_HOME"] = str(home)
    torch.set_num_threads(1)
    # imported before forking, so that each child need not
    training.make_fabric("32-true", "cpu")
    report = {"kills": kills, "twins": lambda: twins(home), "processes": lambda: processes(home)}[what]()
    print(json.dumps(report))
