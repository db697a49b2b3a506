"""Occlusion of a network's bridges by a grid of cells (Peng et al. 2018, section 4.2). In a mask 0 is occluded."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

PLACES = ("up", "down", "independent", "pixels")


def cell_counts(points: Tensor, visible: Tensor, size: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """How many labelled joints of all images lie in each cell: P^o before it is normalised.

    Args:
        points: ``(B, K, 2)`` in pixels.
        visible: ``(B, K)``; the others are not counted, nor are joints outside the image.
        size: (H, W) of the images.
        grid: (rows, columns) of cells.

    Returns:
        ``(rows, columns)``, float.
    """
    inside = visible & ((points >= 0) & (points < points.new_tensor([size[1], size[0]]))).all(dim=-1)
    cells = (points[inside] * points.new_tensor([grid[1] / size[1], grid[0] / size[0]])).long()
    # a product may round up at the border
    cells = cells.minimum(cells.new_tensor([grid[1] - 1, grid[0] - 1]))
    index = cells[:, 1] * grid[1] + cells[:, 0]
    return torch.bincount(index, minlength=grid[0] * grid[1]).float().view(grid)


def masks(
    cells: Tensor,
    grid: tuple[int, int],
    sizes: Sequence[tuple[int, int]],
    place: str = "up",
    offset: Tensor | None = None,
) -> list[Tensor]:
    """A mask for each bridge of R, given which cells are occluded.

    Args:
        cells: ``(B, cells)`` indices into the flattened grid; ``(B, R, cells)`` for 'independent'.
        grid: (rows, columns) of cells.
        sizes: (h, w) of the R bridges, the highest resolution first.
        place: 'up', the paper's: the mask is drawn at the lowest resolution and scaled up to all, so every bridge loses
            the same part of the picture. 'pixels' gives the same masks, meant for the picture.
            'independent': each bridge has cells of its own, so what one loses another may keep.
            'down': the mask is drawn at the highest resolution, as squares of a cell's size that begin at any pixel,
            and scaled down: a pixel of a lower resolution is occluded as soon as a part of it is. The paper does not
            say how it scaled down; this way occludes "more than needed", as it says.
        offset: ``(B, cells, 2)``, uniform on [0, 1), for 'down': how far (down, right) a square is moved, from half
            a cell before its cell to half a cell behind it.

    Returns:
        R masks ``(B, 1, h, w)``, 1 or 0.

    Raises:
        ValueError: for another place, or 'down' without offset.
    """
    if place not in PLACES:
        raise ValueError(f"place must be one of {', '.join(PLACES)}, not {place!r}")
    if place == "down":
        if offset is None:
            raise ValueError("'down' needs offsets of the squares")
        top = _squares(cells, grid, sizes[0], offset)
        # max-pooling what is hidden: a part that is hidden hides the whole
        return [1 - F.adaptive_max_pool2d(1 - top, size) for size in sizes]
    rows = cells.unbind(1) if place == "independent" else [cells] * len(sizes)
    return [F.interpolate(_coarse(of_one, grid), size=size) for of_one, size in zip(rows, sizes, strict=True)]


def _coarse(cells: Tensor, grid: tuple[int, int]) -> Tensor:
    """``(B, 1, rows, columns)``."""
    return torch.ones(len(cells), grid[0] * grid[1], device=cells.device).scatter(1, cells, 0.0).view(-1, 1, *grid)


def _squares(cells: Tensor, grid: tuple[int, int], size: tuple[int, int], offset: Tensor) -> Tensor:
    """``(B, 1, h, w)`` with a square of a cell's size about each moved cell; squares stay within the picture."""
    device = cells.device
    side = torch.tensor([size[0] / grid[0], size[1] / grid[1]], device=device)
    corner = torch.stack([cells // grid[1], cells % grid[1]], dim=-1) * side
    last = torch.tensor(size, device=device) - side
    start = (corner + (offset - 0.5) * side).round().clamp(min=torch.zeros_like(last), max=last)

    def within(axis: int) -> Tensor:
        at = torch.arange(size[axis], device=device)
        return (at >= start[..., axis, None]) & (at < start[..., axis, None] + side[axis])

    hidden = within(0)[..., :, None] & within(1)[..., None, :]  # (B, cells, h, w)
    return 1 - hidden.any(dim=1, keepdim=True).float()
