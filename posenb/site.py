"""The book as a site: pages and executed chapters, staged in one folder and built by Jupyter Book.

The site works from disk: no page asks another host for anything.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from posenb import chapters
from posenb.chapters import Chapter
from posenb.errors import UserError
from posenb.hashing import tree_digest

# Names the state that a built site was made from
_KEY = ".made-from"


def build_site(executed: Sequence[Path] = (), build: Path | None = None) -> Path:
    """Build the site into ``_build/html`` and return its index page; nothing is done where nothing changed.

    Args:
        executed: executed chapters; for the others the committed notebook is shown.
        build: the build folder, ``_build`` in the checkout by default.

    Raises:
        UserError: where Jupyter Book fails or warns, or a page is missing; the site that was there stays.
    """
    root = chapters.root()
    build = build or root / "_build"
    source, html = build / "source", build / "html"
    shown = _stage(root, source, executed)
    key = _key(source)
    index = html / "index.html"
    if index.exists() and (html / _KEY).exists() and (html / _KEY).read_text() == key:
        return index
    with tempfile.TemporaryDirectory(dir=build, prefix="site-") as scratch:
        fresh = _jupyter_book(source, Path(scratch), build / "site.log")
        # an upgrade of a book tool once published nothing for months, and nobody noticed
        pages = ["index.html", "search.html", *(f"book/{chapter.name}.html" for chapter in shown)]
        if missing := [page for page in pages if not (fresh / page).is_file()]:
            raise UserError(f"the site's build left no {', '.join(missing)}; see {build / 'site.log'}")
        (fresh / _KEY).write_text(key)
        if html.exists():
            html.rename(Path(scratch) / "old")
        fresh.rename(html)
    return index


def _stage(root: Path, source: Path, executed: Sequence[Path]) -> list[Chapter]:
    """Lay out what Jupyter Book reads; returns the chapters that have a notebook to show."""
    shutil.rmtree(source, ignore_errors=True)
    (source / "book").mkdir(parents=True)
    given = {path.stem: path for path in executed}
    shown = []
    for chapter in chapters.chapters():
        notebook = given.get(chapter.name, chapter.published)
        if notebook.exists():
            shutil.copy(notebook, source / "book" / f"{chapter.name}.ipynb")
            shown.append(chapter)
    for page in [*(root / "book").glob("[a-z]*.md"), *(root / "book").glob("*.bib")]:
        shutil.copy(page, source / "book")
    if (root / "book" / "_static").is_dir():
        shutil.copytree(root / "book" / "_static", source / "book" / "_static")
    shutil.copy(root / "_config.yml", source)
    (source / "_toc.yml").write_text(_contents(root, {f"book/{chapter.name}" for chapter in shown}))
    return shown


def _contents(root: Path, shown: set[str]) -> str:
    """The table of contents without the chapters that nothing can be shown of yet."""
    lines = (root / "_toc.yml").read_text(encoding="utf-8").splitlines()
    chapter = [line.split("file:")[-1].strip() if "file: book/0" in line else None for line in lines]
    return "\n".join(line for line, name in zip(lines, chapter, strict=True) if name is None or name in shown) + "\n"


def _key(source: Path) -> str:
    package = Path(__file__).parent
    tools = " ".join(f"{name} {version(name)}" for name in ("jupyter-book", "sphinx", "sphinx-book-theme"))
    return f"{tree_digest(source.rglob('*'), source)} {tree_digest(package.rglob('*.py'), package)} {tools}\n"


def _jupyter_book(source: Path, target: Path, log: Path) -> Path:
    """Run Jupyter Book with warnings as errors; returns the folder of pages."""
    options = ["--all", "-W", "-n", "--keep-going", "--path-output", str(target)]
    start = "from jupyter_book.cli.main import main; main()"  # the package has no __main__
    command = [sys.executable, "-c", start, "build", str(source), *options]
    # Sphinx imports the package for its API pages: that takes no graphics card and no settings of the user's
    environment = {**os.environ, "PYTHONPATH": str(chapters.root()), "NO_COLOR": "1", "MPLBACKEND": "agg"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    said = re.sub(r"\x1b\[[0-9;]*m", "", result.stdout + result.stderr)
    log.write_text(said, encoding="utf-8")
    if result.returncode:
        warnings = list(dict.fromkeys(line for line in said.splitlines() if "WARNING" in line or "ERROR" in line))
        first = warnings[0].replace(f"{source}{os.sep}", "") if warnings else "Jupyter Book failed"
        raise UserError(f"{first} ({len(warnings)} warnings in all; see {log})")
    return target / "_build" / "html"
