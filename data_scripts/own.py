"""Verify and prepare a keypoint set of your own in COCO's format: ``python data_scripts/own.py --help``."""

from __future__ import annotations

import sys

from posenb.cli import main

if __name__ == "__main__":
    main(["data", "own", *sys.argv[1:]])
