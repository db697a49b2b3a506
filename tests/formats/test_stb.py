"""STB's reader on small sets in the official layout, whole and spoilt; no real file is at hand."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial.transform import Rotation

from posenb.cli import main
from posenb.data import prepared, stb
from posenb.errors import DataError, UserError
from posenb.skeletons import STB21

FRAMES = 2
SEQUENCES = tuple(f"B{number}{kind}" for number in range(1, 7) for kind in ("Counting", "Random"))
# the README's list
PARTS = {"mcp": 1, "pip": 2, "dip": 3, "tip": 4}
README = ("palm", *(f"{finger}_{part}" for finger in ("little", "ring", "middle", "index", "thumb") for part in PARTS))
OFFICIAL = tuple(f"{name.split('_')[0]}{PARTS[name.split('_')[1]]}" if "_" in name else name for name in README)

load = functools.partial(prepared.load, stb.SOURCE)


def png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


EMPTY = png(np.full((480, 640, 3), 60, np.uint8))


def blob(centre: NDArray[np.float64], sigma: float = 6.0) -> bytes:
    """A bright blob on grey. Pixel (column i, row j) shows its value at (i + .5, j + .5)."""
    x, y = np.arange(640) + 0.5, np.arange(480)[:, None] + 0.5
    value = 60 + 180 * np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * sigma**2))
    return png(np.repeat(value.round().astype(np.uint8)[..., None], 3, axis=2))


@dataclass
class Official:
    """The data set before it is written: handPara (3, 21, FRAMES) of each label file, and pictures."""

    joints: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)

    def write(self, folder: Path, images: str = "images/") -> Path:
        for name, joints in self.joints.items():
            path = folder / "labels" / f"{name}.mat"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(joints) if isinstance(joints, bytes) else scipy.io.savemat(path, {"handPara": joints})
        for name, contents in self.files.items():
            path = folder / f"{images}{name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(contents)
        return folder


@pytest.fixture
def official() -> Official:
    """A hand 600 mm before the camera, in all pictures of all cameras."""
    random = np.random.default_rng(0)
    found = Official({})
    for name in SEQUENCES:
        for labels in ("BB", "SK"):
            middle = np.array([40.0 if labels == "BB" else 0.0, 0, 600])[:, None, None]
            found.joints[f"{name}_{labels}"] = middle + random.uniform(-60, 60, (3, 21, FRAMES))
        for frame in range(FRAMES):
            for picture in ("BB_left", "BB_right", "SK_color", "SK_depth"):
                found.files[f"{name}/{picture}_{frame}.png"] = EMPTY
    return found


def kept(official: Official, folder: Path, camera: str = "stereo") -> Path:
    stb._install(official.write(folder.parent / "source"), folder, camera, FRAMES)
    return folder


def whole(folder: Path, split: str = "train") -> tuple[NDArray[np.float64], dict[str, Any]]:
    """Points in pixels of the whole pictures, and the other labels."""
    read = prepared.read(stb.SOURCE, folder)
    rows = np.isin(read.split, prepared.SPLITS[split])
    labels = {name: values[rows] for name, values in read.labels.items()}
    return labels["origin"][:, None] + labels["points"] * labels["unit"][:, None, None], labels


def test_projection_by_hand() -> None:
    """One metre away a decimetre is a tenth of the focal length; ours are half a pixel more than the calibration's."""
    points = np.array([[0, 0, 1000], [100, -50, 1000], [120.054, 0, 1000], [0, 0, 0], [10, 10, -1000]])
    left = stb.LEFT.project(points)
    assert np.allclose(left[0], [318.97345, 250.81296])
    assert np.allclose(left[1], [318.97345 + 82.279041, 250.81296 - 41.1395205])
    right = stb.RIGHT.project(points)
    assert np.allclose(right[2], [318.97345, 250.81296])
    assert np.allclose(left[:3] - right[:3], [98.7792799, 0], atol=1e-6)  # the disparity at one metre
    assert np.isnan(left[3:]).all()


def test_colour_camera_of_the_realsense() -> None:
    """README: rotation and translation lead from coordinates of the colour camera to those of the depth camera."""
    colour = np.array([[0, 0, 500.0], [100, 50, 500]])
    rotation = Rotation.from_rotvec([0.00531, -0.01196, 0.00301])
    depth = rotation.apply(colour) + np.array([-24.0381, -0.4563, -1.2326])
    expected = [[314.78337, 236.42484], [314.78337 + 607.92271 / 5, 236.42484 + 607.88192 / 10]]
    assert np.allclose(stb.COLOR.project(depth), np.array(expected) + 0.5)


def test_joints_in_order_and_sequences_by_split(official: Official, tmp_path: Path) -> None:
    points, labels = whole(kept(official, tmp_path / "stb"))
    assert len(points) == 10 * FRAMES * 2
    for view in range(2):
        space = official.joints["B2Counting_BB"][..., 1]
        for joint, name in enumerate(STB21.joints):
            x, y, z = space[:, OFFICIAL.index(name)]
            expected = (x - 120.054 * view) / z * 822.79041 + 318.97345, y / z * 822.79041 + 250.81296
            assert np.allclose(points[FRAMES + view, joint], expected, atol=1e-9)
    assert labels["visible"].all()
    assert not labels["occluded"].any()
    tested, labels = whole(tmp_path / "stb", "test")
    assert len(tested) == 2 * FRAMES * 2
    x, y, z = official.joints["B1Random_BB"][:, 0, 0]
    assert np.allclose(tested[2 * FRAMES, 0], [x / z * 822.79041 + 318.97345, y / z * 822.79041 + 250.81296])
    assert len(set(labels["picture"])) == len(tested)
    assert load("test", folder=tmp_path / "stb").skeleton is STB21


@pytest.mark.parametrize(("camera", "count"), [("stereo", 40), ("left", 20), ("right", 20), ("realsense", 20)])
@pytest.mark.parametrize("images", ["images/", ""])
def test_cameras_and_layouts(official: Official, tmp_path: Path, camera: str, count: int, images: str) -> None:
    source = official.write(tmp_path / "STB", images).parent  # the folder that holds it will do
    report = stb._install(source, tmp_path / "stb", camera, FRAMES)
    assert f"{count // 5 + count} people of {count // 5 + count} pictures kept" in report
    assert f"camera: {camera} (" in report
    assert "left hands all, as they are" in report
    assert len(load("train", folder=tmp_path / "stb")) == count


def test_another_camera_replaces_the_first(official: Official, tmp_path: Path) -> None:
    first = load("test", folder=kept(official, tmp_path / "stb", "left"))
    second = load("test", folder=kept(official, tmp_path / "stb", "realsense"))
    assert not torch.allclose(first.points, second.points)


@pytest.mark.parametrize("camera", ["left", "right", "realsense"])
@pytest.mark.parametrize("size", [64, 256])
def test_geometry_to_sub_pixel(official: Official, tmp_path: Path, camera: str, size: int) -> None:
    """A blob painted where pinhole geometry has the joint, of pixels whose first has its centre at (0, 0)."""
    joint = STB21.joints.index("ring3")
    (view,) = stb.CAMERAS[camera]
    for frame in range(FRAMES):
        space = official.joints[f"B1Counting_{view.labels}"][:, OFFICIAL.index("ring3"), frame]
        rotation = Rotation.from_rotvec(view.rotation)
        x, y, z = rotation.inv().apply(space - np.array(view.origin))
        first = np.array([x / z * view.focal[0] + view.middle[0], y / z * view.focal[1] + view.middle[1]])
        official.files[f"B1Counting/{view.picture.format(frame)}"] = blob(first + 0.5)
    data = load("test", size, 16, folder=kept(official, tmp_path / "stb", camera))[:FRAMES]
    side = data.images.shape[-1]
    light = (data.images[:, 0].double() - 60).where(data.images[:, 0] > 66, 0)
    x = (light * (torch.arange(side) + 0.5)).sum((1, 2)) / light.sum((1, 2))
    y = (light * (torch.arange(side)[:, None] + 0.5)).sum((1, 2)) / light.sum((1, 2))
    read = prepared.read(stb.SOURCE, tmp_path / "stb")
    unit = (read.labels["side"] * read.labels["unit"])[-2 * FRAMES :][:FRAMES] / size
    apart = (torch.stack([x, y], dim=-1) - data.points[:, joint]).norm(dim=-1) * torch.from_numpy(unit)
    assert (apart < 0.15).all()  # pixels of the picture


def test_joints_without_a_label(official: Official, tmp_path: Path) -> None:
    space = official.joints["B2Counting_BB"]
    space[:, OFFICIAL.index("thumb4"), 0] = -400, 0, 600  # left of the picture
    space[2, OFFICIAL.index("thumb3"), 0] = -600
    space[0, OFFICIAL.index("thumb2"), 0] = np.nan
    space[:, OFFICIAL.index("thumb1"), 0] = 0
    space[:, :, 1] = np.inf
    report = stb._install(official.write(tmp_path / "source"), tmp_path / "stb", "left", FRAMES)
    points, labels = whole(tmp_path / "stb")
    assert len(points) == 10 * FRAMES - 1
    hidden = {STB21.joints[k] for k in np.flatnonzero(~labels["visible"][0])}
    assert hidden == {"thumb1", "thumb2", "thumb3", "thumb4"}
    assert "left out: 1 x no labelled joint" in report
    assert "no label: 1 joints outside of their picture, 24 without a place before the camera" in report


def test_square_holds_the_wrist(official: Official, tmp_path: Path) -> None:
    """hand3d's wrist lies beyond the palm's middle, as far as the ring finger's base lies before it."""
    space = np.zeros((3, 21, FRAMES))
    space[2] = 822.79041  # a millimetre is a pixel
    space[0, OFFICIAL.index("middle1")] = 10
    space[0, OFFICIAL.index("ring1")] = 5
    space[1, OFFICIAL.index("palm")] = 60
    official.joints["B1Counting_BB"] = space
    data = load("test", 64, folder=kept(official, tmp_path / "stb", "left"))
    read = prepared.read(stb.SOURCE, tmp_path / "stb")
    side = (read.labels["side"] * read.labels["unit"])[-2 * FRAMES]
    assert np.isclose(side, 2 * 120)
    assert torch.allclose(data.points[0, STB21.joints.index("middle1")], torch.tensor(32.0), atol=1e-4)


def test_a_picture_that_is_missing_or_broken_is_left_out(official: Official, tmp_path: Path) -> None:
    del official.files["B3Random/BB_left_1.png"]
    official.files["B4Random/BB_right_0.png"] = EMPTY[:-500]
    report = stb._install(official.write(tmp_path / "source"), tmp_path / "stb", "stereo", FRAMES)
    assert "46 people of 48 pictures kept" in report
    assert "pictures that cannot be read: 2, such as B3Random/BB_left_1.png (No such file or directory)" in report


def _no_labels(official: Official) -> None:
    del official.joints["B5Counting_BB"]


def _broken_labels(official: Official) -> None:
    official.joints["B5Counting_BB"] = b"MATLAB 7.3, or what looks like it"


def _shape(official: Official) -> None:
    official.joints["B5Counting_BB"] = np.zeros((21, 3, FRAMES))


def _frames(official: Official) -> None:
    official.joints["B5Counting_BB"] = np.zeros((3, 21, FRAMES + 1))


def _cells(official: Official) -> None:
    official.joints["B5Counting_BB"] = np.array([[{"a": 1}]], dtype=object)


def _no_sequence(official: Official) -> None:
    for name in [name for name in official.files if name.startswith("B5Counting/")]:
        del official.files[name]


def _no_pictures(official: Official) -> None:
    for frame in range(FRAMES):
        del official.files[f"B5Counting/BB_right_{frame}.png"]


def _nothing(official: Official) -> None:
    official.joints = {}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_no_labels, r"cannot read .*B5Counting_BB\.mat: No such file"),
        (_broken_labels, r"B5Counting_BB\.mat cannot be read as STB's labels"),
        (_shape, r"B5Counting_BB\.mat holds handPara of shape \(21, 3, 2\), STB's are \(3, 21, 2\)"),
        (_frames, r"B5Counting_BB\.mat holds handPara of shape \(3, 21, 3\)"),
        (_cells, r"B5Counting_BB\.mat cannot be read as STB's labels"),
        (_no_sequence, r"lacks the sequence images/B5Counting: STB has 12"),
        (_no_pictures, r"B5Counting holds no BB_right_0\.png to BB_right_1\.png"),
        (_nothing, r"is not STB: it holds no folder labels/"),
    ],
)
def test_spoilt_contents_are_named(
    official: Official, tmp_path: Path, spoil: Callable[[Official], None], message: str
) -> None:
    spoil(official)
    with pytest.raises(DataError, match=message) as caught:
        kept(official, tmp_path / "stb")
    assert "\n" not in str(caught.value)
    assert not prepared.is_prepared(tmp_path / "stb")


def test_wrong_arguments(official: Official, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="camera must be one of stereo, left, right, realsense, not 'depth'"):
        stb.install(tmp_path, tmp_path / "stb", "depth")
    with pytest.raises(DataError, match=r"is not downloaded: .*github\.com/zhjwustc.* name that with --source$"):
        stb.install(None, tmp_path / "stb")
    with pytest.raises(DataError, match=r"--source \(.*nowhere is none\)"):
        stb.install(tmp_path / "nowhere", tmp_path / "stb")
    with pytest.raises(DataError, match=r"shape \(3, 21, 2\), STB's are \(3, 21, 1500\)"):
        stb.install(official.write(tmp_path / "source"), tmp_path / "stb")


def test_command(
    official: Official, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POSENB_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(stb, "FRAMES", FRAMES)
    source = official.write(tmp_path / "source")
    with pytest.raises(SystemExit) as ended:
        main(["data", "stb", "--source", str(source), "--camera", "realsense"])
    assert not ended.value.code
    assert "camera: realsense (SK_color_N.png)" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["data", "stb"])
    assert ended.value.code == 2
    assert "name that with --source" in capsys.readouterr().err
