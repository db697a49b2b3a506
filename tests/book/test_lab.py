"""`make lab`: a click on either half of a chapter opens a notebook with its outputs. Asked of the server, headless."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from posenb import chapters

ROOT = chapters.root()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, executed: list[Path]) -> Iterator[str]:
    """A server on a copy of the book whose notebook halves are the chapters executed at smoke."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "book").mkdir()
    shutil.copy(ROOT / "jupytext.toml", folder)
    for chapter, notebook in zip(chapters.chapters(), executed, strict=True):
        shutil.copy(notebook, folder / "book" / f"{chapter.name}.ipynb")
        time.sleep(0.01)
        shutil.copy(chapter.source, folder / "book")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "jupyter",
        "lab",
        "--no-browser",
        "--allow-root",
        f"--port={port}",
        "--port-retries=0",
    ]
    environment = {**os.environ, "JUPYTER_TOKEN": "test", "JUPYTER_CONFIG_DIR": str(folder / "config")}
    process = subprocess.Popen([*command, f"--notebook-dir={folder}"], env=environment, stderr=subprocess.DEVNULL)
    base = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                ask(f"{base}/api/status")
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.2)
        yield base
    finally:
        process.terminate()
        process.wait(timeout=30)


def ask(address: str) -> dict:
    request = urllib.request.Request(address, headers={"Authorization": "token test"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


@pytest.mark.slow
@pytest.mark.parametrize("half", ["md", "ipynb"])
def test_either_half_opens_with_outputs(lab: str, half: str) -> None:
    for chapter in chapters.chapters():
        notebook = ask(f"{lab}/api/contents/book/{chapter.name}.{half}?type=notebook")["content"]
        assert any(cell.get("outputs") for cell in notebook["cells"]), f"{chapter.name}.{half} shows no outputs"


def test_make_lab_sets_the_viewer(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.lock", "pyproject.toml", ".venv/.ready"):  # as if all were installed
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    target = ".venv/share/jupyter/lab/settings/overrides.json"
    subprocess.run(["make", "-s", target], cwd=tmp_path, check=True)
    (settings,) = json.loads((tmp_path / target).read_text()).values()
    assert settings["defaultViewers"]["myst"] == settings["defaultViewers"]["markdown"] == "Jupytext Notebook"
