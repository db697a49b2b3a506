"""Fetch, verify and prepare Leeds Sports Pose: ``python data_scripts/lsp.py [--archive FILE] [--folder FOLDER]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from posenb.data import lsp
from posenb.errors import UserError


def main() -> None:
    """Print the report; end with status 2 and one line where something is amiss."""
    parser = argparse.ArgumentParser(description="Fetch, verify and prepare Leeds Sports Pose.")
    parser.add_argument("--archive", type=Path, help="lsp_dataset.zip, or its unpacked folder; downloaded if not given")
    parser.add_argument("--folder", type=Path, help="where to put it (default: data/lsp)")
    options = parser.parse_args()
    try:
        print(lsp.install(options.archive, options.folder))
    except UserError as error:
        print(f"lsp: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
