"""imagecorruptions' side, in the peers' environment: an answer for each line of JSON, as ``peers.py`` gives."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial

import inputs
import peers
from timing import Work

SEVERITY = 3
SIZES = (64, 256)
IMAGES = 4  # a call: it takes images one by one, so that their number does not matter to it


def work(name: str, size: int) -> Work:
    from imagecorruptions import corrupt

    images = inputs.images(size, IMAGES)
    return lambda: [corrupt(image, severity=SEVERITY, corruption_name=name) for image in images]


def cases() -> dict[str, Callable[[], Work]]:
    from imagecorruptions import get_corruption_names

    names = get_corruption_names("all")
    return {f"{name} {size} imagecorruptions": partial(work, name, size) for name in names for size in SIZES}


if __name__ == "__main__":
    peers.cases = cases
    peers.PACKAGES = ("imagecorruptions-imaug", "scikit-image", "numba", "numpy", "opencv-python-headless", "scipy")  # type: ignore[assignment]
    with contextlib.suppress(KeyboardInterrupt):
        peers.serve()
