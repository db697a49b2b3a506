"""Metrics as pure functions of predictions and labels. Fractions, not per cent; thresholds count equality (<=)."""

from __future__ import annotations

from posenb.metrics.keypoints import Score, auc, errors, pck, pckh, response

__all__ = ["Score", "auc", "errors", "pck", "pckh", "response"]
