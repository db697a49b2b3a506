"""The claims on adversarial data augmentation (Peng et al. 2018)."""

from __future__ import annotations

from posenb.claims.claim import Claim

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
)
