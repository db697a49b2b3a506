"""The claims on the collapsing problem in semi-supervised pose estimation (Xie et al. 2021)."""

from __future__ import annotations

from posenb.claims.claim import Claim

_CHAPTER = "05_semi_supervised"
_MEASURES = "posenb.experiments.semi_supervised_claims"
_SPECS = "posenb.experiments.semi_supervised_specs:specs"
_LEVELS = (1, 2, 3)

CLAIMS = (
    Claim(
        "SSL-1",
        _CHAPTER,
        "Consistency training with teacher and student views from the same distribution collapses: the response on "
        "unlabelled images falls, and accuracy ends below that of labels alone. (Here with lambda 30; the paper has 1, "
        "which is SSL-2's question.)",
        "Xie et al. 2021, supplement, Table 9: COCO, 1K labels, AP .8 against 31.5",
        f"{_MEASURES}:measure_ssl1",
        specs_by=_SPECS,
        runs=("supervised", "same"),
    ),
    Claim(
        "SSL-2",
        _CHAPTER,
        "A smaller weight of the unlabelled loss slows the fall of the response, and does not stop it.",
        "Fig. 9 (drawn, without numbers)",
        f"{_MEASURES}:measure_ssl2",
        specs_by=_SPECS,
        runs=("supervised", "lambda 1", "lambda 3", "lambda 10", "lambda 30"),
        sweep=True,
    ),
    Claim(
        "SSL-3",
        _CHAPTER,
        "More labels do not cure it: with any number of them response and accuracy end below those of labels alone. "
        "(Here with lambda 30; the paper has 1.)",
        "Table 9: COCO, AP with 1K, 5K, 10K, 150K labels .8, 13.0, 26.2, 46.8; labels alone 31.5, 46.4, 51.1, 67.1",
        f"{_MEASURES}:measure_ssl3",
        specs_by=_SPECS,
        runs=tuple(f"labels {number}, {kind}" for number in _LEVELS for kind in ("supervised", "same")),
        sweep=True,
    ),
    Claim(
        "SSL-4",
        _CHAPTER,
        "With an easy view for the teacher and a hard one for the student nothing collapses, and accuracy ends above "
        "that of labels alone.",
        "Algorithm 1; main paper and code: COCO, 1K labels, AP 38.5 against 31.5",
        f"{_MEASURES}:measure_ssl4",
        specs_by=_SPECS,
        runs=("supervised", "easy-hard", "lambda 1"),
    ),
    Claim(
        "SSL-5",
        _CHAPTER,
        "Two networks that teach each other gain more than one that teaches itself, and end about equally good.",
        "section B; main paper and code: COCO, 1K labels, AP 41.5 against 38.5; Joint Cutout 44.6, RandAugment 43.7",
        f"{_MEASURES}:measure_ssl5",
        specs_by=_SPECS,
        runs=("easy-hard", "dual", "dual+cutout", "dual+randaugment"),
    ),
    Claim(
        "SSL-6",
        _CHAPTER,
        "Joint Cutout is best with a middle number of covered joints. (Here: the paper's 5 against 0 and 12.)",
        "Fig. 11: m = 5 (drawn, without numbers)",
        f"{_MEASURES}:measure_ssl6",
        specs_by=_SPECS,
        runs=("cutout 0", "cutout 2", "cutout 5", "cutout 8", "cutout 12"),
        sweep=True,
    ),
    Claim(
        "SSL-7",
        _CHAPTER,
        "RandAugment is best with a middle magnitude. (Here: the paper's 20 against 2 and 30.)",
        "Fig. 12: 20 of 30 (drawn, without numbers)",
        f"{_MEASURES}:measure_ssl7",
        specs_by=_SPECS,
        runs=("magnitude 2", "magnitude 10", "magnitude 20", "magnitude 30"),
        sweep=True,
    ),
    Claim(
        "SSL-8",
        _CHAPTER,
        "With labels from one data set and unlabelled images from another, dual networks gain on each of three "
        "networks.",
        "Table 10: MPII with AIC unlabelled, 88.1 to 89.8, 88.7 to 90.5, 89.5 to 91.1 (with AIC's labels 90.8, 91.0, "
        "91.7)",
        f"{_MEASURES}:measure_ssl8",
        specs_by=_SPECS,
        runs=tuple(f"network {number}, {kind}" for number in _LEVELS for kind in ("supervised", "cross", "mixed")),
        sweep=True,
    ),
)
