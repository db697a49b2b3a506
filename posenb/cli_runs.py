"""The `posenb runs` commands: what was trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from posenb.runs import Run

app = typer.Typer(help="What was trained: list, show, remove.", no_args_is_help=True)


@app.command("list")
def list_all() -> None:
    """One line a run: key, its PCK, what it is, and its options where they are not the usual ones."""
    from posenb import runs
    from posenb.spec import from_description

    rows = list(runs.stored())
    for key, description, result in rows:
        try:
            spec = from_description(description)
        except (TypeError, KeyError):
            print(f"{key}  trained by another version of posenb")
            continue
        # None: nothing to measure it against, such as a torso where hips are never labelled
        pck = result["metrics"]["pck"] if result else None
        state = "not finished" if not result else "PCK@0.2 unknown" if pck is None else f"PCK@0.2 {pck:.3f}"
        print("  ".join([key, f"{state:>14}", spec.title, *spec.unusual_options()]))
    if not rows:
        print(f"no runs in {runs.folder()}")


@app.command("show")
def details(run: Annotated[str, typer.Argument(help="The first letters of its key.")]) -> None:
    """A run's spec, metrics, provenance and history."""
    from posenb import runs

    found = runs.find(run)
    print((found.path / "spec.json").read_text())
    show_trained(found)
    for name, value in found.provenance.items():
        print(f"{name:>12}  {value}")
    print(found.history.dropna(subset=["pck"]).round(4).to_string(index=False))


@app.command("remove")
def remove(run: Annotated[str, typer.Argument(help="At least 4 letters of its key.")]) -> None:
    """Delete a run from the store."""
    from posenb import runs

    for key in runs.remove(run):
        print(f"removed {key}")


def show_trained(run: Run) -> None:
    """Print what a run scored at its end."""
    of = run.spec.data
    show(run.key, run.metrics, f"{len(run.predictions.points):,} {of.tested_on} samples of {of.name}")


def show(key: str, metrics: dict[str, float], samples: str) -> None:
    """Print a run's key, on what it was measured, and its metrics, a line each."""
    print(f"run {key}")
    print(f"on {samples}: PCK@0.2, AUC from 0 to 30 pixels of 256, mean error (epe) in pixels of the input")
    for name, value in metrics.items():
        print(f"{name:>24}  {value:.4f}")
