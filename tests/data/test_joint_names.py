"""Joint sets from the names that annotation files use."""

from __future__ import annotations

import pytest

from posenb.data.joint_names import named
from posenb.skeletons import AIC14, COCO17, MPII16


@pytest.mark.parametrize(
    "pair",
    [
        ("left_eye", "right_eye"),
        ("L_Eye", "R_Eye"),
        ("eye_left", "eye_right"),
        ("Left Eye", "Right Eye"),
        ("leftEye", "rightEye"),
        ("LEye", "REye"),
        ("eyeL", "eyeR"),
        ("eye.l", "eye.r"),
        ("left-eye", "right-eye"),
        ("lefteye", "righteye"),
        ("eyeleft", "eyeright"),
        ("leye", "reye"),
        ("LEFT_EYE", "RIGHT_EYE"),
    ],
)
def test_left_and_right_are_paired_by_name(pair: tuple[str, str]) -> None:
    found = named("x", ["nose", pair[1], "lip", pair[0]], []).skeleton
    assert found.flip == (0, 3, 2, 1)
    assert found.joints == ("nose", "right_eye", "lip", "left_eye")


def test_names_that_cannot_be_paired_stay() -> None:
    odd = ["left_fin", "Left Eye", "l_eye", "right_eye", "rib", "nose", "Nose", "手", "right"]
    found = named("x", odd, [])
    assert found.skeleton.flip == tuple(range(len(odd)))  # two left eyes and one right one: no telling
    assert found.skeleton.joints == tuple(odd)  # 'nose' and 'Nose' would fall together
    assert found.alone == ("left_fin", "Left Eye", "l_eye", "right_eye", "right")
    assert named("x", ["lib", "rib"], []).skeleton.flip == (0, 1)
    assert named("x", ["medial_left_bow", "medial_right_bow"], []).skeleton.flip == (1, 0)


def test_lines_count_from_one_or_from_nought() -> None:
    joints = ["a", "b", "c"]
    assert named("x", joints, [[1, 2], [2, 3]]).skeleton.limbs == ((0, 1), (1, 2))
    assert named("x", joints, [[0, 1], [1, 2]]).skeleton.limbs == ((0, 1), (1, 2))
    assert named("x", joints, [[1, 2], [3, 3], [1, 4], [-1, 2], None, [True, 2], [1, 2]]).skeleton.limbs == ((0, 1),)
    for lines in (None, {}, "1-2", 3):
        assert named("x", joints, lines).skeleton.limbs == ()


def test_known_joint_sets_are_recognised() -> None:
    for known in (COCO17, MPII16, AIC14):
        written = [" ".join(joint.split("_")).title() for joint in known.joints]
        assert named("person", written, []).skeleton is known


def test_torso_is_the_reference_where_there_is_one() -> None:
    joints = ["L_Shoulder", "R_Shoulder", "L_Hip", "R_Hip", "tail"]
    assert named("dog", joints, []).skeleton.reference == ((1, 2), (0, 3))
    assert named("dog", joints[:3], []).skeleton.reference == ()
