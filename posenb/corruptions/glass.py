"""Glass blur: pixels that take their neighbours' places, between two blurs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from posenb.corruptions import filters
from posenb.corruptions.draws import words


def glass_blur(pictures: Tensor, setting: tuple[float, int, int], generators: Sequence[Generator]) -> Tensor:
    """Gaussian blur, pixels displaced, Gaussian blur again: sigma, reach and rounds of the displacing.

    As in ImageNet-C (Hendrycks and Dietterich 2019), but rounded to 8 bits after the first blur, not cut off. Pictures
    ``(B, H, W, 3)`` uint8.
    """
    sigma, reach, rounds = setting
    blurred = filters.gaussian(pictures, sigma)
    drawn = words((rounds, *pictures.shape[1:3]), generators).cpu().numpy()
    source = torch.from_numpy(sources(drawn, reach).reshape(-1)).to(pictures.device)
    moved = blurred.reshape(-1, pictures.shape[-1]).index_select(0, source)
    return filters.gaussian(moved.view(pictures.shape), sigma)


def sources(drawn: NDArray[np.int32], reach: int) -> NDArray[np.intp]:
    """From which pixel the colour of each pixel comes.

    The published loop visits the pixels one by one, row by row from the bottom right, and assigns
    ``x[p], x[q] = x[q], x[p]``, q at an offset that is uniform in {-reach, ..., reach - 1} down and to the right. That
    reads like a swap. But ``x[p]`` is a view of three numbers, so p gets the colour of q and q keeps its own: the
    published pictures are made by copying, and so are these. With the same offsets the result is the loop's, pixel for
    pixel.

    Without the loop: where q comes later in the order, p gets what q had before the round; where q came earlier, p gets
    what q got. Such a chain is followed for all pixels together, in steps that double.

    Args:
        drawn: ``(B, rounds, H, W)``, whole numbers uniform in [0, 65536).
        reach: the largest offset. At the top and left ``reach + 1`` pixels are not visited, at the other sides
            ``reach - 1``.

    Returns:
        ``(B, H, W)``, indices into the ``B H W`` pixels.
    """
    count, rounds, height, width = drawn.shape
    offset = np.zeros(drawn.shape, np.intp)
    visited = (..., slice(reach + 1, height - reach + 1), slice(reach + 1, width - reach + 1))
    offset[visited] = _offsets(reach, width).take((drawn[visited] * (2 * reach) ** 2) >> 16)
    own = np.arange(count * height * width)
    source = own
    for of_round in offset.swapaxes(0, 1).reshape(rounds, -1):
        end = own + np.maximum(of_round, 0)
        while not np.array_equal(end, further := end.take(end)):
            end = further
        source = source.take((own + of_round).take(end))
    return source.reshape(count, height, width)


def _offsets(reach: int, width: int) -> NDArray[np.intp]:
    """The steps in an image's flat index from which one is drawn."""
    steps = np.arange(-reach, reach)
    return (steps[:, None] * width + steps).ravel()
