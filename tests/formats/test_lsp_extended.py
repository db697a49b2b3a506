"""LSP-extended's reader on small archives in the official layout, whole and spoilt."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from posenb.data import fetch, lsp_extended, prepared
from posenb.errors import DataError
from posenb.skeletons import LSP14
from tests.formats.leeds_files import HEIGHT, WIDTH, Official, blob, jpeg, left

WRIST = LSP14.joints.index("right_wrist")

load = functools.partial(prepared.load, lsp_extended.SOURCE)


@pytest.fixture
def official() -> Official:
    """Four images; each shows a blob where its right wrist is. Unlabelled joints lie anywhere, as in the real file."""
    random = np.random.default_rng(0)
    points = random.uniform((20, 20), (WIDTH - 20, HEIGHT - 20), (4, 14, 2))
    labelled = random.uniform(size=(4, 14, 1)) < 0.8
    labelled[:, WRIST] = True
    files = {f"images/im{n + 1:05d}.jpg": jpeg(blob(points[n, WRIST]), ("License: 4",)) for n in range(4)}
    anywhere = random.uniform(-500, 500, points.shape)
    joints = np.concatenate([np.where(labelled, points + 0.5, anywhere), labelled], axis=2).transpose(1, 2, 0)
    return Official(joints, {"README.txt": b"Leeds Sports Pose Extended", **files})


def kept(official: Official, folder: Path) -> Path:
    lsp_extended._install(official.write(folder.parent / "lspet.zip"), folder, 4)
    return folder


@pytest.mark.parametrize("under", ["", "lspet_dataset/"])
def test_archive_and_folder_give_the_same(official: Official, tmp_path: Path, under: str) -> None:
    archive = official.write(tmp_path / "lspet.zip", under)
    report = lsp_extended._install(archive, tmp_path / "a", 4)
    assert "4 people of 4 pictures kept: 4 train" in report
    assert "images, from Flickr: 4 CC BY 2.0" in report
    assert f"labelled: {official.joints[:, 2].mean():.1%} of the joints" in report
    assert left(tmp_path / "a") == {"people", "attribution.csv"}
    lsp_extended._install(fetch.unpack(archive, tmp_path / "by hand"), tmp_path / "b", 4)
    a, b = (load("train", folder=tmp_path / name) for name in "ab")
    assert torch.equal(a.images, b.images)
    assert torch.equal(a.points.nan_to_num(), b.points.nan_to_num())


def test_flag_means_labelled(official: Official, tmp_path: Path) -> None:
    data = load("train", 64, folder=kept(official, tmp_path / "lspet"))
    labelled = torch.from_numpy(official.joints[:, 2].T == 1)
    assert torch.equal(data.visible, labelled)
    assert not labelled.all()
    assert not data.occluded.any()
    assert data.skeleton is LSP14
    # the square lies about the labelled joints alone, with a side of 1.3 x their box
    for points, known, joints in zip(data.points, labelled, official.joints.transpose(2, 0, 1), strict=True):
        inner, box = points[known], np.ptp(joints[known.numpy(), :2], axis=0)
        assert torch.allclose((inner.amax(0) + inner.amin(0)) / 2, torch.tensor([32.0, 32.0]), atol=1e-3)
        assert (inner.amax(0) - inner.amin(0)).max() == pytest.approx(64 / 1.3, rel=1e-4)
        assert (inner.amax(0) - inner.amin(0)).numpy() == pytest.approx(box * 64 / (1.3 * box.max()), rel=1e-4)
    assert len(load("test", 64, folder=tmp_path / "lspet")) == 0


@pytest.mark.parametrize("size", [64, 256])
def test_geometry_to_sub_pixel(official: Official, tmp_path: Path, size: int) -> None:
    data = load("train", size, folder=kept(official, tmp_path / "lspet"))
    light = (data.images[:, 0].double() - 60).where(data.images[:, 0] > 66, 0)
    x = (light * (torch.arange(size) + 0.5)).sum((1, 2)) / light.sum((1, 2))
    y = (light * (torch.arange(size)[:, None] + 0.5)).sum((1, 2)) / light.sum((1, 2))
    joints = official.joints.transpose(2, 0, 1)
    side = [1.3 * np.ptp(one[one[:, 2] == 1, :2], axis=0).max() for one in joints]
    away = (torch.stack([x, y], dim=-1) - data.points[:, WRIST]).norm(dim=-1) * torch.tensor(side) / size
    assert (away < 0.08).all()


def test_wild_labels_and_broken_images_are_left_out_and_counted(official: Official, tmp_path: Path) -> None:
    official.joints[:, 2, :3] = 1
    official.joints[:, :2, :3] = np.random.default_rng(1).uniform(20, 100, (14, 2, 3))
    official.joints[2, :2, 0] = 5000, -4000
    official.joints[3, 0, 0] = np.nan
    official.joints[:, 2, 1] = 0
    official.files["images/im00003.jpg"] = official.files["images/im00003.jpg"][:-400]
    report = lsp_extended._install(official.write(tmp_path / "lspet.zip"), tmp_path / "lspet", 4)
    assert "2 people of 4 pictures kept" in report
    for reason in ("joint not finite", "joint far outside of the picture", "no labelled joint"):
        assert f"left out: 1 x {reason}" in report
    assert "pictures that cannot be read: 1, such as im00003.jpg (cannot be decoded" in report
    data = load("train", 64, folder=tmp_path / "lspet")
    assert data.visible[0].tolist() == [k not in (2, 3) for k in range(14)]
    # the wild joint did not stretch the square
    inner = data.points[0][data.visible[0]]
    assert (inner.amax(0) - inner.amin(0)).max() == pytest.approx(64 / 1.3, rel=1e-4)


def test_owners_of_odd_files(official: Official, tmp_path: Path) -> None:
    official.files["images/im00002.jpg"] = b"<html>"
    official.files["images/im00003.jpg"] = jpeg(blob(np.array([50.0, 50.0])), ("nonsense",))
    report = lsp_extended._install(official.write(tmp_path / "lspet.zip"), tmp_path / "lspet", 4)
    assert "images, from Flickr: 2 CC BY 2.0, 2 no licence named" in report


def _without_image(official: Official) -> None:
    del official.files["images/im00002.jpg"]


def _further_image(official: Official) -> None:
    official.files["images/im00005.jpg"] = b""


def _flag(official: Official) -> None:
    official.joints[0, 2, 1] = 2


def _as_lsp(official: Official) -> None:
    official.joints = official.joints.transpose(1, 0, 2)


def _fewer(official: Official) -> None:
    official.joints = official.joints[..., :3]  # as hr-lspet has them


def _no_matlab(official: Official) -> None:
    official.files["joints.mat"] = b"MATLAB 7.3, or what looks like it"


def _climbs(official: Official) -> None:
    official.files["../../evil.txt"] = b"boo"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_without_image, r"lacks 1 of LSP-extended's 4 images, the first is images/im00002\.jpg"),
        (_further_image, r"LSP-extended has 4 images, .*lspet\.zip has 5: it is another data set"),
        (_flag, r"flag that is neither 0 nor 1 at im00002\.jpg"),
        (_as_lsp, r"shape \(3, 14, 4\), LSP-extended's are \(14, 3, 4\)"),
        (_fewer, r"shape \(14, 3, 3\), LSP-extended's are \(14, 3, 4\)"),
        (_no_matlab, r"joints\.mat cannot be read as LSP-extended's annotations"),
        (_climbs, "leads out of its folder"),
    ],
)
def test_spoilt_archives_are_refused_in_a_line(
    official: Official, tmp_path: Path, spoil: Callable[[Official], None], message: str
) -> None:
    spoil(official)
    with pytest.raises(DataError, match=message) as caught:
        kept(official, tmp_path / "lspet")
    assert "\n" not in str(caught.value)
    assert left(tmp_path / "lspet") == set()
    with pytest.raises(DataError, match=r"not prepared in .*: run `posenb data lsp-extended"):
        load("train", folder=tmp_path / "lspet")


def test_official_count_is_asked_for(official: Official, tmp_path: Path) -> None:
    archive = official.write(tmp_path / "lspet.zip")
    with pytest.raises(DataError, match=r"shape \(14, 3, 4\), LSP-extended's are \(14, 3, 10000\)"):
        lsp_extended.install(archive, tmp_path / "lspet")
    with pytest.raises(DataError, match="there is no archive"):
        lsp_extended.install(tmp_path / "nowhere.zip", tmp_path / "lspet")


def test_a_download_that_is_another_file_is_forgotten(
    official: Official, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "lspet_dataset.zip"
    page.write_text("<html>log in first</html>")
    monkeypatch.setattr("posenb.data.leeds.download", lambda url, target: page.rename(target))
    (tmp_path / "lspet").mkdir()
    with pytest.raises(DataError, match="neither a zip nor a tar"):
        lsp_extended.install(folder=tmp_path / "lspet")
    assert left(tmp_path / "lspet") == set()
    kept(official, tmp_path / "lspet")
    assert "prepared already" in lsp_extended.install(folder=tmp_path / "lspet")
