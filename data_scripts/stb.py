"""Fetch, verify and prepare the Stereo Hand Pose Tracking Benchmark: ``python data_scripts/stb.py --help``."""

from __future__ import annotations

import sys

from posenb.cli import main

if __name__ == "__main__":
    main(["data", "stb", *sys.argv[1:]])
