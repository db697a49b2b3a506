"""What smoke, quick, full and paper mean for each experiment.

smoke is for tests: every line runs, nothing is learned. quick is a newcomer's: minutes on two cores. full gives the
published records: verdicts with intervals. paper is networks, sizes and schedules like the papers' own, for GPUs.
"""

from __future__ import annotations

from typing import Any

from posenb.errors import UserError
from posenb.spec import Budget, Data, Network, Spec

PROFILES = ("smoke", "quick", "full", "paper")
"""The names of the profiles, from the smallest to the largest."""

# seeds over which claims are judged
SEEDS = {"smoke": 1, "quick": 1, "full": 5, "paper": 3}


def check(profile: str) -> str:
    """The profile itself.

    Raises:
        UserError: where there is none of that name.
    """
    if profile not in PROFILES:
        raise UserError(f"profile must be one of {', '.join(PROFILES)}, not {profile!r}")
    return profile


def _data(profile: str, dataset: str) -> Data:
    if profile == "smoke":
        return Data(dataset, train=48, test=32, monitor=16)
    size = 256 if profile == "paper" else 64
    if dataset == "lsp":
        return Data(dataset, train=None, test=None, monitor=100, size=size, margin=size // 4)
    train = {"quick": 3000, "full": 6000, "paper": 20_000}[profile]
    return Data(dataset, train=train, test=1000, monitor=300, size=size, margin=size // 4)


def foundations(profile: str, dataset: str, seed: int = 0) -> Spec:
    """The supervised run of the Foundations chapter, with the cross-entropy that learns fast.

    quick: about 75 s on synthetic people and three to four minutes on LSP, on two cores.
    """
    check(profile)
    steps = {"smoke": 4, "quick": 1200, "full": 3000, "paper": 60_000}[profile]
    if dataset == "lsp" and profile in ("quick", "full"):
        steps = 4000  # a thousand training images, and real ones
    budget = Budget(steps=steps, batch=16 if profile == "smoke" else 32, evaluations=min(steps, 12), snapshots=4)
    options: dict[str, Any] = {"loss": "soft_cross_entropy", "sigma": 1.0}
    return Spec(options=options, data=_data(profile, dataset), network=_network(profile), budget=budget, seed=seed)


def rotation(profile: str, dataset: str, seed: int = 0) -> Spec:
    """ADA-1's run: the papers' loss, mean squared error, and random rotation, 30 degrees of standard deviation."""
    check(profile)
    steps = {"smoke": 4, "quick": 1200, "full": 4000, "paper": 60_000}[profile]
    budget = Budget(steps=steps, batch=16 if profile == "smoke" else 32, evaluations=min(steps, 8), snapshots=4)
    return Spec(data=_data(profile, dataset), network=_network(profile), budget=budget, seed=seed)


def _network(profile: str) -> Network:
    return Network("hourglass") if profile == "paper" else Network("small")
