"""Stable heatmap regression (Zhang et al. 2022): RCC, HDHR and MST, each by itself or together, and their rivals.

Maps have the input's size, and the highest pixel is the joint. With nothing switched on this is the paper's baseline:
Gaussian maps and mean squared error. What the paper leaves open is a named option; where ours differs from what is
printed, :class:`StableObjective` says so.
"""

from posenb.methods.stable_heatmaps.method import StableAnswers, StableHeatmaps
from posenb.methods.stable_heatmaps.objective import StableObjective
from posenb.methods.stable_heatmaps.options import RIVALS, Options

__all__ = ["RIVALS", "Options", "StableAnswers", "StableHeatmaps", "StableObjective"]
