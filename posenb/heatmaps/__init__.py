"""Heatmaps: points to maps, maps to points, and the row-column correlation of a map.

They know nothing of losses.
"""

from __future__ import annotations

from posenb.heatmaps.codecs import METHODS, argmax, decode, gaussian, highly_differentiated, multi_label
from posenb.heatmaps.rcc import log_rcc, rcc

__all__ = ["METHODS", "argmax", "decode", "gaussian", "highly_differentiated", "log_rcc", "multi_label", "rcc"]
