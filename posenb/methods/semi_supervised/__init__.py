"""Semi-supervised training: a few labelled images, many without labels (Xie et al. 2021).

A teacher answers one view of an unlabelled image, a student another, and the student learns the teacher's answer. The
scheme says who teaches whom; the views say whether it collapses.
"""

from __future__ import annotations

from posenb.methods.semi_supervised.detector import CollapseDetector
from posenb.methods.semi_supervised.method import SemiSupervised
from posenb.methods.semi_supervised.options import SCHEMES, Options
from posenb.methods.semi_supervised.unlabelled import Lesson, View, consistency_loss, lesson, open_view

__all__ = [
    "SCHEMES",
    "CollapseDetector",
    "Lesson",
    "Options",
    "SemiSupervised",
    "View",
    "consistency_loss",
    "lesson",
    "open_view",
]
