"""Figures of stable heatmap regression that are drawn from runs."""

import numpy as np

from posenb import plots


def test_error_surfaces_stand_as_their_axes_say():
    """A surface that rises with the first index is brighter where that axis has the larger number."""
    rising = np.add.outer(np.arange(5.0), np.zeros(5))[None]
    axes = plots.error_surfaces({"one": rising}, count=1).axes[0]
    (image,) = axes.images
    left, right, bottom, top = image.get_extent()
    assert (left, right, bottom, top) == (-0.1, 0.1, -0.1, 0.1)
    # the row that matplotlib draws at the extent's bottom is the first with origin 'lower'
    lowest = image.get_array()[0 if image.origin == "lower" else -1]
    assert (np.asarray(lowest) == 0).all() and axes.get_ylim() == (bottom, top)
