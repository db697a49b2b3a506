"""Fetch, verify and prepare LSP-extended: ``python data_scripts/lsp_extended.py --help``."""

from __future__ import annotations

import sys

from posenb.cli import main

if __name__ == "__main__":
    main(["data", "lsp-extended", *sys.argv[1:]])
