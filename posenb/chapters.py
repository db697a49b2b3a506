"""Chapters as files: pairs of text (``book/NN_name.md``, what people edit) and notebook (``.ipynb``, with outputs)."""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbformat import NotebookNode

from posenb.errors import UserError
from posenb.files import save_text

# What a chapter's `parameters` cell holds, and nothing else; the data set is the chapter's own choice
DEFAULTS: dict[str, Any] = {"profile": "quick", "seed": 0, "device": "auto"}


@dataclass(frozen=True)
class Chapter:
    """A chapter by its name, such as ``01_foundations``, in the ``book`` folder of a checkout."""

    name: str
    folder: Path

    @property
    def source(self) -> Path:
        """The text half."""
        return self.folder / f"{self.name}.md"

    @property
    def published(self) -> Path:
        """The notebook half, as it is committed."""
        return self.folder / f"{self.name}.ipynb"

    @property
    def short(self) -> str:
        """The name without its number."""
        return self.name.split("_", 1)[1]

    def notebook(self) -> NotebookNode:
        """The text half as a notebook without outputs.

        Raises:
            UserError: where the text is no notebook, or its parameters are not the four of every chapter.
        """
        notebook = jupytext.read(self.source, fmt="md:myst")
        if not any(cell.cell_type == "code" for cell in notebook.cells):
            raise UserError(f"{self.source} has no code cell: it needs the front matter and cells of a MyST notebook")
        _parameters(self, notebook)
        return notebook

    @property
    def parameters(self) -> dict[str, Any]:
        """profile, dataset, seed and device, as the chapter's own cell has them. Raises as :meth:`notebook`."""
        return _parameters(self, jupytext.read(self.source, fmt="md:myst"))


def root() -> Path:
    """The checkout that holds the book: about the working folder, else about the package.

    Raises:
        UserError: where posenb was installed without its book.
    """
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).parents[1]):
        if (folder / "_toc.yml").exists() and (folder / "book").is_dir():
            return folder
    raise UserError("the book is not here: run this in a checkout of the project")


def chapters() -> list[Chapter]:
    """Every chapter of the book, in order."""
    folder = root() / "book"
    return [Chapter(path.stem, folder) for path in sorted(folder.glob("[0-9][0-9]_*.md"))]


def select(names: Iterable[str]) -> list[Chapter]:
    """Chapters by full or short name (``01_foundations``, ``foundations``, ``1``), in the book's order; none: all.

    Raises:
        UserError: for a name that no chapter has.
    """
    known = chapters()
    wanted = set()
    for name in names:
        bare = Path(name).name.removesuffix(".md").removesuffix(".ipynb")
        found = [c for c in known if bare in (c.name, c.short) or (bare.isdigit() and int(c.name[:2]) == int(bare))]
        if not found:
            near = get_close_matches(bare, [c.short for c in known], 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(c.short for c in known)}"
            raise UserError(f"no chapter is called {name!r}; {hint}")
        wanted |= set(found)
    return [chapter for chapter in known if chapter in wanted] if wanted else known


def _parameters(chapter: Chapter, notebook: NotebookNode) -> dict[str, Any]:
    cells = [cell.source for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    declared = {
        target.id: ast.literal_eval(line.value)
        for source in cells[:1]
        for line in ast.parse(source).body
        if isinstance(line, ast.Assign)
        for target in line.targets
        if isinstance(target, ast.Name)
    }
    if declared != DEFAULTS | {"dataset": declared.get("dataset")} or not isinstance(declared["dataset"], str):
        raise UserError(
            f"{chapter.source.name}: its cell tagged 'parameters' must hold "
            + "; ".join(f"{name} = {value!r}" for name, value in DEFAULTS.items())
            + f"; and dataset = 'body' or another's name; it holds {declared or 'nothing'}"
        )
    return declared


# ------------------------------------------------------------------------------------------------------ cleaning


def clean(notebook: NotebookNode) -> NotebookNode:
    """Drop, in place, what differs between two executions of the same chapter: times, paths, identifiers.

    A cell that papermill injected is marked so that the site does not show it.
    """
    notebook.metadata.pop("papermill", None)
    notebook.metadata.pop("jupytext", None)
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        tags = [tag for tag in cell.metadata.pop("tags", []) if not tag.startswith("papermill")]
        if "injected-parameters" in tags and "remove-cell" not in tags:
            tags.append("remove-cell")
        if tags:
            cell.metadata["tags"] = tags
    name_cells(notebook)
    return notebook


def name_cells(notebook: NotebookNode) -> None:
    """Give each cell an identifier made from its content, so that editing one cell renames that cell alone."""
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        name = _hash(cell.cell_type, cell.source)[:12]
        seen[name] += 1
        cell.id = name if seen[name] == 1 else f"{name}-{seen[name]}"


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook whole or not at all, its keys in the order that git has seen before."""
    nbformat.validate(notebook)
    save_text(nbformat.writes(notebook).rstrip("\n") + "\n", path)


def read(path: Path) -> NotebookNode:
    """Read a notebook.

    Raises:
        UserError: where the file is not one.
    """
    try:
        return nbformat.read(path, as_version=4)
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, UnicodeDecodeError):
        raise UserError(f"{path} is no notebook: delete it, or make it again with `make publish`") from None


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
