"""Where posenb keeps what it makes: prepared data sets, runs, executed chapters."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """The folder of everything posenb writes.

    ``$POSENB_HOME`` where that is set; else the checkout of this project that the working folder lies in, so that
    notebooks opened from ``book/`` and commands typed in the root share one store; else ``~/.cache/posenb``.
    """
    if chosen := os.environ.get("POSENB_HOME"):
        return Path(chosen).expanduser().resolve()
    return checkout() or Path.home() / ".cache" / "posenb"


def checkout() -> Path | None:
    """The checkout of this project that the working folder lies in: the book's text, and its published records."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "posenb" / "skeletons.py").exists() and (folder / "pyproject.toml").exists():
            return folder
    return None


def data_folder(name: str = "") -> Path:
    """Where prepared data sets lie: ``home()/data/name``."""
    return home() / "data" / name
