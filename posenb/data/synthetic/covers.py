"""Which joints cannot be seen: the part painted last over a joint decides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posenb.data.synthetic.draws import Array, Bools


@dataclass(frozen=True)
class Cover:
    """One part of N people that may hide joints.

    Attributes:
        covered: ``(N, J)`` bool, the joints that lie under it in the picture.
        own: ``(N, J)`` bool, the joints that belong to it, which it shows and does not hide.
        depth: ``(N,)``, as in ``Shapes``.
    """

    covered: Bools
    own: Bools
    depth: Array


def occluded(covers: list[Cover]) -> Bools:
    """``(N, J)`` bool: the part painted last over a joint is not the joint's own."""
    depth = np.stack([np.where(cover.covered, cover.depth[:, None], -np.inf) for cover in covers])
    own = np.stack([cover.own for cover in covers])
    # of parts at one depth the later is painted last
    last = len(covers) - 1 - depth[::-1].argmax(0)
    on_top = np.take_along_axis(own, last[None], 0)[0]
    return ~on_top & np.isfinite(depth.max(0))


def seen(points: Array, size: tuple[int, int]) -> Bools:
    """``(N, J)`` bool: points ``(N, J, 2)`` inside an image of size (H, W)."""
    x, y = points[..., 0], points[..., 1]
    return (x >= 0) & (y >= 0) & (x <= size[1]) & (y <= size[0])
