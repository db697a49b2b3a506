"""Figures that answer to the reader: plain HTML and JavaScript, without a kernel and without another host."""

from __future__ import annotations

from importlib.resources import files

from IPython.display import HTML


def two_peaks() -> HTML:
    """Two peaks that the reader moves, and the row-column correlation of their map (SHR paper, Fig. 3)."""
    return HTML(files("posenb").joinpath("two_peaks.html").read_text(encoding="utf-8"))
