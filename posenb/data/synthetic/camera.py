"""Where the person stands in the picture: views, crops, and moving cameras."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from posenb.data.synthetic.draws import Array, Draws


class View(NamedTuple):
    """How N people are seen, ``(N,)`` each, in degrees; see ``anatomy.pose``."""

    yaw: Array
    elevation: Array
    roll: Array


class Framing(NamedTuple):
    """How much of the picture N people fill: ``zoom (N,)`` (1: as in LSP), ``shift (N, 2)`` in shares of the size."""

    zoom: Array
    shift: Array


def sample_view(draws: Draws, difficulty: float) -> View:
    """Near the front at difficulty 0 (half of them turned by less than 20 degrees), from all sides from .4 on."""
    turned = 40 + 140 * min(1.0, 2.5 * difficulty)
    yaw = draws.uniform(-turned, turned)
    # a sixth of the people show their back even where all is easy
    yaw = np.where(draws.chance(0.16 * (1 - difficulty)), 180 + 0.3 * yaw, yaw)
    roll = draws.normal() * (1 + 14 * difficulty)
    roll = np.where(draws.chance(0.14 * max(0.0, difficulty - 0.3)), draws.uniform(-180, 180), roll)
    return View(yaw, draws.normal() * (3 + 8 * difficulty), roll)


def sample_framing(draws: Draws, difficulty: float) -> Framing:
    """Larger or smaller than the box asks for, and off the middle; some so near that the image cuts them."""
    zoom = np.exp(draws.uniform(-0.04 - 0.36 * difficulty, 0.04 + 0.16 * difficulty))
    near = draws.chance(0.3 * difficulty)
    zoom = np.where(near, zoom * draws.uniform(1.2, 1.8), zoom)
    shift = draws.normal(2) * (0.008 + 0.045 * difficulty)
    # of a person too near for the image the upper half is left
    shift[:, 1] += np.where(near, draws.uniform(0.0, 0.3), 0.0)
    return Framing(zoom, shift)


def crop(flat: Array, size: tuple[int, int], framing: Framing) -> tuple[Array, Array]:
    """A crop as LSP's: the joints' box, and its longer side is 1 / 1.3 of the image's.

    Args:
        flat: ``(N, J, 2)``, joints in statures. size: (H, W) in pixels.

    Returns:
        scale ``(N,)`` and offset ``(N, 2)``: a pixel is scale * stature + offset.
    """
    low, high = flat.min(1), flat.max(1)
    room = np.array([size[1], size[0]], dtype=np.float64)
    scale = (room / (1.3 * np.maximum(high - low, 0.1))).min(1) * framing.zoom
    return scale, room * (0.5 + framing.shift) - scale[:, None] * (low + high) / 2


def put_in_scene(draws: Draws, flat: Array, size: tuple[int, int], difficulty: float) -> tuple[Array, Array]:
    """Scale and offset of people of unknown size: a stature is .25 to .95 of the image's height.

    At difficulty 0 the whole person is in the image, as far as it fits.
    """
    h, w = size
    scale = h * np.exp(draws.uniform(np.log(0.25), np.log(0.95)))
    low, high = flat.min(1) * scale[:, None], flat.max(1) * scale[:, None]
    room = np.array([w, h], dtype=np.float64)
    border = (0.04 - 0.10 * difficulty) * scale[:, None]
    first, last = border - low, room - border - high
    return scale, first + (last - first) * draws.uniform(0, 1, 2)
