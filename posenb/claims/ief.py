"""The claims on iterative error feedback (Carreira et al. 2016)."""

from __future__ import annotations

from posenb.claims.claim import Claim

_CHAPTER = "06_error_feedback"
_MEASURES = "posenb.experiments.feedback_claims"
_SPECS = "posenb.experiments.feedback_specs:specs"

CLAIMS = (
    Claim(
        "IEF-1",
        _CHAPTER,
        "Accuracy rises with each correction step and levels off by the fourth.",
        "Fig. 3 (drawn, without numbers); section 2.1: three steps used, the fourth had little effect",
        f"{_MEASURES}:measure_ief1",
        specs_by=_SPECS,
        runs=("ief",),
    ),
    Claim(
        "IEF-2",
        _CHAPTER,
        "Iterative error feedback beats direct regression and iterative direct prediction.",
        "Table 3, MPII validation, PCKh@0.5: 81.0, 74.8, 73.4",
        f"{_MEASURES}:measure_ief2",
        specs_by=_SPECS,
        runs=("ief", "direct", "iterative_direct"),
    ),
    Claim(
        "IEF-3",
        _CHAPTER,
        "Without fixed path consolidation accuracy is lower, and it drifts at further steps.",
        "section 4 and Fig. 4: a drop of almost 10 points",
        f"{_MEASURES}:measure_ief3",
        specs_by=_SPECS,
        runs=("ief", "no_fpc", "own_path"),
    ),
    Claim(
        "IEF-4",
        _CHAPTER,
        "The more joints are modelled together, fed back and predicted, the better the left knee is found.",
        "Table 4, MPII validation, PCKh@0.5: direct 64.6, knee 69.2, knee and hip 72.8, all joints 73.8",
        f"{_MEASURES}:measure_ief4",
        specs_by=_SPECS,
        runs=("direct", "knee", "knee_hip", "ief"),
    ),
    Claim(
        "IEF-5",
        _CHAPTER,
        "Head and shoulders align more accurately than the ends of limbs.",
        "Fig. 3 (drawn, without numbers)",
        f"{_MEASURES}:measure_ief5",
        specs_by=_SPECS,
        runs=("ief",),
    ),
    Claim(
        "IEF-6",
        _CHAPTER,
        "Trajectories run from the mean pose to the person through large rotations, occlusion and truncation.",
        "Fig. 5 (examples, two of them failures)",
        f"{_MEASURES}:measure_ief6",
        specs_by=_SPECS,
        runs=("ief",),
    ),
    Claim(
        "IEF-7",
        _CHAPTER,
        "Where the scale is unknown, a shallow network that picks the box nearest to 1.2 x the person's height is "
        "enough to apply it.",
        "section 3 and Table 1, MPII test, PCKh@0.5: 81.3 without the scale given, 66.0 for the best before",
        f"{_MEASURES}:measure_ief7",
        specs_by=_SPECS,
        runs=("scene_ief", "scale"),
        once=True,
    ),
)
