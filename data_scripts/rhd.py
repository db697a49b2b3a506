"""Fetch, verify and prepare Rendered Handpose: ``python data_scripts/rhd.py --help``."""

from __future__ import annotations

import sys

from posenb.cli import main

if __name__ == "__main__":
    main(["data", "rhd", *sys.argv[1:]])
