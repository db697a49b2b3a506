"""Prepared people: who is let in, what is kept of a picture, and that a killed preparation is gone on with."""

from __future__ import annotations

import csv
import dataclasses
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from posenb.data import pictures, prepare, prepared
from posenb.data.people import Person, Picture, about_box, admitted
from posenb.data.sources import Source
from posenb.errors import DataError
from posenb.skeletons import Skeleton

PAIR = Skeleton("PAIR", ("left_end", "right_end"), ((0, 1),), (1, 0), ())
SOURCE = Source("pairs", "Pairs", PAIR, "free", "made here", "", "posenb data pairs")
HEIGHT, WIDTH = 240, 320
SEEN = np.ones(2, bool)


def person(*points: tuple[float, float], visible: NDArray[np.bool_] = SEEN, **options: object) -> Person:
    return Person(np.array(points, float), visible, np.zeros(2, bool), **options)  # type: ignore[arg-type]


def photograph(folder: Path, name: str, at: tuple[float, float], sigma: float = 5.0) -> Path:
    """A picture with a bright blob."""
    x, y = np.arange(WIDTH) + 0.5, np.arange(HEIGHT)[:, None] + 0.5
    value = 60 + 180 * np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * sigma**2))
    cv2.imwrite(str(folder / name), value.round().astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 98])
    return folder / name


@pytest.fixture
def album(tmp_path: Path) -> list[Picture]:
    """40 pictures of one person each, and one with two; the last ten are for tests."""
    folder = tmp_path / "album"
    folder.mkdir()
    random = np.random.default_rng(0)
    found = []
    for number in range(41):
        at = tuple(random.uniform((60, 60), (WIDTH - 60, HEIGHT - 60)))
        people = [person(at, (at[0] + 40, at[1] - 30), center=np.array(at), side=100.0 + number, number=number)]
        if number == 3:
            people.append(person((50, 50), (90, 90), number=100))
        path = photograph(folder, f"{number}.jpg", at)
        found.append(Picture(path.name, path, tuple(people), "train" if number < 31 else "test", number))
    return found


def test_order_splits_and_labels(album: list[Picture], tmp_path: Path) -> None:
    report = prepare.prepare(SOURCE, PAIR, album, tmp_path / "pairs")
    # a twentieth of 31 training pictures, rounded down, is held out
    assert report.kept == {"train": 31, "val": 1, "test": 10}
    train, fit, val, test = (prepared.load(SOURCE, split, 32, folder=tmp_path / "pairs") for split in prepared.SPLITS)
    assert [len(data) for data in (train, fit, val, test)] == [32, 31, 1, 10]
    assert train.picture is not None
    assert train.picture.tolist() == [0, 1, 2, 3, 3, *range(4, 31)]
    assert torch.equal(torch.cat([fit.images, val.images]), train.images)
    assert val.images.data_ptr() != fit.images.data_ptr()
    text = report.text(SOURCE, tmp_path / "pairs" / "people")
    assert "42 people of 41 pictures kept: 10 test, 32 train (1 of them val)" in text
    assert "licence: free" in text
    assert "bytes a person" in text
    # without a torso, PCK refers to the person's box
    assert torch.allclose(test.reference, torch.full((10,), 32 / 1.25))


@pytest.mark.parametrize("scale", [1.0, 3.3])
@pytest.mark.parametrize(("size", "margin"), [(64, 0), (64, 16), (128, 9)])
def test_geometry_to_sub_pixel(tmp_path: Path, scale: float, size: int, margin: int) -> None:
    """Wherever a person is cut, and however much reduced, the blob is where the label says."""
    at = (141.3, 97.8)
    path = photograph(tmp_path, "one.jpg", at, sigma=6 * scale)
    one = person(at, (160, 120), center=np.array([150.0, 110.0]), side=110 * scale, number=1)
    prepare.prepare(SOURCE, PAIR, [Picture("one", path, (one,))], tmp_path / "pairs")
    data = prepared.load(SOURCE, "train", size, margin, folder=tmp_path / "pairs")
    light = (data.images[0, 0].double() - 62).clamp(min=0)
    x = (light * (torch.arange(light.shape[1]) + 0.5)).sum() / light.sum()
    y = (light * (torch.arange(light.shape[0])[:, None] + 0.5)).sum() / light.sum()
    pixel = size / (110 * scale)
    assert ((torch.stack([x, y]) - data.points[0, 0]).norm() / pixel) < 0.1 * scale
    found = prepared.read(SOURCE, tmp_path / "pairs").labels
    back = found["origin"][:, None] + found["points"] * found["unit"][:, None, None]
    assert np.allclose(back[0], one.points)


def test_a_cut_is_small_and_has_its_surroundings() -> None:
    pixels = np.zeros((1000, 1500, 3), np.uint8)
    large = pictures.cut(pixels, person((0, 0), (1, 1), center=np.array([700.0, 500.0]), side=600.0))
    assert pictures.decode(large.file).shape == (409, 409, 3)
    assert large.unit == 600 / 256
    small = pictures.cut(pixels, person((0, 0), (1, 1), center=np.array([10.0, 995.0]), side=100.0))
    # 80 pixels to each side, where there is a picture
    assert pictures.decode(small.file).shape == (85, 90, 3)
    assert small.origin.tolist() == [0, 915]


@pytest.mark.parametrize(
    ("who", "problem"),
    [
        (person((10, 10), (np.nan, 20), center=np.array([20.0, 20.0]), side=40.0), "joint not finite"),
        (person((10, 10), (9e9, 20), center=np.array([20.0, 20.0]), side=40.0), "joint far outside of the picture"),
        (person((10, 10), (200, 20), center=np.array([20.0, 20.0]), side=40.0), "joint far from its person"),
        (person((10, 10), (20, np.inf)), "joint not finite"),
    ],
)
def test_wrong_joints_lose_their_label(who: Person, problem: str) -> None:
    # a second good joint, so that a box can be drawn about the rest
    who = dataclasses.replace(
        who,
        points=np.vstack([who.points, [30.0, 40.0]]),
        visible=np.ones(3, bool),
        occluded=np.ones(3, bool),
    )
    found, problems = admitted(who, WIDTH, HEIGHT)
    assert problems == [problem]
    assert found is not None
    assert found.visible.tolist() == [True, False, True]
    assert found.occluded.tolist() == [True, False, True]
    assert np.isnan(found.points[1]).all()
    assert found.center is not None
    assert np.isfinite(found.center).all()


@pytest.mark.parametrize(
    ("who", "problem"),
    [
        (person((10, 10), (20, 20), visible=~SEEN), "no labelled joint"),
        (person((10, 10), (20, 20), visible=~SEEN, center=np.array([20.0, 20.0]), side=40.0), "no labelled joint"),
        (person((10, 10), (10, 10)), "all joints in one place"),
        (person((10, 10), (20, 20), center=np.array([np.nan, 20.0]), side=40.0), "box not finite"),
        (person((10, 10), (20, 20), center=np.array([20.0, 20.0]), side=0.0), "box without size"),
        (person((10, 10), (20, 20), center=np.array([20.0, 20.0]), side=-40.0), "box without size"),
        (person((10, 10), (20, 20), center=np.array([900.0, 20.0]), side=40.0), "box outside of the picture"),
        (person((10, 10), (20, 20), center=np.array([20.0, 20.0]), side=1e5), "box ten times as large as the picture"),
    ],
)
def test_absurd_people_are_left_out(who: Person, problem: str) -> None:
    found, problems = admitted(who, WIDTH, HEIGHT)
    assert found is None
    assert problems == [problem]


def test_people_without_labels_where_none_are_wanted() -> None:
    found, problems = admitted(
        *(person((0, 0), (0, 0), visible=~SEEN, center=np.array([9.0, 9.0]), side=9.0), 64, 64), False
    )
    assert found is not None
    assert not problems
    assert not found.visible.any()


def test_what_is_left_out_is_counted_and_named(album: list[Picture], tmp_path: Path) -> None:
    album[5].path.write_bytes(album[5].path.read_bytes()[:300])
    album[6].path.unlink()
    album[7] = dataclasses.replace(album[7], people=(person((10, 10), (10, 10), number=77),))
    report = prepare.prepare(SOURCE, PAIR, album, tmp_path / "pairs")
    assert sum(report.kept.values()) == 39
    assert report.dropped == {"all joints in one place": 1}
    assert set(report.broken) == {"5.jpg", "6.jpg"}
    with (tmp_path / "pairs/people/left_out.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[1] == ["7.jpg", "77", "all joints in one place"]
    assert [row[0] for row in rows[2:]] == ["5.jpg", "6.jpg"]
    text = report.text(SOURCE, tmp_path / "pairs/people")
    assert "left out: 1 x all joints in one place" in text
    assert "pictures that cannot be read: 2, such as 5.jpg (cannot be decoded" in text
    assert len(prepared.load(SOURCE, "train", 16, folder=tmp_path / "pairs")) == 29


def test_nothing_kept_is_an_error(tmp_path: Path) -> None:
    missing = Picture("no.jpg", tmp_path / "no.jpg", (person((1, 1), (9, 9)),))
    with pytest.raises(DataError, match=r"Pairs: nothing could be kept of 1 pictures \(No such file"):
        prepare.prepare(SOURCE, PAIR, [missing], tmp_path / "pairs")
    with pytest.raises(DataError, match=r"not prepared in .*: run `posenb data pairs`"):
        prepared.load(SOURCE, "train", folder=tmp_path / "pairs")


def test_a_killed_preparation_goes_on(album: list[Picture], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "PICTURES_A_PART", 10)
    folder, cut, cuts = tmp_path / "pairs", pictures.cut, [0]

    def killed_after(limit: int) -> None:
        def cut_until(*arguments: object) -> pictures.Cut:
            cuts[0] += 1
            if cuts[0] > limit:
                raise KeyboardInterrupt
            return cut(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(prepare, "cut", cut_until)

    killed_after(25)
    with pytest.raises(KeyboardInterrupt):
        prepare.prepare(SOURCE, PAIR, album, folder)
    assert not prepared.is_prepared(folder)
    (building,) = folder.glob("people-*")
    assert sorted(path.name for path in building.glob("*.npz")) == ["00000.npz", "00001.npz"]
    cuts[0] = 0
    killed_after(10**9)
    resumed = prepare.prepare(SOURCE, PAIR, album, folder)
    assert cuts[0] == 42 - 21, "two parts, with the picture of two people, were there already"
    assert not list(folder.glob("people-*"))
    at_once = prepare.prepare(SOURCE, PAIR, album, tmp_path / "other")
    assert dataclasses.replace(resumed, size=0) == dataclasses.replace(at_once, size=0)
    for split in prepared.SPLITS:
        one, other = (prepared.load(SOURCE, split, 24, folder=tmp_path / name) for name in ("pairs", "other"))
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.points, other.points)


def test_other_annotations_are_prepared_anew(album: list[Picture], tmp_path: Path) -> None:
    prepare.prepare(SOURCE, PAIR, album, tmp_path / "pairs")
    prepared.load(SOURCE, "test", 16, folder=tmp_path / "pairs")
    before = (tmp_path / "pairs/people/index.json").stat().st_mtime_ns
    prepare.prepare(SOURCE, PAIR, album, tmp_path / "pairs")
    assert (tmp_path / "pairs/people/index.json").stat().st_mtime_ns == before, "nothing changed, nothing is written"
    prepare.prepare(SOURCE, PAIR, album[:-1], tmp_path / "pairs")
    assert not list((tmp_path / "pairs").glob("crops-*"))
    assert len(prepared.load(SOURCE, "test", 16, folder=tmp_path / "pairs")) == 9


def test_two_at_once_prepare_once(album: list[Picture], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []
    write = prepare._write_part

    def counted(path: Path, *arguments: object) -> dict[str, object]:
        written.append(path)
        return write(path, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(prepare, "_write_part", counted)
    threads = [
        threading.Thread(target=prepare.prepare, args=(SOURCE, PAIR, album, tmp_path / "pairs")) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(written) == 1
    assert len(prepared.load(SOURCE, "test", 16, folder=tmp_path / "pairs")) == 10


@pytest.mark.parametrize("text", ["", "[]", "3", "null", "{}", '{"recipe": 1, "digest": "x", "parts": []}'])
def test_a_damaged_index_counts_as_none(
    album: list[Picture], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("POSENB_HOME", str(tmp_path))
    folder = tmp_path / "data" / "pairs"
    prepare.prepare(SOURCE, PAIR, album[:3], folder)
    assert set(prepared.prepared_here()) == {"pairs"}
    (folder / "people" / "index.json").write_text(text)
    assert prepared.index_of(folder) is None
    assert not prepared.prepared_here() and not prepared.is_prepared(folder)
    with pytest.raises(DataError, match=r"not prepared in .*: run `posenb data pairs`"):
        prepared.load(SOURCE, "train", 16)
    prepare.prepare(SOURCE, PAIR, album[:3], folder)
    assert len(prepared.load(SOURCE, "train", 16)) == 3


def test_box_square() -> None:
    center, side = about_box(10, 20, 30, 60)
    assert center.tolist() == [25, 50]
    assert side == 75
