"""The runs of the chapter on semi-supervised training, as Specs.

A chain: a network learns the few labels by cross-entropy, which is fast; a new head learns Gaussians by the paper's
mean squared error; from there all variants of a seed go on, with the same labelled images in the same order. The
paper's own chain is ImageNet, then labels. Mean squared error alone, from scratch, hardly learns in as many steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from posenb import data, profiles
from posenb.augment import Family
from posenb.spec import Budget, Data, Network, Spec

# what labelled images, and the teacher's view of the standard method, are drawn from
MILD = Family(rotation=20, scale=0.15, colour=0.3)
# the teacher sees the picture nearly as it is, the student turned and resized; tried on validation images
EASY = Family(rotation=0, scale=0, colour=0.2)
HARD = Family(rotation=30, scale=0.2, colour=0.5)
APART: Mapping[str, Any] = {"easy": EASY, "hard": HARD}
SAME: Mapping[str, Any] = {"scheme": "consistency", "easy": MILD, "hard": MILD}

# lambda of the standard method. The paper has 1; here that falls too slowly to be seen in minutes
WEIGHT = 30.0
LAMBDAS = (1.0, 3.0, 10.0, 30.0)
LABELS = {"smoke": (8, 16, 24), "quick": (25, 50, 500), "full": (25, 50, 500), "paper": (500, 1000, 8000)}
REAL_LABELS = {"smoke": (8, 16, 24), "quick": (50, 100, 400), "full": (50, 100, 400), "paper": (50, 100, 400)}
CUTOUTS = (0, 2, 5, 8, 12)
MAGNITUDES = (2.0, 10.0, 20.0, 30.0)
BEST_CUTOUT, BEST_MAGNITUDE = 5, 20.0  # the paper's

VARIANTS: dict[str, Mapping[str, Any]] = {
    "supervised": {"scheme": "supervised"},
    "same": {**SAME, "weight": WEIGHT},
    "easy-hard": {"scheme": "consistency", **APART},
    "dual": {"scheme": "dual", **APART},
    "dual+cutout": {"scheme": "dual", **APART, "cutout": BEST_CUTOUT},
    "dual+randaugment": {"scheme": "dual", **APART, "magnitude": BEST_MAGNITUDE},
}
"""The paper's own arms: SSL-1, 4, 5."""

CONTEXT: dict[str, Mapping[str, Any]] = {
    # at the standard method's weight, so that nothing but the views differs
    "easy-hard, heavy": {"scheme": "consistency", **APART, "weight": WEIGHT},
    "easy-hard+cutout": {"scheme": "consistency", **APART, "cutout": BEST_CUTOUT},
    "pseudo-labels": {"scheme": "pseudo", **APART},
    "distillation": {"scheme": "distill", **APART},
    "mean teacher": {"scheme": "mean_teacher", **APART},
}
"""What else is compared, and what others do with unlabelled images."""

TITLES = {
    "supervised": "labels alone",
    "same": f"same distribution, λ = {WEIGHT:g}",
    "easy-hard": "easy-hard, λ = 1",
    "dual": "dual networks",
    "lambda 1": "same distribution, λ = 1",
    "easy-hard, heavy": f"easy-hard, λ = {WEIGHT:g}",
    "dual+cutout": "dual, Joint Cutout",
    "dual+randaugment": "dual, RandAugment",
}
"""How figures and tables call the runs."""

# another seed of weights and order, for the second of two networks
_SECOND = 1000
# where SSL-8's unlabelled images come from
OTHER = {"body": "lsp", "lsp": "body"}
_THREE = {
    "narrow": Network("small", {"widths": (16, 40, 72, 104)}),
    "small": Network("small"),
    "wide": Network("small", {"widths": (32, 80, 144, 200)}),
}
BACKBONES: dict[str, dict[str, Network]] = {
    "smoke": {f"width {w}": Network("small", {"widths": (w, 2 * w)}) for w in (6, 8, 10)},
    "quick": _THREE,
    "full": _THREE,
    "paper": {
        "resnet101": Network("baseline", {"backbone": "resnet101", "weights": "DEFAULT"}),
        "resnet152": Network("baseline", {"backbone": "resnet152", "weights": "DEFAULT"}),
        "hrnet": Network("hrnet"),
    },
}
"""SSL-8's three networks."""

# of cross-entropy, then of squared error: until the few labels have little more to give
START_STEPS = {"smoke": (2, 2), "quick": (300, 400), "full": (600, 1200), "paper": (10_000, 10_000)}
STEPS = {"smoke": 4, "quick": 240, "full": 800, "paper": 40_000}
SNAPSHOTS = {"smoke": 2, "quick": 8, "full": 8, "paper": 10}
# images on which responses are measured
IMAGES = {"smoke": 16, "quick": 100, "full": 300, "paper": 1000}


def label_counts(profile: str, dataset: str) -> tuple[int, ...]:
    """SSL-3's three numbers of labels; the middle one is what all other runs have."""
    return (LABELS if dataset in data.SYNTHETIC else REAL_LABELS)[profile]


def _data(profile: str, dataset: str) -> Data:
    size = 256 if profile == "paper" else 64
    drawn = dataset in data.SYNTHETIC
    # large upright people: a small network learns something of these from few labels
    options = {"difficulty": 0.1} if drawn else {}
    if profile == "smoke":
        return Data(dataset, train=16, test=32, monitor=16, unlabelled=32, options=options)
    few, many = label_counts(profile, dataset)[1], 900
    if drawn:
        many = {"quick": 1500, "full": 3000, "paper": 50_000}[profile]
    return Data(
        dataset,
        train=few,
        test=1000 if drawn else None,
        monitor=100,
        unlabelled=many,
        size=size,
        margin=size // 4,
        options=options,
    )


def _start(base: Spec, profile: str, seed: int) -> Spec:
    """The run that all variants of a seed start from: labels alone, first by cross-entropy, then by squared error."""
    first, second = (replace(base.budget, steps=steps, snapshots=0) for steps in START_STEPS[profile])
    plain = replace(base, data=replace(base.data, unlabelled=0, unlabelled_from=""), seed=seed)
    fast = {"loss": "soft_cross_entropy", "sigma": 1.0, "augmentation": MILD}
    quick = replace(plain, method="supervised", options=fast, budget=first)
    return replace(plain, options=_options({"scheme": "supervised"}), budget=second, start=(quick,))


def _options(options: Mapping[str, Any]) -> dict[str, Any]:
    return {"sigma": 2.0, "augmentation": MILD} | dict(options)


def _variant(base: Spec, profile: str, options: Mapping[str, Any]) -> Spec:
    """A run of these options, on its start: two of them where two networks learn."""
    first = _start(base, profile, base.seed)
    starts = (first, _start(base, profile, base.seed + _SECOND)) if options["scheme"] == "dual" else (first,)
    # a run on labels alone is the same whatever the unlabelled images are
    alone = options["scheme"] == "supervised"
    of_run = replace(base.data, unlabelled=0, unlabelled_from="") if alone else base.data
    return replace(base, data=of_run, options=_options(options), start=starts)


def specs(profile: str, dataset: str, seed: int = 0) -> dict[str, Spec]:
    """Every run of the chapter by name.

    ``VARIANTS`` and ``CONTEXT``; 'lambda 3' of the standard method; 'labels 1, supervised' and 'labels 1, same' to 3;
    'cutout 8' and 'magnitude 10' of the dual networks; 'network 1, supervised' and 'network 1, cross' to 3, with the
    other data set's images, and 'network 1, mixed', where these move the running statistics, too.

    Args:
        profile: one of :data:`posenb.profiles.PROFILES`.
        dataset: a name of :mod:`posenb.data`.
        seed: of all runs, and of those that they start from.
    """
    profiles.check(profile)
    steps = STEPS[profile]
    budget = Budget(steps=steps, batch=16, evaluations=min(steps, 4), snapshots=SNAPSHOTS[profile])
    network = Network("baseline", {"weights": "DEFAULT"}) if profile == "paper" else Network("small")
    base = Spec(method="semi_supervised", data=_data(profile, dataset), network=network, budget=budget, seed=seed)
    found = {name: _variant(base, profile, options) for name, options in (VARIANTS | CONTEXT).items()}
    for weight in LAMBDAS:
        found[f"lambda {weight:g}"] = _variant(base, profile, {**SAME, "weight": weight})
    for number, labels in enumerate(label_counts(profile, dataset), 1):
        of_labels = replace(base, data=replace(base.data, train=labels))
        for name in ("supervised", "same"):
            found[f"labels {number}, {name}"] = _variant(of_labels, profile, VARIANTS[name])
    for m in CUTOUTS:
        found[f"cutout {m}"] = _variant(base, profile, {**VARIANTS["dual"], "cutout": m})
    for magnitude in MAGNITUDES:
        found[f"magnitude {magnitude:g}"] = _variant(base, profile, {**VARIANTS["dual"], "magnitude": magnitude})
    elsewhere = replace(base.data, unlabelled_from=OTHER.get(dataset, "body"))
    for number, of_network in enumerate(BACKBONES[profile].values(), 1):
        cross = replace(base, data=elsewhere, network=of_network)
        found[f"network {number}, supervised"] = _variant(cross, profile, VARIANTS["supervised"])
        for name, statistics in (("cross", "labelled"), ("mixed", "all")):
            options = {**VARIANTS["dual+cutout"], "statistics": statistics}
            found[f"network {number}, {name}"] = _variant(cross, profile, options)
    return found
