"""The published severities, 1 to 5, for pictures of 224, 64 and 32 pixels.

The constants are those of Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations" (ICLR 2019), as in the three scripts that made ImageNet-C, its 64 pixel version and CIFAR-10-C. What they
mean stands with the function of each corruption.
"""

from __future__ import annotations

from typing import Any

from posenb.errors import UserError

Row = tuple[Any, Any, Any, Any, Any]

_ZOOMS_64 = ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01))

_224: dict[str, Row] = {
    "brightness": (0.1, 0.2, 0.3, 0.4, 0.5),
    "defocus_blur": ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
    "zoom_blur": ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
    "frost": ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
    "contrast": (0.4, 0.3, 0.2, 0.1, 0.05),
    "gaussian_noise": (0.08, 0.12, 0.18, 0.26, 0.38),
    "glass_blur": ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    "motion_blur": ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
    "shot_noise": (60, 25, 12, 5, 3),
    "snow": (
        (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
        (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    ),
    "gaussian_blur": (1, 2, 3, 4, 6),
    "jpeg_compression": (25, 18, 15, 10, 7),
    "saturate": ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)),
    "spatter": (
        (0.65, 0.3, 4, 0.69, 0.6, False),
        (0.65, 0.3, 3, 0.68, 0.6, False),
        (0.65, 0.3, 2, 0.68, 0.5, False),
        (0.65, 0.3, 1, 0.65, 1.5, True),
        (0.67, 0.4, 1, 0.65, 1.5, True),
    ),
    "speckle_noise": (0.15, 0.2, 0.35, 0.45, 0.6),
}

_64: dict[str, Row] = {
    "brightness": (0.1, 0.2, 0.3, 0.4, 0.5),
    "defocus_blur": ((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)),
    "zoom_blur": _ZOOMS_64,
    "frost": ((1, 0.3), (0.9, 0.4), (0.8, 0.45), (0.75, 0.5), (0.7, 0.55)),
    "contrast": (0.4, 0.3, 0.2, 0.1, 0.05),
    "gaussian_noise": (0.04, 0.08, 0.12, 0.15, 0.18),
    "glass_blur": ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
    "motion_blur": ((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3)),
    "shot_noise": (250, 100, 50, 30, 15),
    "snow": (
        (0.1, 0.2, 1, 0.6, 8, 3, 0.8),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.8),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.7),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.65),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.6),
    ),
    "gaussian_blur": (0.5, 0.75, 1, 1.25, 1.5),
    "jpeg_compression": (65, 58, 50, 40, 25),
    "saturate": ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (30, 0.2)),
    "spatter": (
        (0.62, 0.1, 0.7, 0.7, 0.6, False),
        (0.65, 0.1, 0.8, 0.7, 0.6, False),
        (0.65, 0.3, 1, 0.69, 0.6, False),
        (0.65, 0.1, 0.7, 0.68, 0.6, True),
        (0.65, 0.1, 0.5, 0.67, 0.6, True),
    ),
    "speckle_noise": (0.15, 0.2, 0.25, 0.3, 0.35),
}

_32: dict[str, Row] = {
    "brightness": (0.05, 0.1, 0.15, 0.2, 0.3),
    "defocus_blur": ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
    "zoom_blur": _ZOOMS_64,
    "frost": ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
    "contrast": (0.75, 0.5, 0.4, 0.3, 0.15),
    "gaussian_noise": (0.04, 0.06, 0.08, 0.09, 0.1),
    "glass_blur": ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
    "motion_blur": ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
    "shot_noise": (500, 250, 100, 75, 50),
    "snow": (
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    ),
    "gaussian_blur": (0.4, 0.6, 0.7, 0.8, 1),
    "jpeg_compression": (80, 65, 58, 50, 40),
    "saturate": ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)),
    "spatter": (
        (0.62, 0.1, 0.7, 0.7, 0.5, False),
        (0.65, 0.1, 0.8, 0.7, 0.5, False),
        (0.65, 0.3, 1, 0.69, 0.5, False),
        (0.65, 0.1, 0.7, 0.69, 0.6, True),
        (0.65, 0.1, 0.5, 0.68, 0.6, True),
    ),
    "speckle_noise": (0.06, 0.1, 0.12, 0.16, 0.2),
}

TABLES = {224: _224, 64: _64, 32: _32}


def table_for(height: int, width: int) -> int:
    """The table for pictures of this size: 32 for a shorter side up to 48 pixels, 64 up to 128, 224 above."""
    side = min(height, width)
    return 32 if side <= 48 else 64 if side <= 128 else 224


def setting(name: str, severity: int, table: int) -> Any:
    """A corruption's constants at a severity.

    Raises:
        UserError: for a corruption, a severity or a table that is not there.
    """
    if table not in TABLES:
        raise UserError(f"no table of severities is called {table!r}: take 224, 64 or 32")
    if name not in TABLES[table]:
        raise UserError(f"no corruption is called {name!r}: take one of {', '.join(sorted(TABLES[table]))}")
    if severity not in (1, 2, 3, 4, 5):
        raise UserError(f"no severity is called {severity!r}: take 1, 2, 3, 4 or 5")
    return TABLES[table][name][severity - 1]
