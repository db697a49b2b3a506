"""Fetch, verify and prepare COCO's people: ``python data_scripts/coco.py --help``."""

from __future__ import annotations

import sys

from posenb.cli import main

if __name__ == "__main__":
    main(["data", "coco", *sys.argv[1:]])
