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
from typing import Any

from posenb import chapters
from posenb.errors import UserError
from posenb.hashing import tree_digest

# Names the state that a built site was made from, within it
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
    _stage(root, source, executed)
    key = _key(source)
    index = html / "index.html"
    if index.exists() and (html / _KEY).exists() and (html / _KEY).read_text() == key:
        return index
    with tempfile.TemporaryDirectory(dir=build, prefix="site-") as scratch:
        fresh = _jupyter_book(source, Path(scratch), build / "site.log")
        # an upgrade of a book tool once published nothing for months, and nobody noticed
        pages = ["index.html", "search.html", *(f"book/{chapter.name}.html" for chapter in chapters.chapters())]
        if missing := [page for page in pages if not (fresh / page).is_file()]:
            raise UserError(f"the site's build left no {', '.join(missing)}; see {build / 'site.log'}")
        (fresh / _KEY).write_text(key)
        if html.exists():
            html.rename(Path(scratch) / "old")
        fresh.rename(html)
    return index


def _stage(root: Path, source: Path, executed: Sequence[Path]) -> None:
    """Lay out what Jupyter Book reads."""
    shutil.rmtree(source, ignore_errors=True)
    (source / "book").mkdir(parents=True)
    given = {path.stem: path for path in executed}
    for chapter in chapters.chapters():
        notebook = given.get(chapter.name, chapter.published)
        if not notebook.exists():
            raise UserError(f"{chapter.name} has not been executed yet: posenb reproduce {chapter.short}")
        shutil.copy(notebook, source / "book" / f"{chapter.name}.ipynb")
    for page in [*(root / "book").glob("[a-z]*.md"), *(root / "book").glob("*.bib")]:
        shutil.copy(page, source / "book")
    if (root / "book" / "_static").is_dir():
        shutil.copytree(root / "book" / "_static", source / "book" / "_static")
    shutil.copy(root / "_config.yml", source)
    shutil.copy(root / "_toc.yml", source)


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


def setup(app: Any) -> dict[str, bool]:
    """This module as an extension of Sphinx, which ``_config.yml`` names: pages run no script that they do not need."""
    app.connect("html-page-context", _without_thebe, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _without_thebe(app: Any, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Jupyter Book writes the settings of its live-code button twice, though the button is off; browsers object."""
    context["script_files"] = [
        script
        for script in context["script_files"]
        if "thebe" not in str(script.filename).lower() + str(script.attributes).lower()
    ]
