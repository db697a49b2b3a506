"""What the readers of hands share: the square that a sample shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posenb.skeletons import HAND21

SMALLEST, LARGEST = 50.0, 500.0  #: pixels of the square's side
_MIDDLE = HAND21.joints.index("middle1")


def about_hand(
    points: NDArray[np.float64], measured: NDArray[np.bool_], size: tuple[int, int]
) -> tuple[NDArray[np.float64] | None, float]:
    """Centre and side of the square that hand3d crops about a hand (Zimmermann & Brox, ICCV 2017, and its reader).

    The centre is the middle finger's base. The side is twice the largest distance, along x or along y, from there to
    the ``measured`` joints within the picture, held to [50, 500] pixels. Where hand3d enlarges what is smaller than its
    256 pixels, it does not reduce what is larger: it shows the middle 256 pixels of such a hand, and we show it whole.

    Args:
        points: ``(21, 2)`` in the order of HAND21, in pixels.
        measured: ``(21,)``, the joints that must be seen.
        size: (H, W) of the picture.

    Returns None and NaN where the base has no place or no joint is measured: then the labelled joints say it.
    """
    center = points[_MIDDLE]
    if not (np.isfinite(center).all() and measured.any()):
        return None, float("nan")
    inside = np.clip(points[measured], 0, [size[1], size[0]])
    return center, float(np.clip(2 * np.abs(inside - center).max(), SMALLEST, LARGEST))
