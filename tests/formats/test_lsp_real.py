"""LSP's reader on the real archive, where it is at hand."""

from __future__ import annotations

import csv
import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from posenb.data import lsp, prepared
from posenb.skeletons import LSP14

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "datasets" / "lsp"
ARCHIVE = REAL / "lsp_dataset.zip"

pytestmark = pytest.mark.skipif(not ARCHIVE.exists(), reason="the LSP archive is not in ../shared/datasets/lsp")


load = functools.partial(prepared.load, lsp.SOURCE)


def prepare(archive: Path | str, home: Path) -> subprocess.CompletedProcess[str]:
    """By the script that users call."""
    command = [sys.executable, str(ROOT / "data_scripts" / "lsp.py"), "--archive", str(archive)]
    told = os.environ | {"POSENB_HOME": str(home)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=told)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """LSP, prepared."""
    home = tmp_path_factory.mktemp("home")
    result = prepare(ARCHIVE, home)
    assert result.returncode == 0, result.stderr
    assert "1,998 people of 1,998 pictures kept: 1,000 test, 998 train (100 of them val)" in result.stdout
    assert "2,000 CC BY 2.0" in result.stdout
    return home / "data" / "lsp"


def test_script_tells_mistakes_in_one_line(tmp_path: Path) -> None:
    result = prepare("nowhere.zip", tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "posenb: there is no archive nowhere.zip\n"


def test_attribution(folder: Path) -> None:
    def rows(path: Path) -> list[dict[str, str]]:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    ours, theirs = rows(folder / "attribution.csv"), rows(REAL / "attribution.csv")
    assert len(ours) == 2000
    for mine, other in zip(ours, theirs, strict=True):
        assert mine["image"] == other["image"]
        assert mine["owner"] == other["owner"]
        assert mine["owner_url"] == other["attribution_url"]
        assert mine["photo_url"] == other["photo_url"]
        assert mine["static_url"] == other["static_url"]
        assert (mine["licence"], other["flickr_license_id"]) == ("CC BY 2.0", "4")


def test_splits(folder: Path) -> None:
    sets = {split: load(split, folder=folder) for split in prepared.SPLITS}
    assert {split: len(data) for split, data in sets.items()} == {"train": 998, "fit": 898, "val": 100, "test": 1000}
    for field in ("images", "points", "occluded"):
        parts = torch.cat([getattr(sets["fit"], field), getattr(sets["val"], field)])
        assert torch.equal(parts, getattr(sets["train"], field))


def test_labels(folder: Path) -> None:
    data = load("test", 64, 8, folder=folder)
    inner = data.cropped()
    assert data.images.shape == (1000, 3, 80, 80)
    assert inner.visible.all()
    # flag 1 is the rare one: hidden
    assert 0.05 < inner.occluded.float().mean() < 0.1
    # the box is 1 / 1.3 of the crop's side, in its middle
    assert torch.allclose((inner.points.amax(1) - inner.points.amin(1)).amax(1), torch.tensor(64 / 1.3), atol=1e-3)
    assert (inner.points > 7).all()
    assert (inner.points < 57).all()
    assert torch.isfinite(inner.reference).all()
    assert 10 < inner.reference.median() < 25
    # people at sport mostly stand on their feet, and heads are up
    head, foot = LSP14.index("head_top", "left_ankle")
    assert (inner.points[:, head, 1] < inner.points[:, foot, 1]).float().mean() > 0.85
