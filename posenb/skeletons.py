"""Joint sets as data: names, limbs, the left-right permutation, reference lengths, and maps between sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Skeleton:
    """A joint set of K joints.

    Attributes:
        name: the set's name, as in data sets' papers.
        joints: the K joint names, in the order of the data set's own annotation.
        limbs: pairs of joint indices that are drawn as lines.
        flip: permutation of K indices; joint ``k`` of a mirrored picture is joint ``flip[k]`` of the picture.
        reference: pairs of joint indices; the mean of their distances is the length that PCK refers to.
            For bodies the two diagonals of the torso, shoulder to opposite hip; for the hand the palm.
    """

    name: str
    joints: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]
    flip: tuple[int, ...]
    reference: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.joints)

    def index(self, *names: str) -> tuple[int, ...]:
        """Indices of the joints with these names. Raises ValueError for a name that the set lacks."""
        return tuple(self.joints.index(name) for name in names)

    def reference_length(self, points: Tensor) -> Tensor:
        """The PCK reference of each pose, ``(B,)``, in the unit of ``points (B, K, 2)``.

        Raises:
            ValueError: for a set without reference, such as one of the user's own that has no torso.
        """
        if not self.reference:
            raise ValueError(f"the joint set {self.name!r} has no reference length")
        first, second = torch.tensor(self.reference).T
        return (points[:, first] - points[:, second]).norm(dim=-1).mean(dim=-1)

    @classmethod
    def from_description(cls, described: Mapping[str, Any]) -> Skeleton:
        """The set that ``dataclasses.asdict`` described, after its way through JSON."""

        def pairs(name: str) -> tuple[tuple[int, int], ...]:
            return tuple((a, b) for a, b in described[name])

        joints, flip = tuple(described["joints"]), tuple(described["flip"])
        return cls(described["name"], joints, pairs("limbs"), flip, pairs("reference"))


def _skeleton(name: str, joints: str, limbs: str, reference: str) -> Skeleton:
    """Build a set from words; left and right joints pair up by their names."""
    names = tuple(joints.split())
    place = {joint: k for k, joint in enumerate(names)}

    def mirrored(joint: str) -> str:
        side, _, rest = joint.partition("_")
        return f"{ {'left': 'right', 'right': 'left'}[side] }_{rest}" if side in ("left", "right") else joint

    def pairs(words: str) -> tuple[tuple[int, int], ...]:
        return tuple((place[a], place[b]) for a, b in (word.split("-") for word in words.split()))

    flip = tuple(place[mirrored(joint)] for joint in names)
    return Skeleton(name, names, pairs(limbs), flip, pairs(reference))


_TORSO = "right_shoulder-left_hip left_shoulder-right_hip"
_ARMS_AND_LEGS = (
    "right_shoulder-right_elbow right_elbow-right_wrist left_shoulder-left_elbow left_elbow-left_wrist "
    "right_hip-right_knee right_knee-right_ankle left_hip-left_knee left_knee-left_ankle"
)
_SIDES = "right_shoulder-right_hip left_shoulder-left_hip right_hip-left_hip"

LSP14 = _skeleton(
    "LSP14",
    "right_ankle right_knee right_hip left_hip left_knee left_ankle right_wrist right_elbow right_shoulder "
    "left_shoulder left_elbow left_wrist neck head_top",
    f"{_ARMS_AND_LEGS} {_SIDES} neck-right_shoulder neck-left_shoulder neck-head_top",
    _TORSO,
)
MPII16 = _skeleton(
    "MPII16",
    "right_ankle right_knee right_hip left_hip left_knee left_ankle pelvis thorax upper_neck head_top "
    "right_wrist right_elbow right_shoulder left_shoulder left_elbow left_wrist",
    f"{_ARMS_AND_LEGS} right_hip-pelvis left_hip-pelvis pelvis-thorax thorax-right_shoulder "
    "thorax-left_shoulder thorax-upper_neck upper_neck-head_top",
    _TORSO,
)
COCO17 = _skeleton(
    "COCO17",
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
    "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle",
    f"{_ARMS_AND_LEGS} {_SIDES} left_shoulder-right_shoulder nose-left_eye nose-right_eye left_eye-left_ear "
    "right_eye-right_ear",
    _TORSO,
)
AIC14 = _skeleton(
    "AIC14",
    "right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee "
    "right_ankle left_hip left_knee left_ankle head_top neck",
    f"{_ARMS_AND_LEGS} {_SIDES} neck-right_shoulder neck-left_shoulder neck-head_top",
    _TORSO,
)

_FINGERS = ("thumb", "index", "middle", "ring", "little")
HAND21 = _skeleton(
    "HAND21",
    " ".join(["wrist", *(f"{finger}{k}" for finger in _FINGERS for k in (1, 2, 3, 4))]),
    " ".join(f"wrist-{f}1 {f}1-{f}2 {f}2-{f}3 {f}3-{f}4" for f in _FINGERS),
    "wrist-middle1",
)
# STB marks the middle of the palm and no wrist: another place, so another name, and maps between the sets mask it
STB21 = _skeleton(
    "STB21",
    " ".join(HAND21.joints).replace("wrist", "palm"),
    " ".join(f"palm-{f}1 {f}1-{f}2 {f}2-{f}3 {f}3-{f}4" for f in _FINGERS),
    "palm-middle1",
)

# The same place under another name. LSP and AIC mark one neck; MPII has the upper neck, and the thorax below.
_SAME_PLACE = {"neck": "upper_neck"}


def joint_map(source: Skeleton, target: Skeleton) -> tuple[int, ...]:
    """For each joint of ``target`` its index in ``source``, or -1 where ``source`` has no such joint."""
    place = {_SAME_PLACE.get(joint, joint): k for k, joint in enumerate(source.joints)}
    return tuple(place.get(_SAME_PLACE.get(joint, joint), -1) for joint in target.joints)


def convert(points: Tensor, visible: Tensor, source: Skeleton, target: Skeleton) -> tuple[Tensor, Tensor]:
    """Points ``(B, K, 2)`` and ``visible (B, K)`` of one set as those of another; missing joints are masked.

    Joints that ``source`` lacks come out as NaN with visible False, so that nobody can mistake them for labels.
    """
    index = torch.tensor(joint_map(source, target))
    missing = index < 0
    index = index.clamp(min=0)
    moved = points[:, index].masked_fill(missing[:, None], float("nan"))
    return moved, visible[:, index] & ~missing
