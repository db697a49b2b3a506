"""The whole book with one command: execute the chapters that changed, and build the site.

A chapter is executed by papermill into ``_build/chapters/PROFILE-DATASET/NN_name.ipynb``. What it was made from - its
text, its parameters, the package, the pins, the published records - is hashed into the notebook itself, so there is no
state file that could tell another story. A chapter is written under another name and renamed when it is whole: one
that was killed is simply not there, and the training runs that it asked for go on from their checkpoints.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posenb import __version__, chapters
from posenb.chapters import DEFAULTS, Chapter, select
from posenb.errors import UserError, first_line
from posenb.files import alone
from posenb.hashing import tree_digest
from posenb.site import build_site

__all__ = ["Chapter", "Done", "Job", "build_site", "execute", "plan", "run", "select"]

# Parts of the package that execute chapters or talk to people: no number in a chapter comes from them
_MACHINERY = {"chapters.py", "cli.py", "doctor.py", "hashing.py", "publish.py", "reproduce.py", "site.py"}


@dataclass(frozen=True)
class Job:
    """A chapter, its parameters, and where its executed notebook goes.

    Attributes:
        chapter: which one.
        parameters: of the chapter, all four.
        target: the executed notebook.
        made_from: hashes of what the notebook depends on, by name.
        reason: why it has to run; empty where the notebook that is there was made from the same.
    """

    chapter: Chapter
    parameters: Mapping[str, Any]
    target: Path
    made_from: Mapping[str, str]
    reason: str = ""

    @property
    def stale(self) -> bool:
        return bool(self.reason)


@dataclass(frozen=True)
class Done:
    """How a job ended: in how many seconds, and with which error (empty: none)."""

    job: Job
    seconds: float
    error: str = ""


# ------------------------------------------------------------------------------------------------------- planning


def plan(
    names: Iterable[str] = (),
    profile: str = DEFAULTS["profile"],
    dataset: str = "",
    seed: int = DEFAULTS["seed"],
    device: str = DEFAULTS["device"],
    fresh: bool = False,
    build: Path | None = None,
) -> list[Job]:
    """A job for each chapter by name (none: all), stale or not; on its own data set where none is named.

    Raises:
        UserError: for an unknown chapter, profile or data set.
    """
    from posenb import data, profiles  # with torch: seconds, which the worker processes need not spend

    profiles.check(profile)
    if dataset:
        data.skeleton(dataset)  # raises where there is none of this name
    asked: dict[str, Any] = {"profile": str(profile), "seed": seed, "device": device}
    asked |= {"dataset": dataset} if dataset else {}
    special = "" if seed == DEFAULTS["seed"] else f"-seed{seed}"
    folder = (build or default_build()) / "chapters" / f"{profile}-{dataset or 'book'}{special}"
    shared = _shared_sources()
    jobs = []
    for chapter in select(names):
        chapter.notebook()  # raises where the text is no chapter
        parameters = chapter.parameters | asked
        target = folder / f"{chapter.name}.ipynb"
        made_from = {"text": tree_digest([chapter.source]), "parameters": repr(sorted(parameters.items())), **shared}
        reason = "asked for" if fresh else _why_stale(target, made_from)
        jobs.append(Job(chapter, parameters, target, made_from, reason))
    return jobs


def default_build() -> Path:
    """``_build`` in the checkout: everything in it can be deleted and made again."""
    return chapters.root() / "_build"


def _shared_sources() -> dict[str, str]:
    """What every chapter depends on beside its own text."""
    package, root = Path(__file__).parent, chapters.root()
    kinds = (".py", ".json", ".html")
    sources = [path for path in package.rglob("*") if path.suffix in kinds and path.name not in _MACHINERY]
    return {
        "package": tree_digest(sources, package),
        "pins": tree_digest([root / "requirements.lock"]),
        "published records": tree_digest((root / "book" / "published").rglob("*.json"), root),
    }


def _why_stale(target: Path, made_from: Mapping[str, str]) -> str:
    if not target.exists():
        return "not executed yet"
    try:
        before = chapters.read(target).metadata.get("posenb", {}).get("made_from", {})
    except UserError:
        return "its notebook is damaged"
    changed = [part for part in made_from if made_from[part] != before.get(part)]
    return f"{' and '.join(changed)} changed" if changed else ""


# ------------------------------------------------------------------------------------------------------ executing


def execute(jobs: Sequence[Job], workers: int = 1, report: Callable[[Done], None] | None = None) -> list[Done]:
    """Execute jobs in ``workers`` processes that share the cores; a job that fails does not stop the others."""
    if not jobs:
        return []
    workers = max(1, min(workers, len(jobs)))
    threads = max(1, _threads() // workers)
    bar = workers == 1 and sys.stderr.isatty()
    done = []
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))
    try:
        futures = {pool.submit(_execute_one, job, threads, bar): job for job in jobs}
        for future in as_completed(futures):
            try:
                done.append(future.result())
            except BrokenProcessPool:
                done.append(Done(futures[future], 0, "its process died; was there too little memory?"))
            if report:
                report(done[-1])
    finally:
        pool.shutdown(cancel_futures=True)
    return done


def _execute_one(job: Job, threads: int, bar: bool) -> Done:
    began = time.monotonic()
    root = job.chapter.folder.parent
    partial, failed = (job.target.with_suffix(f".{kind}.ipynb") for kind in ("partial", "failed"))
    partial.parent.mkdir(parents=True, exist_ok=True)
    # only what differs is injected, so that a chapter at its defaults has the same cells as its text
    own = job.chapter.parameters
    changed = {name: value for name, value in job.parameters.items() if value != own[name]}
    with kernel_environment(threads):
        import papermill
        from papermill.exceptions import PapermillExecutionError

        try:
            notebook = papermill.execute_notebook(
                job.chapter.notebook(),
                partial,
                parameters=changed,
                kernel_name="python3",
                cwd=root,
                progress_bar={"desc": job.chapter.name, "leave": False} if bar else False,
                coalesce_streams=True,
            )
        except PapermillExecutionError as error:
            partial.replace(failed)
            where = failed.relative_to(root) if failed.is_relative_to(root) else failed
            problem = (
                f"cell {error.cell_index + 1} ({_opening(error.source)}): {error.ename}: {first_line(error.evalue)}"
            )
            return Done(job, time.monotonic() - began, f"{problem}; see {where}")
        except Exception as error:  # a kernel that died or never came, a full disk
            return Done(job, time.monotonic() - began, f"{type(error).__name__}: {first_line(error)}")
    notebook.metadata["posenb"] = {
        "version": __version__,
        "parameters": dict(job.parameters),
        "made_from": dict(job.made_from),
    }
    chapters.write(chapters.clean(notebook), job.target)
    partial.unlink(missing_ok=True)
    failed.unlink(missing_ok=True)
    return Done(job, time.monotonic() - began)


@contextmanager
def kernel_environment(threads: int) -> Iterator[None]:
    """The environment in which chapters are executed: this interpreter, so many threads, nobody's personal settings."""
    with tempfile.TemporaryDirectory(prefix="posenb-") as settings:
        # the kernel's warning that its connection to us, on this machine, is not encrypted
        config = Path(settings) / "profile_default" / "ipython_kernel_config.py"
        config.parent.mkdir()
        config.write_text("c.IPKernelApp.log_level = 50\n")
        ours = {
            # the kernel of this environment, also where the user has installed another under the same name
            "JUPYTER_PREFER_ENV_PATH": "1",
            "JUPYTER_PATH": None,
            "IPYTHONDIR": settings,
            "PYTHONHASHSEED": "0",
            # of a script's caller; the kernel chooses its own, which puts figures into the notebook
            "MPLBACKEND": None,
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            **{f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR")},
        }
        before = {name: os.environ.get(name) for name in ours}
        try:
            _set(ours)
            yield
        finally:
            _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _threads() -> int:
    """The cores, or fewer where the user says so: on a busy machine threads that wait for each other crawl."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(asked)) if asked.isdigit() and int(asked) else cores


def _opening(source: str) -> str:
    lines = [line for line in source.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return (lines or [""])[0].strip()[:40]


# -------------------------------------------------------------------------------------------------- the one command


def run(
    names: Iterable[str] = (),
    profile: str = DEFAULTS["profile"],
    dataset: str = "",
    seed: int = DEFAULTS["seed"],
    device: str = DEFAULTS["device"],
    jobs: int | None = None,
    fresh: bool = False,
    dry_run: bool = False,
    site: bool = True,
    build: Path | None = None,
) -> int:
    """Execute what is stale, build the site, and say so line by line.

    Args:
        jobs: chapters at a time; None: two, where there are two cores.

    Returns:
        the exit code: 0, or 1 where a chapter failed.
    """
    build = build or default_build()
    planned = plan(names, profile, dataset, seed, device, fresh, build)
    for job in planned:
        verb = "would run" if dry_run else "runs"
        print(f"{job.chapter.name}: " + (f"{verb} ({job.reason})" if job.stale else "up to date"), flush=True)
    if dry_run:
        return 0
    build.mkdir(parents=True, exist_ok=True)
    with alone(build / ".lock", f"another `posenb reproduce` is at work in {build}"):
        # who held the lock before may have executed some of them
        planned = plan(names, profile, dataset, seed, device, fresh, build)
        # a thread each: the networks leave a second thread little to do, and figures leave it nothing
        done = execute([job for job in planned if job.stale], jobs or min(2, _threads()), _report)
        failed = [result for result in done if result.error]
        if site:
            broken = {result.job.chapter.name for result in failed}
            index = build_site([job.target for job in planned if job.chapter.name not in broken], build)
            print(f"Book: {index.as_uri()}", flush=True)
    if failed:
        print(f"{len(failed)} of {len(planned)} chapters failed; the others are done", flush=True)
    return 1 if failed else 0


def _report(done: Done) -> None:
    ended = f"FAILED after {done.seconds:.0f} s: {done.error}" if done.error else f"done in {done.seconds:.0f} s"
    print(f"{done.job.chapter.name}: {ended}", flush=True)
