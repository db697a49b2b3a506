"""LSP's reader on small archives in the official layout, whole and spoilt."""

from __future__ import annotations

import functools
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from posenb.data import crops, fetch, lsp
from posenb.errors import DataError
from posenb.skeletons import LSP14
from tests.formats.leeds_files import HEIGHT, WIDTH, Official, blob, jpeg, kept, left, three_people
from tests.formats.leeds_files import load_lsp as load


@pytest.fixture
def official() -> Official:
    return three_people()


@pytest.mark.parametrize("under", ["", "lsp_dataset/"])
def test_archive_and_folder_give_the_same(official: Official, tmp_path: Path, under: str) -> None:
    archive = official.write(tmp_path / "lsp.zip", under)
    report = lsp._install(archive, tmp_path / "a", 3)
    assert "3 people of 3 pictures kept" in report
    assert "3 CC BY 2.0" in report
    assert left(tmp_path / "a") == {"people", "attribution.csv"}
    lsp._install(fetch.unpack(archive, tmp_path / "by hand"), tmp_path / "b", 3)
    a, b = (load("train", folder=tmp_path / name) for name in "ab")
    assert torch.equal(a.images, b.images)
    assert torch.equal(a.points, b.points)


def test_labels(official: Official, tmp_path: Path) -> None:
    data = load("train", 32, folder=kept(official, tmp_path / "lsp"))
    assert data.images.shape == (3, 3, 32, 32)
    assert data.images.is_contiguous(memory_format=torch.channels_last)
    assert data.visible.all()
    assert np.array_equal(data.occluded.numpy(), official.joints[2].T == 1)
    assert data.head.isnan().all()
    assert data.skeleton is LSP14
    # the crop's side is 1.3 x the box's longer side, so reference lengths scale by 32 / side
    points = torch.from_numpy(official.joints[:2].transpose(2, 1, 0))
    side = 1.3 * (points.amax(1) - points.amin(1)).amax(1)
    assert torch.allclose(data.reference, (LSP14.reference_length(points) * 32 / side).float())
    middle = (data.points.amax(1) + data.points.amin(1)) / 2
    assert torch.allclose(middle, torch.full((3, 2), 16.0), atol=1e-4)


@pytest.mark.parametrize("margin", [0, 9])
@pytest.mark.parametrize("size", [32, 64, 256, (48, 64)])
def test_geometry_to_sub_pixel(official: Official, tmp_path: Path, size: int | tuple[int, int], margin: int) -> None:
    data = load("train", size, margin, folder=kept(official, tmp_path / "lsp"))
    height, width = data.images.shape[-2:]
    assert data.size == (size if isinstance(size, tuple) else (size, size))
    light = (data.images[:, 0].double() - 60).where(data.images[:, 0] > 66, 0)
    x = (light * (torch.arange(width) + 0.5)).sum((1, 2)) / light.sum((1, 2))
    y = (light * (torch.arange(height)[:, None] + 0.5)).sum((1, 2)) / light.sum((1, 2))
    found = torch.stack([x, y], dim=-1)
    wrist = data.points[:, LSP14.joints.index("right_wrist")]
    pixel = data.reference / LSP14.reference_length(torch.from_numpy(official.joints[:2].transpose(2, 1, 0)))
    # in pixels of the picture: half of one, mistaken anywhere, would be seen at every size
    assert ((found - wrist).norm(dim=-1) / pixel < 0.08).all()


def test_margin_adds_surroundings_only(official: Official, tmp_path: Path) -> None:
    folder = kept(official, tmp_path / "lsp")
    plain, wide = load("train", 64, folder=folder), load("train", 64, 16, folder=folder)
    inner = wide.cropped()
    assert torch.allclose(inner.points, plain.points, atol=1e-4)
    assert (inner.images.int() - plain.images.int()).abs().max() <= 2


def test_one_matlab_pixel() -> None:
    """The pixel that Matlab calls (40, 60) is found where the reader puts the joint (40, 60)."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[60 - 1, 40 - 1] = 255
    ours = np.array([40, 60]) - 0.5
    crop = crops.crop(pixels, ours - 1.5, 1.0, (3, 3))
    assert crop[1, 1].tolist() == [255, 255, 255]
    assert crop.astype(int).sum() == 3 * 255


def test_fine_structure_does_not_alias() -> None:
    pixels = np.zeros((240, 240, 3), np.uint8)
    pixels[:, ::2] = 200
    crop = crops.crop(pixels, np.array([10.3, 11.7]), 3.1, (64, 64))
    assert np.abs(crop.astype(int) - 100).max() < 8


def test_borders_are_replicated() -> None:
    pixels = np.repeat(np.arange(20, 220, 10, dtype=np.uint8)[None, :, None], 20, axis=0).repeat(3, axis=2)
    crop = crops.crop(pixels, np.array([-30.0, -30.0]), 2.0, (40, 40))
    assert (crop[:, :12] == 20).all()
    assert (crop[:, -12:] == 210).all()


def test_attribution(official: Official, tmp_path: Path) -> None:
    official.files["images/im0002.jpg"] = jpeg(blob(np.array([50, 50])), comments=("License: 5", "nonsense"))
    official.files["images/im0003.jpg"] = jpeg(blob(np.array([50, 50])), comments=())
    report = lsp._install(official.write(tmp_path / "lsp.zip"), tmp_path / "lsp", 3)
    assert "1 CC BY 2.0, 1 Flickr licence 5, 1 no licence named" in report
    rows = (tmp_path / "lsp" / "attribution.csv").read_text(encoding="utf-8").splitlines()
    assert rows == [
        "image,owner,owner_url,photo_url,static_url,licence",
        'im0001.jpg,"Ána, of: Leeds",,http://example.org/7,,CC BY 2.0',
        "im0002.jpg,,,,,Flickr licence 5",
        "im0003.jpg,,,,,",
    ]


def _without_image(official: Official) -> None:
    del official.files["images/im0002.jpg"]


def _cut_image(official: Official) -> None:
    official.files["images/im0002.jpg"] = official.files["images/im0002.jpg"][:-400]


def _no_image(official: Official) -> None:
    official.files["images/im0002.jpg"] = b"<html>"


def _further_image(official: Official) -> None:
    official.files["images/im0004.jpg"] = b""


def _nan(official: Official) -> None:
    official.joints[1, 13, 1] = np.nan


def _far(official: Official) -> None:
    official.joints[0, 0, 1] = 2 * WIDTH + 1.6


def _flag(official: Official) -> None:
    official.joints[2, 0, 1] = 2


def _one_place(official: Official) -> None:
    official.joints[:2, :, 1] = 50


def _other_order(official: Official) -> None:
    official.joints = official.joints.transpose(1, 0, 2)  # as LSP-extended has it


def _complex_words(official: Official) -> None:
    official.files["joints.mat"] = b"MATLAB 7.3, or what looks like it"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_without_image, r"lsp\.zip lacks 1 of LSP's 3 images, the first is images/im0002\.jpg"),
        (_cut_image, r"im0002\.jpg cannot be decoded .*fetch the archive again"),
        (_no_image, r"im0002\.jpg is no picture of a known kind"),
        (_further_image, r"lsp\.zip has 4: it is another data set"),
        (_nan, r"im0002\.jpg: joint not finite"),
        (_far, r"im0002\.jpg: joint far outside of the picture"),
        (_flag, r"flag that is neither 0 nor 1 at im0002\.jpg"),
        (_one_place, r"im0002\.jpg: all joints in one place"),
        (_other_order, r"shape \(14, 3, 3\), LSP's are \(3, 14, 3\)"),
        (_complex_words, r"joints\.mat cannot be read"),
    ],
)
def test_spoilt_contents_are_named(
    official: Official, tmp_path: Path, spoil: Callable[[Official], None], message: str
) -> None:
    spoil(official)
    with pytest.raises(DataError, match=message) as caught:
        kept(official, tmp_path / "lsp")
    assert "\n" not in str(caught.value)
    assert left(tmp_path / "lsp") == set()
    with pytest.raises(DataError, match="not prepared"):
        load("train", folder=tmp_path / "lsp")


def test_joint_just_outside_is_fine(official: Official, tmp_path: Path) -> None:
    official.joints[:2, 0, 0] = 0.2, 0.2  # the real data have one such
    data = load("train", folder=kept(official, tmp_path / "lsp"))
    assert data.visible.all()


def test_wrong_and_broken_archives(official: Official, tmp_path: Path) -> None:
    archive = official.write(tmp_path / "lsp.zip")
    (tmp_path / "cut.zip").write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as file:
        file.writestr("holiday.txt", "sun")
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as file:
        file.writestr("../../evil.txt", "boo")
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("joints.mat", bytes(150 * fetch.MIB))
    for name, message in {
        "cut.zip": "damaged",
        "other.zip": r"other\.zip is not LSP: it holds no joints\.mat",
        "evil.zip": "leads out of its folder",
        "bomb.zip": "unpacks to more than",
        "missing.zip": "there is no archive",
    }.items():
        with pytest.raises(DataError, match=message):
            lsp.install(tmp_path / name, tmp_path / "lsp")
        assert left(tmp_path / "lsp") == set()
    with pytest.raises(DataError, match=r"shape \(3, 14, 3\), LSP's are \(3, 14, 2000\)"):
        lsp.install(archive, tmp_path / "lsp")


def test_wrong_arguments(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no split 'tset': choose one of train, fit, val, test"):
        load("tset", folder=tmp_path)
    with pytest.raises(DataError, match="cannot be cropped to 0 x 0"):
        load("test", 0, folder=tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of 2,000 tiny images; the torso of image n tells n."""
    numbers = np.arange(1, 2001)
    joints = np.zeros((3, 14, 2000))
    joints[:2, 0], joints[:2, 1] = 1, 15
    joints[:2, 8], joints[:2, 3] = 2, 2
    joints[:2, 9], joints[:2, 2] = 2, 2
    joints[0, 3] = joints[0, 2] = 2 + numbers / 200
    picture = jpeg(np.zeros((16, 16, 3), np.uint8))
    official = Official(joints, {f"images/im{n:04d}.jpg": picture for n in numbers})
    return official.write(tmp_path_factory.mktemp("server") / "lsp_dataset.zip")


@pytest.fixture
def site(whole: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a web site that stands for the official one."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            """Keep the tests' output clean."""

    handler = functools.partial(Quiet, directory=str(whole.parent))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setattr(lsp, "URL", f"http://127.0.0.1:{server.server_port}/lsp_dataset.zip")
    yield whole.parent
    server.shutdown()
    thread.join()
    server.server_close()


def test_install_downloads_and_splits_by_protocol(site: Path, tmp_path: Path) -> None:
    report = lsp.install(folder=tmp_path)
    assert "1,998 people of 1,998 pictures kept: 1,000 test, 998 train (100 of them val)" in report
    assert "371 (as 1622), 550 (as 1366)" in report
    assert left(tmp_path) == {"people", "attribution.csv"}, "the archive is not kept"
    assert "prepared already" in lsp.install(folder=tmp_path)

    def numbers(split: str) -> list[int]:
        data = load(split, 8, folder=tmp_path)
        torso = data.reference * 1.3 * 15 / 8
        return (torso * 200).round().int().tolist()

    training = [n for n in range(1, 1001) if n not in (371, 550)]
    assert numbers("train") == training
    assert numbers("fit") == training[:-100]
    assert numbers("val") == list(range(901, 1001))
    assert numbers("test") == list(range(1001, 2001))


def test_install_forgets_a_download_that_is_not_lsp(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site / "other.zip").write_text("<html>log in first</html>")
    with monkeypatch.context() as patch:
        patch.setattr(lsp, "URL", lsp.URL.replace("lsp_dataset", "other"))
        with pytest.raises(DataError, match="neither a zip nor a tar"):
            lsp.install(folder=tmp_path)
    assert left(tmp_path) == set()
    assert "1,998 pictures kept" in lsp.install(folder=tmp_path)
