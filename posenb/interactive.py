"""Figures that answer to the reader: plain HTML and JavaScript, without a kernel and without another host."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Sequence
from importlib.resources import files

from IPython.display import HTML
from matplotlib.figure import Figure


def two_peaks() -> HTML:
    """Two peaks that the reader moves, and the row-column correlation of their map (SHR paper, Fig. 3)."""
    return HTML(files("posenb").joinpath("two_peaks.html").read_text(encoding="utf-8"))


def slider(frames: Sequence[Figure], labels: Sequence[str], alt: str) -> HTML:
    """Figures of equal size, of which a slider shows one; pictures and script are in the page.

    Args:
        frames: the figures.
        labels: what the slider stands on, a word or two a figure.
        alt: what they show, for who cannot see it; the label is added.
    """
    pictures = []
    for frame in frames:
        buffer = io.BytesIO()
        frame.savefig(buffer, format="png", dpi=100)
        pictures.append("data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode())
    page = files("posenb").joinpath("slider.html").read_text(encoding="utf-8")
    # "<" would end the script where a label holds it
    shown = json.dumps([list(pair) for pair in zip(pictures, labels, strict=True)]).replace("<", "\\u003c")
    # the frames last: what replaces them may hold any letters
    page = page.replace("ALT", html.escape(alt)).replace("LAST", str(len(frames) - 1))
    return HTML(page.replace("FRAMES", shown))
