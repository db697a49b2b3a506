"""The claims on self adversarial training (Chou et al. 2018)."""

from __future__ import annotations

from posenb.claims.claim import Claim

_CHAPTER = "04_self_adversarial"
_MEASURES = "posenb.experiments.self_adversarial_claims"
_SPECS = "posenb.experiments.self_adversarial_specs:specs"

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "SAT-1",
        _CHAPTER,
        "Before the equilibrium, and at any time on heatmaps damaged to the same pixel error, the discriminator "
        "reconstructs real ones better.",
        "Chou et al. 2018, L_real and L_fake",
        f"{_MEASURES}:measure_sat1",
        specs_by=_SPECS,
        runs=("sat",),
    ),
    Claim(
        "SAT-2",
        _CHAPTER,
        "k steers L_fake to gamma L_real, without staying at 0 or 1. (Here with gamma 4; the released code has .5.)",
        "the rule that updates k",
        f"{_MEASURES}:measure_sat2",
        specs_by=_SPECS,
        runs=("fixed", "sat"),
    ),
    Claim(
        "SAT-3",
        _CHAPTER,
        "The discriminator's error at each pixel marks the joints that do not make a real pose. (Here summed over each "
        "joint's map.)",
        '"detailed comments on the input heatmaps" (said without a figure)',
        f"{_MEASURES}:measure_sat3",
        specs_by=_SPECS,
        runs=("sat",),
    ),
    Claim(
        "SAT-4",
        _CHAPTER,
        "Adversarial training beats the same generator trained by mean squared error alone, and its poses are more "
        "plausible.",
        "MPII test, PCKh@0.5: 91.8; stacked hourglass 90.9 (as quoted in Sun et al. 2019; no run without the adversary "
        "is known)",
        f"{_MEASURES}:measure_sat4",
        specs_by=_SPECS,
        runs=("mse", "sat"),
    ),
)
