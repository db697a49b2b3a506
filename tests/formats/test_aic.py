"""AI Challenger's reader on small files in the official layout, and on real pictures in COCO's form."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from posenb.data import aic, coco, prepared
from posenb.data.joint_names import named
from posenb.data.prepare import prepare
from posenb.errors import DataError
from posenb.skeletons import AIC14, LSP14, MPII16
from tests.formats.coco_files import HEIGHT, WIDTH, blob, blob_error, pose, write

SAMPLES = Path(__file__).resolve().parents[3] / "shared/datasets/samples/aic"
real = pytest.mark.skipif(not SAMPLES.exists(), reason="the samples of real pictures are not beside the checkout")
WRIST = AIC14.joints.index("right_wrist")
IDS = ("d8eeddddcc042544a2570d4c452778b912726720", "054d9ce9201beffc76e5ff2169d2af2f027002ca")
TRAIN = "ai_challenger_keypoint_train_20170909"
VALIDATION = "ai_challenger_keypoint_validation_20170911"


def human(seed: int, flags: list[int] | int = 1) -> list[int]:
    flag = np.full(14, flags) if isinstance(flags, int) else np.array(flags)
    return np.column_stack([np.where(flag[:, None] < 3, pose(14, seed), 0), flag]).ravel().tolist()


def entry(name: str, *people: list[int]) -> dict[str, Any]:
    humans = [f"human{k + 1}" for k in range(len(people))]
    return {
        "image_id": name,
        "url": f"http://www.sinaimg.cn/{name}.jpg",
        "human_annotations": {human: [20, 25, 110, 100] for human in humans},
        "keypoint_annotations": dict(zip(humans, people, strict=True)),
    }


def official(root: Path) -> list[dict[str, Any]]:
    """Training and validation parts as they unpack; first people have a blob at the right wrist."""
    train = [entry(IDS[0], human(0)), entry(IDS[1], human(1), human(2))]
    validation = [entry(IDS[0], human(3))]
    for folder, images, entries in (
        (TRAIN, "keypoint_train_images_20170902", train),
        (VALIDATION, "keypoint_validation_images_20170911", validation),
    ):
        for one in entries:
            first = np.array(one["keypoint_annotations"]["human1"]).reshape(14, 3)
            blob(root / folder / images / f"{one['image_id']}.jpg", tuple(first[WRIST, :2].tolist()))
    again(root, train)
    write(root / VALIDATION / "keypoint_validation_annotations_20170911.json", validation)
    return train


def again(root: Path, train: Any) -> None:
    write(root / TRAIN / "keypoint_train_annotations_20170909.json", train)


load = functools.partial(prepared.load, aic.SOURCE)


def test_labels(tmp_path: Path) -> None:
    train = official(tmp_path / "aic")
    flags = [1, 1, 2, 1, 3, 1, 1, 1, 2, 1, 1, 3, 1, 1]
    train[1] = entry(IDS[1], human(5, flags), human(6))
    again(tmp_path / "aic", train)
    report = aic.install(tmp_path / "aic", tmp_path / "kept")
    assert "4 people of 3 pictures kept: 1 test, 3 train" in report
    assert "keypoint_train_annotations_20170909.json lists 2 pictures, the official one 210,000" in report
    data = load("train", 100, folder=tmp_path / "kept")
    assert data.skeleton is AIC14
    assert data.visible[1].tolist() == [flag < 3 for flag in flags]
    assert data.occluded[1].tolist() == [flag == 2 for flag in flags]
    unit = 1.25 * 90 / 100
    expected = (pose(14, 5) + 0.5 - np.array([65, 62.5])) / unit + 50
    assert np.allclose(data.points[1][data.visible[1]], expected[np.array(flags) < 3], atol=1e-4)
    assert data.area is not None and torch.allclose(data.area, torch.tensor(90 * 75 / unit**2))
    assert data.picture is not None and data.picture.tolist() == [1, 2, 2]


@pytest.mark.parametrize("size", [64, 256])
def test_geometry_to_sub_pixel(tmp_path: Path, size: int) -> None:
    official(tmp_path / "aic")
    aic.install(tmp_path / "aic", tmp_path / "kept")
    error = blob_error(load("train", size, 5, folder=tmp_path / "kept"), WRIST) * 1.25 * 90 / size
    assert (error[:2] < 0.08).all()  # the third is another person of the second's picture


@pytest.mark.parametrize("up", ["", "data/", "data/further/"])
def test_files_are_found_at_most_two_folders_down(tmp_path: Path, up: str) -> None:
    official(tmp_path / "aic" / up)
    if up == "data/further/":
        with pytest.raises(DataError, match=r"holds no keypoint_train_annotations_20170909\.json: unpack"):
            aic.install(tmp_path / "aic", tmp_path / "kept")
    else:
        assert "4 people" in aic.install(tmp_path / "aic", tmp_path / "kept")


def test_what_cannot_be_had_is_said_in_one_line(tmp_path: Path) -> None:
    for source in (None, tmp_path / "nowhere"):
        with pytest.raises(DataError, match=r"not downloaded: for research.*registration.*--source") as caught:
            aic.install(source, tmp_path / "kept")
        assert "\n" not in str(caught.value)


def _id(value: Any) -> Callable[[list[Any]], Any]:
    def spoil(train: list[Any]) -> Any:
        train[1]["image_id"] = value
        return train

    return spoil


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda train: {"images": []}, r"is not AI Challenger's: it is no list \(files in COCO's format: `posenb data"),
        (lambda train: [*train, 5], r"entry 2 lacks image_id, human_annotations or keypoint_annotations"),
        (lambda train: [{**train[0], "human_annotations": []}], "entry 0 lacks"),
        (_id(7), "entry 1 lacks image_id"),
        (_id("../../evil"), r"entry 1, names a picture '\.\./\.\./evil\.jpg', which leads out of its folder"),
        (_id("/etc/evil"), "which leads out of its folder"),
        (_id("a\nb"), "which is no name of a file"),
        (_id("else"), r"lacks 1 of the 2 pictures with people, the first is else\.jpg"),
    ],
)
def test_wrong_files_are_refused_in_one_line(tmp_path: Path, spoil: Callable[[list[Any]], Any], message: str) -> None:
    again(tmp_path / "aic", spoil(official(tmp_path / "aic")))
    with pytest.raises(DataError, match=message) as caught:
        aic.install(tmp_path / "aic", tmp_path / "kept")
    assert "\n" not in str(caught.value)
    path = tmp_path / "aic" / TRAIN / "keypoint_train_annotations_20170909.json"
    path.write_text(json.dumps(official(tmp_path / "aic"))[:-50])
    with pytest.raises(DataError, match="is not whole JSON"):
        aic.install(tmp_path / "aic", tmp_path / "kept")


@pytest.mark.parametrize(
    ("joints", "box", "reason"),
    [
        (human(0)[:-1], [20, 25, 110, 100], "keypoints that are not 3 x 14 numbers"),
        ("here", [20, 25, 110, 100], "keypoints that are not 3 x 14 numbers"),
        (human(0, 3), [20, 25, 110, 100], "person without keypoints"),
        (human(0, 0), [20, 25, 110, 100], "joint with a flag other than 1, 2, 3"),
        (human(0), [110, 25, 20, 100], "person without area"),
        (human(0), [110, 25], "person without area"),
        (human(0), [None, 1, 2, 3], "person without area"),
        (human(0), [WIDTH + 60, HEIGHT + 60, WIDTH + 70, HEIGHT + 80], "box outside of the picture"),
        (None, [20, 25, 110, 100], "person without joints"),
        (human(0), None, "person without a box"),
    ],
)
def test_absurd_people_are_dropped_and_counted(tmp_path: Path, joints: Any, box: Any, reason: str) -> None:
    train = official(tmp_path / "aic")
    train[1]["keypoint_annotations"]["human2"], train[1]["human_annotations"]["human2"] = joints, box
    again(tmp_path / "aic", train)
    report = aic.install(tmp_path / "aic", tmp_path / "kept")
    assert "3 people of 3 pictures kept" in report
    assert f"x {reason}" in report


@real
def test_real_people(tmp_path: Path) -> None:
    """The real pictures, in the form that others gave their annotations: COCO's, with AI Challenger's joints."""
    path = SAMPLES / "test_aic.json"
    content = coco.read_json(path)
    category = content["categories"][0]
    assert named("person", category["keypoints"], category["skeleton"]).skeleton is AIC14
    found = coco.parse(content, path, SAMPLES, len(AIC14))
    prepare(aic.SOURCE, AIC14, found.pictures, tmp_path)
    data = load("train", 64, folder=tmp_path)
    assert len(data) == 9
    # people sit or stand: heads above necks above hips, which a wrong order of joints would not give
    height = data.points[..., 1]
    for above, below in (("head_top", "neck"), ("neck", "left_hip"), ("neck", "right_hip"), ("left_hip", "left_ankle")):
        a, b = AIC14.index(above, below)
        both = data.visible[:, a] & data.visible[:, b]
        assert both.any() and (height[both, a] < height[both, b]).all()
    for target, lacking in ((MPII16, ("pelvis", "thorax")), (LSP14, ())):
        other = data.as_skeleton(target)
        assert not other.visible[:, target.index(*lacking)].any()
        for name in target.joints:
            if name in lacking:
                continue
            here = AIC14.joints.index("neck" if name == "upper_neck" else name)
            there = target.joints.index(name)
            assert torch.equal(other.visible[:, there], data.visible[:, here])
            assert torch.equal(other.points[:, there].nan_to_num(-1), data.points[:, here].nan_to_num(-1))
