"""Pictures of the user's own without labels: prepared, listed, and read beside labels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from posenb import cli, data
from posenb.data import own, unlabelled
from posenb.errors import DataError, UserError
from tests.formats.coco_files import HEIGHT, WIDTH, annotation, blob, image, keypoint_file, pose, write


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POSENB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def street(tmp_path: Path) -> Path:
    """Six pictures with a blob at (100, 40); one of them in a subfolder, one that is damaged, and no picture."""
    folder = tmp_path / "street"
    for name in ("a.png", "b.jpg", "c.png", "d.png", "sub/e.png"):
        blob(folder / name, (100, 40))
    (folder / "f.png").write_bytes((folder / "a.png").read_bytes()[:200])
    (folder / "notes.txt").write_text("no picture")
    return folder


def brightest(image: torch.Tensor) -> tuple[int, int]:
    """(column, row) of a picture ``(3, H, W)``."""
    row, column = np.unravel_index(int(image[0].float().argmax()), image.shape[1:])
    return int(column), int(row)


def test_whole_pictures(street: Path) -> None:
    report = unlabelled.install(street)
    assert "street: 5 people of 6 pictures kept: 5 train" in report and "f.png" in report
    assert "--unlabelled 5 --unlabelled-from street" in report
    kept = data.load("street", "train", size=WIDTH)
    assert len(kept) == 5 and len(kept.skeleton) == 0 and kept.points.shape == (5, 0, 2)
    # the square about the picture, whose borders are repeated above and below
    x, y = brightest(kept.images[0])
    assert abs(x - 100) <= 1 and abs(y - (40 + (WIDTH - HEIGHT) // 2)) <= 1
    for split in ("val", "test"):
        with pytest.raises(UserError, match="street has nobody in its split"):
            data.load("street", split)


def test_boxes(street: Path, tmp_path: Path) -> None:
    table = tmp_path / "boxes.csv"
    table.write_text(
        "image,x,y,width,height\nsub/e.png,80,30,40,20\na.png,0,0,50,60\na.png,60,10,64,64\nz.png,1,1,5,5\n"
    )
    report = unlabelled.install(street, "people", table)
    assert "people: 3 people of 2 pictures kept" in report
    assert "left out: 1 x boxes of a picture that is not there, such as z.png" in report
    kept = data.load("people", "train", size=80)
    # a square of 1.25 x 40 about (100, 40), so the blob is in its middle
    assert max(abs(place - 40) for place in brightest(kept.images[2])) <= 1
    table.write_text("image,x,y,width,height\nz.png,1,1,5,5\n")
    with pytest.raises(DataError, match=r"names no picture of .*: it names z\.png"):
        unlabelled.install(street, "people", table)


def test_a_lying_picture_is_turned_as_exif_says(tmp_path: Path) -> None:
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[5:15, 5:15] = 255  # left and top as stored; with orientation 6, right and top
    exif = Image.Exif()
    exif[274] = 6
    (tmp_path / "phone").mkdir()
    Image.fromarray(pixels).save(tmp_path / "phone" / "a.jpg", exif=exif, quality=95)
    unlabelled.install(tmp_path / "phone")
    image = data.load("phone", "train", size=60).images[0, 0].float()
    # the square about 40 x 60 upright pixels has ten repeated ones on each side
    upright = cv2.imread(str(tmp_path / "phone" / "a.jpg"), cv2.IMREAD_GRAYSCALE).astype(float)
    assert upright.shape == (60, 40)
    assert (image[:, 10:50] - torch.from_numpy(upright)).abs().mean() < 4
    assert image[5:15, 35:45].mean() > 200 and image[5:15, 10:30].mean() < 60


@pytest.mark.parametrize(
    ("folder", "name", "message"),
    [
        ("none", "x", "there is no folder"),
        ("empty", "x", r"holds no picture \(\.jpg"),
        ("empty", "body", "is a data set that posenb knows"),
        ("empty", "a b", "--name must be letters"),
    ],
)
def test_mistakes(tmp_path: Path, folder: str, name: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=message):
        unlabelled.install(tmp_path / folder, name)
    assert not (tmp_path / "home").exists()


def test_a_set_with_labels_stays(tmp_path: Path, street: Path) -> None:
    points = pose(2, 0)
    files = keypoint_file(
        [image(k, name) for k, name in enumerate(("c.png", "d.png"), 1)],
        [annotation(k, k, points) for k in (1, 2)],
        ["a", "b"],
        [],
    )
    own.install(write(tmp_path / "mine.json", files), street)
    with pytest.raises(UserError, match="mine is a set with labels: choose another --name"):
        unlabelled.install(street, "mine")
    assert data.skeleton("mine").joints == ("a", "b")


def test_it_is_listed_read_beside_labels_and_cannot_be_trained_on_alone(street: Path) -> None:
    runner = CliRunner()

    def call(words: str) -> str:
        done = runner.invoke(cli.app, words.split())
        return done.output + str(done.exception or "")

    assert "5 train" in call(f"data unlabelled --images {street}")
    listed = call("data list")
    assert "street           5 train, no labels" in listed
    assert "lsp              not prepared: posenb data lsp --help" in listed and "body " in listed
    words = "--steps 2 --batch 4 --size 32 --network-set widths=[8,8] --device cpu --precision 32-true"
    alone = call(f"train --dataset street {words}")
    assert "street has no labels: train on another set, with --unlabelled-from street" in alone
    beside = f"train --method semi_supervised --set scheme=dual --samples 8 --unlabelled-from street {words}"
    assert "say how many samples of street to take" in call(beside)
    trained = call(f"{beside} --unlabelled 5")
    assert "pck" in trained and "all are taken" not in trained
    # a set that has fewer than were asked for
    trained = call(f"{beside} --unlabelled 50")
    assert "pck" in trained and "street has 5 training samples, not 50: all are taken" in trained
