"""Synthetic people and hands: the same for the same seed, labels exactly on the picture, a store that mends itself."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from posenb.data import PoseDataset, synthetic
from posenb.data.synthetic import cache as store
from posenb.data.synthetic.anatomy import INDEX, Build, pose
from posenb.data.synthetic.covers import Cover, occluded
from posenb.data.synthetic.draws import BLOCK, Array, Draws
from posenb.data.synthetic.hand_anatomy import gestures, pose_hand
from posenb.data.synthetic.paint import Film, paint
from posenb.data.synthetic.poses import ANGLES, NAMES, mirrored, named
from posenb.data.synthetic.scenery import Backdrop
from posenb.data.synthetic.shapes import Shapes, cap, ellipsoid, facing, inside, limb, near_limb
from posenb.skeletons import AIC14, COCO17, HAND21, LSP14, MPII16, Skeleton

Maker = Callable[..., PoseDataset]
MAKERS: dict[str, Maker] = {"body": synthetic.body, "hand": synthetic.hand, "sequence": synthetic.sequence}


def same(a: PoseDataset, b: PoseDataset) -> bool:
    fields = ("images", "points", "visible", "occluded", "reference")
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in fields)


def average_build(count: int = 1) -> Build:
    def full(value: float) -> Array:
        return np.full(count, value)

    lengths = (0.112, 0.066, 0.285, 0.045, 0.15, 0.172, 0.148, 0.245, 0.24, 1.0, 0.0)
    return Build(*map(full, lengths))


@pytest.mark.parametrize("kind", MAKERS)
def test_same_seed_same_pictures_whatever_the_count(kind: str) -> None:
    make = MAKERS[kind]
    many = make(BLOCK + 20, size=16, seed=5, cache=False)
    few = make(BLOCK + 3, size=16, seed=5, cache=False)
    assert same(many[: BLOCK + 3], few)
    assert same(make(4, size=16, seed=5, cache=False), few[:4])
    other = make(4, size=16, seed=6, cache=False)
    assert not torch.equal(other.images, few.images[:4])
    assert (other.points - few.points[:4]).abs().max() > 0.5


@pytest.mark.parametrize(("size", "margin"), [(32, 0), ((24, 40), 0), ((40, 24), 6)])
@pytest.mark.parametrize("make", [synthetic.body, synthetic.hand])
def test_sizes_margins_and_memory_layout(make: Maker, size: int | tuple[int, int], margin: int) -> None:
    data = make(6, size=size, margin=margin, cache=False)
    h, w = (size, size) if isinstance(size, int) else size
    assert data.images.shape == (6, 3, h + 2 * margin, w + 2 * margin)
    assert data.size == (h, w)
    assert data.images.permute(0, 2, 3, 1).is_contiguous()
    plain = make(6, size=size, cache=False)
    assert torch.allclose(data.cropped().points, plain.points, atol=1e-4)


@pytest.mark.parametrize("skeleton", [LSP14, MPII16, COCO17, AIC14])
def test_joint_sets_label_the_same_pictures(skeleton: Skeleton) -> None:
    base = synthetic.body(8, size=32, cache=False)
    data = synthetic.body(8, size=32, skeleton=skeleton, cache=False)
    assert torch.equal(data.images, base.images)
    assert torch.equal(data.reference, base.reference)
    assert data.points.isfinite().all()
    for k, joint in enumerate(skeleton.joints):
        name = "upper_neck" if joint == "neck" else joint
        if name in MPII16.joints:
            assert torch.equal(data.points[:, k], base.points[:, MPII16.index(name)[0]])


def test_visible_is_inside_the_stored_image() -> None:
    data = synthetic.body(BLOCK, size=32, difficulty=1.0, cache=False)
    inside_image = ((data.points >= 0) & (data.points <= 32)).all(-1)
    assert torch.equal(data.visible, inside_image)
    assert 0.02 < (~data.visible).float().mean() < 0.4
    wide = synthetic.body(BLOCK, size=32, difficulty=1.0, margin=16, cache=False)
    assert (~wide.visible).float().mean() < (~data.visible).float().mean()


def test_easy_people_are_whole_large_and_hardly_occluded() -> None:
    data = synthetic.body(200, size=64, difficulty=0.0, cache=False)
    assert data.visible.all()
    extent = (data.points.amax(1) - data.points.amin(1)).amax(-1) / 64
    assert ((extent > 0.68) & (extent < 0.85)).all()
    assert data.occluded.float().mean() < 0.15


def test_difficulty_hides_more_and_spreads_poses() -> None:
    levels = [synthetic.body(BLOCK, size=16, difficulty=d, cache=False) for d in (0.0, 0.5, 1.0)]
    hidden = [(d.occluded | ~d.visible).float().mean().item() for d in levels]
    spread = [(d.points[:, 0] / 16).std(0).mean().item() for d in levels]
    scales = [d.reference.log().std().item() for d in levels]
    for measured in (hidden, spread, scales):
        assert measured[0] < measured[1] < measured[2], measured


def test_who_shows_the_face_has_the_left_side_on_the_right() -> None:
    data = synthetic.body(BLOCK, size=32, difficulty=0.0, skeleton=COCO17, cache=False)
    eyes = data.occluded[:, list(COCO17.index("left_eye", "right_eye"))]
    for part in ("shoulder", "hip", "ear"):
        left, right = COCO17.index(f"left_{part}", f"right_{part}")
        across = data.points[:, left, 0] - data.points[:, right, 0]
        assert (across[~eyes.any(1)] > 0).all()
        assert (across[eyes.all(1)] < 0).float().mean() > 0.9
    assert 0.6 < (~eyes.any(1)).float().mean() < 0.95


def test_front_back_and_profile_of_one_pose() -> None:
    yaw = np.array([0.0, 180.0, 90.0, -90.0])
    zero = np.zeros(4)
    person = pose(named("stand", 4), average_build(4), yaw, zero, zero)
    left, right = person.joints[:, INDEX["left_shoulder"]], person.joints[:, INDEX["right_shoulder"]]
    assert left[0, 0] > right[0, 0] + 0.2
    assert left[1, 0] < right[1, 0] - 0.2
    # turned to their own left, people show the right side, and look to the image's right
    assert right[2, 2] > left[2, 2]
    assert left[3, 2] > right[3, 2]
    nose, head = person.joints[:, INDEX["nose"], 0], person.head_center[:, 0]
    assert nose[2] > head[2] and nose[3] < head[3]
    heights = person.joints[:, INDEX["right_ankle"], 1] - person.joints[:, INDEX["head_top"], 1]
    assert heights == pytest.approx(np.full(4, 0.96), abs=0.05)


def test_mirrored_angles_give_the_mirrored_pose() -> None:
    angles = Draws(0, 0, "test").normal(len(ANGLES))[:20] * 20
    build, yaw, zero = average_build(20), np.linspace(-170, 170, 20), np.zeros(20)
    there = pose(angles, build, yaw, zero, zero).joints
    back = pose(mirrored(angles), build, -yaw, zero, zero).joints
    swap = [INDEX[_other_side(name)] for name in INDEX]
    assert np.allclose(back[:, swap] * [-1, 1, 1], there, atol=1e-9)


def _other_side(name: str) -> str:
    return name.replace("left", "#").replace("right", "left").replace("#", "right")


@pytest.mark.parametrize("name", NAMES)
def test_bones_keep_their_lengths_in_every_key_pose(name: str) -> None:
    person = pose(named(name), average_build(), np.array([40.0]), np.array([10.0]), np.array([20.0])).joints[0]
    for start, end, length in (
        ("left_elbow", "left_wrist", 0.148),
        ("right_shoulder", "right_elbow", 0.172),
        ("left_hip", "left_knee", 0.245),
        ("right_knee", "right_ankle", 0.24),
        ("upper_neck", "head_top", 0.15),
    ):
        assert np.linalg.norm(person[INDEX[start]] - person[INDEX[end]]) == pytest.approx(length)


def test_hand_bones_keep_their_lengths() -> None:
    right = np.ones(BLOCK)
    bend = np.zeros((BLOCK, 2))
    joints = pose_hand(gestures(Draws(3, 0, "test"), 1.0), right, bend).joints
    for first, second in HAND21.limbs:
        lengths = np.linalg.norm(joints[:, first] - joints[:, second], axis=-1)
        assert np.ptp(lengths) < 1e-9, (HAND21.joints[first], HAND21.joints[second])
    assert np.linalg.norm(joints[:, 9] - joints[:, 0], axis=-1) == pytest.approx(np.ones(BLOCK), abs=0.01)


def test_left_hands_are_mirrored_right_ones() -> None:
    numbers = gestures(Draws(3, 0, "test"), 0.3)[:2]
    numbers[:, 7:] = 0
    bend = np.zeros((2, 2))
    right = pose_hand(numbers, np.ones(2), bend).joints
    left = pose_hand(numbers, -np.ones(2), bend).joints
    assert np.allclose(left * [-1, 1, 1], right)
    # fingers up and the palm towards the viewer, a right hand has its thumb on the image's right
    assert right[0, 2, 0] > right[0, 9, 0] and right[0, 9, 1] < 0


def test_paint_agrees_with_labels_to_a_fraction_of_a_pixel() -> None:
    count, size = 40, 48
    rng = np.random.default_rng(0)
    center = rng.uniform(14, 34, (count, 2))
    shape = limb(center - 0.5, center + 0.5, np.full((count, 2), 4.0))
    nothing, white = Shapes(), Shapes()
    nothing.add(shape, np.zeros(3), active=False)
    white.add(shape, np.full(3, 200.0))
    dark = np.zeros((count, 3))
    backdrop = Backdrop(dark, dark, np.full((count, 16, 16, 3), 128, np.uint8), nothing)
    grain = np.zeros((size, size, 3), np.int16)
    film = Film(np.ones(count), np.zeros(count), np.zeros(count), grain, np.zeros((count, 2), np.int64))
    images = np.empty((count, size, size, 3), np.uint8)
    paint(images, backdrop, [white], film)
    weight = images[..., 0].astype(np.float64)
    grid = np.arange(size) + 0.5
    x = (weight.sum(1) * grid).sum(1) / weight.sum((1, 2))
    y = (weight.sum(2) * grid).sum(1) / weight.sum((1, 2))
    error = np.stack([x, y], 1) - center
    assert np.abs(error).max() < 0.1
    assert np.abs(error.mean(0)).max() < 0.03


def test_occlusion_follows_the_painter() -> None:
    def cover(covered: list[bool], own: list[bool], depth: float) -> Cover:
        return Cover(np.array([covered]), np.array([own]), np.array([depth]))

    torso = cover([True, True, False], [True, False, False], 0.0)
    arm = cover([False, True, True], [False, True, True], 1.0)
    assert occluded([torso, arm]).tolist() == [[False, False, False]]
    behind = cover([False, True, True], [False, True, True], -1.0)
    assert occluded([torso, behind]).tolist() == [[False, True, False]]


def test_geometry_of_covers() -> None:
    points = np.array([[[5.0, 5.0], [9.5, 5.0], [5.0, 8.0]]])
    start, end, radius = np.array([[2.0, 5.0]]), np.array([[8.0, 5.0]]), np.array([2.0])
    assert near_limb(points, start, end, radius, radius).tolist() == [[True, True, False]]
    square = np.array([[[4.0, 4.0], [6.0, 4.0], [6.0, 9.0], [4.0, 9.0]]])
    assert inside(points, square).tolist() == [[True, False, True]]
    ball = np.eye(3)[None] * [2.0, 3.0, 4.0]
    outline = ellipsoid(np.zeros((1, 3)), ball)
    assert outline[..., 0].max() == pytest.approx(2) and outline[..., 1].max() == pytest.approx(3, abs=0.05)
    patch = cap(np.zeros((1, 3)), ball, np.array([[0.0, 0.0, 1.0]]), 30.0)
    assert np.abs(patch[..., 0]).max() == pytest.approx(1, abs=0.02)
    assert facing(ball, np.array([0.0, 0.0, 1.0])) == pytest.approx(1) and facing(ball, np.array([1.0, 0, 0])) == 0


@pytest.mark.parametrize("kind", ["body", "hand"])
def test_frames_of_a_sequence_are_nearly_equal(kind: str) -> None:
    data = synthetic.sequence(60, size=64, kind=kind, step=0.05, cache=False)
    moved = (data.points[1:] - data.points[:-1]).norm(dim=-1).mean(-1)
    assert 0 < moved.mean() < 2.5
    assert moved.max() < 6
    assert (data.points[0] - data.points[30]).norm(dim=-1).mean() > 2
    images = data.images.float()
    near = (images[1:] - images[:-1]).abs().mean()
    assert near < 0.5 * (images[:30] - images[30:]).abs().mean()
    slow = synthetic.sequence(60, size=64, kind=kind, step=0.02, cache=False)
    assert (slow.points[1:] - slow.points[:-1]).norm(dim=-1).mean() < moved.mean()


def test_scene_heights_and_points() -> None:
    scene = synthetic.scene(BLOCK, size=(64, 96), difficulty=0.2, cache=False)
    data = scene.dataset
    assert data.images.shape == (BLOCK, 3, 64, 96)
    assert scene.height.shape == (BLOCK,) and scene.height.dtype == torch.float32
    share = scene.height / 64
    assert share.min() >= 0.25 and share.max() <= 0.95 and share.std() > 0.1
    top, ankle = MPII16.index("head_top", "right_ankle")
    upright = (data.points[:, ankle, 1] - data.points[:, top, 1]) / scene.height
    assert 0.8 < upright.median() < 1.0
    assert data.points[:, top, 0].std() > 15


def test_reference_and_head_are_sane() -> None:
    data = synthetic.body(200, size=64, difficulty=0.5, cache=False)
    flat = MPII16.reference_length(data.points)
    assert (data.reference >= flat - 1e-3).all()
    assert (data.reference > flat + 1).any()
    assert (data.reference / flat).median() == pytest.approx(1, abs=1e-3)
    assert ((data.head / data.reference > 0.1) & (data.head / data.reference < 1.0)).all()
    palms = synthetic.hand(50, size=64, cache=False)
    assert palms.head.isnan().all() and (palms.reference > 5).all()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POSENB_HOME", str(tmp_path))
    return tmp_path / "data" / "synthetic"


def test_store_is_read_and_damage_is_mended(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # not the stored one: that is a map of the file that is damaged below
    first = synthetic.body(5, size=24, cache=False)
    assert not home.exists()
    assert same(first, synthetic.body(5, size=24))
    images, labels = sorted(home.glob("*.np?"))
    assert (images.suffix, labels.suffix) == (".npy", ".npz")
    calls: list[int] = []
    whole = store._render_all

    def counted(images: np.ndarray, render: store.Render) -> store.Labels:
        calls.append(1)
        return whole(images, render)

    monkeypatch.setattr(store, "_render_all", counted)
    assert same(first, synthetic.body(5, size=24)) and not calls
    for damage, file in enumerate((images, labels, images), 1):
        content = file.read_bytes()
        flipped = content[:-200] + bytes(200) if damage == 3 else content[: len(content) // 2]
        file.write_bytes(flipped)
        assert same(first, synthetic.body(5, size=24))
        assert len(calls) == damage
        assert file.read_bytes() == content
    assert sorted(home.iterdir()) == [images, labels]


def test_a_caller_cannot_change_the_store(home: Path) -> None:
    synthetic.hand(3, size=24).images.zero_()
    assert synthetic.hand(3, size=24).images.float().mean() > 10


def test_two_at_once_do_no_harm(home: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: synthetic.body(20, size=24), range(2))
    assert same(first, second)


def failing(number: int) -> Callable[..., None]:
    def fail(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_full_disk_is_told_in_one_line_and_nothing_stays(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", failing(errno.ENOSPC), raising=False)
        with pytest.raises(OSError, match=rf"^cannot write {home}/\w+\.npy: No space left on device$"):
            synthetic.body(3, size=16)
    assert not list(home.iterdir())
    assert same(synthetic.body(3, size=16), synthetic.body(3, size=16, cache=False))


@pytest.mark.parametrize("way", ["reserved", "cannot reserve", "no call for it"])
def test_room_is_taken_before_the_file_is_mapped(home: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    if way == "cannot reserve":
        monkeypatch.setattr(os, "posix_fallocate", failing(errno.EOPNOTSUPP), raising=False)
    if way == "no call for it":
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    taken: list[tuple[int, int]] = []

    def look(path: Path, mode: str, real: Callable[..., np.memmap] = np.lib.format.open_memmap) -> np.memmap:
        about = path.stat()
        taken.append((about.st_size, about.st_blocks * 512))
        return real(path, mode)

    monkeypatch.setattr(np.lib.format, "open_memmap", look)
    shape = (3, 800, 600, 3)  # larger than a chunk of zeros
    home.mkdir(parents=True)
    images = store._mapped(home / "new", shape)
    monkeypatch.undo()
    ((size, room),) = taken
    assert room >= size == images.offset + images.nbytes
    # byte for byte what NumPy writes
    np.lib.format.open_memmap(home / "numpy", "w+", np.uint8, shape).flush()
    assert (home / "new").read_bytes() == (home / "numpy").read_bytes()


def test_what_a_killed_process_left_is_removed_by_the_next_that_writes(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []
    whole = store._render_all

    def look(images: np.ndarray, render: store.Render) -> store.Labels:
        names.extend(path.name for path in home.iterdir())
        return whole(images, render)

    with monkeypatch.context() as patch:
        patch.setattr(store, "_render_all", look)
        synthetic.body(5, size=16)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (mine,) = names
    assert f".{os.getpid()}." in mine
    left = home / mine.replace(f".{os.getpid()}.", f".{ended.pid}.")
    kept = {home / mine.replace(f".{os.getpid()}.", f".{number}.") for number in (os.getpid(), os.getppid())}
    for path in (left, *kept):
        path.touch()
    assert same(synthetic.body(5, size=16), synthetic.body(5, size=16, cache=False))
    assert left.exists(), "nothing was written"
    synthetic.body(3, size=16)
    assert not left.exists()
    assert set(home.iterdir()) == kept | set(home.glob("*.np?")), "of processes that still run"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"count": 0}, "count must be at least 1"),
        ({"size": 15}, "size must be between 16 and 2048"),
        ({"size": (64, 8)}, "64 x 8"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"difficulty": 1.5}, "difficulty must lie in"),
        ({"difficulty": float("nan")}, "difficulty must lie in"),
        ({"margin": -2}, "margin must be at least 0"),
        ({"skeleton": HAND21}, "HAND21"),
    ],
)
def test_wrong_arguments_are_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        synthetic.body(**({"count": 2, "cache": False} | wrong))
    assert "\n" not in str(caught.value)


def test_wrong_kind_and_step_are_named() -> None:
    with pytest.raises(ValueError, match="kind must be"):
        synthetic.sequence(2, kind="cat")
    with pytest.raises(ValueError, match="step must lie"):
        synthetic.sequence(2, step=0)
