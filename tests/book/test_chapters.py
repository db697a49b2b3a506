"""Chapters as readers run them: by our runner, by papermill alone, and compared cell by cell by nbval."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest

from posenb import chapters, publish

CHAPTERS = chapters.chapters()
ROOT = chapters.root()
each_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.name)


def run(*command: object, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "POSENB_HOME": str(home),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    return subprocess.run(
        [sys.executable, *map(str, command)], cwd=ROOT, env=environment, capture_output=True, text=True
    )


@pytest.mark.slow
def test_each_chapter_runs_at_smoke(executed: list[Path]) -> None:
    assert [path.stem for path in executed] == [chapter.name for chapter in CHAPTERS]
    for path in executed:
        problems = publish.problems_of(chapters.read(path), ROOT)
        assert problems == [], f"{path.stem}: {problems}"


@pytest.mark.slow
def test_plain_papermill_runs_a_chapter_from_the_root(tmp_path: Path, own_store: Path) -> None:
    chapter = CHAPTERS[-1]
    notebook = chapter.published
    if not notebook.exists():  # before the first `make publish`
        notebook = tmp_path / "in.ipynb"
        jupytext.write(chapter.notebook(), notebook, fmt="ipynb")
    out = tmp_path / "out.ipynb"
    result = run("-m", "papermill", notebook, out, "-p", "profile", "smoke", "--no-progress-bar", home=own_store)
    assert result.returncode == 0, result.stderr[-2000:]
    cells = nbformat.read(out, as_version=4).cells
    assert any("injected-parameters" in cell.metadata.get("tags", []) for cell in cells)


@pytest.mark.slow
def test_marked_cells_give_the_same_again(executed: list[Path], tmp_path: Path, own_store: Path) -> None:
    copies = [shutil.copy(path, tmp_path) for path in executed]
    options = ["--nbval-lax", "--nbval-current-env", "--nbval-sanitize-with", ROOT / "tests" / "nbval.cfg"]
    plain = ["-p", "no:cacheprovider", "-p", "no:xdist", "-c", os.devnull, "--rootdir", tmp_path]
    result = run("-m", "pytest", "-q", *plain, *options, *copies, home=own_store)
    assert result.returncode == 0, result.stdout[-4000:]


@each_chapter
def test_a_chapter_compares_some_output(chapter: chapters.Chapter) -> None:
    marked = [cell for cell in chapter.notebook().cells if "nbval-check-output" in cell.metadata.get("tags", [])]
    assert marked, "no cell is tagged nbval-check-output: nbval would compare nothing"


@each_chapter
def test_a_chapter_says_first_when_the_package_does_not_fit(chapter: chapters.Chapter) -> None:
    code = [cell.source for cell in chapter.notebook().cells if cell.cell_type == "code"]
    version = ".".join(__import__("posenb").__version__.split(".")[:2])
    assert f'check_book("{version}.' in "\n".join(code[:2]), (
        "posenb.doctor.check_book(VERSION) belongs into the first cell"
    )


@each_chapter
def test_every_figure_has_a_caption_and_a_text_for_who_cannot_see_it(chapter: chapters.Chapter) -> None:
    for cell in chapter.notebook().cells:
        shown = cell.metadata.get("mystnb", {})
        if "figure" in shown:
            assert shown["figure"].get("caption") and shown["figure"].get("name"), cell.source
            assert len(shown.get("image", {}).get("alt", "")) > 20, f"alt text missing: {cell.source}"


@each_chapter
def test_cells_are_short(chapter: chapters.Chapter) -> None:
    lengths = sorted(len(c.source.splitlines()) for c in chapter.notebook().cells if c.cell_type == "code")
    assert lengths[-1] <= 40
    assert lengths[len(lengths) // 2] <= 8


@each_chapter
def test_code_that_is_shown_fits_the_page(chapter: chapters.Chapter) -> None:
    """88 characters at a window of 1280 pixels; ruff breaks what it can, but no text."""
    code = [cell.source for cell in chapter.notebook().cells if cell.cell_type == "code"]
    assert [line for source in code for line in source.splitlines() if len(line) > 88] == []


def test_sources_that_cells_print_fit_the_page() -> None:
    notebooks = [chapters.read(chapter.published) for chapter in CHAPTERS if chapter.published.exists()]
    if not notebooks:
        pytest.skip("no notebook half is committed yet: run `make publish`")
    outputs = [output for notebook in notebooks for cell in notebook.cells for output in cell.get("outputs", [])]
    printed = "\n".join(output.get("data", {}).get("text/markdown", "") for output in outputs)
    sources = re.findall(r"```python\n(.*?)\n```", printed, re.DOTALL)
    assert sources
    assert [line for source in sources for line in source.splitlines() if len(line) > 88] == []


def test_both_halves_agree() -> None:
    published = [chapter for chapter in CHAPTERS if chapter.published.exists()]
    if not published:
        pytest.skip("no notebook half is committed yet: run `make publish`")
    assert publish.check_pairs() == []


@each_chapter
def test_the_committed_notebook_is_fit_to_read(chapter: chapters.Chapter) -> None:
    if not chapter.published.exists():
        pytest.skip(f"{chapter.name} is not published yet: run `make publish`")
    notebook = chapters.read(chapter.published)
    assert publish.problems_of(notebook, ROOT) == []
    assert notebook.metadata["posenb"]["parameters"] == chapter.parameters
    for place in ("/home/", "/root/", "/Users/", "/tmp/", "site-packages"):
        assert place not in chapter.published.read_text(encoding="utf-8"), f"shows a path: {place}"


@each_chapter
def test_the_landing_page_says_how_long_a_chapter_takes_to_read(chapter: chapters.Chapter) -> None:
    """200 words a minute of prose; a sixth more or less is no news, and a minute is the least."""
    prose = re.sub(r"```.*?```", "", chapter.source.read_text(), flags=re.DOTALL)
    (said,) = re.findall(rf"\| {{doc}}`{chapter.name}` \| (\d+) minutes", (ROOT / "book/index.md").read_text())
    minutes = len(prose.split()) / 200
    assert abs(int(said) - minutes) <= max(1, minutes / 6)
