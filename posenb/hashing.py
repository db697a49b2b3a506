"""What was this made from? A hash over files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from posenb.files import digest


def tree_digest(paths: Iterable[Path], root: Path | None = None) -> str:
    """A short hash over names (below ``root``) and contents of files; those that are not there do not count."""
    whole = hashlib.sha256()
    for path in sorted(paths):
        if path.is_file():
            name = path.relative_to(root).as_posix() if root else path.name
            whole.update(f"{name}\0{digest(path)}\n".encode())
    return whole.hexdigest()[:16]
