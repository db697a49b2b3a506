"""The runs of the chapter on adversarial augmentation, as Specs.

Three stages: a pose network, its agents, both together. All of stage 3 start from the same weights, see the same
images, and take as many steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from posenb import profiles
from posenb.spec import Budget, Network, Spec

VARIANTS: dict[str, Mapping[str, Any]] = {
    "asr": {"agents": ["asr"]},
    "aho": {"agents": ["aho"]},
    "both": {},
    "scaled down": {"agents": ["aho"], "occlusion": "down"},
    "independent": {"agents": ["aho"], "occlusion": "independent"},
    "pixels": {"agents": ["aho"], "occlusion": "pixels"},
    "together": {"together": True},
    "unprepared": {"pretrained": False},
    "uncapped": {"cap": None},
    "uniform": {"uniform": True},
}
"""What each run of stage 3 has of its own. Components (ADA-4), masks (8), pixels (11), one image (12), fresh (13), and
agents that choose nothing (15).

All have the released code's cap but 'uncapped': without it the equations as they are printed settle on one bin, because
a bin grows as long as it wins more than beta / (alpha + beta) = .71 of its comparisons, and the outermost do.
"""

TITLES = {
    "random": "random",
    "asr": "ASR",
    "aho": "AHO",
    "both": "ASR + AHO",
    "scaled down": "AHO, mask scaled down",
    "independent": "AHO, independent masks",
    "pixels": "AHO, pixels hidden",
    "together": "ASR + AHO on one image",
    "unprepared": "ASR + AHO, not pre-trained",
    "uncapped": "ASR + AHO, no cap",
    "uniform": "no agent, all bins alike",
}
"""How figures call the runs of stage 3."""

START = {"smoke": 4, "quick": 600, "full": 1500, "paper": 10_000}
"""Steps of stage 1."""

AGENTS = {"smoke": 2, "quick": 100, "full": 100, "paper": 2000}
"""Steps of stage 2, of 8 images, each judged under all 63 pairs of bins."""

JOINT = {"smoke": 4, "quick": 400, "full": 1000, "paper": 50_000}
"""Steps of stage 3."""

IMAGES = {"quick": 1000, "full": 1000, "paper": 20_000}
"""Synthetic training images: as many as LSP has. Augmentation matters where images are few."""

HOURGLASSES = {
    "residual": Network("hourglass"),
    "dense": Network("hourglass", {"block": "dense", "channels": 128, "blocks": 6}),
}
"""The two networks of the paper's Table 1: one stack each."""

COMPONENTS = ("random", "asr", "aho", "both")
"""The rows of that table: what ADA-4 compares."""


def networks(profile: str) -> dict[str, Network | None]:
    """On which networks components are compared (ADA-4): the paper's two at its size, and else the profile's own."""
    return dict(HOURGLASSES) if profile == "paper" else {"small": None}


def components(profile: str, dataset: str, seed: int = 0) -> dict[str, Spec]:
    """The runs of ADA-4, 'small, random' and so on: each of :data:`COMPONENTS` on each of :func:`networks`."""
    found = {name: stages(profile, dataset, seed, network) for name, network in networks(profile).items()}
    return {f"{name}, {variant}": found[name][variant] for name in found for variant in COMPONENTS}


def hourglasses(profile: str, dataset: str, seed: int = 0) -> dict[str, Spec]:
    """The runs of ADA-6, 'residual' and 'dense'; none below the paper profile, where it is judged on weights alone."""
    compared = HOURGLASSES if profile == "paper" else {}
    return {name: stages(profile, dataset, seed, network)["random"] for name, network in compared.items()}


def stacked(profile: str) -> Network:
    """The stacked hourglass of ADA-9: 8 stacks at the paper's size, and else 2 narrow ones, with maps of 16 pixels."""
    if profile == "paper":
        return Network("hourglass", {"stacks": 8, "blocks": 1})
    return Network("hourglass", {"stacks": 2, "channels": 64, "blocks": 1, "depth": 2})


def specs(profile: str, dataset: str, seed: int = 0) -> dict[str, Spec]:
    """The runs of the chapter by name: :func:`stages` with the profile's network, and the two of ADA-9, which are
    'stacked random' and 'stacked both'."""
    deep = stages(profile, dataset, seed, stacked(profile))
    return stages(profile, dataset, seed) | {f"stacked {name}": deep[name] for name in ("random", "both")}


def stages(profile: str, dataset: str, seed: int = 0, network: Network | None = None) -> dict[str, Spec]:
    """The runs on one network by name, as a graph: whoever trains one trains those that it starts from.

    'start' is stage 1; 'agents' and 'direct agents' are stage 2; then stage 3: 'random', which goes on as it began,
    :data:`VARIANTS`, and 'direct'.

    Args:
        profile, dataset, seed: as everywhere.
        network: in place of the profile's, with ``forward_bridges``; for dense and for stacked hourglasses.
    """
    base = profiles.foundations(profile, dataset, seed)
    if profile in IMAGES and base.data.train is not None:
        base = replace(base, data=replace(base.data, train=IMAGES[profile]))
    base = replace(base, network=network or base.network)
    # the papers' loss learns too little in the minutes of a small profile
    pose: dict[str, Any] = {"loss": "mse"} if profile == "paper" else dict(base.options)
    # the paper's learning rates for tens of thousands of steps; fewer need larger ones, the agents' a fifth in stage 3
    # as there
    rate = 1.0 if profile == "paper" else 4.0
    learning: dict[str, Any] = pose | {"lr": 2.5e-4} if profile == "paper" else pose

    def budget(steps: int, snapshots: int, batch: int = base.budget.batch) -> Budget:
        return replace(
            base.budget,
            steps=steps,
            batch=min(batch, base.budget.batch),
            evaluations=min(steps, 6),
            snapshots=min(steps, snapshots),
        )

    start = replace(base, options=learning, budget=budget(START[profile], 1))
    second, third = budget(AGENTS[profile], 2, batch=8), budget(JOINT[profile], 6)

    def prepared(**options: Any) -> Spec:
        options = pose | {"agent_lr": 2.5e-4 * rate} | options
        return replace(start, method="adversarial_pretraining", options=options, budget=second, start=(start,))

    def joint(source: Spec, **options: Any) -> Spec:
        options = learning | {"agent_lr": 5e-5 * rate, "cap": 2.0} | options
        return replace(start, method="adversarial_augmentation", options=options, budget=third, start=(source,))

    agents, direct = prepared(), prepared(agents=["asr"], direct=True)
    return {
        "start": start,
        "agents": agents,
        "direct agents": direct,
        "random": replace(start, budget=third, start=(start,)),
        **{name: joint(agents, **options) for name, options in VARIANTS.items()},
        "direct": joint(direct, agents=["asr"], direct=True),
    }
