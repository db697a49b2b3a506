"""The runs of One Bench, as Specs: every method from the same start, on the same images, for as many steps.

A network learns the labels by cross-entropy. From there each method goes on, with its own loss and its chapter's
options; a method whose maps mean something else begins a new head. Networks that are to teach each other must know
something first, so those learn the labels by their own loss before (``Row.first``). All see the same labelled images in
the same order. Some also see unlabelled ones, which are counted as cost, not as labels.

What a method brings is measured against its control: the same training without what the method adds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from posenb import data, profiles
from posenb.errors import UserError
from posenb.experiments.self_adversarial_specs import GAMMAS, REGIME
from posenb.experiments.semi_supervised_specs import APART, BEST_CUTOUT
from posenb.spec import Budget, Data, Network, Spec

CROSS_ENTROPY: Mapping[str, Any] = {"loss": "soft_cross_entropy", "sigma": 1.0}
# half as many unlabelled images as labelled ones, to save time
DUAL: Mapping[str, Any] = {"scheme": "dual", "sigma": 2.0, "ratio": 0.5, "cutout": BEST_CUTOUT, **APART}
# not 'supervised', whose new head is not reset to 0 and learns more slowly
LABELLED: Mapping[str, Any] = {"scheme": "consistency", "weight": 0.0, "sigma": 2.0}
# the released code's cap; learning rates for few steps, as in the chapter
AGENTS: Mapping[str, Any] = {**CROSS_ENTROPY, "agent_lr": 1e-3}
ADVERSARIAL: Mapping[str, Any] = {**CROSS_ENTROPY, "agent_lr": 2e-4, "cap": 2.0}
STEADY: Mapping[str, Any] = {"stable": {"mst": True}}


@dataclass(frozen=True)
class Row:
    """A method of the bench.

    Attributes:
        label: what tables and figures call it.
        method: its name in ``METHODS``.
        options: of the method.
        two: whether it starts from two networks.
        agents: whether it starts from pre-trained agents.
        first: options of a training on labels alone that comes before, by the same method; none: there is none.
    """

    label: str
    method: str
    options: Mapping[str, Any] = field(default_factory=dict)
    two: bool = False
    agents: bool = False
    first: Mapping[str, Any] = field(default_factory=dict)


ROWS: dict[str, Row] = {
    "supervised": Row("supervised, cross-entropy", "supervised", CROSS_ENTROPY),
    "squared": Row("supervised, squared error", "stable_heatmaps"),
    "adversarial": Row("adversarial augmentation", "adversarial_augmentation", ADVERSARIAL, agents=True),
    "stable": Row("stable heatmaps, all three", "stable_heatmaps", {"rcc": True, "hdhr": True, "mst": True}),
    "mst": Row("stable heatmaps, MST alone", "stable_heatmaps", {"mst": True}),
    "self_adversarial": Row("self adversarial training", "self_adversarial", REGIME),
    "dual": Row("dual networks, unlabelled images", "semi_supervised", DUAL, two=True, first=LABELLED),
    "feedback": Row("iterative error feedback", "error_feedback"),
    "mst+dual": Row(
        "MST \N{MULTIPLICATION SIGN} dual networks",
        "stable_semi_supervised",
        {**DUAL, **STEADY},
        two=True,
        first={**LABELLED, **STEADY},
    ),
    "mst+adversarial": Row(
        "MST \N{MULTIPLICATION SIGN} adversarial augmentation",
        "stable_adversarial_augmentation",
        {**ADVERSARIAL, **STEADY},
        agents=True,
    ),
}
"""Two baselines, the five papers' methods, and the two combinations."""

CONTROLS: dict[str, Row] = {
    "generator": Row("generator without adversary", "self_adversarial", {"adversary": False}),
    "direct": Row("direct regression", "error_feedback", {"target": "location", "steps": 1}),
    "labels": Row("labels alone", "semi_supervised", LABELLED, first=LABELLED),
    "mst+labels": Row(
        "MST on labels alone", "stable_semi_supervised", {**LABELLED, **STEADY}, first={**LABELLED, **STEADY}
    ),
}
"""The same trainings without what the method adds, where no row of the bench is that."""

CONTROL = {
    "adversarial": "supervised",
    "stable": "squared",
    "mst": "squared",
    "self_adversarial": "generator",
    "dual": "labels",
    "feedback": "direct",
    "mst+dual": "mst+labels",
    "mst+adversarial": "mst",
}
"""Each method's control, of ``ROWS`` or ``CONTROLS``."""

FEW = ("supervised", "adversarial", "dual", "mst+dual", "labels", "mst+labels")
"""Rows that are also trained with few labels: what is about having few, and what that is compared with."""

COMBINED = {"mst+dual": "dual", "mst+adversarial": "adversarial"}
"""Each combination with its part beside MST."""

PARTS = ("mst", "mst+labels", *COMBINED.values(), *COMBINED)
"""What ALL-2 compares; dual networks' combination and its control also with few labels."""

CARRY = tuple(dict.fromkeys([*CONTROL, *CONTROL.values()]))
"""What ALL-3 compares: all methods, and their controls."""

LABELS = {"smoke": (8, 16), "quick": (100, 500), "full": (100, 500), "paper": (500, 5000)}
"""Few labels, and what all other columns are measured with."""

REAL_LABELS = LABELS | {"paper": LABELS["full"]}
"""LSP has a thousand training images in all; those whose labels are not used are the unlabelled ones."""

UNLABELLED = {"smoke": 16, "quick": 1000, "full": 2500, "paper": 15_000}
START = {"smoke": 2, "quick": 600, "full": 1000, "paper": 20_000}
# of labels alone by a method's own loss, where networks are to teach each other
FIRST = {"smoke": 2, "quick": 60, "full": 300, "paper": 10_000}
AGENT_STEPS = {"smoke": 2, "quick": 40, "full": 80, "paper": 2000}
BATCH = {"smoke": 8, "quick": 16, "full": 32, "paper": 32}
STEPS = {"smoke": 4, "quick": 100, "full": 300, "paper": 30_000}
# images on which robustness and plausibility are measured
IMAGES = {"smoke": 16, "quick": 80, "full": 300, "paper": 1000}
# of synthetic people: at .5 a network of this size learns hardly anything from so few labels
DIFFICULTY = 0.15
# another seed of weights and order, for the second of two networks
_SECOND = 1000


def specs(profile: str, dataset: str, seed: int = 0) -> dict[str, Spec]:
    """A Spec for each of ``ROWS`` and ``CONTROLS``, and 'few, NAME' for those of ``FEW`` with few labels.

    Args:
        profile: one of :data:`posenb.profiles.PROFILES`.
        dataset: a name of :mod:`posenb.data`, of a body: error feedback is about people.
        seed: of all runs, and of those that they start from.
    """
    profiles.check(profile)
    few, many = label_counts(profile, dataset)
    rows = ROWS | CONTROLS
    found = {name: _spec(row, profile, _data(profile, dataset, many), seed) for name, row in rows.items()}
    return found | {f"few, {name}": _spec(rows[name], profile, _data(profile, dataset, few), seed) for name in FEW}


def label_counts(profile: str, dataset: str) -> tuple[int, int]:
    """Few labels, and what all other columns are measured with."""
    return (LABELS if dataset in data.SYNTHETIC else REAL_LABELS)[profile]


def carried(profile: str, dataset: str, seed: int = 0) -> dict[str, Spec]:
    """:func:`specs` on this data set and on the one that it is compared with: 'body, mst' and 'lsp, mst'.

    Raises:
        UserError: for another data set than these two.
    """
    if dataset not in OTHER:
        raise UserError(f"findings are carried over from {' to '.join(OTHER)}, not from {dataset}: choose one of these")
    sets = (dataset, OTHER[dataset])
    return {f"{name}, {row}": spec for name in sets for row, spec in specs(profile, name, seed).items()}


OTHER = {"body": "lsp", "lsp": "body"}
"""Where findings are carried over to: synthetic people to real ones."""


def _data(profile: str, dataset: str, labels: int) -> Data:
    size = 256 if profile == "paper" else 64
    drawn = dataset in data.SYNTHETIC
    smoke = profile == "smoke"
    return Data(
        dataset,
        train=labels,
        test=(32 if smoke else 1000) if drawn or smoke else None,
        monitor=16 if smoke else 100,
        unlabelled=UNLABELLED[profile] if drawn or smoke else 1000 - max(REAL_LABELS[profile]),
        size=size,
        margin=size // 4,
        options={"difficulty": DIFFICULTY} if drawn and profile != "paper" else {},
    )


def _spec(row: Row, profile: str, of_data: Data, seed: int) -> Spec:
    alone, paper = replace(of_data, unlabelled=0), profile == "paper"
    steps = STEPS[profile]
    budget = Budget(steps=steps, batch=BATCH[profile], evaluations=min(steps, 4), snapshots=1)
    network = Network("hourglass") if paper else Network("small")

    def start(number: int) -> Spec:
        return Spec("supervised", CROSS_ENTROPY, alone, network, replace(budget, steps=START[profile]), number)

    def learned(number: int) -> Spec:
        of_labels = replace(budget, steps=FIRST[profile], snapshots=0)
        return Spec(row.method, row.first, alone, network, of_labels, number, (start(number),))

    seeds = (seed, seed + _SECOND) if row.two else (seed,)
    sources = tuple(learned(number) if row.first else start(number) for number in seeds)
    if row.agents:
        short = replace(budget, steps=AGENT_STEPS[profile], batch=8)
        agents = Spec("adversarial_pretraining", AGENTS, alone, network, short, seed, sources)
        sources = (agents,)
    if row.method == "error_feedback":
        # its encoder is the start's; at the paper's size it has a backbone of its own
        network = Network("feedback", {"backbone": "googlenet", "weights": "DEFAULT"} if paper else {})
        sources = () if paper else sources
    options = dict(row.options)
    if row.method == "self_adversarial" and options.get("adversary", True):
        options["gamma"] = GAMMAS[profile]
    return Spec(row.method, options, of_data if row.two else alone, network, budget, seed, sources)
