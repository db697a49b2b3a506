"""MPII's reader on absurd, spoilt and hostile annotations."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import torch

from posenb.data import mpii, prepared
from posenb.data.mpii_mat import read_official
from posenb.errors import DataError
from tests.formats.mpii_files import EMPTY, Someone, World, heads_file, make_world, struct

load = functools.partial(prepared.load, mpii.SOURCE)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def test_absurd_people_never_get_in(world: World, tmp_path: Path) -> None:
    people = [person.simple() for person in world.train]
    people[1]["joints"][3] = [float("nan"), 5.0]
    people[1]["joints"][4] = [1e9, 5.0]
    people[2]["scale"] = 1e6
    people[3]["center"] = [float("inf"), 1.0]
    people.append({**world.train[0].simple(), "image": "000000009.jpg"})
    people.append({**world.train[0].simple(), "scale": -1})
    path = world.json("train.json", people)
    report = mpii.install(world.images, path, folder=tmp_path / "mpii")
    for line in ("1 x joint not finite", "1 x joint far", "1 x box ten times", "1 x box not finite"):
        assert f"left out: {line}" in report
    assert "pictures that cannot be read: 1, such as 000000009.jpg (No such file" in report
    data = load("train", 32, folder=tmp_path / "mpii")
    assert len(data) == 3
    assert data.visible[1].tolist() == [k not in (3, 4) for k in range(16)]
    # without a scale the square lies about the joints
    inner = data.points[2][data.visible[2]]
    assert torch.allclose((inner.amax(0) + inner.amin(0)) / 2, torch.tensor([16.0, 16.0]), atol=1e-3)


def change(**values: Any) -> Callable[[list[dict[str, Any]]], Any]:
    def spoil(people: list[dict[str, Any]]) -> Any:
        people[1].update(values)
        return people

    return spoil


def without(key: str) -> Callable[[list[dict[str, Any]]], Any]:
    return lambda people: [{k: v for k, v in person.items() if k != key} for person in people]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (change(image="../../etc/passwd.jpg"), "train.json, person 2: the picture .* leads out"),
        (change(image="/etc/passwd.jpg"), "person 2: the picture .* leads out"),
        (change(image="C:\\secret.jpg"), "leads out"),
        (change(image="..\\secret.jpg"), "leads out"),
        (change(image="a\0.jpg"), "is not the name of a picture"),
        (change(image="\ud800.jpg"), "is not the name of a picture"),
        (change(image="a" * 300), "is not the name of a picture"),
        (change(image=7), "person 2: '7' is not the name"),
        (change(image=None), "is not the name"),
        (change(joints=[[1, 2]] * 15), r"person 2: joints is of shape \(15, 2\), not \(16, 2\)"),
        (change(joints=[[1, 2]] * 15 + [[1]]), "person 2: joints is missing or no number"),
        (change(joints="left"), "joints is missing or no number"),
        (change(scale=[]), "scale is of shape"),
        (change(scale=10**400), "scale is missing or no number"),
        (change(center=None), r"center is of shape \(\), not \(2,\)"),
        (without("center"), "person 1: center is missing"),
        (without("joints_vis"), "person 1: joints_vis is missing"),
        (without("image"), "its people have no image"),
        (lambda people: {"annotations": people}, "is not a list of MPII's people"),
        (lambda people: [], "is not a list of MPII's people"),
        (lambda people: [*people, 7], "is not a list of MPII's people"),
    ],
)
def test_spoilt_json_is_refused_in_a_line(
    world: World, tmp_path: Path, spoil: Callable[[list[dict[str, Any]]], Any], message: str
) -> None:
    path = world.json("train.json", spoil([person.simple() for person in world.train]))
    with pytest.raises(DataError, match=message) as caught:
        mpii.install(world.images, path, folder=tmp_path / "mpii")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "mpii" / "people").exists()


def test_wrong_files_are_refused_in_a_line(world: World, tmp_path: Path) -> None:
    train, valid = world.simple()
    mat = world.mat()
    install = functools.partial(mpii.install, world.images, folder=tmp_path / "mpii")
    (tmp_path / "deep.json").write_text("[" * 200_000)
    (tmp_path / "cut.mat").write_bytes(mat.read_bytes()[:2000])
    (tmp_path / "new.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400))
    scipy.io.savemat(tmp_path / "lsp.mat", {"joints": np.zeros((3, 14, 2))})
    (tmp_path / "hdf.h5").write_bytes(b"\x89HDF\r\n\x1a\n and so on")
    heads = heads_file(tmp_path / "gt_valid.mat", world.valid)
    flat = {"headboxes_src": np.ones((2, 2)), "pos_gt_src": np.ones((16, 2, 2)), "jnt_missing": np.zeros((16, 2))}
    scipy.io.savemat(tmp_path / "flat.mat", flat)
    several = [*world.valid, *world.other]
    more = heads_file(tmp_path / "more.mat", several)
    turned = heads_file(tmp_path / "turned.mat", world.valid[::-1])
    strangers = World(tmp_path / "strangers", train=[Someone("9.jpg", np.full((16, 2), 50.0), [1.0] * 16)])
    strangers.root.mkdir()
    cases: list[tuple[tuple[Any, ...], str]] = [
        ((tmp_path / "nowhere.json",), r"cannot read .*nowhere\.json"),
        ((tmp_path,), "cannot read"),
        ((tmp_path / "deep.json",), "is not JSON"),
        ((tmp_path / "cut.mat",), r"cut\.mat cannot be read as MPII's annotations"),
        ((tmp_path / "new.mat",), r"new\.mat cannot be read as MPII's annotations"),
        ((tmp_path / "lsp.mat",), r"name mpii_human_pose_v1_u12_1\.mat"),
        ((heads,), r"name mpii_human_pose_v1_u12_1\.mat"),
        ((tmp_path / "hdf.h5",), "HDF5"),
        ((train, valid, more), "has the heads of 3 people, the validation half has 2"),
        ((train, valid, turned), r"turned\.mat: person 1 is not that of 060111501\.jpg: the orders differ"),
        ((train, valid, tmp_path / "cut.mat"), "cannot be read as MPII's annotations"),
        ((train, valid, tmp_path / "flat.mat"), r"flat\.mat cannot be read as head boxes \(headboxes_src is of shape"),
        ((train, valid, tmp_path / "lsp.mat"), "cannot be read as MPII's annotations"),
        ((train, valid, strangers.mat()), "has none of the people"),
        ((valid, valid), "nobody is left for training"),
        ((world.mat("flags.mat", img_train=np.ones((1, 3))),), "10 pictures and 3 flags"),
        ((world.mat("empty.mat", annolist=EMPTY),), "0 pictures and 10 flags"),
    ]
    for arguments, message in cases:
        with pytest.raises(DataError, match=message) as caught:
            install(*arguments)
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=r"has none of the 3 pictures, such as 015601864\.jpg"):
        mpii.install(tmp_path / "nowhere", train, folder=tmp_path / "mpii")
    with pytest.raises(DataError, match=r"name --images DIR and --annotations FILE, or let --download"):
        mpii.install(folder=tmp_path / "mpii")
    world.train[1].picture = "../../evil.jpg"
    with pytest.raises(DataError, match=r"person 2: the picture '\.\./\.\./evil\.jpg' leads out"):
        install(world.mat())


def test_hostile_official_structs(world: World) -> None:
    """Fields of other types than they should be make missing labels, not tracebacks."""
    rect = world.train[0].rect()
    points = [{"x": 1.0, "y": 2.0, "id": k} for k in (99.0, -1.0, 2.5, "x", EMPTY, np.ones((2, 2)))]
    points += [{"x": "wide", "y": EMPTY, "id": 3.0}, {"x": 5.0, "y": 6.0, "id": 4.0}]
    rect["annopoints"] = struct({"point": struct(*points)})
    rect["x1"], rect["scale"], rect["objpos"] = "left", struct({"a": 1}), 7.0
    entry = {"image": struct({"name": "1.jpg"}), "annorect": struct(rect)}
    people = read_official(world.mat(annolist=struct(entry), img_train=np.uint8(1)))
    assert people.labelled[0].nonzero()[0].tolist() == [3, 4]
    assert np.isnan(people.points[0, 3]).all()
    assert people.points[0, 4].tolist() == [4.5, 5.5]
    assert np.isnan([people.head[0], people.scale[0], *people.center[0]]).all()
