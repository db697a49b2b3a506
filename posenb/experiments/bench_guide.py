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

    A method must gain in every seed. Of those that come within ``smallest`` of the best in the mean it is the one with
    the least arithmetic.

    Args:
        seeds: one data set's rows, seed by seed: :func:`posenb.experiments.bench.of_seeds`.
        smallest: a difference from supervised training that counts; below it the advice is to stay there.
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


def commands(name: str, dataset: str, labels: int = 500, unlabelled: int = 3000) -> list[str]:
    """What to type to train a row of the bench on a data set, one command a line; each prints the key of its run.

    Args:
        name: of ``ROWS``.
        dataset: that ``posenb data`` prepared.
        labels, unlabelled: pictures with labels and without, for the rows that use both; the others use all labels.
    """
    row = ROWS[name]
    begin = f"posenb train --dataset {dataset}" + f" --samples {labels}" * row.two
    lines, sources = [f"{begin} --method supervised{_settings(CROSS_ENTROPY)}"], ["RUN"]
    if name == "supervised":
        return lines
    if row.two:
        lines.append(f"{lines[0]} --seed 1")
        sources.append("RUN2")
    if row.first:
        for seed, source in enumerate(sources):
            other = f" --seed {seed}" * (seed > 0)
            lines.append(f"{begin} --method {row.method}{_settings(row.first)} --start {source}{other}")
        sources = ["LABELS", "LABELS2"]
    if row.agents:
        lines.append(
            f"{begin} --method adversarial_pretraining --steps 200 --batch 8{_settings(AGENTS)} --start {sources[0]}"
        )
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
    return [*lines, last + _settings(options) + starts]


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
