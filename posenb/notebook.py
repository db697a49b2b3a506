"""What a chapter shows of the package itself: the source of a function, and where its numbers come from."""

from __future__ import annotations

import ast
import inspect
import io
import platform
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from IPython.display import Image, Markdown
from matplotlib.figure import Figure
from myst_nb import glue

from posenb import __version__, claims
from posenb.claims import scorecard as cards
from posenb.runs import Run, commit


def source(function: Callable[..., Any]) -> Markdown:
    """A function's code as it is in the package, without its docstring."""
    lines = textwrap.dedent(inspect.getsource(function)).splitlines()
    body = ast.parse("\n".join(lines)).body[0].body  # type: ignore[attr-defined]
    first = body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(body) > 1:
        del lines[first.lineno - 1 : first.end_lineno]
    place = f"{function.__module__}.{function.__qualname__}"
    return Markdown(f"`{place}`\n```python\n" + "\n".join(lines).strip() + "\n```")


def provenance(profile: str, dataset: str, seed: int, *runs: Run) -> Markdown:
    """Where a chapter's numbers come from: versions, profile, seed, and each run with its device and time."""
    rows = [
        ("posenb", f"{__version__}, commit {commit() or 'unknown'}"),
        ("Python, torch", f"{platform.python_version()}, {torch.__version__}"),
        ("profile, data set, seed", f"{profile}, {dataset}, {seed}"),
    ]
    for run in runs:
        p = run.provenance
        threads = "1 thread" if p["threads"] == 1 else f"{p['threads']} threads"
        where = f"{p['device']}, {threads}, {p['seconds']:.0f} s"
        rows.append((f"run `{run.spec.key}`", f"{run.spec.title}; {where}"))
    body = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return Markdown(f"| | |\n|---|---|\n{body}")


def photograph(figure: Figure, quality: int = 90) -> Image:
    """A figure of many small pictures as a JPEG: a fraction of a PNG's size, so that the notebook stays light."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="jpeg", pil_kwargs={"quality": quality})
    return Image(data=buffer.getvalue(), format="jpeg")


def full_records(identifier: str) -> list[dict[str, Any]]:
    """A claim's records at the full profile, one a data set."""
    return [record for record in claims.records(identifier) if record["profile"] == "full"]


def judged(chapter: str) -> list[dict[str, Any]]:
    """The records at the full profile of all claims of a chapter."""
    ours = [claim for claim in claims.CLAIMS.values() if claim.chapter == chapter]
    return [record for claim in ours for record in full_records(claim.id)]


def verdicts(chapter: str) -> Markdown:
    """The claims of a chapter with the verdicts of their records at the full profile."""
    rows: list[tuple[Any, ...]] = []
    for claim in claims.CLAIMS.values():
        if claim.chapter != chapter:
            continue
        name, found = _unbroken(claim.id), full_records(claim.id)
        for r in found:
            says = claim.text if r is found[0] else ""  # once, however many data sets judge it
            rows.append((name, says, r["dataset"], cards.standing(r)[0], cards.interval(r), len(r["seeds"])))
        if not found:
            rows.append((name, claim.text, "", "not measured yet", "", ""))
    columns = ["claim", "says", "on", "verdict", "statistic, 95% interval", "seeds"]
    return table(pd.DataFrame(rows, columns=columns))


def scorecard() -> Markdown:
    """All claims of a paper with what the paper says, and their records: two tables a paper."""
    rows = cards.rows()
    parts = []
    for paper, title in cards.PAPERS.items():
        of_paper = rows[rows["paper"] == paper]
        if not len(of_paper):
            continue
        stated = of_paper[["claim", "says", "published"]].drop_duplicates().rename(columns={"published": "the paper"})
        stated["says"] = [_with_statistic(*row) for row in zip(stated["says"], stated["claim"], strict=True)]
        quick = of_paper[of_paper["profile"] == "quick"].set_index("claim")["statistic"].to_dict()
        stated["at quick"] = [quick.get(name, "") for name in stated["claim"]]
        stated["claim"] = [f"[{_unbroken(name)}]({claims.find(name).page})" for name in stated["claim"]]
        parts.append(f"**{paper}: {title}**\n\n{table(stated).data}")
        measured = of_paper[of_paper["profile"].isin(["full", "paper"])]
        if len(measured):
            usual = measured["profile"] == "full"
            on = measured["dataset"].where(usual, measured["dataset"] + ", " + measured["profile"])
            columns = ["claim", "on", "verdict", "statistic", "seeds", "hours", "device", "commit"]
            parts.append(table(measured.assign(claim=measured["claim"].map(_unbroken), on=on)[columns]).data)
        else:
            parts.append("None of them was measured at full yet.")
    return Markdown("\n\n".join(parts))


def _with_statistic(text: str, identifier: str) -> str:
    """What a claim says, and folded what is measured for it."""
    return f"{text} <details><summary>measured</summary>{claims.find(identifier).statistic}</details>"


def _unbroken(identifier: str) -> str:
    """A claim's id that no narrow column breaks at its hyphen."""
    return identifier.replace("-", "\N{NON-BREAKING HYPHEN}")


def glue_cells(prefix: str, cells: pd.DataFrame | None, rows: Sequence[str], columns: Mapping[str, str]) -> None:
    """Hands cells of a table to a chapter's prose, as ``prefix-row-column``.

    Args:
        prefix: such as the data set's name.
        cells: the table; None if nothing is measured.
        rows: labels of the rows that the prose names.
        columns: of the columns that it names, with how each is written, '{:.2f}'. A cell that the table lacks is
            'not measured'.
    """
    cells = pd.DataFrame() if cells is None else cells
    for row in rows:
        for column, form in columns.items():
            there = row in cells.index and column in cells
            said = form.format(cells.loc[row, column]) if there else "not measured"
            glue(f"{prefix}-{row}-{column}", said, display=False)


def table(frame: pd.DataFrame) -> Markdown:
    """A data frame, without its index, as a Markdown table, which a page wraps and a reader can search."""
    rows = [list(map(str, frame.columns)), ["---"] * len(frame.columns)]
    rows += [[str(value).replace("|", r"\|") for value in row] for row in frame.itertuples(index=False)]
    return Markdown("\n".join(f"| {' | '.join(row)} |" for row in rows))
