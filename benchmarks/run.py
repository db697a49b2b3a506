"""Measure posenb's speed as ratios: to its peers, to a naive loop, to the limit.

All who do one subject's work take turns, round after round, on the same arrays and as many threads. The shortest call
of each counts; with ``--threads 1`` the median of the processor time, which others on the machine hardly change.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from datetime import date
from pathlib import Path
from typing import Any

import environment
import metric_subjects
import subjects
import timing
import torch

HERE = Path(__file__).parent
BUILD = HERE.parent / "_build"
GROUPS = subjects.GROUPS | metric_subjects.GROUPS
LARGEST_SHARE = 0.1  # of a training step that the input path may take


def measured(
    subject: subjects.Subject, peers: environment.Peers | None, threads: int, rounds: int, seconds: float
) -> dict[str, Any]:
    """One subject's numbers: images a second of all, and posenb's ratio to each."""
    present = {name: other for name, other in subject.others.items() if not other.workers or threads > 1}
    mine = subject.ours()
    prepared = {name: other.prepare() for name, other in present.items() if other.prepare}
    samples: dict[str, list[float]] = {"posenb": []}
    failed: dict[str, str] = {}
    for _ in range(rounds):
        samples["posenb"].append(mine(seconds) / subject.images)
        for name, other in present.items():
            if name in failed or (name not in prepared and peers is None):
                continue
            try:
                if name in prepared:
                    spent = prepared[name](seconds)
                else:
                    assert peers
                    spent = peers.seconds(f"{subject.name} {name}", seconds)
            except RuntimeError as error:
                failed[name] = str(error)
                continue
            samples.setdefault(name, []).append(spent / other.images)
    durations = {name: timing.pick(of_rounds) for name, of_rounds in samples.items()}
    ours = durations.pop("posenb")
    others = {
        name: {"images_per_second": 1 / spent, "ratio": spent / ours, "target": subject.others[name].target}
        for name, spent in durations.items()
    }
    return {
        "subject": subject.name,
        "images_per_second": 1 / ours,
        "others": others | {name: {"error": why} for name, why in failed.items()},
    }


def judged(name: str, other: dict[str, Any]) -> str:
    """What the table says of a comparison's target."""
    if name == "input path alone":
        met = other["ratio"] < LARGEST_SHARE
        return f"{other['ratio']:.1%} of a step, target < {LARGEST_SHARE:.0%}: {'met' if met else 'MISSED'}"
    if other["target"] is None:
        return ""
    return f"target {other['target']:g}: {'met' if other['ratio'] >= other['target'] else 'MISSED'}"


def lines(result: dict[str, Any]) -> list[str]:
    """One subject's part of the table."""
    others = result["others"]
    limit = others.get("limit")
    share = f"{limit['ratio']:.0%}" if limit and "ratio" in limit else ""
    first = f"| {result['subject']} | {result['images_per_second']:,.0f} | {share} "
    rows = []
    for name, other in others.items():
        if "error" in other:
            rows.append(f"{name} | - | - | {other['error']} |")
            continue
        # the input path's share is a ratio of times, and the limit's is in its own column
        ratio = "" if name in ("limit", "input path alone") else f"{other['ratio']:.2g}"
        ratio = f"{other['ratio']:.0f}" if ratio and other["ratio"] >= 10 else ratio
        rows.append(f"{name} | {other['images_per_second']:,.0f} | {ratio} | {judged(name, other)} |")
    return [(first if k == 0 else "| | | ") + "| " + row for k, row in enumerate(rows)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS), metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="two rounds instead of ten: whether it runs, not how fast")
    parser.add_argument("--no-peers", action="store_true", help="install and measure no other library")
    parser.add_argument(
        "--threads",
        type=int,
        default=2,
        help="of every contender; 1 counts processor time, for a machine that others use too",
    )
    parser.add_argument("--json", type=Path, default=BUILD / "benchmarks.json", metavar="OUT")
    options = parser.parse_args()
    timing.use_threads(options.threads)
    rounds, seconds = (2, 0.1) if options.quick else (10, 0.15)
    peers = None if options.no_peers else environment.Peers(environment.python(BUILD), options.threads)
    results = []
    load = os.getloadavg()[0]
    if load > 0.5 and options.threads > 1:
        print(f"others are using this machine (load {load:.1f}): use --threads 1, or trust no ratio", file=sys.stderr)
    print("| what | posenb, img/s | of the limit | against | img/s | posenb is x times as fast | |")
    print("|---|---|---|---|---|---|---|")
    try:
        for make in (make for group in options.only for make in GROUPS[group]):
            results.append(measured(make(), peers, options.threads, rounds, seconds))
            print(*lines(results[-1]), sep="\n", flush=True)
    finally:
        if peers:
            peers.close()
    record = {
        "date": date.today().isoformat(),
        "machine": {
            "system": platform.system(),
            "processor": platform.machine(),
            "threads": options.threads,
            "load": load,
        },
        "posenb": {"python": platform.python_version(), "torch": torch.__version__},
        "peers": peers.versions if peers else {},
        "rounds": rounds,
        "seconds": seconds,
        "results": results,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(record, indent=1) + "\n")
    print(f"\nwritten: {options.json}", file=sys.stderr)


if __name__ == "__main__":
    main()
