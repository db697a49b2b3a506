"""Measure what a joint step of adversarial augmentation costs (ADA-10), by one thread's processor time.

Against its own passes through the networks on tensors that are there, which no implementation passes; and against the
same step with an exhaustive sweep in place of the pair: 63 augmentations of each image of ASR, 16 of each of AHO.
All take turns, round after round, and the median counts.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import count
from pathlib import Path
from typing import Any, cast

import run
import subjects
import timing
import torch
from subjects import Contender, Subject, timed
from timing import Work
from torch import Tensor

from posenb import augment, training
from posenb.augment import Draw, Sample
from posenb.data.dataset import Batch
from posenb.experiments.adversarial import passes
from posenb.methods.adversarial_augmentation import AdversarialAugmentation, Options, difficulty, judging
from posenb.methods.adversarial_augmentation.joint import Noise, Pair, View
from posenb.methods.base import Setting
from posenb.skeletons import COCO17

BATCH = 30
MOST = 1.35  # times the passes that a step may take
PASSES, SWEEP = "its passes", "exhaustive sweep"


class Swept(AdversarialAugmentation):
    """Judges every augmentation of an image, as in pre-training, instead of a pair."""

    stored: Batch

    def pair(self, step: training.Step, batch: Batch, drawn: Draw, noise: Noise, shares: Tensor) -> Pair:
        self.stored = batch
        return super().pair(step, batch, drawn, noise, shares)

    @torch.no_grad()
    def harder(self, step: training.Step, pair: Pair) -> Tensor:
        asr, aho = pair.rows["asr"], pair.rows["aho"]
        drawn = augment.sweep(len(asr), self.scales, self.rotations, step.generator)
        index = asr.repeat_interleave(len(drawn.angle) // len(asr))
        turned = self.view(Batch(*(part[index] for part in self.stored)), drawn, self.masks(len(index), index.device))
        cells = torch.arange(self.grid[0] * self.grid[1]).repeat(len(aho))[:, None, None]
        rows = aho.repeat_interleave(len(cells) // len(aho))
        every = self.masks(len(rows), rows.device, torch.arange(len(rows)), cells)
        still = augment.still(len(rows))
        with judging(self.network):
            for view in (turned, self.view(Batch(*(part[rows] for part in self.stored)), still, every)):
                difficulty(self, self.run(step, view), view.sample)
        return torch.zeros(len(asr) + len(aho), dtype=torch.bool)


def method(kind: type[AdversarialAugmentation], network: str, options: dict[str, Any], size: int) -> Any:
    made = kind(Options(pretrained=False), Setting(COCO17, (size, size), network, options))
    for part in made.children():
        cast(Any, part).to(memory_format=torch.channels_last)
    return made


def steps(kind: type[AdversarialAugmentation], network: str, options: dict[str, Any], size: int) -> Work:
    """Joint steps, one after the other."""
    made, data, numbers = method(kind, network, options, size), subjects.dataset(size), count()
    fabric = training.make_fabric("bf16-mixed", "cpu")
    optimizers, budget = made.optimizers(), training.Budget(steps=10**6, batch=BATCH)
    return lambda: made.train_step(training.Step(next(numbers), budget, 0, fabric, optimizers), {"train": data})


def bare(network: str, options: dict[str, Any], size: int) -> Work:
    """The passes of :func:`posenb.experiments.adversarial.passes`, on tensors that are there."""
    made, data = method(AdversarialAugmentation, network, options, size), subjects.dataset(size)
    fabric = training.make_fabric("bf16-mixed", "cpu")
    step = training.Step(0, training.Budget(batch=BATCH), 0, fabric, made.optimizers())
    batch, counted = data.batch(torch.arange(BATCH)), passes(BATCH)
    view = made.view(batch, augment.still(BATCH), made.masks(BATCH, torch.device("cpu")))
    target, third = made.target(view.sample), BATCH // 3
    judged = [_rows(view, torch.arange(n) % BATCH) for n in (2 * third, 4 * third)]
    assert sum(len(part.sample.images) for part in judged) == counted.forward
    bridges = [bridge[:third] for bridge in made.bridges(step, batch.images)]

    def work() -> None:
        with torch.no_grad(), judging(made.network):
            for part in judged:
                made.run(step, part)
        for name, agent in made.agents.items():
            out = step.forward(agent, *bridges)
            step.update(name, torch.cat([out] if isinstance(out, Tensor) else list(out), dim=1).square().mean())
        step.update("network", (made.run(step, view)[-1] - target).square().mean())

    return work


def _rows(view: View, index: Tensor) -> View:
    return View(Sample(*(part[index] for part in view.sample)), [mask[index] for mask in view.masks])


def subject(network: str, options: dict[str, Any], size: int) -> Subject:
    return Subject(
        f"joint step, {network} {size}",
        timed(lambda: steps(AdversarialAugmentation, network, options, size)),
        {
            PASSES: Contender(timed(lambda: bare(network, options, size)), images=BATCH),
            SWEEP: Contender(timed(lambda: steps(Swept, network, options, size)), images=BATCH),
        },
        images=BATCH,
    )


NETWORKS: dict[str, tuple[str, dict[str, Any], int]] = {
    "small": ("small", {}, 64),
    "hourglass": ("hourglass", {"channels": 64, "blocks": 1, "depth": 3, "stem": 2}, 64),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=NETWORKS, default=list(NETWORKS), metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="one round, not seven: whether it runs, not how fast")
    parser.add_argument("--json", type=Path, default=run.BUILD / "adversarial.json", metavar="OUT")
    options = parser.parse_args()
    timing.use_threads(1)
    rounds, seconds = (1, 0.02) if options.quick else (7, 0.5)
    results = []
    print(f"| what | img/s | times its passes | target {MOST} | the sweep takes |")
    print("|---|---|---|---|---|")
    for name in options.only:
        result = run.measured(subject(*NETWORKS[name]), None, 1, rounds, seconds)
        results.append(result)
        cost = 1 / result["others"][PASSES]["ratio"]
        judged = "met" if cost <= MOST else "MISSED"
        sweep = result["others"][SWEEP]["ratio"]
        speed = result["images_per_second"]
        print(f"| {result['subject']} | {speed:,.0f} | {cost:.2f} | {judged} | {sweep:.1f} times as long |", flush=True)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({"rounds": rounds, "batch": BATCH, "results": results}, indent=1) + "\n")
    print(f"\nwritten: {options.json}", file=sys.stderr)


if __name__ == "__main__":
    main()
