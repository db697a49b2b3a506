"""Executing chapters: what is stale and why, what a failure leaves behind, what is the same again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from posenb import chapters, publish, reproduce
from posenb.errors import UserError

CHAPTER = """---
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# Tiny

```{{code-cell}} ipython3
:tags: [parameters]

profile = "quick"  # how much
dataset = "body"  # of what
seed = 0
device = "auto"
```

```{{code-cell}} ipython3
{code}
```
"""


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one tiny chapter, as the working folder."""
    (tmp_path / "book").mkdir()
    (tmp_path / "_toc.yml").write_text("")
    (tmp_path / "requirements.lock").write_text("one==1\n")
    write(tmp_path, "01_tiny", 'import sys\nprint(profile, seed); print("again")\nprint("oh", file=sys.stderr)')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, name: str, code: str) -> None:
    (folder / "book" / f"{name}.md").write_text(CHAPTER.format(code=code))


def why(*names: str, **options: object) -> list[str]:
    return [job.reason for job in reproduce.plan(names, **options)]


# ------------------------------------------------------------------------------------------------------- planning


def test_chapters_are_found_by_any_of_their_names(book: Path) -> None:
    write(book, "02_other", "1")
    for name in ("02_other", "other", "2", "02", "book/02_other.md", "02_other.ipynb"):
        assert [c.name for c in reproduce.select([name])] == ["02_other"]
    assert [c.name for c in reproduce.select([])] == ["01_tiny", "02_other"]


def test_an_unknown_chapter_gets_a_suggestion(book: Path) -> None:
    with pytest.raises(UserError, match="did you mean tiny"):
        reproduce.select(["tinny"])


def test_a_folder_without_the_book_falls_back_on_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert chapters.root() == Path(chapters.__file__).parents[1]


@pytest.mark.parametrize("options", [{"profile": "slow"}, {"dataset": "cats"}])
def test_unknown_parameters_are_refused_before_anything_runs(book: Path, options: dict[str, str]) -> None:
    with pytest.raises(UserError, match="must be one of"):
        reproduce.plan(**options)


@pytest.mark.parametrize("line", ["extra = 1", "seed = 1", "dataset = 3"])
def test_a_chapter_has_exactly_the_four_parameters(book: Path, line: str) -> None:
    path = book / "book" / "01_tiny.md"
    path.write_text(path.read_text().replace("seed = 0", f"seed = 0\n{line}" if "seed" not in line else line))
    with pytest.raises(UserError, match=r"01_tiny\.md.*parameters"):
        reproduce.plan()


def test_a_chapter_chooses_its_data_set_and_the_user_another(book: Path) -> None:
    write(book, "02_hands", "1")
    path = book / "book" / "02_hands.md"
    path.write_text(path.read_text().replace('dataset = "body"', 'dataset = "hand"'))
    assert [job.parameters["dataset"] for job in reproduce.plan()] == ["body", "hand"]
    assert [job.parameters["dataset"] for job in reproduce.plan(dataset="lsp")] == ["lsp", "lsp"]


def test_profiles_data_sets_and_seeds_do_not_share_a_notebook(book: Path) -> None:
    targets = {
        reproduce.plan(**options)[0].target for options in ({}, {"profile": "smoke"}, {"dataset": "lsp"}, {"seed": 1})
    }
    assert len(targets) == 4


def test_dry_run_says_why_and_executes_nothing(book: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert reproduce.run(dry_run=True) == 0
    assert capsys.readouterr().out == "01_tiny: would run (not executed yet)\n"
    assert not (book / "_build").exists()


# ------------------------------------------------------------------------------------------------------ cleaning


def notebook_with(*sources: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])


def test_cells_keep_their_identifiers_when_another_changes() -> None:
    before, after = notebook_with("a", "b", "b"), notebook_with("a", "new", "b", "b")
    for one in (before, after):
        chapters.name_cells(one)
    ids = [[cell.id for cell in one.cells] for one in (before, after)]
    assert [ids[1][0], *ids[1][2:]] == ids[0]
    assert len(set(ids[1])) == 4


def test_cleaning_drops_what_differs_between_runs() -> None:
    notebook = notebook_with("x = 1")
    notebook.metadata["papermill"] = {"duration": 1.0, "input_path": "/somewhere"}
    cell = notebook.cells[0]
    cell.metadata.update(papermill={"duration": 1}, execution={"shell.execute_reply": "now"}, tags=[])
    chapters.clean(notebook)
    assert "papermill" not in notebook.metadata
    assert cell.metadata == {}


def test_injected_parameters_are_not_shown() -> None:
    notebook = notebook_with("profile = 'smoke'")
    notebook.cells[0].metadata["tags"] = ["injected-parameters"]
    assert "remove-cell" in chapters.clean(notebook).cells[0].metadata["tags"]


# ------------------------------------------------------------------------------------------------------ executing


@pytest.mark.slow
def test_a_chapter_runs_once_until_something_changes(book: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert reproduce.run(site=False) == 0
    said = capsys.readouterr().out
    assert "01_tiny: runs (not executed yet)" in said and "01_tiny: done in" in said
    assert why() == [""]
    assert why(fresh=True) == ["asked for"]
    target = reproduce.plan()[0].target
    before = target.read_bytes()

    reproduce.run(site=False, fresh=True)
    assert target.read_bytes() == before, "two runs of the same chapter differ"

    (book / "requirements.lock").write_text("one==2\n")
    assert why() == ["pins changed"]
    (book / "requirements.lock").write_text("one==1\n")
    (book / "book" / "published").mkdir()
    (book / "book" / "published" / "ADA-1.json").write_text("{}")
    write(book, "01_tiny", "2")
    assert why() == ["text and published records changed"]
    target.write_text("{ half")
    assert why() == ["its notebook is damaged"]


@pytest.mark.slow
def test_what_another_process_executed_meanwhile_is_not_executed_again(
    book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one comes between this one's plan and its lock."""
    waited = reproduce.alone

    def after_another(*arguments: Any) -> Any:
        monkeypatch.setattr(reproduce, "alone", waited)
        assert reproduce.run(site=False) == 0
        return waited(*arguments)

    executed = []
    execute = reproduce.execute
    monkeypatch.setattr(reproduce, "alone", after_another)
    monkeypatch.setattr(reproduce, "execute", lambda jobs, *rest: executed.append(len(jobs)) or execute(jobs, *rest))
    assert reproduce.run(site=False) == 0
    assert executed == [1, 0]


@pytest.mark.slow
def test_a_failure_is_one_line_and_the_others_go_on(book: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(book, "02_bad", "# why\nnumber = 1 // 0")
    write(book, "03_good", "seed + 1")
    assert reproduce.run(site=False, jobs=2, seed=7) == 1
    lines = capsys.readouterr().out.splitlines()
    (failure,) = [line for line in lines if "FAILED" in line]
    assert "02_bad" in failure and "number = 1 // 0" in failure and "ZeroDivisionError" in failure
    kept = book / failure.split("; see ")[1]
    assert kept.name == "02_bad.failed.ipynb" and kept.exists()
    good = chapters.read(reproduce.plan(["good"], seed=7)[0].target)
    assert good.cells[-1].outputs[0].data["text/plain"] == "8"
    assert why("good", "bad", seed=7) == ["not executed yet", ""]


@pytest.mark.slow
def test_chapters_share_the_cores_two_at_a_time(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def threads(chapter: str) -> int:
        return int(chapters.read(reproduce.plan([chapter])[0].target).cells[-1].outputs[0].data["text/plain"])

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(4), raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    for name in ("01_tiny", "02_other", "03_third"):
        write(book, name, 'import os\nint(os.environ["OMP_NUM_THREADS"])')
    assert reproduce.run(["tiny"], site=False) == 0
    assert threads("tiny") == 4
    assert reproduce.run(site=False) == 0
    assert (threads("other"), threads("third")) == (2, 2)


@pytest.mark.slow
def test_a_killed_run_leaves_no_half_notebook(book: Path) -> None:
    write(book, "01_tiny", "import time, pathlib\npathlib.Path('started').touch()\ntime.sleep(60)")
    go = "from posenb import reproduce\nif __name__ == '__main__':\n    reproduce.run(site=False)\n"
    process = _start(book, go, start_new_session=True)
    _until((book / "started").exists, seconds=60)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert (book / "started").exists()
    assert why() == ["not executed yet"]


@pytest.mark.slow
def test_a_terminated_run_takes_its_kernel_along(book: Path) -> None:
    """SIGTERM reaches the command alone, not what it started."""
    code = "import os, time, pathlib\npathlib.Path('started').write_text(str(os.getpid()))\ntime.sleep(120)"
    write(book, "01_tiny", code)
    go = "from posenb.cli import main\nif __name__ == '__main__':\n    main(['reproduce', '--no-site'])\n"
    process = _start(book, go, stderr=subprocess.PIPE, text=True)
    started = book / "started"
    _until(lambda: started.exists() and started.read_text() != "")
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "posenb: stopped; the same command goes on where it was" in said
    _until(lambda: not _alive(int(started.read_text())))


def _start(book: Path, go: str, **options: Any) -> subprocess.Popen:
    """A process that runs this script in the book's folder."""
    script = book / "go.py"
    script.write_text(go)
    environment = {**os.environ, "PYTHONPATH": str(Path(chapters.__file__).parents[1])}
    return subprocess.Popen([sys.executable, script], cwd=book, env=environment, **options)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _until(holds: Callable[[], bool], seconds: int = 120) -> None:
    for _ in range(10 * seconds):
        if holds():
            return
        time.sleep(0.1)
    pytest.fail(f"it did not come to that in {seconds} seconds")


@pytest.mark.slow
def test_the_kernel_is_this_python_whatever_the_user_has_installed(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = book / "share" / "kernels" / "python3"
    other.mkdir(parents=True)
    (other / "kernel.json").write_text('{"argv": ["/bin/false"], "display_name": "other", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(book / "share"))
    monkeypatch.setenv("MPLBACKEND", "agg")
    write(book, "01_tiny", "import os, sys\nprint(sys.executable, os.environ['OMP_NUM_THREADS'])")
    assert reproduce.run(site=False) == 0
    said = chapters.read(reproduce.plan()[0].target).cells[-1].outputs[0].text
    assert said.split()[0] == sys.executable


# ----------------------------------------------------------------------------------------------------- publishing


def published(book: Path, **metadata: object) -> nbformat.NotebookNode:
    """The tiny chapter's notebook half, written as if it had been executed."""
    notebook = chapters.select(["tiny"])[0].notebook()
    for number, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), start=1):
        cell.execution_count = number
    chapters.write(chapters.clean(notebook), book / "book" / "01_tiny.ipynb")
    return notebook


def test_halves_that_agree_pass(book: Path) -> None:
    published(book)
    assert publish.check_pairs() == []


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("# Tiny", "# Small", "another text"),
        ("print(profile, seed)", "print(profile)", "another text"),
        (":tags: [parameters]", ":tags: [parameters, hide-input]", "another tags"),
        ("# Tiny\n", "# Tiny\n\n```{code-cell} ipython3\n1\n```\n", "cell 2"),
        ("file=sys.stderr)\n```", "file=sys.stderr)\n```\n\nMore.\n", "cells"),
    ],
)
def test_halves_that_differ_are_named(book: Path, old: str, new: str, what: str) -> None:
    published(book)
    path = book / "book" / "01_tiny.md"
    path.write_text(path.read_text().replace(old, new))
    (problem,) = publish.check_pairs()
    assert what in problem and "make publish" in problem


def test_a_missing_half_is_named(book: Path) -> None:
    assert "no notebook half" in publish.check_pairs()[0]
    published(book)
    (book / "book" / "01_tiny.md").unlink()
    assert "no text half" in publish.check_pairs()[0]


def test_what_may_not_be_committed(tmp_path: Path) -> None:
    notebook = notebook_with("1", "2")
    assert "not executed" in publish.problems_of(notebook)[0]
    for number, cell in enumerate(notebook.cells, start=1):
        cell.execution_count = number
    assert publish.problems_of(notebook) == []
    new = nbformat.v4.new_output
    notebook.cells[0].outputs = [
        new("stream", name="stdout", text=f"{tmp_path}/x"),
        new("stream", name="stderr", text="!"),
    ]
    notebook.cells[1].outputs = [new("error", ename="E", evalue="", traceback=[])]
    said = " ".join(publish.problems_of(notebook, tmp_path))
    assert "error" in said and "path of this machine" in said and "standard error" in said
    notebook.cells[0].outputs = [new("stream", name="stdout", text=f"{tmp_path}/josé/x")]
    assert "path of this machine" in " ".join(publish.problems_of(notebook, tmp_path / "josé"))
    notebook.cells[1].outputs = [new("display_data", data={"text/plain": "x" * 1_600_000})]
    assert "1.6 MB" in " ".join(publish.problems_of(notebook))


@pytest.mark.parametrize(("asked", "expected"), [("1", 1), ("", None), ("0", None), ("many", None), ("9999", None)])
def test_the_users_number_of_threads_is_kept_to(
    asked: str, expected: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    cores = reproduce._threads()
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert reproduce._threads() == (expected or cores)


def test_nothing_is_published_before_it_is_executed(book: Path) -> None:
    with pytest.raises(UserError, match="01_tiny: not executed yet"):
        publish.publish()


@pytest.mark.slow
def test_publishing_writes_the_executed_notebook(book: Path) -> None:
    write(book, "01_tiny", "print(profile)")
    reproduce.run(site=False)
    (path,) = publish.publish()
    assert publish.check_pairs() == []
    notebook = chapters.read(path)
    assert notebook.cells[-1].outputs[0].text == "quick\n"
    assert notebook.metadata["posenb"]["parameters"] == chapters.DEFAULTS | {"dataset": "body"}
