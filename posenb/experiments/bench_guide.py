"""The practitioners' guide: which method for which need, by what the bench measured, and how to train it."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import pandas as pd

from posenb.experiments.bench import LESS_IS_BETTER
from posenb.experiments.bench_specs import AGENTS, CROSS_ENTROPY, ROWS
from posenb.experiments.self_adversarial_specs import GAMMAS

NEEDS = {
    "pck": "as many joints right as possible",
    "few": "few labels, many pictures",
    "ruc": "keypoints that jitter when the picture is disturbed",
    "corrupted": "pictures with noise, blur or compression",
    "odd": "poses that nobody could take",
    "swapped": "left taken for right",
}
"""A reader's need, by the measure that tells whether it is met."""


def advice(seeds: Sequence[pd.DataFrame], smallest: float = 0.01, price: float = 0.1) -> pd.DataFrame:
    """For each of ``NEEDS`` that was measured the method to take, and what it does to accuracy and costs.

    A method must gain in every seed. Of those that come within ``smallest`` of the best in the mean, and then of those
    that come as close to the most accurate of these, it is the one with the least arithmetic.

    Args:
        seeds: one data set's rows, seed by seed: :func:`posenb.experiments.bench.of_seeds`.
        smallest: a difference that counts; where nothing gains as much the advice is to stay with supervised training.
        price: the PCK that may be lost for it: an answer that hardly moves is steady, and useless.

    Returns:
        columns need, row, before (supervised training's measure), after, pck (its change), time (of a step, in units of
        supervised training's).
    """
    found = []
    table = sum(seeds[1:], seeds[0]) / len(seeds)
    change = table["pck"] - table.loc["supervised", "pck"]
    for measure, need in NEEDS.items():
        if pd.isna(table.loc["supervised", measure]):
            continue
        sign = -1 if measure in LESS_IS_BETTER else 1
        each = pd.concat([sign * (one[measure] - one.loc["supervised", measure]) for one in seeds], axis=1)
        gain = each.mean(axis=1)[(each.min(axis=1) > 0) & (change >= -price)]
        good = gain.index[gain >= max(gain.max() - smallest, smallest)]
        good = good[change[good] >= change[good].max() - smallest]
        best = str(table.loc[good, "flops"].idxmin()) if len(good) else "supervised"
        found.append(
            {
                "need": need,
                "row": best,
                "before": table.loc["supervised", measure],
                "after": table.loc[best, measure],
                "pck": change[best],
                "time": table.loc[best, "seconds"],
            }
        )
    return pd.DataFrame(found)


def commands(name: str, dataset: str, labels: int = 500, unlabelled: int = 3000) -> dict[str, str]:
    """What to type to train a row of the bench on a data set, in order: commands by what their runs are called.

    Each prints the key of its run, which belongs where a later one has that name. The last is 'RUN'.

    Args:
        name: of ``ROWS``.
        dataset: that ``posenb data`` prepared.
        labels, unlabelled: pictures with labels and without, for the rows that use both; the others use all labels.
    """
    row = ROWS[name]
    begin = f"posenb train --dataset {dataset}" + f" --samples {labels}" * row.two
    alone = f"{begin} --method supervised{_settings(CROSS_ENTROPY)}"
    if name == "supervised":
        return {"RUN": alone}
    found, sources = {"START": alone}, ["START"]
    if row.two:
        found["START2"] = f"{alone} --seed 1"
        sources.append("START2")
    if row.first:
        names = ["LABELS", "LABELS2"]
        for seed, (called, source) in enumerate(zip(names, sources, strict=True)):
            other = f" --seed {seed}" * (seed > 0)
            found[called] = f"{begin} --method {row.method}{_settings(row.first)} --start {source}{other}"
        sources = names
    if row.agents:
        agents = f"{begin} --method adversarial_pretraining --steps 200 --batch 8{_settings(AGENTS)}"
        found["AGENTS"] = f"{agents} --start {sources[0]}"
        sources = ["AGENTS"]
    last = f"{begin} --method {row.method}"
    if row.method == "error_feedback":
        last += " --network feedback"
    if row.two:
        last += f" --unlabelled {unlabelled}"
    options = dict(row.options)
    if row.method == "self_adversarial":
        options["gamma"] = GAMMAS["full"]
    starts = "".join(f" --start {source}" for source in sources)
    return found | {"RUN": last + _settings(options) + starts}


def script(named: Mapping[str, str]) -> str:
    """Commands below their runs' names, as a reader copies them."""
    return "\n".join(f"# {name}\n{wrapped(line)}" for name, line in named.items())


def wrapped(line: str, width: int = 88) -> str:
    """A long command over several lines, as a shell takes it; an option and its value stay on one."""
    first, *options = line.split(" --")
    whole = " ".join([first, *("--" + option.replace(" ", "\N{NO-BREAK SPACE}") for option in options)])
    rows = textwrap.wrap(whole, width, subsequent_indent="    ", break_on_hyphens=False, break_long_words=False)
    return " \\\n".join(rows).replace("\N{NO-BREAK SPACE}", " ")


def _settings(options: Mapping[str, Any]) -> str:
    # quoted where a shell would read brackets as a pattern
    return "".join(f" --set {shlex.quote(f'{name}={value}')}" for name, value in _flat(options))


def _flat(options: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Names with dots, and values as the command line takes them."""
    for name, value in options.items():
        if is_dataclass(value) and not isinstance(value, type):
            yield from _flat({one.name: getattr(value, one.name) for one in fields(value)}, f"{before}{name}.")
        elif isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            text = str(value).replace(" ", "")
            yield before + name, text.lower() if isinstance(value, bool) else text
