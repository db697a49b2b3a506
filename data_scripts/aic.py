"""Verify and prepare AI Challenger: ``python data_scripts/aic.py --help``."""

from __future__ import annotations

import sys

from posenb.cli import main

if __name__ == "__main__":
    main(["data", "aic", *sys.argv[1:]])
