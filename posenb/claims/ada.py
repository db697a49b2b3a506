"""The claims on adversarial data augmentation (Peng et al. 2018)."""

from __future__ import annotations

from posenb.claims.claim import EVERY, Claim

_CHAPTER = "02_adversarial_augmentation"
_MEASURES = "posenb.experiments.adversarial_claims"
_SPECS = "posenb.experiments.adversarial_specs:specs"

CLAIMS = (
    Claim(
        "ADA-1",
        "01_foundations",
        "Trained with random rotation, the pose loss over rotation angle keeps its bowl shape, low at 0 "
        "degrees and high at the ends, at every stage of training.",
        "Peng et al. 2018, Fig. 5, bottom row (drawn, without numbers)",
        "posenb.experiments.rotation:measure_ada1",
        specs_by="posenb.experiments.rotation:specs",
        runs=("random_rotation",),
    ),
    Claim(
        "ADA-2",
        _CHAPTER,
        "Trained with ASR and AHO (the paper: with rotation alone), the curve of the pose loss over rotation becomes "
        "flatter.",
        "Fig. 5, middle row against bottom row (drawn, without numbers)",
        f"{_MEASURES}:measure_ada2",
        specs_by=_SPECS,
        runs=("random", "both"),
    ),
    Claim(
        "ADA-3",
        _CHAPTER,
        "The rotation distribution that the agent predicts follows the pose network's loss distribution.",
        "Fig. 5, top row against middle row (drawn, without numbers)",
        f"{_MEASURES}:measure_ada3",
        specs_by=_SPECS,
        runs=("both",),
    ),
    Claim(
        "ADA-4",
        _CHAPTER,
        "ASR beats random augmentation, AHO beats it, and both together beat either, on residual and on dense "
        "hourglasses.",
        "Table 1, MPII validation: +.5 by ASR, +.4 by AHO, a further +.4 by both",
        f"{_MEASURES}:measure_ada4",
        specs_by="posenb.experiments.adversarial_specs:components",
        runs=EVERY,
    ),
    Claim(
        "ADA-5",
        _CHAPTER,
        "The gain is largest on the hard joints: wrist, knee, ankle.",
        "Table 1, Fig. 6; but on the MPII test set the ankle falls, 83.6 to 83.5 (Table 2)",
        f"{_MEASURES}:measure_ada5",
        specs_by=_SPECS,
        runs=("random", "both"),
    ),
    Claim(
        "ADA-6",
        _CHAPTER,
        "A dense hourglass matches a residual one with less than half of its weights. Judged on their number; on "
        "accuracy too at the paper's size.",
        "Table 1: size 18M against 38M, megabytes as it seems",
        f"{_MEASURES}:measure_ada6",
        specs_by="posenb.experiments.adversarial_specs:hourglasses",
        runs=EVERY,
        once=True,
    ),
    Claim(
        "ADA-7",
        _CHAPTER,
        "An agent that generates augmentations directly, instead of distributions to draw them from, collapses to "
        "upside-down images.",
        "section 4.1, said without a figure",
        f"{_MEASURES}:measure_ada7",
        specs_by=_SPECS,
        runs=("direct",),
        sweep=True,
    ),
    Claim(
        "ADA-8",
        _CHAPTER,
        "One mask scaled up from the lowest resolution beats one scaled down, and beats independent masks.",
        "section 4.2, argued without a figure",
        f"{_MEASURES}:measure_ada8",
        specs_by=_SPECS,
        runs=("aho", "scaled down", "independent"),
        sweep=True,
    ),
    Claim(
        "ADA-9",
        _CHAPTER,
        "On a stacked hourglass the method improves the baseline.",
        "8 stacks: MPII test 90.9 to 91.5 (Table 2), LSP 93.0 to 94.5 (Table 3; trained on MPII "
        "as well, says its author in the released code's issue 1)",
        f"{_MEASURES}:measure_ada9",
        specs_by=_SPECS,
        runs=("stacked random", "stacked both"),
        sweep=True,
    ),
    Claim(
        "ADA-10",
        _CHAPTER,
        "Reward and penalty replace the exhaustive sweep at a fraction of its cost an image.",
        'section 4.3: the sweep would be "extremely time-consuming"',
        f"{_MEASURES}:measure_ada10",
        once=True,
    ),
    Claim(
        "ADA-11",
        _CHAPTER,
        "Occluding features is more effective than occluding the image's pixels.",
        "section 4.2, without a figure",
        f"{_MEASURES}:measure_ada11",
        specs_by=_SPECS,
        runs=("aho", "pixels"),
        sweep=True,
    ),
    Claim(
        "ADA-12",
        _CHAPTER,
        "ASR and AHO on the same image are too hard; on different images of a batch they help.",
        "section 4.3, without a figure",
        f"{_MEASURES}:measure_ada12",
        specs_by=_SPECS,
        runs=("both", "together", "random"),
        sweep=True,
    ),
    Claim(
        "ADA-13",
        _CHAPTER,
        "The agents must be trained before joint training.",
        'section 4.1: "crucial"',
        f"{_MEASURES}:measure_ada13",
        specs_by=_SPECS,
        runs=("both", "unprepared"),
        sweep=True,
    ),
    Claim(
        "ADA-14",
        _CHAPTER,
        "Adversarial training lessens confusion of left and right.",
        "Fig. 7 (pictures)",
        f"{_MEASURES}:measure_ada14",
        specs_by=_SPECS,
        runs=("random", "both"),
    ),
    Claim(
        "ADA-15",
        _CHAPTER,
        "It is what the agents choose that flattens the curve of ADA-2: the same bins and cells, drawn with equal "
        "probability, flatten it less.",
        "ours: the control that Fig. 5 lacks",
        f"{_MEASURES}:measure_ada15",
        specs_by=_SPECS,
        runs=("uniform", "both", "random"),
        sweep=True,
    ),
)
