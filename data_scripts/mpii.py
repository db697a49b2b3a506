"""Fetch, verify and prepare MPII Human Pose: ``python data_scripts/mpii.py --help``."""

from __future__ import annotations

import sys

from posenb.cli import main

if __name__ == "__main__":
    main(["data", "mpii", *sys.argv[1:]])
