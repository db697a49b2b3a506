"""Where posenb keeps what it makes: prepared data sets, runs, executed chapters."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from posenb.errors import UserError


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


@contextmanager
def kept_in(folder: Path | None, name: str) -> Iterator[Path]:
    """Where to prepare a data set: ``data_folder(name)``, or another folder, to which that becomes a link at the end.

    So whatever loads the data set by its name finds it on a larger disk, too.

    Raises:
        UserError: ``data_folder(name)`` is there already, elsewhere; or the link cannot be made.
    """
    known = data_folder(name)
    folder = (folder or known).expanduser()
    if known.resolve() == folder.resolve():
        yield folder
        return
    if known.exists() and not known.is_symlink():
        raise UserError(f"{name} lies in {known} already: remove that folder, or leave --folder out")
    yield folder
    try:
        known.unlink(missing_ok=True)
        known.parent.mkdir(parents=True, exist_ok=True)
        known.symlink_to(folder.resolve(), target_is_directory=True)
    except OSError as error:
        raise UserError(f"prepared in {folder}, but {known} cannot be made a link to it: {error.strerror}") from None
