"""The runs of the chapter on self adversarial training, as Specs.

All of a seed start from the same supervised network, see the same batches, and differ in one thing.
"""

from __future__ import annotations

from typing import Any

from posenb import profiles
from posenb.spec import Budget, Spec

REGIME: dict[str, Any] = {
    "lambda_g": 0.1,
    "lambda_k": 0.005,
    "wait": 0.25,
    "discriminator_lr": 3e-3,
    "discriminator_options": {"widths": [16, 32, 64, 96]},
}
"""Chosen on validation images; the unit is that of :meth:`posenb.methods.self_adversarial.SelfAdversarial.error`."""

GAMMAS = {"smoke": 4.0, "quick": 4.0, "full": 4.0, "paper": 0.5}
"""The released code's gamma is .5, the paper profile's. Smaller runs need a larger one.

Generated maps are told from labels' within some hundred steps, and a discriminator that merely reconstructs has L_fake
above L_real: three times after 300 steps, more than four times after 400 of 600. k stays at 0 for any gamma below that.
With twice as much (gamma 8 in 300 steps) k climbs past .1, and from there on both errors grow without end. There is
little room between: in 600 steps k is back at 0 by the end with gamma 6, and with gamma 9 the errors grow without end.
So 'full' trains no longer than 'quick', from a better start.
"""

VARIANTS: dict[str, dict[str, Any]] = {
    "mse": {"adversary": False},
    "fixed": {"lambda_k": 0.0},
    "sat": {},
}
# sweeps: the released code's gamma; a louder adversary; the adversarial loss with its target held constant
SWEEP: dict[str, dict[str, Any]] = {
    "gamma 0.5": {"gamma": 0.5},
    "lambda_g 1": {"lambda_g": 1.0},
    "held": {"through_target": False},
}
NAMES = (*VARIANTS, *SWEEP)
# how figures and tables call them
TITLES = {"mse": "squared error alone", "fixed": "k fixed", "sat": "k steered"}

STEPS = {"smoke": 4, "quick": 300, "full": 300, "paper": 100_000}
# test images on which the discriminator is measured
IMAGES = {"smoke": 16, "quick": 300, "full": 1000, "paper": 1000}


def specs(profile: str, dataset: str, seed: int = 0) -> dict[str, Spec]:
    """A Spec for each of ``NAMES``: the generator alone, with k fixed, with k steered; and the sweeps.

    Args:
        profile: one of :data:`posenb.profiles.PROFILES`; 'paper' has the hourglass for both networks.
        dataset: a name of :mod:`posenb.data`.
        seed: of all runs, and of the one that they start from.
    """
    start = profiles.foundations(profile, dataset, seed)
    steps = STEPS[profile]
    budget = Budget(steps=steps, batch=start.budget.batch, evaluations=min(steps, 4))
    regime = REGIME | {"gamma": GAMMAS[profile]}
    if profile == "paper":
        regime |= {"discriminator": "hourglass", "discriminator_options": {"blocks": 2}}
    return {
        name: Spec(
            method="self_adversarial",
            options=options if name == "mse" else regime | options,
            data=start.data,
            network=start.network,
            budget=budget,
            seed=seed,
            start=(start,),
        )
        for name, options in (VARIANTS | SWEEP).items()
    }
