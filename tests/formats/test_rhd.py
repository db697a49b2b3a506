"""RHD's reader on small sets in the official layout, whole and spoilt, and on the real samples."""

from __future__ import annotations

import functools
import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from posenb.cli import main
from posenb.data import prepared, rhd
from posenb.data.hands import about_hand
from posenb.errors import DataError
from posenb.skeletons import HAND21

HALVES = {"training": 4, "evaluation": 2}
SAMPLES = Path(__file__).resolve().parents[3] / "shared/datasets/samples/rhd"
# what the data set's README calls its joints, one hand
FINGERS = ("thumb", "index", "middle", "ring", "little")
OFFICIAL = ("wrist", *(f"{finger}{joint}" for finger in FINGERS for joint in (4, 3, 2, 1)))

load = functools.partial(prepared.load, rhd.SOURCE)


def png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def blob(centre: NDArray[np.float64], sigma: float = 6.0) -> NDArray[np.uint8]:
    """A bright blob on grey. Pixel (column i, row j) shows its value at (i + .5, j + .5)."""
    place = np.arange(320) + 0.5
    value = 60 + 180 * np.exp(-((place - centre[0]) ** 2 + (place[:, None] - centre[1]) ** 2) / (2 * sigma**2))
    return np.repeat(value.round().astype(np.uint8)[..., None], 3, axis=2)


def mask(left: int, right: int) -> NDArray[np.uint8]:
    """Classes of a mask with so many pixels of each hand; 0 is the background and 1 the person."""
    classes = np.zeros(320 * 320, np.uint8)
    classes[: left + right + 50] = 1
    classes[:left] = np.resize(np.arange(2, 18), left)
    classes[left : left + right] = np.resize(np.arange(18, 34), right)
    return classes.reshape(320, 320)


@dataclass
class Official:
    """The data set before it is written: annotations of each half, and files."""

    annotations: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)
    protocol: int = 3

    def contents(self) -> dict[str, bytes]:
        files = dict(self.files)
        for half, annotation in self.annotations.items():
            contents = annotation if isinstance(annotation, bytes) else pickle.dumps(annotation, self.protocol)
            files[f"{half}/anno_{half}.pickle"] = contents
        return files

    def write(self, folder: Path) -> Path:
        for name, contents in self.contents().items():
            path = folder / "RHD_published_v2" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(contents)
        return folder / "RHD_published_v2"


@pytest.fixture
def official() -> Official:
    """Both hands seen in each picture; the left one is larger in even pictures and shows a blob at its ring2."""
    random = np.random.default_rng(0)
    found = Official({})
    for half, count in HALVES.items():
        samples = {}
        for sample in range(count):
            hands = [random.uniform(0, 100, (21, 2)) + corner for corner in ((30, 90), (180, 100))]
            uv_vis = np.concatenate([np.concatenate(hands), np.ones((42, 1))], axis=1)
            samples[sample] = {"uv_vis": uv_vis, "xyz": random.normal(size=(42, 3)), "K": np.eye(3)}
            found.files[f"{half}/color/{sample:05d}.png"] = png(blob(hands[0][OFFICIAL.index("ring2")]))
            larger, smaller = 900, 850
            found.files[f"{half}/mask/{sample:05d}.png"] = png(
                mask(larger, smaller) if sample % 2 == 0 else mask(smaller, larger)
            )
        found.annotations[half] = samples
    return found


def kept(official: Official, folder: Path, hands: rhd.Hands = "each") -> Path:
    rhd._install(official.write(folder.parent / "source"), folder, hands, HALVES)
    return folder


def whole(folder: Path, split: str = "train") -> tuple[NDArray[np.float64], dict[str, Any]]:
    """Points in pixels of the whole pictures, and the other labels."""
    read = prepared.read(rhd.SOURCE, folder)
    rows = np.isin(read.split, prepared.SPLITS[split])
    labels = {name: values[rows] for name, values in read.labels.items()}
    return labels["origin"][:, None] + labels["points"] * labels["unit"][:, None, None], labels


def test_each_hand_is_a_sample_with_its_joints_in_order(official: Official, tmp_path: Path) -> None:
    points, labels = whole(kept(official, tmp_path / "rhd"))
    assert labels["number"].tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert labels["picture"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    for row, number in enumerate(labels["number"]):
        uv = official.annotations["training"][number // 2]["uv_vis"][21 * (number % 2) :]
        for joint, name in enumerate(HAND21.joints):
            assert np.allclose(points[row, joint], uv[OFFICIAL.index(name), :2], atol=1e-9)
    assert labels["visible"].all()
    assert not labels["occluded"].any()
    assert len(load("test", folder=tmp_path / "rhd")) == 4


@pytest.mark.parametrize("protocol", range(6))
def test_archive_and_folder_give_the_same(official: Official, tmp_path: Path, protocol: int) -> None:
    official.protocol = protocol
    archive = tmp_path / "RHD_v1-1.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name, contents in official.contents().items():
            file.writestr(f"RHD_published_v2/{name}", contents)
    report = rhd._install(archive, tmp_path / "a", "each", HALVES)
    assert "12 people of 6 pictures kept: 4 test, 8 train" in report
    assert "6 left and 6 right hands, as they are" in report
    assert {path.name for path in (tmp_path / "a").iterdir() if path.suffix != ".lock"} == {"people"}
    rhd._install(kept(official, tmp_path / "b").parent / "source", tmp_path / "c", "each", HALVES)
    sets = [load("train", folder=tmp_path / name) for name in "abc"]
    assert all(torch.equal(data.images, sets[0].images) and torch.equal(data.points, sets[0].points) for data in sets)


@pytest.mark.parametrize("margin", [0, 9])
@pytest.mark.parametrize("size", [32, 64, 256])
def test_geometry_to_sub_pixel(official: Official, tmp_path: Path, size: int, margin: int) -> None:
    data = load("train", size, margin, folder=kept(official, tmp_path / "rhd"))[[0, 2, 4, 6]]  # left hands
    side = data.images.shape[-1]
    light = (data.images[:, 0].double() - 60).where(data.images[:, 0] > 66, 0)
    x = (light * (torch.arange(side) + 0.5)).sum((1, 2)) / light.sum((1, 2))
    y = (light * (torch.arange(side)[:, None] + 0.5)).sum((1, 2)) / light.sum((1, 2))
    joint = HAND21.joints.index("ring2")
    uv = torch.stack(
        [torch.from_numpy(entry["uv_vis"][:21, :2]) for entry in official.annotations["training"].values()]
    )
    wrist, middle = OFFICIAL.index("wrist"), OFFICIAL.index("middle1")
    pixel = data.reference / (uv[:, wrist] - uv[:, middle]).norm(dim=-1)
    near = (data.points[:, joint] - side / 2).abs().amax(-1) < side / 2 - 14 * pixel  # the blob is cut off elsewhere
    assert near.sum() >= 2
    found = torch.stack([x, y], dim=-1)
    # in pixels of the picture: half of one, mistaken anywhere, would be seen at every size
    assert ((found - data.points[:, joint]).norm(dim=-1) / pixel)[near].max() < 0.15


def test_labels_of_hidden_and_outside_joints(official: Official, tmp_path: Path) -> None:
    """Seen; hidden with exact coordinates; outside; seen by the heuristic though just outside; without a place."""
    uv_vis = official.annotations["training"][1]["uv_vis"]
    uv_vis[1, 2] = 0
    uv_vis[2] = -5, 100, 0
    uv_vis[3] = 100, 320.4, 1
    uv_vis[4] = np.nan, 100, 1
    uv_vis[5] = np.nan, np.nan, 0
    report = rhd._install(official.write(tmp_path), tmp_path / "rhd", "each", HALVES)
    points, labels = whole(tmp_path / "rhd")
    row = labels["number"].tolist().index(2)
    names = {HAND21.joints[k] for k in np.flatnonzero(~labels["visible"][row])}
    assert names == {"thumb3", "thumb1", "index4"}
    assert {HAND21.joints[k] for k in np.flatnonzero(labels["occluded"][row])} == {"thumb4"}
    assert np.allclose(points[row, HAND21.joints.index("thumb4")], uv_vis[1, :2])
    assert "left out: 1 x joint not finite" in report
    assert "of 250 labels 1 are guessed hidden" in report  # 12 hands, less two joints; one of them has lost its place


def test_hands_with_few_seen_joints(official: Official, tmp_path: Path) -> None:
    training = official.annotations["training"]
    training[0]["uv_vis"][:11, 2] = 0  # ten seen
    training[1]["uv_vis"][:10, 2] = 0  # eleven seen
    training[2]["uv_vis"][:, 2] = 0
    report = rhd._install(official.write(tmp_path), tmp_path / "rhd", "each", HALVES)
    _, labels = whole(tmp_path / "rhd")
    assert labels["number"].tolist() == [1, 2, 3, 6, 7]
    assert "each hand with 11 of its joints seen; 3 hands with fewer are left out" in report
    assert "4 left and 5 right hands" in report


def test_larger_hand_by_the_mask(official: Official, tmp_path: Path) -> None:
    official.files["training/mask/00002.png"] = png(mask(800, 800))  # the right one where they are as many
    _, labels = whole(kept(official, tmp_path / "rhd", "larger"))
    assert labels["number"].tolist() == [0, 3, 5, 7]
    assert len(load("test", folder=tmp_path / "rhd")) == 2


def test_square_about_a_hand() -> None:
    points = np.full((21, 2), 150.0)
    middle = HAND21.joints.index("middle1")
    points[middle] = 140, 160
    points[4] = 200, 165
    points[8] = 20, 330
    seen = np.ones(21, bool)
    center, side = about_hand(points, seen, (320, 320))
    assert center is not None
    assert center.tolist() == [140, 160]
    assert side == 2 * 160  # to the border at 320, beyond which nothing is measured
    seen[8] = False
    assert about_hand(points, seen, (320, 320))[1] == 2 * 60
    seen[4] = False
    assert about_hand(points, seen, (320, 320))[1] == 50
    points[8] = 3000, 160
    seen[8] = True
    assert about_hand(points, seen, (4000, 4000))[1] == 500
    points[middle, 0] = np.nan
    assert about_hand(points, seen, (320, 320))[0] is None
    assert about_hand(points, np.zeros(21, bool), (320, 320))[0] is None


def test_the_sample_shows_that_square(official: Official, tmp_path: Path) -> None:
    data = load("train", 64, folder=kept(official, tmp_path / "rhd"))
    assert torch.allclose(data.points[:, HAND21.joints.index("middle1")], torch.tensor(32.0), atol=1e-4)
    assert torch.allclose((data.points - 32).abs().amax((1, 2)), torch.tensor(32.0), atol=1e-3)
    assert data.skeleton.flip == tuple(range(21))


def test_real_samples(tmp_path: Path) -> None:
    """Real joints through the reader: 3D bones tell tips from bases, and the projection says where (0, 0) is."""
    if not SAMPLES.exists():
        pytest.skip(f"no real samples in {SAMPLES}")
    described = json.loads((SAMPLES / "test_rhd.json").read_text())
    official = Official({"training": {}})
    hands = []
    for number, entry in enumerate(described["annotations"]):
        right = entry["hand_type"] == "right"
        uv_vis = np.zeros((42, 3))
        uv_vis[21 * right : 21 * (right + 1)] = entry["keypoints"]
        official.annotations["training"][number] = {"uv_vis": uv_vis}
        picture = next(image for image in described["images"] if image["id"] == entry["image_id"])
        official.files[f"training/color/{number:05d}.png"] = (SAMPLES / picture["file_name"]).read_bytes()
        camera, space = picture["cam_param"], np.array(entry["joint_cam"])
        hands.append((2 * number + right, np.array(entry["keypoints"])[:, :2], space))
        seen = space[:, :2] / space[:, 2:] * camera["focal"] + camera["princpt"]
        assert np.abs(seen - hands[-1][1]).max() < 0.1
        assert camera["princpt"] == [160, 160]  # the middle of what covers [0, 320]
    rhd._install(official.write(tmp_path), tmp_path / "rhd", "each", {"training": 3})
    points, labels = whole(tmp_path / "rhd")
    assert labels["number"].tolist() == [number for number, _, _ in hands]
    for row, (_, uv, space) in enumerate(hands):
        ours = space[list(rhd.ORDER)]
        assert np.allclose(points[row], uv[list(rhd.ORDER)], atol=1e-6)
        for finger in ("index", "middle", "ring", "little"):
            first, second, third, tip = HAND21.index(*(f"{finger}{k}" for k in (1, 2, 3, 4)))
            assert np.linalg.norm(ours[first] - ours[second]) > np.linalg.norm(ours[third] - ours[tip])
            assert np.linalg.norm(ours[0] - ours[first]) > 1.5 * np.linalg.norm(ours[third] - ours[tip])
    data = load("train", 128, folder=tmp_path / "rhd")
    assert data.visible.all()


class Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch hacked",)


def _hostile(official: Official) -> None:
    official.annotations["evaluation"][1]["K"] = Runs()


def _objects(official: Official) -> None:
    official.annotations["training"][1]["uv_vis"] = np.array([[None] * 3] * 42)


def _no_pickle(official: Official) -> None:
    official.annotations["training"] = b"<html>"


def _list(official: Official) -> None:
    official.annotations["training"] = []


def _few_samples(official: Official) -> None:
    del official.annotations["training"][3]


def _named_samples(official: Official) -> None:
    official.annotations["training"]["../../../etc/passwd"] = official.annotations["training"].pop(3)


def _shape(official: Official) -> None:
    official.annotations["training"][2]["uv_vis"] = np.ones((21, 3))


def _no_points(official: Official) -> None:
    del official.annotations["training"][2]["uv_vis"]


def _no_entry(official: Official) -> None:
    official.annotations["training"][2] = 7


def _no_picture(official: Official) -> None:
    del official.files["evaluation/color/00001.png"]


def _no_training(official: Official) -> None:
    del official.annotations["training"]


def _no_evaluation(official: Official) -> None:
    del official.annotations["evaluation"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_hostile, r"anno_evaluation\.pickle is not read, at byte [\d,]+: it names 'posix.system'"),
        (_objects, r"anno_training\.pickle is not read, at byte [\d,]+: arrays of type 'O8'"),
        (_no_pickle, r"anno_training\.pickle is not read, at byte 1"),
        (_list, r"anno_training\.pickle holds a list, RHD's a dict of 4 samples"),
        (_few_samples, r"anno_training\.pickle holds 3 entries, RHD's a dict of 4 samples from 0 on"),
        (_named_samples, r"anno_training\.pickle holds 4 entries, RHD's a dict of 4 samples from 0 on"),
        (_shape, r"anno_training\.pickle: sample 2 has no array uv_vis of shape \(42, 3\)"),
        (_no_points, r"sample 2 has no array uv_vis"),
        (_no_entry, r"sample 2 has no array uv_vis"),
        (_no_picture, r"evaluation.color lacks 1 of RHD's 2 pictures, the first is 00001\.png"),
        (_no_training, r"is not RHD: it holds no RHD_published_v2/training/anno_training\.pickle"),
        (_no_evaluation, r"cannot read .*anno_evaluation\.pickle: No such file"),
    ],
)
def test_spoilt_contents_are_named(
    official: Official,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Official], None],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    spoil(official)
    with pytest.raises(DataError, match=message) as caught:
        kept(official, tmp_path / "rhd")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "hacked").exists()
    assert not prepared.is_prepared(tmp_path / "rhd")


@pytest.mark.parametrize("contents", [None, b"", b"<html>"])
def test_masks_that_cannot_be_read(official: Official, tmp_path: Path, contents: bytes | None) -> None:
    if contents is None:
        del official.files["training/mask/00003.png"]
    else:
        official.files["training/mask/00003.png"] = contents
    with pytest.raises(DataError, match=r"the mask .*00003\.png .*fetch the archive again, or take each hand"):
        kept(official, tmp_path / "rhd", "larger")
    assert len(load("train", folder=kept(official, tmp_path / "rhd"))) == 8


def test_broken_pictures_are_left_out(official: Official, tmp_path: Path) -> None:
    official.files["training/color/00001.png"] = official.files["training/color/00001.png"][:-400]
    report = rhd._install(official.write(tmp_path), tmp_path / "rhd", "each", HALVES)
    assert "10 people of 6 pictures kept: 4 test, 6 train" in report
    assert "pictures that cannot be read: 1, such as training/color/00001.png" in report


def test_other_sources(official: Official, tmp_path: Path) -> None:
    root = official.write(tmp_path / "source")
    with pytest.raises(DataError, match="holds 4 entries, RHD's a dict of 41,258 samples"):
        rhd.install(root, tmp_path / "rhd")
    with pytest.raises(DataError, match=r"there is no .*nowhere"):
        rhd.install(tmp_path / "nowhere", tmp_path / "rhd")
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as file:
        file.writestr("../../evil.txt", "boo")
    with pytest.raises(DataError, match="leads out of its folder"):
        rhd.install(tmp_path / "evil.zip", tmp_path / "rhd")


def test_download_is_kept_where_it_cannot_be_prepared(
    official: Official, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetched(url: str, target: Path) -> Path:
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(target, "w") as file:
            for name, contents in official.contents().items():
                file.writestr(f"RHD_published_v2/{name}", contents)
        return target

    monkeypatch.setattr(rhd, "download", fetched)
    with pytest.raises(DataError, match=r"\(downloaded to .*RHD_v1-1\.zip: remove that to have it fetched anew\)"):
        rhd.install(folder=tmp_path / "rhd")
    assert (tmp_path / "rhd" / "RHD_v1-1.zip").exists()
    monkeypatch.setattr(rhd, "HALVES", HALVES)
    assert "12 people of 6 pictures kept" in rhd.install(folder=tmp_path / "rhd")
    assert not (tmp_path / "rhd" / "RHD_v1-1.zip").exists()
    assert "prepared already" in rhd.install(folder=tmp_path / "rhd")


def test_command(
    official: Official, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POSENB_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(rhd, "HALVES", HALVES)
    root = official.write(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["data", "rhd", "--source", str(root), "--hands", "larger"])
    assert not ended.value.code
    assert "hands: one hand a picture" in capsys.readouterr().out
    official.annotations["training"] = b"cposix\nsystem\n(S'touch hacked'\ntR."
    with pytest.raises(SystemExit) as ended:
        main(["data", "rhd", "--source", str(official.write(tmp_path))])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert "it names 'posix.system', and only NumPy's arrays are read" in error
    assert "Traceback" not in error
