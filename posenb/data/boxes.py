"""Person boxes of your own pictures, from a table."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from posenb.errors import UserError

Box = tuple[float, float, float, float]  #: left, top, width, height in pixels


def read_boxes(path: Path) -> dict[str, list[Box]]:
    """Person boxes by picture from a CSV with the columns image, x, y, width, height (pixels).

    Raises:
        UserError: for a missing file or column, or a box without area.
    """
    boxes: dict[str, list[Box]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                x, y, width, height = (float(row[name]) for name in ("x", "y", "width", "height"))
                if not (width > 0 and height > 0 and np.isfinite([x, y, width, height]).all()):
                    raise UserError(f"{path}, line {number}: a box needs numbers, and width and height above 0")
                boxes.setdefault(row["image"], []).append((x, y, width, height))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except (KeyError, TypeError, ValueError, csv.Error):
        raise UserError(f"{path} must be a CSV with the columns image, x, y, width, height in pixels") from None
    return boxes
