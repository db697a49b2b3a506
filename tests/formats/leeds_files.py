"""Small pictures and archives as LSP and LSP-extended lay them out."""

from __future__ import annotations

import functools
import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import scipy.io
from numpy.typing import NDArray
from PIL import Image

from posenb.data import lsp, prepared
from posenb.skeletons import LSP14

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


def three_people() -> Official:
    """LSP with three images; each shows a blob where its right wrist is."""
    random = np.random.default_rng(0)
    points = random.uniform((20, 20), (WIDTH - 20, HEIGHT - 20), (3, 14, 2))
    joints = np.concatenate([points + 0.5, random.integers(0, 2, (3, 14, 1))], axis=2).transpose(2, 1, 0)
    wrist = LSP14.joints.index("right_wrist")
    files = {f"images/im{n + 1:04d}.jpg": jpeg(blob(points[n, wrist])) for n in range(3)}
    return Official(joints, {"README.txt": b"Leeds Sports Pose", "visualized/im0001.jpg": b"", **files})


def left(folder: Path) -> set[str]:
    """What lies in a folder, but for locks."""
    return {path.name for path in folder.iterdir() if path.suffix != ".lock"}


def kept(official: Official, folder: Path) -> Path:
    """The folder, with three people prepared in it."""
    lsp._install(official.write(folder.parent / "lsp.zip"), folder, 3)
    return folder


load_lsp = functools.partial(prepared.load, lsp.SOURCE)
