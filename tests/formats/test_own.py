"""Sets of the user's own: any joints, from the file to a trained network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from posenb import cli, data
from posenb.data import own, prepare, prepared
from posenb.errors import DataError, UserError
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

SAMPLES = Path(__file__).resolve().parents[3] / "shared/datasets/samples"
real = pytest.mark.skipif(not SAMPLES.exists(), reason="the samples of real pictures are not beside the checkout")
GRIFFIN = ["beak", "L_Wing", "R_Wing", "Tail Tip", "leftPaw", "rightPaw", "horn_left"]
WING = GRIFFIN.index("L_Wing")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POSENB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def griffins(root: Path, count: int = 10) -> dict[str, Any]:
    """An annotation file of an invented animal, whose pictures lie in subfolders and show a blob at the left wing."""
    poses = [pose(len(GRIFFIN), k) for k in range(count)]
    names = [f"zoo {k % 2}/griffin{k}.png" for k in range(count)]
    for name, points in zip(names, poses, strict=True):
        blob(root / "pictures" / name, tuple(points[WING].tolist()))
    content = keypoint_file(
        [image(k + 1, name) for k, name in enumerate(names)],
        [annotation(k + 1, k + 1, points) for k, points in enumerate(poses)],
        GRIFFIN,
        [[1, 4], [2, 5], [3, 6], [3, 8], ["a"], 7],
    )
    content["categories"][0]["name"] = "griffin"
    write(root / "griffins.json", content)
    return content


def test_installed(tmp_path: Path) -> None:
    griffins(tmp_path)
    report = own.install(tmp_path / "griffins.json", tmp_path / "pictures")
    assert "griffins: 10 people of 10 pictures kept: 2 test, 8 train (1 of them val)" in report
    assert "held out as 'test': the last 2 of 10 pictures" in report
    assert "2 pairs; the same in mirrored pictures: beak, tail_tip, horn_left" in report
    assert "careful: horn_left have a side and no partner" in report
    assert "lines of the category that join no two joints: 3" in report
    assert "posenb train --dataset griffins" in report
    skeleton = data.skeleton("griffins")
    assert skeleton.joints == ("beak", "left_wing", "right_wing", "tail_tip", "left_paw", "right_paw", "horn_left")
    assert skeleton.flip == (0, 2, 1, 3, 5, 4, 6)
    assert skeleton.limbs == ((0, 3), (1, 4), (2, 5))
    assert skeleton.reference == ()
    test = data.load("griffins", "test", size=64)
    assert test.picture is not None and test.picture.tolist() == [9, 10]
    assert len(data.load("griffins", "val")) == 1 and len(data.load("griffins", "train")) == 8
    # without a torso PCK refers to the box's longer side, 80.5 of the square's 1.25 x 80.5
    assert torch.allclose(test.reference, torch.tensor(64 / 1.25))
    assert (blob_error(test, WING) * 1.25 * 80.5 / 64 < 0.08).all()
    assert isinstance(data.version("griffins"), str)


def test_train_and_predict(tmp_path: Path, home: Path) -> None:
    griffins(tmp_path)
    runner = CliRunner()

    def call(words: str) -> str:
        done = runner.invoke(cli.app, words.split())
        assert done.exit_code == 0, done.output
        return done.output

    # issued as for COCO, and by its own command
    for command in ("coco", "own --name griffins2"):
        printed = call(f"data {command} --annotations {tmp_path}/griffins.json --images {tmp_path}/pictures")
        assert "10 people of 10 pictures" in printed
    words = "--steps 3 --batch 4 --size 32 --network-set widths=[8,8] --device cpu --precision 32-true"
    few = call(f"train --dataset griffins --samples 9 {words}")
    assert "griffins has 8 training samples, not 9: all are taken" in few
    few = call(f"train --dataset griffins --method semi_supervised --samples 6 --unlabelled 3 {words}")
    assert "griffins has 2 training samples left without labels, not 3: all are taken" in few
    trained = call(f"train --dataset griffins {words}")
    assert "pck/left_wing" in trained
    key = trained.split()[1]
    out = tmp_path / "found"
    picture = next((tmp_path / "pictures" / "zoo 0").iterdir())
    done = runner.invoke(cli.app, ["predict", key, str(picture), "--out", str(out), "--table", "coco"])
    assert done.exit_code == 0, done.output
    written = json.loads((out / "predictions.json").read_text())
    assert written["categories"][0]["keypoints"][1] == "left_wing"
    assert len(written["annotations"][0]["keypoints"]) == 3 * len(GRIFFIN)
    overlay = cv2.imread(str(next(out.glob("*.png"))))
    assert overlay is not None and overlay.shape == (HEIGHT, WIDTH, 3)
    # what was predicted reads back as a set of its own
    written["annotations"][0]["area"] = 100.0
    write(tmp_path / "back.json", written)
    other = shutil.copytree(picture.parent, tmp_path / "other")
    report = own.install(
        tmp_path / "back.json", picture.parent, test_annotations=tmp_path / "back.json", test_images=other
    )
    assert "2 people of 2 pictures kept: 1 test, 1 train (1 of them val)" in report


def test_test_annotations_and_same_names(tmp_path: Path) -> None:
    """Two files may call different pictures alike, and number them alike."""
    griffins(tmp_path / "a", 4)
    griffins(tmp_path / "b", 3)
    a, b = tmp_path / "a", tmp_path / "b"
    report = own.install(
        a / "griffins.json",
        a / "pictures",
        "zoo-1",
        test_annotations=b / "griffins.json",
        test_images=b / "pictures",
    )
    assert "7 people of 7 pictures kept: 3 test, 4 train (1 of them val)" in report
    assert "held out" not in report
    other = griffins(tmp_path / "c", 2)
    other["categories"][0]["keypoints"][0] = "bill"
    write(tmp_path / "c" / "griffins.json", other)
    with pytest.raises(DataError, match=r"c.*griffins\.json has other joints than .*a.*griffins\.json"):
        own.install(a / "griffins.json", a / "pictures", test_annotations=tmp_path / "c" / "griffins.json")


def test_without_boxes_the_square_lies_about_the_joints(tmp_path: Path) -> None:
    content = griffins(tmp_path)
    for k, box in enumerate([None, [], [0, 0, 0, 0], "box"]):
        content["annotations"][k] |= {"bbox": box, "area": None}
    write(tmp_path / "griffins.json", content)
    own.install(tmp_path / "griffins.json", tmp_path / "pictures")
    found = prepared.read(data.source("griffins"))
    points = np.stack([pose(len(GRIFFIN), k) for k in range(4)])
    extent = (points.max(1) - points.min(1)).max(1)
    assert np.allclose(found.labels["side"][:4], 1.3 * extent)
    assert np.isnan(found.labels["area"][:4]).all()
    assert np.allclose(found.labels["side"][4:], 1.25 * 80.5)


def test_flag_1_alone_says_nothing_of_being_hidden(tmp_path: Path) -> None:
    content = griffins(tmp_path)
    for k, entry in enumerate(content["annotations"]):
        flags = [1, 0, 1, 1, 1, 1, 1]
        content["annotations"][k] = annotation(entry["id"], entry["image_id"], pose(len(GRIFFIN), k), flags)
    write(tmp_path / "griffins.json", content)
    own.install(tmp_path / "griffins.json", tmp_path / "pictures")
    train = data.load("griffins", "train")
    assert not train.occluded.any()
    assert train.visible[:, [0, 2, 3, 4, 5, 6]].all() and not train.visible[:, 1].any()
    content["annotations"][0]["keypoints"][2] = 2
    write(tmp_path / "griffins.json", content)
    own.install(tmp_path / "griffins.json", tmp_path / "pictures")
    train = data.load("griffins", "train")
    assert train.occluded.any() and not train.occluded[0, 0]


def test_species_of_one_joint_set_are_merged(tmp_path: Path) -> None:
    """As AP-10K has it: a category a species, all with the same joints."""
    content = griffins(tmp_path)
    first = content["categories"][0]
    content["categories"] += [{**first, "id": 2, "name": "sphinx"}, {"id": 3, "name": "stone"}]
    for k, entry in enumerate(content["annotations"]):
        entry["category_id"] = (1, 2, 3)[k % 3]
    write(tmp_path / "griffins.json", content)
    report = own.install(tmp_path / "griffins.json", tmp_path / "pictures")
    assert "7 people of 7 pictures" in report and "3 x annotation of another category" in report
    for category in ("sphinx", "2"):
        report = own.install(tmp_path / "griffins.json", tmp_path / "pictures", category=category)
        assert "3 people of 3 pictures" in report and "of sphinx" in report


def test_different_joint_sets_need_a_choice(tmp_path: Path) -> None:
    content = griffins(tmp_path)
    content["categories"].append({"id": 2, "name": "snake", "keypoints": ["head", "tail"]})
    content["annotations"][0] |= {"category_id": 2, "keypoints": [30, 40, 2, 60, 70, 2]}
    content["annotations"][1] |= {"category_id": 2, "keypoints": [35, 45, 2, 65, 75, 2]}
    write(tmp_path / "griffins.json", content)
    with pytest.raises(DataError, match=r"different joints \('griffin', 'snake'\): pick one with --category"):
        own.install(tmp_path / "griffins.json", tmp_path / "pictures")
    report = own.install(tmp_path / "griffins.json", tmp_path / "pictures", category="snake")
    assert "2 people of 2 pictures kept: 1 test, 1 train (1 of them val)" in report
    assert "the names have no sides" in report
    with pytest.raises(DataError, match="no category 'dragon' with keypoints"):
        own.install(tmp_path / "griffins.json", tmp_path / "pictures", category="dragon")


def test_pictures_that_were_scaled_or_turned_since(tmp_path: Path) -> None:
    content = griffins(tmp_path)
    content["images"][0] |= {"width": HEIGHT, "height": WIDTH}
    del content["images"][1]["width"]
    content["images"][2]["height"] = "tall"
    write(tmp_path / "griffins.json", content)
    report = own.install(tmp_path / "griffins.json", tmp_path / "pictures")
    assert "9 people of 9 pictures" in report
    assert "left out: 1 x picture of another size than its annotations say" in report
    for entry in content["images"]:
        entry |= {"width": 640, "height": 480}
    write(tmp_path / "griffins.json", content)
    with pytest.raises(DataError, match=r"griffin0\.png has 640 x 480 pixels, and it has 160 x 120"):
        own.install(tmp_path / "griffins.json", tmp_path / "pictures")


def test_a_picture_that_was_labelled_as_exif_turns_it(tmp_path: Path) -> None:
    griffins(tmp_path)
    path = tmp_path / "pictures" / "zoo 1" / "griffin9.png"  # a test picture
    exif = Image.Exif()
    exif[274] = 6  # shown after a quarter turn clockwise
    lying = np.rot90(np.asarray(Image.open(path)))
    Image.fromarray(lying).save(path, exif=exif)
    assert Image.open(path).size == (HEIGHT, WIDTH)
    report = own.install(tmp_path / "griffins.json", tmp_path / "pictures")
    assert "10 people of 10 pictures" in report
    test = data.load("griffins", "test", size=64)
    assert (blob_error(test, WING) * 1.25 * 80.5 / 64 < 0.08).all()


def test_a_turn_that_no_size_tells_follows_those_that_do(tmp_path: Path) -> None:
    """Half a turn leaves a picture's sides as they are; a quarter turn of the same file says how labels were made."""
    griffins(tmp_path)

    def store(name: str, orientation: int, turns: int) -> None:
        path = tmp_path / "pictures" / name
        exif = Image.Exif()
        exif[274] = orientation
        Image.fromarray(np.rot90(np.asarray(Image.open(path)), turns)).save(path, exif=exif)

    store("zoo 0/griffin8.png", 3, 2)
    report = own.install(tmp_path / "griffins.json", tmp_path / "pictures")
    assert "careful: 1 pictures carry an EXIF turn that their size does not settle; they are read as stored" in report
    assert (blob_error(data.load("griffins", "test", size=64), WING) > 5).any()
    store("zoo 1/griffin1.png", 6, 1)
    report = own.install(tmp_path / "griffins.json", tmp_path / "pictures")
    assert "EXIF" not in report
    assert (blob_error(data.load("griffins", "test", size=64), WING) * 1.25 * 80.5 / 64 < 0.08).all()


def test_no_picture_is_in_both_halves(tmp_path: Path) -> None:
    content = griffins(tmp_path)
    twice = [{**one, "id": one["id"] + 100} for one in content["images"]]
    again = [{**one, "id": one["id"] + 100, "image_id": one["image_id"] + 100} for one in content["annotations"]]
    double = {**content, "images": content["images"] + twice, "annotations": content["annotations"] + again}
    report = own.install(write(tmp_path / "double.json", double), tmp_path / "pictures")
    assert "20 people of 20 pictures kept: 4 test" in report and "the last 2 of 10 pictures" in report
    with pytest.raises(DataError, match=r"10 pictures of .*griffins\.json are trained on, too, such as griffin0\.png"):
        own.install(
            tmp_path / "griffins.json",
            tmp_path / "pictures",
            test_annotations=tmp_path / "griffins.json",
        )


def test_a_part_of_which_nobody_is_left_can_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    griffins(tmp_path)
    monkeypatch.setattr(prepare, "PICTURES_A_PART", 2)
    for k in (2, 3):
        (tmp_path / "pictures" / f"zoo {k % 2}" / f"griffin{k}.png").unlink()
    assert "8 people of 10 pictures" in own.install(tmp_path / "griffins.json", tmp_path / "pictures")
    test = data.load("griffins", "test", size=64)
    assert len(test) == 1 and (blob_error(test, WING) * 1.25 * 80.5 / 64 < 0.08).all()


def test_splits_that_nobody_is_left_in(tmp_path: Path) -> None:
    griffins(tmp_path)
    chosen = tmp_path / "pictures" / "zoo 1" / "griffin7.png"  # the one for choices
    chosen.write_bytes(chosen.read_bytes()[:60])  # its size can be read, its pixels cannot
    report = own.install(tmp_path / "griffins.json", tmp_path / "pictures")
    assert "careful: nobody is left in val" in report
    assert len(data.load("griffins", "train")) == 7
    with pytest.raises(UserError, match="griffins has nobody in its split 'val'"):
        data.load("griffins", "val")


def test_missing_and_broken_pictures_are_counted(tmp_path: Path) -> None:
    griffins(tmp_path)
    (tmp_path / "pictures" / "zoo 0" / "griffin0.png").unlink()
    (tmp_path / "pictures" / "zoo 1" / "griffin1.png").write_bytes(b"<html>")
    report = own.install(tmp_path / "griffins.json", tmp_path / "pictures")
    assert "8 people of 10 pictures" in report
    assert "pictures that cannot be read: 2, such as train/zoo 0/griffin0.png (No such file or directory)" in report
    with pytest.raises(DataError, match=r"lacks 10 of the 10 .* is zoo 0/griffin0\.png: name the folder"):
        own.install(tmp_path / "griffins.json", tmp_path)
    with pytest.raises(DataError, match="there is no folder"):
        own.install(tmp_path / "griffins.json", tmp_path / "nowhere")
    with pytest.raises(UserError, match="needs its annotations: --test-annotations FILE"):
        own.install(tmp_path / "griffins.json", tmp_path / "pictures", test_images=tmp_path / "pictures")


@pytest.mark.parametrize("name", ["", "../up", "a b", "-x", "é", "a/b", "a" * 65, "lsp", "COCO", "body", "Hand"])
def test_names_that_cannot_be_used(tmp_path: Path, name: str) -> None:
    (tmp_path / "my set.json").write_text("{}")
    with pytest.raises(UserError, match="--name"):
        own.install(tmp_path / "my set.json", tmp_path, name)


def _joints(value: Any) -> Callable[[dict[str, Any]], None]:
    def spoil(content: dict[str, Any]) -> None:
        content["categories"][0]["keypoints"] = value

    return spoil


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda c: c.update(categories=[]), "names no joints"),
        (lambda c: c.update(categories=[7, "x", None]), "names no joints"),
        (_joints(None), "names no joints: a category needs 'keypoints', a list of names"),
        (_joints([]), "names no joints"),
        (_joints(["a", 5]), "category 'griffin' has a joint whose name is no plain text"),
        (_joints(["a", "b\nc"]), "no plain text"),
        (_joints(["a", "b", "a"]), "names the joint 'a' twice"),
        (_joints(["a", "b"]), r"holds nobody to train on \(10 x keypoints that are not 3 x 2 numbers\)"),
        (lambda c: c["categories"][0].update(id=[1]), "category 'griffin' has no id"),
        (lambda c: c.update(annotations=[]), r"holds nobody to train on \(no annotation\)"),
        (lambda c: c.update(annotations=c["annotations"][:1]), "has one picture with people: a set needs at least two"),
        (lambda c: c["images"][3].update(file_name="../x.png"), "leads out of its folder"),
        (lambda c: c["images"][3].update(id=None), r"images\[3\] has no id"),
    ],
)
def test_wrong_files_are_refused_in_one_line(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], None], message: str
) -> None:
    content = griffins(tmp_path)
    spoil(content)
    write(tmp_path / "griffins.json", content)
    with pytest.raises(DataError, match=message) as caught:
        own.install(tmp_path / "griffins.json", tmp_path / "pictures")
    assert "\n" not in str(caught.value)


@real
@pytest.mark.parametrize(
    ("file", "count", "joints"),
    [
        ("coco/test_coco", 12, 17),
        ("coco/test_coco_wholebody", 12, 17),
        ("aic/test_aic", 9, 14),
        ("freihand/test_freihand", 8, 21),
        ("onehand10k/test_onehand10k", 4, 21),
        ("panoptic/test_panoptic", 4, 21),
        ("rhd/test_rhd", 3, 21),
        ("mpii/test_mpii_trb", 5, 40),
    ],
)
def test_real_files(file: str, count: int, joints: int) -> None:
    path = SAMPLES / f"{file}.json"
    report = own.install(path, path.parent)
    assert f"{count} people of" in report
    train, test = (data.load(path.stem, split, size=48) for split in ("train", "test"))
    assert len(train) + len(test) == count
    assert train.points.shape[1] == joints
    assert train.visible.any(1).all()
    assert (train.reference[train.reference.isfinite()] > 4).all()


@real
def test_real_file_of_133_joints_and_17_names() -> None:
    path = SAMPLES / "coco/test_keypoint_partition_metric.json"
    with pytest.raises(DataError, match=r"nobody to train on \(14 x keypoints that are not 3 x 17 numbers\)"):
        own.install(path, path.parent)


@real
def test_real_mpii_pairs_and_lefts() -> None:
    path = SAMPLES / "mpii/test_mpii_trb.json"
    own.install(path, path.parent)
    skeleton = data.skeleton("test_mpii_trb")
    for k, partner in enumerate(skeleton.flip):
        side, _, rest = skeleton.joints[k].partition("_")
        expected = {"left": f"right_{rest}", "right": f"left_{rest}"}.get(side, skeleton.joints[k])
        assert skeleton.joints[partner] == expected
