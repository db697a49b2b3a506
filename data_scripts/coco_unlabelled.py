"""Prepare COCO's unlabelled people, from a detector: ``python data_scripts/coco_unlabelled.py --help``."""

from __future__ import annotations

import sys

from posenb.cli import main

if __name__ == "__main__":
    main(["data", "coco-unlabelled", *sys.argv[1:]])
