"""Metrics as pure functions of predictions and labels. Fractions, not per cent; thresholds count equality (<=)."""

from __future__ import annotations

from posenb.metrics.average_precision import OksScore, oks_ap, oks_ap_detections
from posenb.metrics.keypoints import (
    MPII_EXCLUDED,
    PCKH_THRESHOLDS,
    Curve,
    Score,
    auc,
    correct,
    epe,
    errors,
    pck,
    pck_curve,
    pckh,
    pckh_curve,
    response,
)
from posenb.metrics.limbs import LimbScore, pcp, pcp_limbs
from posenb.metrics.matching import People
from posenb.metrics.similarity import COCO_SIGMAS, oks, oks_sigmas
from posenb.metrics.stability import (
    concentration,
    concentration_floor,
    corruption_scores,
    displacement,
    gaussian_gap,
    peak_gap,
    ruc,
)
from posenb.metrics.tables import columns, joint_table, limb_table

__all__ = [
    "COCO_SIGMAS",
    "MPII_EXCLUDED",
    "PCKH_THRESHOLDS",
    "Curve",
    "LimbScore",
    "OksScore",
    "People",
    "Score",
    "auc",
    "columns",
    "concentration",
    "concentration_floor",
    "correct",
    "corruption_scores",
    "displacement",
    "epe",
    "errors",
    "gaussian_gap",
    "joint_table",
    "limb_table",
    "oks",
    "oks_ap",
    "oks_ap_detections",
    "oks_sigmas",
    "pck",
    "pck_curve",
    "pckh",
    "pckh_curve",
    "pcp",
    "pcp_limbs",
    "peak_gap",
    "response",
    "ruc",
]
