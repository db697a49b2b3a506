"""Measure what `queue.together` gains: runs trained one after the other on all cores, against several at a time.

Both train the same specs on the same data, in a store that is thrown away; starting the processes counts.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from posenb import profiles, queue
from posenb.spec import Budget


def main() -> None:
    """Print both times and their ratio, the median over rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300, help="of each run")
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    base = profiles.foundations("quick", "body", 0)
    budget = Budget(steps=asked.steps, batch=base.budget.batch, evaluations=2, snapshots=0)
    specs = {str(seed): replace(base, budget=budget, seed=seed) for seed in range(asked.runs)}
    ratios = []
    for _ in range(asked.rounds):
        seconds = {}
        for name, jobs in (("one after the other", 1), ("together", None)):
            with tempfile.TemporaryDirectory() as folder:
                os.environ["POSENB_HOME"] = str(Path(folder))
                for part in ("train", "monitor", "final"):  # drawn before the clock runs
                    base.data.load(part)
                began = time.monotonic()
                queue.together(specs, "cpu", jobs)
                seconds[name] = time.monotonic() - began
        ratios.append(seconds["one after the other"] / seconds["together"])
        print(", ".join(f"{name} {value:.0f} s" for name, value in seconds.items()), f"ratio {ratios[-1]:.2f}")
    median = sorted(ratios)[len(ratios) // 2]
    print(f"{asked.runs} runs of {asked.steps} steps: one after the other takes {median:.2f} times as long")


if __name__ == "__main__":
    main()
