"""Plausibility of poses: hand-computed cases, and what must not change it."""

import dataclasses
import math

import pytest
import torch

from posenb.metrics import plausibility
from posenb.skeletons import LSP14, MPII16


@pytest.fixture
def people(generator):
    """Poses ``(40, 14, 2)``."""
    return torch.rand(40, 14, 2, generator=generator) * 50


def test_ratios_know_no_size_place_or_turn(people):
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]])
    moved = 3 * people @ turn + 7
    torch.testing.assert_close(
        plausibility.limb_ratios(moved, LSP14), plausibility.limb_ratios(people, LSP14), rtol=1e-4, atol=1e-4
    )
    torch.testing.assert_close(
        plausibility.asymmetry(moved, LSP14), plausibility.asymmetry(people, LSP14), rtol=1e-3, atol=1e-3
    )
    assert torch.allclose(plausibility.limb_ratios(people, LSP14).mean(dim=1), torch.ones(40))


def test_the_usual_range_leaves_out_its_tail(people):
    everyone = torch.ones(40, 14, dtype=torch.bool)
    usual = plausibility.limb_range(people, everyone, LSP14, tail=0.1)
    odd = plausibility.odd_limbs(people, LSP14, usual)
    assert odd.double().mean().item() == pytest.approx(0.1, abs=0.01)
    assert not plausibility.odd_limbs(people, LSP14, plausibility.limb_range(people, everyone, LSP14, 0.0)).any()


def test_a_stretched_limb_is_odd(people):
    usual = plausibility.limb_range(people, torch.ones(40, 14, dtype=torch.bool), LSP14, tail=0.0)
    broken = people.clone()
    ankle, knee = LSP14.index("left_ankle", "left_knee")
    broken[:, ankle] = broken[:, knee] + torch.tensor([5000.0, 0.0])
    limb = next(k for k, ends in enumerate(LSP14.limbs) if set(ends) == {ankle, knee})
    assert plausibility.odd_limbs(broken, LSP14, usual)[:, limb].all()


def test_poses_with_a_joint_missing_set_no_range(people):
    visible = torch.zeros(40, 14, dtype=torch.bool)
    with pytest.raises(ValueError, match="all its joints"):
        plausibility.limb_range(people, visible, LSP14)
    visible[:20] = True
    some = plausibility.limb_range(people, visible, LSP14)
    torch.testing.assert_close(some.low, plausibility.limb_range(people[:20], visible[:20], LSP14).low)


@pytest.mark.parametrize("skeleton", [LSP14, MPII16], ids=lambda skeleton: skeleton.name)
def test_a_mirror_image_of_one_side_is_symmetric(skeleton, generator):
    points = torch.rand(3, len(skeleton), 2, generator=generator) * 20
    for k, mirror in enumerate(skeleton.flip):
        if mirror > k:
            points[:, mirror] = points[:, k] * torch.tensor([-1.0, 1.0])
        elif mirror == k:
            points[:, k, 0] = 0
    found = plausibility.asymmetry(points, skeleton)
    torch.testing.assert_close(found, torch.zeros_like(found), atol=1e-5, rtol=0)
    knee, ankle = skeleton.index("left_knee", "left_ankle")
    points[:, ankle] = 3 * points[:, ankle] - 2 * points[:, knee]
    assert plausibility.asymmetry(points, skeleton).amax(dim=1).tolist() == pytest.approx([math.log2(3)] * 3)


def test_swaps_are_joints_at_their_mirror_joints_place(people):
    target, visible, reference = people[:3] * 20, torch.ones(3, 14, dtype=torch.bool), torch.full((3,), 10.0)
    left, right, neck = LSP14.index("left_wrist", "right_wrist", "neck")
    pred = target.clone()
    pred[0, left] = target[0, right] + 1  # swapped
    pred[1, neck] += 500  # wrong, but swapped with nobody
    pred[2, [left, right]] = target[2, [right, left]]
    found = plausibility.swaps(pred, target, visible, reference, LSP14)
    assert found.nonzero().tolist() == sorted([[0, left], [2, right], [2, left]])
    visible[2, right] = False
    assert plausibility.swaps(pred, target, visible, reference, LSP14).nonzero().tolist() == [[0, left]]


def test_joints_near_both_places_are_no_swaps():
    target = torch.zeros(1, 14, 2)
    found = plausibility.swaps(target + 1, target, torch.ones(1, 14, dtype=torch.bool), torch.tensor([10.0]), LSP14)
    assert not found.any()


def test_a_set_without_limbs_has_no_lengths(people):
    bare = dataclasses.replace(LSP14, limbs=())
    assert plausibility.limb_lengths(people, bare).shape == (40, 0)
    assert plausibility.asymmetry(people, bare).shape == (40, 0)
