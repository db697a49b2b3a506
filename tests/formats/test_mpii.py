"""MPII's reader: every layout says the same, to the sub-pixel; the official downloads; the real samples."""

from __future__ import annotations

import functools
import json
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import torch

from posenb.data import mpii, prepared
from posenb.data.mpii_mat import read_official
from posenb.data.mpii_splits import from_arrays, read_json
from posenb.errors import DataError
from tests.formats.mpii_files import WRIST, Someone, World, arrays, heads_file, make_world, picture

SHARED = Path(__file__).parents[3] / "shared" / "datasets"

load = functools.partial(prepared.load, mpii.SOURCE)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def expected(people: list[Someone], size: int) -> torch.Tensor:
    """Points as samples have them, from the published convention."""
    found = []
    for person in people:
        center = np.array(person.objpos) - 0.5 + [0, 15 * person.scale]
        side = 250 * person.scale
        points = (person.points - 0.5 - center) * size / side + size / 2
        found.append(np.where(person.labelled[:, None], points, 0))
    return torch.from_numpy(np.stack(found)).float()


def same_points(data: Any, people: list[Someone], size: int, tolerance: float = 1e-3) -> bool:
    points = data.points.where(data.visible[..., None], 0)
    return points.shape == (len(people), 16, 2) and torch.allclose(points, expected(people, size), atol=tolerance)


def test_official_file_alone(world: World, tmp_path: Path) -> None:
    report = mpii.install(world.images, world.mat(), folder=tmp_path / "mpii")
    assert "division: 7 people for training, 0 for tests; --validation valid.json" in report
    data = load("train", 64, folder=tmp_path / "mpii")
    by_picture = [*world.train, world.valid[1], *world.other, world.valid[0]]
    assert same_points(data, by_picture, 64)
    assert np.array_equal(data.visible, [person.labelled for person in by_picture])
    assert np.array_equal(data.occluded, [person.hidden for person in by_picture])
    boxes = np.array([person.head for person in by_picture])
    heads = 0.6 * np.hypot(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    pixel = np.array([64 / (250 * person.scale) for person in by_picture])
    assert np.allclose(data.head, heads * pixel, rtol=1e-5)
    assert heads[0] == 30  # .6 x the diagonal of 30 x 40
    assert data.picture[0] == data.picture[1] == 15601864


def test_flags_of_the_official_file(world: World) -> None:
    people = read_official(world.mat())
    assert people.occluded[2].tolist() == [isinstance(flag, str) and flag == "0" for flag in world.train[2].flags]
    assert not people.occluded[3].any(), "no flag means seen"
    assert people.labelled[0].tolist() == [k not in (0, 5) for k in range(16)]
    assert np.isnan(people.points[0, 0]).all()
    assert np.array_equal(people.points[1], world.train[1].points - 0.5)


def test_validation_names_the_tests_and_their_order(world: World, tmp_path: Path) -> None:
    _, valid = world.simple()
    report = mpii.install(world.images, world.mat(), valid, folder=tmp_path / "mpii")
    assert "division: 4 people for training, 2 for tests; the papers have 22,246 and 2,958" in report
    assert "left out: 1 other people of the tests' pictures" in report
    assert "head sizes: 4 of 4 for training, 2 of 2 for tests" in report
    test, train = (load(split, 64, folder=tmp_path / "mpii") for split in ("test", "train"))
    assert same_points(test, world.valid, 64)
    assert same_points(train, world.train, 64)
    assert np.array_equal(test.occluded, [person.hidden for person in world.valid]), "the official file knows"
    assert prepared.read(mpii.SOURCE, tmp_path / "mpii").labels["number"].tolist() == [1, 2, 3, 4, 1, 2]


def simple_with_official_heads(world: World) -> tuple[Path, Path | None, Path | None]:
    return (*world.simple(), world.mat())


def simple_with_head_boxes(world: World) -> tuple[Path, Path | None, Path | None]:
    return (*world.simple(), heads_file(world.root / "gt_valid.mat", world.valid))


def full_json(world: World) -> tuple[Path, Path | None, Path | None]:
    people = [person.full(validation=False) for person in [*world.train, *world.other]]
    people += [person.full(validation=True) for person in world.valid]
    return world.json("mpii_annotations.json", people), None, heads_file(world.root / "gt_valid.mat", world.valid)


def hdf5(world: World) -> tuple[Path, Path | None, Path | None]:
    h5py = pytest.importorskip("h5py")
    for name, people in (("train.h5", world.train), ("valid.h5", world.valid)):
        with h5py.File(world.root / name, "w") as file:
            for key, value in arrays(people, codes=name == "train.h5").items():
                file[key] = value
    return world.root / "train.h5", world.root / "valid.h5", None


@pytest.mark.parametrize(
    ("write", "knows_heads", "knows_hidden"),
    [
        (simple_with_official_heads, True, True),
        (simple_with_head_boxes, False, False),
        (full_json, False, True),
        (hdf5, True, True),
    ],
)
def test_every_layout_says_the_same(
    world: World,
    tmp_path: Path,
    write: Callable[[World], tuple[Path, Path | None, Path | None]],
    knows_heads: bool,
    knows_hidden: bool,
) -> None:
    report = mpii.install(world.images, *write(world), folder=tmp_path / "mpii")
    assert "4 people for training, 2 for tests" in report
    for split, people in (("train", world.train), ("test", world.valid)):
        data = load(split, 64, folder=tmp_path / "mpii")
        # HDF5 cuts the fractions off
        assert same_points(data, people, 64, 1e-3 if write is not hdf5 else 0.8 * 64 / (250 * 0.7))
        assert np.array_equal(data.visible, [person.labelled for person in people])
        hidden = [person.hidden & knows_hidden for person in people]
        assert np.array_equal(data.occluded, hidden)
        if split == "test" or knows_heads:
            sizes = [30 * 64 / (250 * person.scale) for person in people]  # all boxes are 30 x 40
            assert np.allclose(data.head, sizes, rtol=1e-4)
        else:
            assert data.head.isnan().all()
    assert ("hidden joints: these files do not mark them" in report) == (not knows_hidden)


def test_arrays_of_the_hdf5_files(world: World) -> None:
    """What they mean, without the package that reads them."""
    for codes in (True, False):
        people = from_arrays(Path("train.h5"), arrays(world.train, codes))
        assert people.names.tolist() == [person.picture for person in world.train]
        assert np.array_equal(people.labelled, [person.labelled for person in world.train])
        assert np.array_equal(people.occluded, [person.hidden for person in world.train])
        assert people.head.tolist() == [30.0] * 4
        assert np.array_equal(people.points[1], np.floor(world.train[1].points) - 0.5)
    spoilt = arrays(world.train)
    spoilt["normalize"][1] = -1  # as test.h5 has it
    assert np.isnan(from_arrays(Path("train.h5"), spoilt).head).tolist() == [False, True, False, False]
    for key, value, message in (
        ("part", np.zeros((4, 14, 2)), r"part is of shape \(4, 14, 2\), not \(4, 16, 2\)"),
        ("imgname", np.full((4, 16), np.inf), r"not MPII's train\.h5"),
        ("imgname", np.array([b"../evil.jpg"] * 4), "leads out"),
        ("scale", np.zeros(3), "scale is of shape"),
    ):
        with pytest.raises(DataError, match=message):
            from_arrays(Path("train.h5"), {**arrays(world.train), key: value})
    with pytest.raises(DataError, match="not MPII's"):
        from_arrays(Path("newell.h5"), {"preds": np.zeros((9, 16, 2))})


def test_hdf5_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "train.h5").write_bytes(b"\x89HDF\r\n\x1a\n and so on")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(DataError, match=r"train\.h5 is HDF5: `pip install h5py`"):
        mpii.read(tmp_path / "train.h5")


@pytest.mark.parametrize("size", [64, 256])
def test_geometry_to_sub_pixel(world: World, tmp_path: Path, size: int) -> None:
    """A blob at the wrist is found at the label: half a pixel, mistaken anywhere, would be seen."""
    world.train = [world.train[0], *world.train[2:]]  # one person a picture
    world.train[1].objpos = (155.5, 117.25)
    mpii.install(world.images, world.json("train.json", [p.simple() for p in world.train]), folder=tmp_path / "mpii")
    for person in world.train:
        picture(person.points[WRIST] - 0.5, world.images / person.picture)
    mpii.install(world.images, world.root / "train.json", folder=tmp_path / "again")
    data = load("train", size, folder=tmp_path / "again")
    light = (data.images[:, 0].double() - 60).where(data.images[:, 0] > 66, 0)
    x = (light * (torch.arange(size) + 0.5)).sum((1, 2)) / light.sum((1, 2))
    y = (light * (torch.arange(size)[:, None] + 0.5)).sum((1, 2)) / light.sum((1, 2))
    pixel = torch.tensor([size / (250 * person.scale) for person in world.train])
    assert ((torch.stack([x, y], dim=-1) - data.points[:, WRIST]).norm(dim=-1) / pixel < 0.08).all()


def test_people_apart_in_the_file_stay_apart(world: World, tmp_path: Path) -> None:
    order = [world.train[0], world.train[2], world.train[1]]
    path = world.json("train.json", [person.simple() for person in order])
    mpii.install(world.images, path, folder=tmp_path / "mpii")
    assert same_points(load("train", 32, folder=tmp_path / "mpii"), order, 32)


@pytest.fixture
def site(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a web site that stands for the official one."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            """Keep the tests' output clean."""

    folder = world.root / "site"
    folder.mkdir()
    with zipfile.ZipFile(folder / "annotations.zip", "w") as file:
        file.write(world.mat(), "mpii_human_pose_v1_u12_2/mpii_human_pose_v1_u12_1.mat")
    with tarfile.open(folder / "pictures.tar.gz", "w:gz") as tar:
        tar.add(world.images, "images")
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    for name, file_name in (("ANNOTATIONS_URL", "annotations.zip"), ("PICTURES_URL", "pictures.tar.gz")):
        monkeypatch.setattr(mpii, name, f"http://127.0.0.1:{server.server_port}/{file_name}")
    yield folder
    server.shutdown()
    thread.join()
    server.server_close()


def test_downloads_and_goes_on(site: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mpii"
    whole = (site / "pictures.tar.gz").read_bytes()
    (site / "pictures.tar.gz").write_bytes(b"<html>log in first</html>")
    with pytest.raises(DataError, match="neither a zip nor a tar"):
        mpii.install(folder=folder, fetch=True)
    assert {path.name for path in folder.iterdir() if path.suffix != ".lock"} == {"annotations"}
    (site / "annotations.zip").unlink()  # it is here already
    (site / "pictures.tar.gz").write_bytes(whole)
    assert "7 people of 5 pictures kept" in mpii.install(folder=folder, fetch=True)
    assert {path.name for path in folder.iterdir() if path.suffix != ".lock"} == {"people"}
    assert "prepared already" in mpii.install(folder=folder)


SAMPLES, EVALUATION = SHARED / "samples" / "mpii", SHARED / "mpii_eval" / "detections_our_format.mat"


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="MPII's real samples are not in ../shared/datasets/samples")
def test_real_samples_agree_with_the_evaluation_file(tmp_path: Path) -> None:
    real = scipy.io.loadmat(EVALUATION)
    people = read_json(SAMPLES / "test_mpii.json")
    truth = real["pos_gt_src"].transpose(2, 0, 1) - 0.5
    rows = [int(np.nanmean(np.abs(truth - points), axis=(1, 2)).argmin()) for points in people.points]
    part = {"headboxes_src": real["headboxes_src"][..., rows], "pos_gt_src": real["pos_gt_src"][..., rows]}
    scipy.io.savemat(tmp_path / "gt_valid.mat", {**part, "jnt_missing": real["jnt_missing"][:, rows]})
    assert np.array_equal(people.labelled, real["jnt_missing"][:, rows].T == 0)

    everybody = json.loads((SAMPLES / "test_mpii.json").read_text())
    (tmp_path / "train.json").write_text(json.dumps([{**everybody[0], "image": "000000009.jpg"}]))
    mpii.install(
        SAMPLES, tmp_path / "train.json", SAMPLES / "test_mpii.json", tmp_path / "gt_valid.mat", tmp_path / "mpii"
    )
    test = load("test", 256, folder=tmp_path / "mpii")
    assert len(test) == 5
    low, high = part["headboxes_src"]
    side = np.array([250 * person["scale"] for person in everybody])
    assert np.allclose(test.head, 0.6 * np.linalg.norm(high - low, axis=0) * 256 / side, rtol=1e-5)
    # the head box holds the middle between neck and top of the head
    middle = (truth[rows, 8] + truth[rows, 9]) / 2 + 0.5
    assert ((middle > low.T) & (middle < high.T)).all()


def test_command(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    from posenb.cli import main

    train, valid = world.simple()
    monkeypatch.setenv("POSENB_HOME", str(tmp_path / "home"))
    arguments = ["--images", str(world.images), "--annotations", str(train), "--validation", str(valid)]
    with pytest.raises(SystemExit) as ended:
        main(["data", "mpii", *arguments])
    assert ended.value.code == 0
    assert "6 people of 5 pictures kept: 2 test, 4 train" in capsys.readouterr().out
    assert len(load("test", 16)) == 2
