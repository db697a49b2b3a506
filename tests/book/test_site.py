"""The site as readers see it: built without a warning, whole without a network, in a real browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from posenb import chapters
from tests.book import browser as chromium

PAGES = ["index", *(chapter.name for chapter in chapters.chapters()), "profiles", "api", "bibliography"]
PROGRAM = chromium.find_chromium()
# a page with formulas is ready when MathJax has drawn them
DRAWN = "!document.querySelector('.math') || document.querySelectorAll('mjx-container').length > 0"
in_browser = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine: apt-get install chromium"),
]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Browser]:
    with chromium.Browser(PROGRAM, tmp_path_factory.mktemp("chromium")) as one:
        yield one


@pytest.fixture(scope="module")
def server(site: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=site)) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_address[1]}"
        http.shutdown()


@pytest.mark.slow
def test_every_page_is_there(site: Path) -> None:
    for page in PAGES:
        assert (site / "book" / f"{page}.html").stat().st_size > 5000, page
    assert "book/index.html" in (site / "index.html").read_text()


@pytest.mark.slow
def test_no_page_names_a_script_or_style_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for start in ('<script src="http', '<link rel="stylesheet" href="http', '<img src="http', 'src="//'):
            assert start not in text, f"{page.name} loads something from another host"


class TestInABrowser:
    pytestmark = in_browser

    @pytest.mark.parametrize("page", PAGES)
    @pytest.mark.parametrize("way", ["from disk", "from a server"])
    def test_a_page_loads_whole(self, browser: chromium.Browser, site: Path, server: str, page: str, way: str) -> None:
        base = site.as_uri() if way == "from disk" else server
        browser.width(1400)
        browser.open(f"{base}/book/{page}.html", wait_for=DRAWN)
        assert browser.complaints == []
        elsewhere = [url for url in browser.requests if not url.startswith((base, "data:", "blob:"))]
        assert elsewhere == []
        assert browser.ask("document.querySelectorAll('article h1').length") == 1

    @pytest.mark.parametrize("page", PAGES)
    def test_pictures_are_visible_and_told_to_who_cannot_see_them(
        self, browser: chromium.Browser, site: Path, page: str
    ) -> None:
        browser.open(f"{site.as_uri()}/book/{page}.html")
        pictures = browser.ask(
            "[...document.querySelectorAll('main img')].map(i => [i.src.slice(-40), i.naturalWidth, i.alt])"
        )
        assert pictures or page in ("profiles", "api", "bibliography"), "a chapter without a figure"
        for source, width, text in pictures:
            assert width > 0, f"{source} does not show"
            # without one, the builder writes the picture's file name
            assert len(text) > 20 and "_images" not in text, f"{source} has no text: {text!r}"

    @pytest.mark.parametrize("chapter", chapters.chapters(), ids=lambda chapter: chapter.name)
    def test_formulas_figures_and_references_are_numbered(
        self, browser: chromium.Browser, site: Path, chapter: chapters.Chapter
    ) -> None:
        browser.open(f"{site.as_uri()}/book/{chapter.name}.html", wait_for="document.querySelector('mjx-container')")
        assert browser.ask("document.querySelectorAll('mjx-container').length") > 0
        assert browser.ask("document.querySelectorAll('mjx-merror, .math .error').length") == 0
        assert browser.ask("document.querySelectorAll('figcaption .caption-number').length") > 0
        assert browser.ask("document.querySelectorAll('a.reference.internal').length") > 0

    def test_search_finds(self, browser: chromium.Browser, site: Path) -> None:
        browser.open(
            f"{site.as_uri()}/search.html?q=heatmap", wait_for="document.querySelector('#search-results ul.search li')"
        )
        found = browser.ask("document.querySelector('#search-results').innerText")
        assert "heatmap" in found.lower()
        assert browser.complaints == []

    def test_dark_mode(self, browser: chromium.Browser, site: Path) -> None:
        browser.width(1400)
        browser.open(f"{site.as_uri()}/book/index.html")
        seen = {}
        for _ in range(3):  # system, light, dark
            browser.ask("document.querySelector('.theme-switch-button').click()")
            seen[browser.ask("document.documentElement.dataset.mode")] = browser.ask(
                "getComputedStyle(document.body).backgroundColor"
            )
        assert {"dark", "light"} <= set(seen)
        assert seen["dark"] != seen["light"]

    @pytest.mark.parametrize("page", PAGES)
    def test_a_phone_shows_the_whole_width(self, browser: chromium.Browser, site: Path, page: str) -> None:
        browser.width(390)
        browser.open(f"{site.as_uri()}/book/{page}.html")
        widest = browser.ask("document.documentElement.scrollWidth")
        browser.width(1400)
        assert widest <= 390, f"{page} is {widest} pixels wide on a screen of 390"

    @pytest.mark.parametrize("page", PAGES)
    def test_a_small_laptop_shows_formulas_code_and_tables_whole(
        self, browser: chromium.Browser, site: Path, page: str
    ) -> None:
        browser.width(1280)
        browser.open(f"{site.as_uri()}/book/{page}.html", wait_for=DRAWN)
        cut = browser.ask(
            "[...document.querySelectorAll('article :is(.highlight pre, mjx-container[display], table)')]"
            ".filter(e => e.scrollWidth > e.clientWidth + 1)"
            ".map(e => `${e.scrollWidth} > ${e.clientWidth}: ${e.textContent.trim().slice(0, 60)}`)"
        )
        browser.width(1400)
        assert cut == []
