"""Poses in pictures of one's own: geometry, files, mistakes."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from posenb import inference
from posenb.data.boxes import read_boxes
from posenb.errors import UserError
from posenb.skeletons import LSP14
from tests.tiny import tiny_method


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for name, shape in (("a.png", (40, 60)), ("b.jpg", (64, 32))):
        cv2.imwrite(str(folder / name), generator.integers(0, 255, (*shape, 3), dtype=np.uint8))
    return folder


class Marker:
    """Stands for a method that finds the brightest spot for every joint, exactly."""

    setting = tiny_method().setting

    def predict(self, images):
        flat = images.float().sum(dim=1).flatten(1).argmax(dim=1)
        width = images.shape[-1]
        points = np.stack([flat % width + 0.5, flat // width + 0.5], -1)
        found = torch.tensor(points).float()[:, None].expand(-1, 14, -1)
        return found, torch.ones(len(images), 14)


@pytest.mark.parametrize("box", [(0, 0, 128, 96), (20, 10, 64, 64), (40, 20, 50, 70), (-10, -10, 120, 90)])
def test_a_point_found_in_a_box_lands_on_its_place_in_the_picture(box):
    pixels = np.zeros((96, 128, 3), np.uint8)
    pixels[42:47, 58:63] = 255  # its centre is (60.5, 44.5)
    pose = inference.poses(Marker(), inference.Frame("x", pixels), [box])[0]  # type: ignore[arg-type]
    unit = max(box[2], box[3]) / 32
    assert np.abs(pose.points - [60.5, 44.5]).max() <= 0.5 * unit + 2.5


def test_a_folder_becomes_a_table_and_overlays(pictures, tmp_path):
    out = tmp_path / "out"
    assert inference.run(tiny_method().eval(), pictures, out) == 2
    with (out / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 28 and rows[0]["image"] == "a.png" and rows[0]["joint"] == LSP14.joints[0]
    shown = cv2.imread(str(out / "a.pose.png"))
    assert shown.shape == (40, 60, 3)
    assert not list(out.glob("*.partial*"))


def test_coco_json_has_what_coco_readers_want(pictures, tmp_path):
    boxes = {"a.png": [(5.0, 5.0, 20.0, 30.0), (30.0, 5.0, 20.0, 30.0)]}
    assert inference.run(tiny_method().eval(), pictures, tmp_path, boxes, "coco", overlays=False) == 2
    found = json.loads((tmp_path / "predictions.json").read_text())
    assert [image["file_name"] for image in found["images"]] == ["a.png"]
    assert len(found["annotations"][0]["keypoints"]) == 3 * 14
    assert found["categories"][0]["keypoints"] == list(LSP14.joints)
    assert not list(tmp_path.glob("*.pose.png"))


def pose_at(name: str, x: float, y: float) -> inference.Pose:
    """All joints in one place."""
    points, scores = np.tile(np.float32([x, y]), (14, 1)), np.full(14, 0.5, np.float32)
    return inference.Pose(name, points, scores, (1.0, 2.0, 30.0, 40.0))


def test_coco_counts_from_the_centre_of_the_first_pixel():
    found = inference.coco([pose_at("a.png", 0.5, 7.25), pose_at("b.png", 3, 4), pose_at("b.png", 5, 6)], LSP14)
    first, second, third = found["annotations"]
    assert first["keypoints"] == [0.0, 6.75, 2] * 14
    assert third["keypoints"] == [4.5, 5.5, 2] * 14
    assert first["bbox"] == [1.0, 2.0, 30.0, 40.0]  # edges of pixels, not their centres
    assert [each["image_id"] for each in (first, second, third)] == [1, 2, 2]


def test_the_table_counts_the_people_of_each_picture(tmp_path):
    people = [pose_at("a.png", 1, 2), pose_at("b.png", 3, 4), pose_at("a.png", 5, 6), pose_at("a.png", 7, 8)]
    inference.write_csv(people, LSP14, tmp_path / "table.csv")
    with (tmp_path / "table.csv").open() as file:
        rows = [(row["image"], row["person"], row["x"], row["y"]) for row in csv.DictReader(file)]
    assert rows[::14] == [
        ("a.png", "0", "1.00", "2.00"),
        ("b.png", "0", "3.00", "4.00"),
        ("a.png", "1", "5.00", "6.00"),
        ("a.png", "2", "7.00", "8.00"),
    ]
    assert all(rows[k] == rows[k - k % 14] for k in range(len(rows)))


@pytest.fixture
def walk(tmp_path):
    """A video of five frames."""
    source = tmp_path / "walk.mp4"
    writer = cv2.VideoWriter(str(source), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
    for k in range(5):
        writer.write(np.full((48, 64, 3), 40 * k, np.uint8))
    writer.release()
    return source


def test_a_video_becomes_a_video(walk, tmp_path):
    assert inference.run(tiny_method().eval(), walk, tmp_path / "out") == 5
    assert len(list(inference.frames(tmp_path / "out" / "walk.pose.mp4"))) == 5
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"walk.pose.mp4", "predictions.csv"}


class Opened:
    """Stands for OpenCV's captures and writers, and tells which of them are open."""

    def __init__(self, real, *arguments):
        self.real = real(*arguments)

    def __getattr__(self, name):
        return getattr(self.real, name)


def test_an_interrupted_video_leaves_nothing_behind(walk, tmp_path, monkeypatch):
    opened = []

    def watch(kind):
        real = getattr(cv2, kind)

        def make(*arguments):
            opened.append(Opened(real, *arguments))
            return opened[-1]

        return make

    class Interrupted(Marker):
        count = 0

        def predict(self, images):
            self.count += 1
            if self.count == 3:
                raise KeyboardInterrupt
            return super().predict(images)

    monkeypatch.setattr(inference, "tqdm", lambda pictures, **_: pictures)  # a bar that is shown closes nothing either
    monkeypatch.setattr(inference.cv2, "VideoCapture", watch("VideoCapture"))
    writer = watch("VideoWriter")
    writer.fourcc = cv2.VideoWriter.fourcc
    monkeypatch.setattr(inference.cv2, "VideoWriter", writer)
    with pytest.raises(KeyboardInterrupt) as caught:
        inference.run(Interrupted(), walk, tmp_path / "out")  # type: ignore[arg-type]
    assert caught.tb  # which keeps the frames of the stack, and all in them
    assert len(opened) == 3 and not any(each.isOpened() for each in opened)
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("name", ["missing.png", "text.png", "empty.png", "text.mp4", "missing.mp4", "folder"])
def test_unreadable_sources_are_one_line(name, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty.png").touch()
    with pytest.raises(UserError, match=r"does not exist|not a readable|holds no image"):
        list(inference.frames(tmp_path / name))


def test_boxes_of_people_get_the_room_about_them_that_training_samples_have(tmp_path):
    pixels = np.zeros((96, 128, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    seen = []

    class Watcher(Marker):
        def predict(self, images):
            seen.append((images.float().mean(dim=(0, 1)) > 0).float().mean().item())
            return super().predict(images)

    pixels[28:68, 44:84] = 255  # a box of 40 pixels
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    inference.run(Watcher(), tmp_path, tmp_path / "out", {"a.png": [(44, 28, 40, 40)]}, overlays=False)  # type: ignore[arg-type]
    assert seen[0] == pytest.approx(1 / 1.25**2, abs=0.07)


def test_one_broken_picture_costs_no_other_its_pose(pictures, tmp_path):
    (pictures / "aa.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"1 of .* no readable pictures \(aa\.png\); the others are in"):
        inference.run(tiny_method().eval(), pictures, tmp_path / "out")
    with (tmp_path / "out" / "predictions.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 28


def test_a_picture_too_large_and_a_folder_called_like_one_cost_no_other_its_pose(pictures, tmp_path, monkeypatch):
    (pictures / "ab.png").mkdir()

    def decode(file, flags, real=cv2.imdecode):
        if len(file) == 7:
            raise cv2.error("more pixels than CV_IO_MAX_IMAGE_PIXELS")
        return real(file, flags)

    (pictures / "aa.png").write_bytes(b"7 bytes")
    monkeypatch.setattr(cv2, "imdecode", decode)
    with pytest.raises(UserError, match=r"^1 of .* no readable pictures \(aa\.png\); the others are in"):
        inference.run(tiny_method().eval(), pictures, tmp_path / "out")
    with (tmp_path / "out" / "predictions.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 28


def test_boxes_that_cannot_be_used_cost_no_other_its_pose(pictures, tmp_path):
    boxes = {"a.png": [(0, 0, 9, 9), (1000, 0, 9, 9), (0, 0, 9, 9e6)], "Z.PNG": [(0, 0, 9, 9)]}
    told = (
        r"1 of the boxes' pictures are not in .* \(Z\.PNG\); 2 boxes cannot be used \(a\.png: the box at \(1000, 0\) .*"
    )
    with pytest.raises(UserError, match=told + r"a\.png: a box of 9 x 9e\+06 .*\); the others are in"):
        inference.run(tiny_method().eval(), pictures, tmp_path / "out", boxes)
    with (tmp_path / "out" / "predictions.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 14


@pytest.mark.parametrize(
    "box",
    [
        (5, 5, 0, 9),
        (5, 5, 9, 0),
        (25, 25, -5, -5),
        (float("nan"), 5, 9, 9),
        (5, 5, float("nan"), 9),
        (float("-inf"), 5, float("inf"), 9),
        (5, 5, 9, float("inf")),
    ],
)
def test_boxes_without_area_are_one_line(box):
    frame = inference.Frame("a.png", np.zeros((50, 80, 3), np.uint8))
    with pytest.raises(UserError, match=r"^a\.png: a box needs numbers, and width and height above 0, not \(.*\)$"):
        inference.poses(Marker(), frame, [box])  # type: ignore[arg-type]


def test_boxes_that_fit_no_picture_are_told(pictures, tmp_path):
    method = tiny_method().eval()
    with pytest.raises(UserError, match=r"no box is for a picture of .*they are for z\.png"):
        inference.run(method, pictures, tmp_path / "out", {"z.png": [(0, 0, 9, 9)]})
    with pytest.raises(UserError, match=r"a\.png: the box at \(1000, 0\) lies outside"):
        inference.run(method, pictures, tmp_path / "out", {"a.png": [(1000, 0, 9, 9)]})


def test_pictures_of_one_stem_get_an_overlay_each_and_names_survive_the_table(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("a.png", "a.jpg", 'b"c.png'):
        good, data = cv2.imencode(Path(name).suffix, np.zeros((40, 60, 3), np.uint8))
        assert good
        (folder / name).write_bytes(data.tobytes())
    assert inference.run(tiny_method().eval(), folder, tmp_path / "out") == 3
    assert len(list((tmp_path / "out").glob("*.pose.png"))) == 3
    with (tmp_path / "out" / "predictions.csv").open() as file:
        assert {row["image"] for row in csv.DictReader(file)} == {"a.png", "a.jpg", 'b"c.png'}


def test_overlays_never_share_a_file(tmp_path):
    folder, out = tmp_path / "pictures", tmp_path / "out"
    folder.mkdir()
    # in an order in which each name would be taken by the stem of another
    names = ("a.jpg", "a.png", "a.png-2.jpg", "a.png.jpg")
    for width, name in enumerate(names, start=40):
        cv2.imwrite(str(folder / name), np.zeros((30, width, 3), np.uint8))

    def overlays():
        return {path.name: cv2.imread(str(path)).shape[1] for path in out.glob("*.pose.png")}

    for again in range(2):
        assert inference.run(Marker(), folder, out) == 4, again  # type: ignore[arg-type]
        assert overlays() == {
            "a.pose.png": 40,
            "a.png.pose.png": 41,
            "a.png-2.pose.png": 42,
            "a.png.jpg.pose.png": 43,
        }


def test_overlay_names_are_free_on_disks_that_do_not_tell_a_from_capital_a():
    taken = set()
    names = ["A.jpg", "A.png", "a.bmp", "a.jpg", "a.png.jpg"]
    assert [inference._free(name, taken) for name in names] == ["A", "A.png", "a.bmp", "a.jpg", "a.png.jpg"]
    assert inference._free("a.jpg", taken) == "a.jpg-2" and inference._free("a.jpg", taken) == "a.jpg-3"


def test_overlays_beside_the_pictures_are_no_pictures(pictures):
    for again in range(3):
        assert inference.run(Marker(), pictures, pictures) == 2, again  # type: ignore[arg-type]
    assert {path.name for path in pictures.iterdir()} == {
        *("a.png", "b.jpg"),
        *("a.pose.png", "b.pose.png", "predictions.csv"),
    }
    assert [frame.name for frame in inference.frames(pictures / "a.pose.png")] == ["a.pose.png"], "asked for by name"
    for name in ("a.png", "b.jpg"):
        (pictures / name).unlink()
    with pytest.raises(UserError, match=r"holds no image \(.*\*\.pose\.png are taken for overlays\)"):
        list(inference.frames(pictures))


LONG = "image,x,y,width,height\n" + "a" * 200_000 + ",1,2,3,4\n"  # more than csv takes in a field


@pytest.mark.parametrize("text", ["image,x,y\na,1,2\n", "image,x,y,width,height\na,1,2,zero,4\n", "", LONG])
def test_wrong_boxes_are_one_line(text, tmp_path):
    path = tmp_path / "boxes.csv"
    path.write_text(text)
    if text:
        with pytest.raises(UserError, match="columns image, x, y, width, height"):
            read_boxes(path)
    else:
        assert read_boxes(path) == {}
    with pytest.raises(UserError, match=r"^cannot read .*none\.csv: No such file or directory$"):
        read_boxes(tmp_path / "none.csv")


class Walker(Marker):
    """Goes to its answer in two steps, from the middle."""

    def trajectory(self, images):
        points, _ = self.predict(images)
        return torch.stack([torch.full_like(points, 16), (points + 16) / 2, points])


def test_the_path_to_a_pose_is_drawn_where_there_is_one():
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[50:53, 50:53] = 255  # its centre is (51.5, 51.5)
    frame, whole = inference.Frame("x", pixels), [(0.0, 0.0, 64.0, 64.0)]
    (pose,) = inference.poses(Walker(), frame, whole, paths=True)  # type: ignore[arg-type]
    assert pose.path is not None and pose.path.shape == (3, 14, 2)
    assert np.array_equal(pose.path[-1], pose.points) and np.allclose(pose.path[0], 32)
    drawn = inference.overlay(frame, [pose], LSP14)
    plain = inference.overlay(frame, [pose._replace(path=None)], LSP14)
    changed = (drawn != plain).any(axis=-1)
    assert changed[40, 40] and not changed[40, 20] and not changed[:28].any()
    (still,) = inference.poses(Walker(), frame, whole)  # type: ignore[arg-type]
    (other,) = inference.poses(Marker(), frame, whole, paths=True)  # type: ignore[arg-type]
    assert still.path is None and other.path is None
