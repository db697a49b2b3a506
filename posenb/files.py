"""Files that are whole or not there: atomic writing, checked reading."""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import pickle
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from posenb.errors import first_line

if TYPE_CHECKING:
    import torch

# torch is imported by the functions that need it: it takes seconds, which not every command has to spend

# What zipfile, its decompressors (a changed byte may name any of them) and torch raise at damaged files.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    ValueError,
    KeyError,
    NotImplementedError,
    RuntimeError,
)


def partial_path(path: Path) -> Path:
    """Where a process writes before it renames to ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f"{path.name}.{os.getpid()}.partial")


def being_written(partial: Path) -> bool:
    """Whether the process of a :func:`partial_path` still runs, on this machine."""
    try:
        os.kill(int(partial.name.split(".")[-2]), 0)
    except PermissionError:
        return True
    except (OSError, ValueError, IndexError):
        return False
    return True


def save_text(text: str, path: Path) -> None:
    """Write text so that ``path`` holds either all of the old or all of the new."""
    partial = partial_path(path)
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def save_json(value: Any, path: Path) -> None:
    """Write JSON atomically, indented, keys as they come. NaN is written as null, which every reader knows."""
    save_text(json.dumps(without_nan(value), indent=1, allow_nan=False) + "\n", path)


def without_nan(value: Any) -> Any:
    """A value as JSON has it: None for what is not finite, lists for tuples."""
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, dict):
        return {key: without_nan(part) for key, part in value.items()}
    return [without_nan(part) for part in value] if isinstance(value, (list, tuple)) else value


def save_tensors(state: Any, path: Path) -> None:
    """Write tensors and plain containers atomically.

    Raises:
        OSError: where there is no room; what was written of them is removed, so that it takes none.
    """
    import torch

    partial = partial_path(path)
    try:
        torch.save(state, partial)
    except (OSError, RuntimeError) as error:  # torch says the latter of a full disk
        partial.unlink(missing_ok=True)
        raise OSError(f"cannot write {path} ({first_line(error)}): is the disk full?") from None
    partial.replace(path)


def load_tensors(path: Path, device: torch.device | str = "cpu") -> Any:
    """Read what :func:`save_tensors` wrote; only tensors and plain containers are admitted.

    Raises:
        OSError: where the file is damaged: cut short, or any byte of its content changed; or holds anything else.
    """
    import torch

    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged:
            raise OSError(f"{path} is damaged at {damaged}")
        return torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError:  # torch's own words tell how to run whatever code it holds
        raise OSError(f"{path} is damaged: it holds more than tensors and plain containers") from None
    except _DAMAGED as error:
        raise OSError(f"{path} is damaged: {first_line(error)}") from None


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


MOMENT = 2.0  # seconds: who only looks whether a run is whole lets go of it sooner


@contextmanager
def alone(lock: Path, busy: str) -> Iterator[None]:
    """Hold a lock file; where another process holds it, say that it is ``busy`` on standard error, and wait."""
    held = FileLock(lock)
    try:
        held.acquire(timeout=MOMENT)
    except Timeout:
        print(f"{busy}; waiting for it", file=sys.stderr, flush=True)
        held.acquire()
    try:
        yield
    finally:
        held.release()
