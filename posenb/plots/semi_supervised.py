"""Figures of the chapter on semi-supervised training: the collapse, why it happens, what prevents it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from posenb.experiments.semi_supervised_specs import TITLES
from posenb.plots.style import ANSWER, LEFT, MIDDLE, RIGHT, house_style, picture

COLOURS = {
    "supervised": MIDDLE,
    "same": RIGHT,
    "easy-hard": LEFT,
    "dual": ANSWER,
    "dual+cutout": "#cc78bc",
    "dual+randaugment": "#ca9161",
    "pseudo-labels": "#fbafe4",
    "distillation": "#ece133",
    "mean teacher": "#56b4e9",
    "easy-hard+cutout": "#d55e00",
    "lambda 1": "#f2c46d",
    "easy-hard, heavy": "#7fb8dd",
}


@house_style
def film_strip(images: Tensor, films: Mapping[str, tuple[Sequence[int], Tensor]], shown: int = 6) -> Figure:
    """One image, and what runs answer to it as they train, a row a run, all on one scale from 0 to 1.

    Args:
        images: ``(3, H, W)`` uint8.
        films: by the run's name, S steps and maps ``(S, h, w)``.
        shown: how many steps.
    """
    figure, axes = plt.subplots(len(films), shown + 1, figsize=(1.05 * (shown + 1), 1.32 * len(films)), squeeze=False)
    for row, (name, (steps, maps)) in zip(axes, films.items(), strict=True):
        row[0].imshow(picture(images), interpolation="lanczos")
        row[0].set_title(TITLES.get(name, name), fontsize=8, loc="left").set_in_layout(False)
        chosen = np.unique(np.linspace(0, len(steps) - 1, shown).round().astype(int))
        for cell, k in zip(row[1:], chosen, strict=False):
            cell.imshow(maps[k].clamp(min=0).numpy(), cmap="magma", vmin=0, vmax=1)
            # the first title of a row is the run's name, and needs its room
            cell.set_title(f"step {steps[k]}", fontsize=7.5, loc="right", color="#444444")
        for cell in row:
            cell.set_axis_off()
    # the picture's title runs over the first map's place, whose own is at the right
    return figure


def _by_name(axes: Axes, steps: Mapping[str, Sequence[int]], values: Mapping[str, Sequence[float]]) -> None:
    for name, line in values.items():
        axes.plot(steps[name], line, "o-", markersize=3, color=COLOURS.get(name), label=TITLES.get(name, name))


@house_style
def collapse_curves(
    steps: Mapping[str, Sequence[int]], response: Mapping[str, Sequence[float]], pck: Mapping[str, Sequence[float]]
) -> Figure:
    """Response on unlabelled images, and accuracy, over training; a line a run."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 2.7))
    _by_name(left, steps, response)
    _by_name(right, steps, pck)
    left.set(xlabel="step", ylabel="response, unlabelled images", ylim=(0, 1))
    right.set(xlabel="step", ylabel="PCK@0.2, test images", ylim=(0, 1))
    handles, names = left.get_legend_handles_labels()
    wide = sum(map(len, names)) > 70
    figure.legend(handles, names, loc="outside upper center", ncols=2 if wide else 4)
    return figure


@house_style
def scattered_peaks(answers: Mapping[float, Tensor], heights: Mapping[float, Sequence[float]]) -> Figure:
    """Best answers ``(h, w)`` by how far the teacher's peaks scatter, and a peak's height over generations."""
    figure, axes = plt.subplots(
        1, len(answers) + 1, figsize=(7.2, 2.0), width_ratios=[1] * len(answers) + [1.9], gridspec_kw={"wspace": 0.1}
    )
    for cell, (spread, answer) in zip(axes, answers.items(), strict=False):
        cell.imshow(answer.numpy(), cmap="magma", vmin=0, vmax=1)
        cell.set_title(f"scatter {spread:g} px\nheight {answer.max():.2f}", fontsize=8)
        cell.set_axis_off()
    last = axes[-1]
    for colour, (spread, line) in zip(sns.color_palette("viridis", len(heights)), heights.items(), strict=True):
        last.plot(range(len(line)), line, "o-", markersize=2.5, color=colour, label=f"{spread:g} px")
    last.set(xlabel="generation", ylabel="height of the peak", ylim=(0, 1.02))
    last.legend(fontsize=7, title="scatter", title_fontsize=7)
    return figure


@house_style
def paired_views(pictures: Sequence[tuple[str, Tensor]], maps: Sequence[tuple[str, Tensor]]) -> Figure:
    """Views of one image ``(3, H, W)`` in [0, 1], and below them maps ``(h, w)``, grey where they are NaN."""
    figure, axes = plt.subplots(2, len(pictures), figsize=(1.32 * len(pictures), 2.95), squeeze=False)
    for row, cells in zip(axes, (pictures, maps), strict=True):
        for cell in row:
            cell.set_axis_off()
        for cell, (title, content) in zip(row, cells, strict=False):
            if content.ndim == 3:
                cell.imshow(picture(content), interpolation="lanczos", vmin=0, vmax=1)
            else:
                colours = plt.get_cmap("magma").with_extremes(bad="0.6")
                cell.imshow(content.clamp(min=0).numpy(), cmap=colours, vmin=0, vmax=1)
            cell.set_title(title, fontsize=7.5)
    return figure


@house_style
def grouped_bars(values: Mapping[str, Mapping[str, float]], label: str) -> Figure:
    """Groups of bars, such as accuracy on easy and on hard views of several runs."""
    names = list(next(iter(values.values())))
    figure, axes = plt.subplots(figsize=(1.6 + 1.7 * len(names), 2.4))
    width = 0.8 / len(values)
    for k, (group, of_group) in enumerate(values.items()):
        places = np.arange(len(names)) + (k - (len(values) - 1) / 2) * width
        axes.bar(places, list(of_group.values()), width * 0.95, color=(LEFT, RIGHT, MIDDLE)[k % 3], label=group)
        for x, y in zip(places, of_group.values(), strict=True):
            axes.text(x, y + 0.01, f"{y:.2f}", ha="center", fontsize=7.5)
    axes.set(
        xticks=range(len(names)),
        xticklabels=[TITLES.get(n, n).replace(", ", ",\n") for n in names],
        ylabel=label,
        ylim=(0, 1.08),
    )
    figure.legend(loc="outside right upper")
    return figure


@house_style
def loss_weights(records: Sequence[Mapping[str, Any]]) -> Figure:
    """Response and accuracy over training for each lambda (Fig. 9), from SSL-2's records; means over seeds."""
    figure, axes = plt.subplots(len(records), 2, figsize=(7, 0.5 + 2.3 * len(records)), squeeze=False)
    for row, record in zip(axes, records, strict=True):
        curves = record["curves"]
        names = list(curves[0]["response"])
        for name, colour in zip(names, [MIDDLE, *sns.color_palette("flare", len(names) - 1)], strict=True):
            for cell, field in zip(row, ("response", "pck"), strict=True):
                line = np.mean([of_seed[field][name] for of_seed in curves], axis=0)
                said = "0" if name == "supervised" else name.removeprefix("lambda ")
                cell.plot(curves[0]["steps"][name], line, "o-", markersize=2.5, color=colour, label=said)
        row[0].set(xlabel="step", ylabel=f"response, {record['dataset']}", ylim=(0, 1))
        row[1].set(xlabel="step", ylabel="PCK@0.2", ylim=(0, 1))
    axes[0, 1].legend(title="lambda", fontsize=7.5, title_fontsize=8)
    return figure


@house_style
def label_counts(records: Sequence[Mapping[str, Any]]) -> Figure:
    """Response and accuracy at the end over the number of labels (Table 9), from SSL-3's records; a dot a seed."""
    figure, axes = plt.subplots(len(records), 2, figsize=(7, 0.5 + 2.3 * len(records)), squeeze=False)
    for row, record in zip(axes, records, strict=True):
        counts = record["curves"][0]["labels"]
        for kind in ("supervised", "same"):
            names = [f"labels {number}, {kind}" for number in range(1, len(counts) + 1)]
            for cell, field in zip(row, ("response", "pck"), strict=True):
                ends = np.array([[of_seed[field][name][-1] for name in names] for of_seed in record["curves"]])
                cell.plot(counts, ends.mean(axis=0), "-", color=COLOURS[kind], label=TITLES[kind])
                cell.plot(np.broadcast_to(counts, ends.shape).T, ends.T, "o", markersize=3, color=COLOURS[kind])
        for cell, said in zip(row, (f"response, {record['dataset']}", "PCK@0.2"), strict=True):
            cell.set(xlabel="labelled images", ylabel=said, ylim=(0, 1), xscale="log", xticks=counts)
            cell.xaxis.set_major_formatter("{x:g}")
            cell.minorticks_off()
    axes[0, 0].legend(fontsize=7.5)
    return figure


@house_style
def strength_sweeps(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Accuracy over strengths of the student's view (Figs. 11 and 12), a dot a seed.

    Args:
        found: by what is varied, a column each, its records, one below the other.
    """
    rows = max(map(len, found.values()))
    figure, axes = plt.subplots(rows, len(found), figsize=(3.6 * len(found), 0.2 + 2.2 * rows), squeeze=False)
    for column, (label, records) in zip(axes.T, found.items(), strict=True):
        for cell in column[len(records) :]:
            cell.set_axis_off()
        for cell, record in zip(column, records, strict=False):
            names = list(record["curves"][0]["pck"])
            strengths = [float(name.split()[-1]) for name in names]
            scores = np.array([[of_seed["pck"][name] for name in names] for of_seed in record["curves"]])
            cell.plot(strengths, scores.mean(axis=0), "-", color=ANSWER)
            cell.plot(np.broadcast_to(strengths, scores.shape).T, scores.T, "o", markersize=3, color=ANSWER)
            cell.set(xlabel=label, ylabel=f"PCK@0.2, {record['dataset']}", xticks=strengths)
    return figure
