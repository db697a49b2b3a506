"""PoseDataset: checks at the door, margins, joint sets; and loading by name."""

import dataclasses

import pytest
import torch

from posenb import data
from posenb.errors import UserError
from posenb.skeletons import LSP14, MPII16
from tests.tiny import tiny_data


def test_a_batch_is_the_samples_of_its_index_channels_last():
    some = tiny_data(5)
    batch = some.batch(torch.tensor([3, 1, 3]))
    assert torch.equal(batch.images, some.images[[3, 1, 3]])
    assert batch.images.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(batch.points, some.points[[3, 1, 3]])


def test_cropping_a_margin_moves_the_points():
    some = dataclasses.replace(tiny_data(2, size=32), margin=4)
    assert some.size == (24, 24)
    inner = some.cropped()
    assert inner.images.shape[-2:] == (24, 24) and inner.margin == 0
    assert torch.equal(inner.points, some.points - 4)
    assert torch.equal(inner.images, some.images[..., 4:-4, 4:-4])


def test_another_joint_set_masks_what_is_missing():
    some = tiny_data(2).as_skeleton(MPII16)
    pelvis, wrist = MPII16.index("pelvis", "left_wrist")
    assert not some.visible[:, pelvis].any() and some.points[:, pelvis].isnan().all()
    assert torch.equal(some.points[:, wrist], tiny_data(2).points[:, LSP14.index("left_wrist")[0]])


def test_what_is_hidden_stays_hidden_in_another_joint_set():
    some = tiny_data(3)
    some.occluded[1, LSP14.index("left_wrist")[0]] = True
    some.occluded[2, LSP14.index("right_ankle")[0]] = True
    other = some.as_skeleton(MPII16)
    wrist, ankle = MPII16.index("left_wrist", "right_ankle")
    assert other.occluded.nonzero().tolist() == [[1, wrist], [2, ankle]]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -100.0, 1000.0])
def test_absurd_joints_are_named(value):
    some = tiny_data(3)
    points = some.points.clone()
    points[1, 2, 0] = value
    with pytest.raises(ValueError, match=r"tiny: sample 1 has right_hip at .* not near its 32 x 32 image"):
        dataclasses.replace(some, points=points)
    visible = some.visible.clone()
    visible[1, 2] = False
    dataclasses.replace(some, points=points, visible=visible)  # without a label anything goes


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("images", torch.zeros(3, 3, 32, 32), "images must be"),
        ("images", torch.zeros(3, 1, 32, 32, dtype=torch.uint8), "images must be"),
        ("points", torch.zeros(3, 13, 2), "points must be"),
        ("visible", torch.ones(3, 14), "visible must be"),
        ("reference", torch.ones(2), "reference must be"),
    ],
)
def test_wrong_shapes_and_types_are_told(field, value, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(tiny_data(3), **{field: value})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("faces", "train"), "data set must be one of body, hand, scene, lsp"),
        (("body", "dev"), "split must be one of train"),
    ],
)
def test_unknown_names_are_told(arguments, message):
    with pytest.raises(UserError, match=message):
        data.load(*arguments)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("body", {"count": 0}, "count must be at least 1"),
        ("lsp", {"count": -1}, "count must be at least 1"),
        ("lsp", {"difficulty": 0.9}, "lsp is real and has no option difficulty"),
    ],
)
def test_what_cannot_be_loaded_is_told(name, options, message):
    with pytest.raises(UserError, match=message):
        data.load(name, "test", **options)


def test_splits_of_synthetic_people_differ(tmp_path, monkeypatch):
    monkeypatch.setenv("POSENB_HOME", str(tmp_path))
    train, val, test = (data.load("body", split, count=2, size=32) for split in ("train", "val", "test"))
    assert not torch.equal(train.images, val.images) and not torch.equal(val.images, test.images)


def test_real_data_that_was_not_prepared_is_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("POSENB_HOME", str(tmp_path))
    with pytest.raises(UserError, match=r"not prepared.*posenb data lsp --archive") as caught:
        data.load("lsp", "train")
    assert "\n" not in str(caught.value)
