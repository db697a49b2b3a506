"""The arguments of the public functions, checked at the door."""

from __future__ import annotations


def check_arguments(
    count: int, size: int | tuple[int, int], seed: int, difficulty: float, margin: int = 0, step: float = 1.0
) -> tuple[int, int]:
    """The size as (H, W). Raises ValueError for an argument that makes no sense, naming it and its range."""
    h, w = (size, size) if isinstance(size, int) else size
    if count < 1:
        raise ValueError(f"count must be at least 1, not {count}")
    if min(h, w) < 16 or max(h, w) > 2048:
        raise ValueError(f"size must be between 16 and 2048 pixels a side, not {h} x {w}")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, not {seed}")
    if not 0 <= difficulty <= 1:
        raise ValueError(f"difficulty must lie in [0, 1], not {difficulty}")
    if margin < 0:
        raise ValueError(f"margin must be at least 0 pixels, not {margin}")
    if not 0 < step <= 1:
        raise ValueError(f"step must lie in (0, 1], the share of a movement that a frame makes, not {step}")
    return h, w
