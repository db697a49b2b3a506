"""Joint sets: orders as published, permutations that agree with the names, and maps between sets."""

import dataclasses

import pytest
import torch

from posenb.skeletons import AIC14, COCO17, HAND21, LSP14, MPII16, convert, joint_map

ALL = (LSP14, MPII16, COCO17, AIC14, HAND21)
BODIES = ALL[:-1]

# copied from the data sets' own documentation, in their words
LSP_README = (
    "Right ankle, Right knee, Right hip, Left hip, Left knee, Left ankle, Right wrist, Right elbow, Right shoulder, "
    "Left shoulder, Left elbow, Left wrist, Neck, Head top"
)
MPII_PAGE = (
    "r ankle, r knee, r hip, l hip, l knee, l ankle, pelvis, thorax, upper neck, head top, r wrist, r elbow, "
    "r shoulder, l shoulder, l elbow, l wrist"
)
COCO_CATEGORIES = (
    "nose, left_eye, right_eye, left_ear, right_ear, left_shoulder, right_shoulder, left_elbow, right_elbow, "
    "left_wrist, right_wrist, left_hip, right_hip, left_knee, right_knee, left_ankle, right_ankle"
)
AIC_PAGE = (
    "right shoulder, right elbow, right wrist, left shoulder, left elbow, left wrist, right hip, right knee, "
    "right ankle, left hip, left knee, left ankle, head top, neck"
)


def words(published):
    sides = {"r": "right", "l": "left"}
    names = (joint.lower().replace("_", " ").split() for joint in published.split(", "))
    return tuple("_".join(sides.get(word, word) for word in name) for name in names)


@pytest.mark.parametrize(
    ("skeleton", "published"),
    [(LSP14, LSP_README), (MPII16, MPII_PAGE), (COCO17, COCO_CATEGORIES), (AIC14, AIC_PAGE)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_joints_stand_in_the_official_order(skeleton, published):
    assert skeleton.joints == words(published)


def test_the_hand_has_the_wrist_and_then_four_joints_a_finger_from_palm_to_tip():
    # FreiHAND, OneHand10K and Panoptic: 1-4 thumb, 5-8 index, 9-12 middle, 13-16 ring, 17-20 little
    assert HAND21.joints[0] == "wrist"
    assert [HAND21.joints[k] for k in (1, 4, 5, 8, 9, 13, 17, 20)] == [
        *("thumb1", "thumb4", "index1", "index4", "middle1", "ring1", "little1", "little4")
    ]
    assert all((4 * finger + k, 4 * finger + k + 1) in HAND21.limbs for finger in range(5) for k in (1, 2, 3))
    assert all((0, 4 * finger + 1) in HAND21.limbs for finger in range(5))


@pytest.mark.parametrize("skeleton", ALL, ids=lambda s: s.name)
class TestEverySkeleton:
    def test_the_name_ends_with_the_number_of_joints(self, skeleton):
        assert skeleton.name.endswith(str(len(skeleton)))
        assert len(set(skeleton.joints)) == len(skeleton) == len(skeleton.joints)

    def test_mirroring_twice_changes_nothing(self, skeleton):
        assert [skeleton.flip[k] for k in skeleton.flip] == list(range(len(skeleton)))

    def test_mirroring_swaps_left_and_right_by_name(self, skeleton):
        for joint, k in zip(skeleton.joints, skeleton.flip, strict=True):
            swapped = joint.replace("left_", "#").replace("right_", "left_").replace("#", "right_")
            assert skeleton.joints[k] == swapped

    def test_limbs_are_distinct_and_join_all_joints(self, skeleton):
        assert all(0 <= a < len(skeleton) and 0 <= b < len(skeleton) and a != b for a, b in skeleton.limbs)
        assert len({frozenset(limb) for limb in skeleton.limbs}) == len(skeleton.limbs)
        assert {k for limb in skeleton.limbs for k in limb} == set(range(len(skeleton)))

    def test_limbs_are_symmetric(self, skeleton):
        limbs = {frozenset(limb) for limb in skeleton.limbs}
        assert {frozenset(skeleton.flip[k] for k in limb) for limb in limbs} == limbs

    def test_the_reference_length_of_a_mirrored_pose_is_the_same(self, skeleton, generator):
        points = torch.rand(3, len(skeleton), 2, generator=generator)
        mirrored = points[:, list(skeleton.flip)] * torch.tensor([-1.0, 1.0])
        torch.testing.assert_close(skeleton.reference_length(mirrored), skeleton.reference_length(points))


def test_bodies_have_sides_and_the_hand_has_none():
    assert all(sum(k != i for i, k in enumerate(body.flip)) >= 12 for body in BODIES)
    assert HAND21.flip == tuple(range(21))


def test_index_finds_names_and_refuses_others():
    assert LSP14.index("neck", "right_ankle") == (12, 0)
    with pytest.raises(ValueError):
        LSP14.index("nose")


@pytest.mark.parametrize("body", BODIES, ids=lambda s: s.name)
def test_a_bodys_reference_is_the_mean_of_the_two_diagonals_of_its_torso(body):
    points = torch.full((1, len(body), 2), float("nan"))  # no other joint has a say
    corners = {
        "right_shoulder": (0.0, 0.0),
        "left_hip": (3.0, 4.0),  # 5 away
        "left_shoulder": (7.0, 0.0),
        "right_hip": (2.0, 12.0),  # 13 away
    }
    for name, place in corners.items():
        points[0, body.index(name)[0]] = torch.tensor(place)
    assert body.reference_length(points).tolist() == [9.0]


def test_a_hands_reference_is_the_palm():
    points = torch.full((2, 21, 2), float("nan"))
    points[:, 0], points[0, 9], points[1, 9] = 1.0, torch.tensor([4.0, 5.0]), torch.tensor([1.0, 3.0])
    assert HAND21.reference_length(points).tolist() == [5.0, 2.0]


@pytest.mark.parametrize("source", ALL, ids=lambda s: s.name)
@pytest.mark.parametrize("target", ALL, ids=lambda s: s.name)
def test_joints_map_to_joints_of_the_same_name(source, target):
    found = joint_map(source, target)
    assert len(found) == len(target)
    for joint, k in zip(target.joints, found, strict=True):
        same = {joint} | ({"neck", "upper_neck"} if joint in ("neck", "upper_neck") else set())
        # both directions: what is there is found, and what is found is the same
        assert (k == -1) == (not same & set(source.joints))
        assert k == -1 or source.joints[k] in same


def test_joint_map_of_lsp_for_mpii_by_hand():
    # the legs in the same order; no pelvis, no thorax; neck, head top; the arms
    assert joint_map(LSP14, MPII16) == (0, 1, 2, 3, 4, 5, -1, -1, 12, 13, 6, 7, 8, 9, 10, 11)


def test_convert_there_and_back_gives_what_both_sets_have(generator):
    points = torch.rand(3, 14, 2, generator=generator)
    visible = torch.rand(3, 14, generator=generator) < 0.5
    there = convert(points, visible, LSP14, MPII16)
    back, seen = convert(*there, MPII16, LSP14)
    assert torch.equal(back, points)
    assert torch.equal(seen, visible)


def test_convert_masks_joints_that_the_source_lacks():
    points, visible = torch.zeros(2, 14, 2), torch.ones(2, 14, dtype=torch.bool)
    moved, seen = convert(points, visible, LSP14, COCO17)
    face = list(range(5))
    assert not seen[:, face].any() and seen[:, 5:].all()
    assert moved[:, face].isnan().all() and not moved[:, 5:].isnan().any()
    assert visible.all() and not points.isnan().any(), "the arguments were changed"


def test_a_set_without_reference_says_so():
    with pytest.raises(ValueError, match="'LSP14' has no reference length"):
        dataclasses.replace(LSP14, reference=()).reference_length(torch.zeros(2, 14, 2))
