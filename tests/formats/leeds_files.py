"""Small pictures and archives as LSP and LSP-extended lay them out."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import scipy.io
from numpy.typing import NDArray
from PIL import Image

COMMENTS = ("Photo ID: 7", "Owner Name: Ána, of: Leeds", "License: 4", "Photo URL: http://example.org/7")
HEIGHT, WIDTH = 170, 120


def jpeg(pixels: NDArray[np.uint8], comments: tuple[str, ...] = COMMENTS) -> bytes:
    """A JPEG file with comments as LSP's have them: one segment each, before the picture."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=98, subsampling=0)
    segments = b""
    for comment in comments:
        text = comment.encode()
        segments += b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text
    return file.getvalue()[:2] + segments + file.getvalue()[2:]


def blob(centre: NDArray[np.float64], sigma: float = 6.0) -> NDArray[np.uint8]:
    """A bright blob on grey. Pixel (column i, row j) shows its value at (i + .5, j + .5)."""
    x, y = np.arange(WIDTH) + 0.5, np.arange(HEIGHT)[:, None] + 0.5
    value = 60 + 180 * np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * sigma**2))
    return np.repeat(value.round().astype(np.uint8)[..., None], 3, axis=2)


@dataclass
class Official:
    """The contents of an archive: files, and joints as joints.mat has them: (3, 14, N), in LSP-extended (14, 3, N)."""

    joints: NDArray[np.float64]
    files: dict[str, bytes] = field(default_factory=dict)

    def write(self, path: Path, under: str = "") -> Path:
        mat = io.BytesIO()
        scipy.io.savemat(mat, {"joints": self.joints})
        with zipfile.ZipFile(path, "w") as file:
            for name, contents in {"joints.mat": mat.getvalue(), **self.files}.items():
                file.writestr(under + name, contents)
        return path
