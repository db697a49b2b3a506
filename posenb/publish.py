"""The committed notebooks: made from executed chapters, and checked against their texts.

``python -m posenb.publish`` writes them (``make publish``); with ``--check`` it only compares the two halves.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from posenb import chapters
from posenb.chapters import Chapter
from posenb.errors import UserError
from posenb.reproduce import plan

# The most that a committed notebook may weigh
LARGEST = 1_500_000


def publish(names: Iterable[str] = (), build: Path | None = None) -> list[Path]:
    """Write the committed notebook halves from chapters that were executed at the defaults.

    Raises:
        UserError: where one is not executed, is out of date, or may not be committed; then none is written.
    """
    ready, problems = [], []
    for job in plan(names, build=build):
        if job.stale:
            problems.append(f"{job.chapter.name}: {job.reason}")
            continue
        notebook = chapters.read(job.target)
        problems += [f"{job.chapter.name}: {line}" for line in problems_of(notebook, job.chapter.folder.parent)]
        # hashes of the package would change in every commit; whoever reads the notebook needs the rest
        notebook.metadata["posenb"].pop("made_from")
        ready.append((notebook, job.chapter.published))
    if problems:
        raise UserError("nothing was published: " + "; ".join(problems))
    for notebook, path in ready:
        chapters.write(notebook, path)
    return [path for _, path in ready]


def check_pairs(known: Sequence[Chapter] | None = None) -> list[str]:
    """How the two halves of the chapters disagree, a line each: cells, their order and kind, their text, their tags."""
    problems = []
    for chapter in chapters.chapters() if known is None else known:
        if not chapter.published.exists():
            problems.append(f"{chapter.name}: has no notebook half yet; run `make publish`")
            continue
        text, notebook = _inputs(chapter.notebook()), _inputs(chapters.read(chapter.published))
        for number, (ours, theirs) in enumerate(zip(text, notebook, strict=False), start=1):
            if ours != theirs:
                what = next(part for part in ours if ours[part] != theirs[part])
                problems.append(
                    f"{chapter.name}: cell {number} ({_opening(ours)}) has another {what} in the notebook; "
                    "edit the text half alone, then run `make publish`"
                )
                break
        else:
            if len(text) != len(notebook):
                problems.append(
                    f"{chapter.name}: the text has {len(text)} cells, the notebook {len(notebook)}; run `make publish`"
                )
    if known is None:
        texts = {chapter.name for chapter in chapters.chapters()}
        orphans = [p.name for p in sorted((chapters.root() / "book").glob("[0-9][0-9]_*.ipynb")) if p.stem not in texts]
        problems += [f"{name}: has no text half; delete it" for name in orphans]
    return problems


def _inputs(notebook: NotebookNode) -> list[dict[str, Any]]:
    return [
        {
            "kind": cell.cell_type,
            "text": cell.source.strip("\n"),
            "tags": cell.metadata.get("tags", []),
            "figure": cell.metadata.get("mystnb", {}),
        }
        for cell in notebook.cells
    ]


def _opening(cell: dict[str, Any]) -> str:
    return repr(next(iter(cell["text"].splitlines()), "")[:40])


def problems_of(notebook: NotebookNode, folder: Path | None = None) -> list[str]:
    """Why an executed notebook may not be committed, a line each.

    Args:
        notebook: executed and cleaned.
        folder: the checkout; its path may not stand in any output.
    """
    problems = []
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    counts = [cell.execution_count for cell in code]
    if counts != list(range(1, len(code) + 1)):
        problems.append("its cells were not executed once each, from top to bottom")
    for number, cell in enumerate(code, start=1):
        if any(output.output_type == "error" for output in cell.outputs):
            problems.append(f"cell {number} ended in an error")
        if any(output.output_type == "stream" and output.name == "stderr" for output in cell.outputs):
            problems.append(
                f"cell {number} wrote to standard error: warnings and progress bars do not belong in the book"
            )
        if folder and str(folder) in json.dumps(cell.outputs, ensure_ascii=False):
            problems.append(f"cell {number} shows a path of this machine")
        if "application/vnd.jupyter.widget-view+json" in json.dumps(cell.outputs):
            problems.append(f"cell {number} holds a widget, whose page would ask another host for its script")
    if (size := len(nbformat.writes(notebook).encode())) > LARGEST:
        problems.append(f"it weighs {size / 1e6:.1f} MB; at most {LARGEST / 1e6:.1f} MB may be committed")
    return problems


def main() -> int:
    """Publish, or check; says what it did, and gives the exit code."""
    try:
        if "--check" in sys.argv[1:]:
            problems = check_pairs()
            print("\n".join(problems) or "both halves of each chapter agree")
            return 1 if problems else 0
        for path in publish():
            print(f"wrote {path.name}, {path.stat().st_size / 1e6:.2f} MB")
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
