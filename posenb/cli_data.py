"""``posenb data NAME``: fetch, verify and prepare the real data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

# Readers are imported by the commands that need them: --help answers at once

app = typer.Typer(help="Fetch and prepare real data sets.", no_args_is_help=True)

Folder = Annotated[Path | None, typer.Option(help="Where to keep it (default: data/NAME).")]


@app.command()
def lsp(
    archive: Annotated[
        Path | None, typer.Option(help="The official lsp_dataset.zip, or its unpacked folder; none: download it.")
    ] = None,
    folder: Folder = None,
) -> None:
    """Leeds Sports Pose: 2,000 pictures of people at sport, 14 joints (CC BY 2.0 pictures; 35 MB)."""
    from posenb.data import lsp

    print(lsp.install(archive, folder))
