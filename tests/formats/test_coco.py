"""COCO's reader on small files in the official layout, and on real pictures."""

from __future__ import annotations

import functools
import json
import zipfile
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch

from posenb.data import coco, coco2017, prepared
from posenb.errors import DataError
from posenb.inference import Pose
from posenb.inference import coco as exported
from posenb.metrics.similarity import oks
from posenb.skeletons import COCO17, MPII16
from tests.formats.coco_files import (
    HEIGHT,
    WIDTH,
    annotation,
    blob,
    blob_error,
    image,
    keypoint_file,
    pose,
    write,
)

SAMPLES = Path(__file__).resolve().parents[3] / "shared/datasets/samples/coco"
real = pytest.mark.skipif(not SAMPLES.exists(), reason="the samples of real pictures are not beside the checkout")
WRIST = COCO17.joints.index("left_wrist")
NAMES = {785: "000000000785.jpg", 40083: "000000040083.jpg", 139: "000000000139.jpg"}


def official(root: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """COCO's files with three and one pictures, whose first people have a blob at the left wrist."""
    parts = []
    for name, numbers in (("train2017", (40083, 139, 785)), ("val2017", (785,))):
        poses = {number: pose(17, number) for number in numbers}
        for number in numbers:
            blob(root / name / NAMES[number], tuple(poses[number][WRIST].tolist()))
        content = keypoint_file(
            [image(number, NAMES[number]) for number in numbers],
            [annotation(1000 + k, number, poses[number]) for k, number in enumerate(reversed(numbers))],
        )
        write(root / "annotations" / f"person_keypoints_{name}.json", content)
        parts.append(content)
    return parts[0], parts[1]


def again(root: Path, content: dict[str, Any], name: str = "train2017") -> None:
    write(root / "annotations" / f"person_keypoints_{name}.json", content)


load = functools.partial(prepared.load, coco2017.SOURCE)


def test_labels(tmp_path: Path) -> None:
    train, _ = official(tmp_path / "coco")
    flags = [2] * 17
    flags[3], flags[5] = 0, 1
    points = pose(17, 5)
    train["annotations"] = [annotation(9, 139, points, flags), annotation(8, 139, pose(17, 6))]
    again(tmp_path / "coco", train)
    report = coco2017.install(tmp_path / "coco", tmp_path / "kept")
    assert "3 people of 2 pictures kept: 1 test, 2 train" in report
    assert "CC BY 4.0" in report
    assert "person_keypoints_train2017.json lists 3 pictures, COCO's train2017 has 118,287" in report
    assert "pictures without such people: 2" in report
    found = prepared.read(coco2017.SOURCE, tmp_path / "kept")
    assert found.labels["number"].tolist() == [9, 8, 1000]
    assert found.labels["picture"].tolist() == [139, 139, 785]
    assert np.allclose(found.labels["area"], 2500.5)
    data = load("train", 100, folder=tmp_path / "kept")
    assert data.skeleton is COCO17
    assert data.visible[0].tolist() == [flag > 0 for flag in flags]
    assert data.occluded[0].tolist() == [flag == 1 for flag in flags]
    # the square has 1.25 x the box's longer side, 80.5, about its middle; joints are middles of the pixels named
    unit = 1.25 * 80.5 / 100
    middle = np.array([20.25 + 40, 20.5 + 40.25])
    expected = (points + 0.5 - middle) / unit + 50
    assert np.allclose(data.points[0][data.visible[0]], expected[np.array(flags) > 0], atol=1e-4)
    assert data.area is not None and torch.allclose(data.area, torch.tensor(2500.5 / unit**2))


@pytest.mark.parametrize("margin", [0, 9])
@pytest.mark.parametrize("size", [64, 256, (64, 48)])
def test_geometry_to_sub_pixel(tmp_path: Path, size: int | tuple[int, int], margin: int) -> None:
    official(tmp_path / "coco")
    coco2017.install(tmp_path / "coco", tmp_path / "kept")
    data = load("train", size, margin, folder=tmp_path / "kept")
    unit = 1.25 * 80.5 / min(data.size)
    # in pixels of the picture: half of one, forgotten or added anywhere, would be seen
    assert (blob_error(data, WRIST) * unit < 0.08).all()


def test_first_instances(tmp_path: Path) -> None:
    """People in the order of the images and then of the annotations; crowds and unlabelled ones do not count."""
    train, _ = official(tmp_path / "coco")
    points = pose(17, 0)
    train["annotations"] = [
        annotation(1, 785, points),
        annotation(2, 139, points, 0),
        annotation(3, 40083, points),
        annotation(4, 139, points, iscrowd=1, segmentation={"counts": [3, 5], "size": [120, 160]}),
        annotation(5, 40083, points),
        annotation(6, 139, points),
        annotation(7, 139, points, bbox=[200, 20, 40, 40]),
        annotation(8, 139, points, area=0),
        annotation(9, 139, points, category_id=18),
    ]
    again(tmp_path / "coco", train)
    report = coco2017.install(tmp_path / "coco", tmp_path / "kept")
    found = prepared.read(coco2017.SOURCE, tmp_path / "kept")
    assert found.labels["number"].tolist()[:-1] == [3, 5, 6, 1]
    for line in ("1 x crowd", "1 x person without keypoints", "2 x person without area", "1 x annotation of another"):
        assert f"left out: {line}" in report


def test_boxes_are_clipped_to_the_picture(tmp_path: Path) -> None:
    points = pose(17, 0)
    content = keypoint_file([image(1, "a.jpg")], [annotation(1, 1, points, bbox=[-20, 10, 90, WIDTH])])
    (picture,) = coco.parse(content, Path("f.json"), tmp_path, 17).pictures
    (person,) = picture.people
    assert person.center is not None
    assert person.center.tolist() == [35, (10 + HEIGHT) / 2]
    assert person.side == 1.25 * (HEIGHT - 10)


def test_half_a_pixel_changes_no_oks() -> None:
    """Labels + .5 and predictions exported - .5: COCO's evaluation sees the distance that posenb sees."""
    label, predicted = pose(17, 1).astype(float), pose(17, 1) + np.random.default_rng(2).normal(size=(17, 2))
    found = Pose("a.jpg", (predicted + 0.5).astype(np.float32), np.ones(17, np.float32), (0, 0, 9, 9))
    written = np.array(exported([found], COCO17)["annotations"][0]["keypoints"]).reshape(17, 3)[:, :2]
    everywhere, area = torch.ones(17, dtype=torch.bool), torch.tensor(900.0)
    ours = oks(torch.tensor(predicted + 0.5), torch.tensor(label + 0.5), everywhere, area)
    theirs = oks(torch.tensor(written), torch.tensor(label), everywhere, area)
    assert ours == pytest.approx(float(theirs), abs=1e-3)
    assert 0.2 < float(ours) < 0.999


def _not_json(content: dict[str, Any]) -> Any:
    return json.dumps(content)[:-200]


def _results(content: dict[str, Any]) -> Any:
    return [{"image_id": 785, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.9}]


def _other_joints(content: dict[str, Any]) -> Any:
    content["categories"][0]["keypoints"].reverse()
    return content


def _leads_out(name: str) -> Callable[[dict[str, Any]], Any]:
    def spoil(content: dict[str, Any]) -> Any:
        content["images"][1]["file_name"] = name
        return content

    return spoil


def _two_of_one_id(content: dict[str, Any]) -> Any:
    content["images"][1]["id"] = content["images"][0]["id"]
    return content


def _nameless(content: dict[str, Any]) -> Any:
    del content["images"][2]["file_name"]
    return content


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_not_json, r"train2017\.json is not whole JSON \(.*\): get it, or write it, again"),
        (lambda content: "[" * 100_000, r"is not whole JSON"),
        (lambda content: "\udcff", r"is not whole JSON"),
        (_results, r"is not a COCO keypoint file: it has no list 'categories'"),
        (lambda content: {**content, "annotations": {}}, r"no list 'annotations'"),
        (lambda content: {**content, "images": None}, r"no list 'images'"),
        (_other_joints, r"has other joints than COCO's 17: prepare it as a set of your own, `posenb data own"),
        (_leads_out("../../etc/passwd"), r"images\[1\], names a picture '\.\./\.\./etc/passwd', which leads out"),
        (_leads_out("/etc/passwd"), "which leads out of its folder"),
        (_leads_out("a\\..\\..\\b.jpg"), "which leads out of its folder"),
        (_leads_out("C:b.jpg"), "which leads out of its folder"),
        (_leads_out("two\nlines.jpg"), "which is no name of a file"),
        (_leads_out("lone \ud800.jpg"), "which is no name of a file"),
        (_leads_out("a" * 300), "which is no name of a file"),
        (_leads_out(""), "which is no name of a file"),
        (_leads_out("else.jpg"), r"train2017 lacks 1 of the 3 pictures with people, the first is else\.jpg"),
        (_two_of_one_id, r"has two images of the id 40083, the second is '000000000139\.jpg'"),
        (_nameless, r"images\[2\] has no id or no file_name"),
    ],
)
def test_wrong_files_are_refused_in_one_line(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], Any], message: str
) -> None:
    train, _ = official(tmp_path / "coco")
    spoilt = spoil(train)
    path = tmp_path / "coco" / "annotations" / "person_keypoints_train2017.json"
    path.write_bytes((spoilt if isinstance(spoilt, str) else json.dumps(spoilt)).encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=message) as caught:
        coco2017.install(tmp_path / "coco", tmp_path / "kept")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "kept" / "people").exists()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"keypoints": [1, 2, 2] * 16}, "keypoints that are not 3 x 17 numbers"),
        ({"keypoints": "1, 2, 2"}, "keypoints that are not 3 x 17 numbers"),
        ({"keypoints": [[1, 2], [3]]}, "keypoints that are not 3 x 17 numbers"),
        ({"keypoints": [10**400, 2, 2] * 17}, "keypoints that are not 3 x 17 numbers"),
        ({"keypoints": {"x": 1}}, "keypoints that are not 3 x 17 numbers"),
        ({"keypoints": [50, 50, 7] * 17}, "joint with a flag other than 0, 1, 2"),
        ({"keypoints": [50, 50, float("nan")] * 17}, "person without keypoints"),
        ({"keypoints": [float("inf"), float("nan"), 2] * 17}, "joint not finite"),
        ({"keypoints": [1e300, 1, 2] * 17}, "joint far outside of the picture"),
        ({"bbox": [1, 2, 3]}, "person without area"),
        ({"bbox": [1, 2, float("nan"), 3]}, "person without area"),
        ({"bbox": ["a", 2, 3, 3]}, "person without area"),
        ({"bbox": [3, 3, -2, -2]}, "person without area"),
        ({"area": [[1], [2]]}, "person without area"),
        ({"area": float("inf")}, "person without area"),
        ({"image_id": 5}, "annotation of a picture that is not listed"),
        ({"image_id": [785]}, "annotation of a picture that is not listed"),
        ({"category_id": {}}, "annotation of another category"),
        ({"iscrowd": "yes"}, "crowd"),
        ({"id": 10**30}, ""),
        ({"id": "first"}, ""),
    ],
)
def test_absurd_entries_are_dropped_and_counted(tmp_path: Path, fields: dict[str, Any], reason: str) -> None:
    train, _ = official(tmp_path / "coco")
    train["annotations"][0] |= fields
    again(tmp_path / "coco", train)
    report = coco2017.install(tmp_path / "coco", tmp_path / "kept")
    assert f"{3 if reason else 4} people of" in report
    assert reason in report
    load("train", 32, folder=tmp_path / "kept")  # checks its points


def test_annotations_that_are_no_objects_or_come_twice(tmp_path: Path) -> None:
    train, _ = official(tmp_path / "coco")
    twin, other = dict(train["annotations"][0]), {**train["annotations"][0], "area": 7.0}
    train["annotations"] += [twin, other, 7, None, "person"]
    again(tmp_path / "coco", train)
    report = coco2017.install(tmp_path / "coco", tmp_path / "kept")
    assert "left out: 1 x annotation that came before" in report
    assert "left out: 3 x annotation of a picture that is not listed" in report
    # two people of one id: all are numbered afresh, in the file's order
    assert sorted(prepared.read(coco2017.SOURCE, tmp_path / "kept").labels["number"][:4]) == [1, 2, 3, 4]


def test_missing_parts_are_named(tmp_path: Path) -> None:
    official(tmp_path / "coco")
    (tmp_path / "coco" / "val2017").rename(tmp_path / "coco" / "elsewhere")
    with pytest.raises(DataError, match=r"lacks val2017/: unpack val2017\.zip .* or add --download"):
        coco2017.install(tmp_path / "coco", tmp_path / "kept")
    with pytest.raises(DataError, match=r"official lacks annotations/, train2017/, val2017/"):
        coco2017.install(None, tmp_path / "kept")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """COCO's site: archives under the official addresses, served from a folder."""
    official(tmp_path / "made")
    for part, path in coco2017.ARCHIVES.items():
        archive = tmp_path / "site" / path
        archive.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(archive, "w") as file:
            for found in sorted((tmp_path / "made" / part).rglob("*")):
                file.write(found, found.relative_to(tmp_path / "made"))

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path / "site"))
    thread = Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr(coco2017, "URL", f"http://127.0.0.1:{server.server_port}/")
    yield tmp_path / "site"
    server.shutdown()
    thread.join()


def test_download(site: Path, tmp_path: Path) -> None:
    (site / "zips" / "val2017.zip").rename(site / "val2017.zip")
    with pytest.raises(DataError, match=r"get val2017\.zip in another way and put it into .*official"):
        coco2017.install(None, tmp_path / "kept", fetch=True)
    source = tmp_path / "kept" / "official"
    assert (source / "train2017").is_dir()
    (site / "val2017.zip").rename(source / "val2017.zip")  # by hand, as the message says
    assert "4 people of 4 pictures" in coco2017.install(None, tmp_path / "kept", fetch=True)
    left = {path.name for path in source.iterdir() if path.suffix != ".lock"}
    assert left == {"annotations", "train2017", "val2017", "val2017.zip"}  # the user's own archive is not removed
    assert "4 people of 4 pictures" in coco2017.install(None, tmp_path / "kept")


def test_download_of_another_archive(site: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(site / "zips" / "train2017.zip", "w") as file:
        file.writestr("holiday.txt", "sun")
    with pytest.raises(DataError, match=r"train2017\.zip is not COCO's: it holds no train2017/"):
        coco2017.install(None, tmp_path / "kept", fetch=True)


@real
def test_real_people_as_mpii(tmp_path: Path) -> None:
    """COCO's 17 joints seen as MPII's 16: what COCO lacks is masked, what both have stays."""
    content = coco.read_json(SAMPLES / "test_coco.json")
    found = coco.parse(content, SAMPLES / "test_coco.json", SAMPLES, 17, strict=True)
    assert found.dropped == {"person without keypoints": 2}
    assert sum(len(picture.people) for picture in found.pictures) == 12
    from posenb.data.prepare import prepare

    prepare(coco2017.SOURCE, COCO17, found.pictures, tmp_path)
    data = load("train", 64, folder=tmp_path)
    mpii = data.as_skeleton(MPII16)
    lacking = MPII16.index("pelvis", "thorax", "upper_neck", "head_top")
    assert not mpii.visible[:, lacking].any()
    shared = [name for name in MPII16.joints if name in COCO17.joints]
    assert len(shared) == 12
    there, here = MPII16.index(*shared), COCO17.index(*shared)
    assert torch.equal(mpii.visible[:, there], data.visible[:, here])
    assert torch.equal(mpii.occluded[:, there], data.occluded[:, here])
    assert torch.equal(mpii.points[:, there].nan_to_num(-1), data.points[:, here].nan_to_num(-1))
    # the skier of picture 785, by eye: labelled all over, her right shoulder left of her left one
    assert data.visible[0].all()
    assert data.points[0, COCO17.joints.index("right_shoulder"), 0] < data.points[0, WRIST, 0]
