"""The runs of the chapter on iterative error feedback, as Specs.

All of a seed start from the same supervised run, of which they take the encoder, as the paper's start from GoogLeNet
trained on ImageNet. They see the same batches and differ in one thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from posenb import profiles
from posenb.data import SYNTHETIC, skeleton
from posenb.errors import UserError
from posenb.spec import Budget, Network, Spec

# the method, and Table 3's and Fig. 4's rivals
VARIANTS: dict[str, Mapping[str, Any]] = {
    "ief": {},
    "direct": {"target": "location", "steps": 1},
    "iterative_direct": {"target": "location", "path": "own"},
    "no_fpc": {"curriculum": False},
}
# Table 4
JOINTS: dict[str, Mapping[str, Any]] = {
    "knee": {"joints": ["left_knee"]},
    "knee_hip": {"joints": ["left_knee", "left_hip"]},
}
# not in the paper: bounded corrections, learned where the network's own steps lead
OURS: dict[str, Mapping[str, Any]] = {"own_path": {"path": "own"}}
# IEF-7: people of unknown size, synthetic whatever the data set
SCENE = ("scene_ief", "scale")
NAMES = (*VARIANTS, *JOINTS, *OURS, *SCENE)
# how figures and tables call them
TITLES = {
    "ief": "error feedback",
    "direct": "direct prediction",
    "no_fpc": "without FPC",
    "own_path": "on its own path (ours)",
}

STEPS = {"smoke": 4, "quick": 500, "full": 1800, "paper": 60_000}
SCALE_STEPS = {"smoke": 4, "quick": 400, "full": 2000, "paper": 20_000}
# correction steps that are measured: twice those trained
MEASURED = 8
# of synthetic people; at .5 a network of this size learns hardly anything in as many steps
DIFFICULTY = 0.15


def specs(profile: str, dataset: str, seed: int = 0) -> dict[str, Spec]:
    """A Spec for each of ``NAMES``.

    Args:
        profile: one of :data:`posenb.profiles.PROFILES`.
        dataset: a name of :mod:`posenb.data`, of a body.
        seed: of all runs, and of the one that they start from.

    Raises:
        UserError: for a data set of something else, such as hands.
    """
    if "left_knee" not in skeleton(dataset).joints:
        raise UserError(f"error feedback is about people, and {dataset} has no knees: choose body or lsp")
    # a short training is enough of a start at full, too
    start = profiles.foundations("quick" if profile == "full" else profile, dataset, seed)
    steps, paper = STEPS[profile], profile == "paper"
    options = {"difficulty": DIFFICULTY} if dataset in SYNTHETIC and not paper else {}
    data = replace(profiles.foundations(profile, dataset, seed).data, options=options)
    if paper:
        data = replace(data, size=224, margin=32)
    whole = Spec(
        method="error_feedback",
        data=data,
        network=Network("feedback", {"backbone": "googlenet", "weights": "DEFAULT"} if paper else {}),
        budget=Budget(steps=steps, batch=start.budget.batch, evaluations=min(steps, 4)),
        seed=seed,
        start=() if paper else (start,),
    )
    stages: dict[str, Any] = {"growing": True} if paper else {}
    found = {name: replace(whole, options={**stages, **chosen}) for name, chosen in (VARIANTS | JOINTS | OURS).items()}
    # as many people as the synthetic ones of the profile, with their own size
    easy = {"difficulty": DIFFICULTY}
    people = replace(data, name="scene", train=data.train or 3000, test=min(data.test or 1000, 1000), options=easy)
    found["scene_ief"] = replace(whole, data=people, options=stages)
    found["scale"] = Spec(
        method="scale_selection",
        data=replace(people, options=easy | {"view": "wide"}),
        network=Network("shallow"),
        budget=replace(whole.budget, steps=SCALE_STEPS[profile], evaluations=min(SCALE_STEPS[profile], 4)),
        seed=seed,
    )
    return found
