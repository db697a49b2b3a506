"""Chapters are executed once for all tests, at smoke, in a folder of the tests' own."""

from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock

from posenb import reproduce


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all pytest workers see."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "book"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def own_store(shared: Path) -> Path:
    """Where chapters under test keep data and runs, so that the user's stay as they are: for ``POSENB_HOME``."""
    return shared / "home"


@pytest.fixture(scope="session")
def executed(shared: Path, own_store: Path) -> list[Path]:
    """Every chapter, executed by the project's runner at smoke; a second worker finds them up to date."""
    with FileLock(shared / "executed.lock"), pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSENB_HOME", str(own_store))
        jobs = reproduce.plan(profile="smoke", build=shared / "build")
        done = reproduce.execute([job for job in jobs if job.stale], workers=1)
    assert [result.error for result in done if result.error] == []
    return [job.target for job in jobs]


@pytest.fixture(scope="session")
def site(shared: Path, executed: list[Path]) -> Path:
    """The folder of the built site; the build fails on any warning."""
    with FileLock(shared / "site.lock"):
        return reproduce.build_site(executed, shared / "build").parent
