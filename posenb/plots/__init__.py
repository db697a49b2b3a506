"""Every figure of the book as a function that returns a matplotlib Figure, closed: the last line of a cell shows it."""

from posenb.plots.datasets import clearest, joint_sets, pixel_origins
from posenb.plots.people import heatmaps, joints, people
from posenb.plots.stability import ambiguous, corrupted, drawable, error_surfaces, frame_strip, rcc_cases
from posenb.plots.training import decoder_errors, learning_curve, pck_curve, per_joint, rotation_curves
from posenb.plots.verdicts import verdicts

__all__ = [
    "ambiguous",
    "clearest",
    "corrupted",
    "decoder_errors",
    "drawable",
    "error_surfaces",
    "frame_strip",
    "heatmaps",
    "joint_sets",
    "joints",
    "learning_curve",
    "pck_curve",
    "people",
    "per_joint",
    "pixel_origins",
    "rcc_cases",
    "rotation_curves",
    "verdicts",
]
