"""Measure the fifteen corruptions as ratios to imagecorruptions, at severity 3, by one thread's processor time.

Both take uint8 images and give uint8 images, with the same constants (those for 224 pixels, which imagecorruptions has
for all sizes). They take turns, round after round, and the median counts.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import corruptions_peer
import environment
import inputs
import run
import timing
import torch
from subjects import Contender, Subject, timed

from posenb.corruptions import NAMES, corrupt

PEER = "imagecorruptions"
TARGET = 5  # times as fast, as the geometric mean over all corruptions of a size
SLOWER_ALLOWED = "jpeg_compression"  # both call a codec


class Peer(environment.Peers):
    """A running ``corruptions_peer.py``."""

    def __init__(self, interpreter: Path) -> None:
        self._process = subprocess.Popen(
            [str(interpreter), str(environment.HERE / "corruptions_peer.py"), "1"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"},
        )
        self.versions = self._read()


def subject(name: str, size: int) -> Subject:
    images = torch.from_numpy(inputs.images(size)).permute(0, 3, 1, 2)
    generator = torch.Generator().manual_seed(0)
    work = partial(corrupt, images, name, corruptions_peer.SEVERITY, generator, table=224)
    return Subject(f"{name} {size}", timed(lambda: work), {PEER: Contender(images=corruptions_peer.IMAGES)})


def row(name: str, results: dict[int, dict[str, Any]]) -> str:
    cells = [name.replace("_", " ")]
    for result in results.values():
        other = result["others"][PEER]
        if "error" in other:
            cells += [f"{result['images_per_second']:,.0f}", other["error"], ""]
            continue
        cells += [f"{v:,.0f}" for v in (result["images_per_second"], other["images_per_second"])]
        cells.append(f"{other['ratio']:.1f}")
    return f"| {' | '.join(cells)} |"


def judged(ratios: dict[str, float], size: int) -> str:
    mean = math.exp(sum(map(math.log, ratios.values())) / len(ratios))
    slower = [name for name, ratio in ratios.items() if ratio < 1 and name != SLOWER_ALLOWED]
    met = "met" if mean >= TARGET and not slower and len(ratios) == len(NAMES) else "MISSED"
    return (
        f"{size} px: {mean:.1f} times as fast (geometric mean of {len(ratios)}), target {TARGET} and none slower "
        f"but JPEG: {met}{', slower: ' + ', '.join(slower) if slower else ''}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=list(NAMES), metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="one round, not seven: whether it runs, not how fast")
    parser.add_argument("--json", type=Path, default=run.BUILD / "corruptions.json", metavar="OUT")
    options = parser.parse_args()
    timing.use_threads(1)
    rounds, seconds = (1, 0.02) if options.quick else (7, 0.1)
    peer = Peer(environment.python(run.BUILD))
    sizes = corruptions_peer.SIZES
    print("| corruption | " + " | ".join(f"{size} px, img/s | {PEER} | ratio" for size in sizes) + " |")
    print("|---|" + "---|" * 3 * len(sizes))
    ratios: dict[int, dict[str, float]] = {size: {} for size in sizes}
    record: list[dict[str, Any]] = []
    try:
        for name in options.only:
            results = {size: run.measured(subject(name, size), peer, 1, rounds, seconds) for size in sizes}
            record += results.values()
            print(row(name, results), flush=True)
            for size, result in results.items():
                if "ratio" in result["others"][PEER]:
                    ratios[size][name] = result["others"][PEER]["ratio"]
    finally:
        peer.close()
    print(*("\n" + judged(of_size, size) for size, of_size in ratios.items() if of_size), sep="\n")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({"peers": peer.versions, "rounds": rounds, "results": record}, indent=1) + "\n")
    print(f"\nwritten: {options.json}", file=sys.stderr)


if __name__ == "__main__":
    main()
