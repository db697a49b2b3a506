"""A joint set from the names and lines that an annotation file gives: left and right are paired by the names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from posenb.skeletons import AIC14, COCO17, HAND21, LSP14, MPII16, Skeleton

_SIDES = {"left": "left", "right": "right", "l": "left", "r": "right"}
_DIAGONALS = (("right_shoulder", "left_hip"), ("left_shoulder", "right_hip"))


@dataclass(frozen=True)
class Named:
    """A joint set, and what its names left open.

    Attributes:
        skeleton: the set; one that posenb knows where the names are that one's.
        alone: names with a side whose other side is missing; they keep their place in mirrored pictures.
        lost: how many of the file's lines join no two joints.
    """

    skeleton: Skeleton
    alone: tuple[str, ...]
    lost: int


def named(name: str, joints: Sequence[str], lines: Any) -> Named:
    """The joint set of names and of 1-based pairs of joints.

    Names are written as posenb writes them: small letters, ``left_`` or ``right_`` in front where both sides exist. So
    'L_Eye', 'leftEye', 'Eye Left' all become 'left_eye', and metrics and maps between sets know them.

    Args:
        name: what the set is called.
        joints: the file's K names, all different.
        lines: the file's pairs, 1-based as COCO's are; pairs from 0 to K - 1 are understood too.
    """
    plain = ["_".join(_words(joint)) or joint for joint in joints]
    partner, renamed = _paired(joints)
    names = [renamed.get(k, word) for k, word in enumerate(plain)]
    if len(set(names)) < len(names):  # two names differ only in their writing
        names = list(joints)
    limbs, lost = _limbs(lines, len(joints))
    for known in (COCO17, MPII16, AIC14, LSP14, HAND21):
        if tuple(names) == known.joints:
            return Named(known, (), lost)
    flip = tuple(partner.get(k, k) for k in range(len(names)))
    alone = tuple(joints[k] for k in range(len(names)) if flip[k] == k and any(_trusted(joints[k])))
    have_torso = all(joint in names for pair in _DIAGONALS for joint in pair)
    reference = tuple((names.index(a), names.index(b)) for a, b in _DIAGONALS) if have_torso else ()
    return Named(Skeleton(name, tuple(names), limbs, flip, reference), alone, lost)


def _words(name: str) -> list[str]:
    """The words of a name in small letters: 'leftFront_Paw2' is left, front, paw2."""
    apart = re.sub(r"(?<=[a-z\d])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return [word.lower() for word in re.split(r"[\W_]+", apart) if word]


def _trusted(name: str) -> Iterator[tuple[str, str]]:
    """Readings of a name as (side, joint) where the side is a word of its own: 'L_Eye', 'eye left'."""
    words = _words(name)
    for k, word in enumerate(words):
        if word in _SIDES:
            yield _SIDES[word], "_".join(words[:k] + words[k + 1 :])


def _glued(name: str) -> Iterator[tuple[str, str]]:
    """Readings where it is part of a word: 'lefteye', 'eyeright', 'lsho'."""
    words = _words(name)
    for k, word in enumerate(words):
        for pattern in (r"(left|right)(\w+)", r"(?P<rest>\w+)(?P<side>left|right)", r"([lr])(\w{3,})"):
            if found := re.fullmatch(pattern, word):
                side, rest = found.group("side", "rest") if "side" in found.groupdict() else found.groups()
                yield _SIDES[side], "_".join([*words[:k], rest, *words[k + 1 :]])


def _paired(joints: Sequence[str]) -> tuple[dict[int, int], dict[int, str]]:
    """The other side of each joint that has one, and its name; readings that need less trust come later."""
    partner: dict[int, int] = {}
    renamed: dict[int, str] = {}
    for readings in (_trusted, _glued):
        found: dict[tuple[str, str], list[int]] = {}
        for k, name in enumerate(joints):
            if k not in partner:
                for reading in readings(name):
                    found.setdefault(reading, []).append(k)
        for (side, rest), places in found.items():
            others = found.get(("right", rest), [])
            if side != "left" or len(places) != 1 or len(others) != 1:
                continue
            left, right = places[0], others[0]
            if left != right and left not in partner and right not in partner:
                partner |= {left: right, right: left}
                renamed |= {left: f"left_{rest}".strip("_"), right: f"right_{rest}".strip("_")}
    return partner, renamed


def _limbs(lines: Any, count: int) -> tuple[tuple[tuple[int, int], ...], int]:
    """Pairs of joint indices from a file's pairs, and how many of those are none."""
    given = lines if isinstance(lines, list) else []
    pairs = [
        (line[0], line[1])
        for line in given
        if isinstance(line, list) and len(line) == 2 and all(type(end) is int for end in line)
    ]
    first = 0 if any(0 in pair for pair in pairs) and all(max(pair) < count for pair in pairs) else 1
    good = [(a - first, b - first) for a, b in pairs if a != b and all(first <= end < count + first for end in (a, b))]
    return tuple(dict.fromkeys(good)), len(given) - len(good)
