"""Figures that answer to the reader: their JavaScript shows what the package says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure

from posenb import interactive
from posenb.experiments import stability_theory as theory
from posenb.heatmaps import rcc
from tests.book import browser as chromium

PROGRAM = chromium.find_chromium()
SLIDERS = "[...document.querySelectorAll('.two-peaks input')]"


def answer(peaks: list[theory.Peak]) -> tuple[int, int]:
    """Row and column of the highest pixel after row-column correlation."""
    place = int(rcc(theory.heatmap(peaks, 64)).argmax())
    return place // 64, place % 64


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine: apt-get install chromium")
def test_two_peaks_answers_as_the_package_does(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><meta charset=utf-8>{interactive.two_peaks().data}", encoding="utf-8")
    random = torch.Generator().manual_seed(3)
    with chromium.Browser(PROGRAM, tmp_path / "profile") as browser:  # type: ignore[arg-type]
        browser.open(page.as_uri(), wait_for="document.querySelector('.two-peaks .said').textContent")
        for _ in range(6):
            drawn = torch.rand(2, 4, generator=random).tolist()
            # slider steps: whole pixels, heights by .05, sigmas by .5
            peaks = [
                theory.Peak(int(64 * r), int(64 * c), 1 + int(10 * s) / 2, int(20 * h) / 20) for r, c, s, h in drawn
            ]
            values = [v for p in peaks for v in (p.column, p.row, p.height, p.sigma)]
            browser.ask(
                f"{SLIDERS}.forEach((s, k) => {{ s.value = {values}[k]; s.dispatchEvent(new Event('input')); }})"
            )
            said = browser.ask("document.querySelector('.two-peaks .said').textContent")
            found = re.search(r"column (\d+), row (\d+)", said)
            assert found, said
            assert (int(found[2]), int(found[1])) == answer(peaks), peaks
        assert browser.complaints == []


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine: apt-get install chromium")
def test_a_slider_shows_the_frame_that_it_stands_on(tmp_path: Path) -> None:
    frames = [Figure(figsize=(1 + number, 1)) for number in range(3)]
    shown = interactive.slider(frames, ["start", "</i> middle", "end"], "an empty figure").data
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><meta charset=utf-8>{shown}", encoding="utf-8")
    state = (
        "(() => { const i = document.querySelector('.frames img'); "
        "return [i.naturalWidth, i.alt, document.querySelector('.frames output').textContent]; })()"
    )
    move = "(() => {{ const k = document.querySelector('.frames input'); k.value = {}; k.oninput(); }})()"
    with chromium.Browser(PROGRAM, tmp_path / "profile") as browser:  # type: ignore[arg-type]
        browser.open(page.as_uri(), wait_for="document.querySelector('.frames img').naturalWidth")
        assert browser.ask(state) == [100, "an empty figure: start", "start"]
        for number, label in ((2, "end"), (1, "</i> middle")):
            browser.ask(move.format(number))
            while not browser.ask("document.querySelector('.frames img').complete"):
                pass
            assert browser.ask(state) == [100 * (number + 1), f"an empty figure: {label}", label]
        assert browser.complaints == []
