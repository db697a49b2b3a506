"""Fetch, verify and prepare Leeds Sports Pose: ``python data_scripts/lsp.py --help``."""

from __future__ import annotations

import sys

from posenb.cli import main

if __name__ == "__main__":
    main(["data", "lsp", *sys.argv[1:]])
