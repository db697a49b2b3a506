"""PCP by hand, and as a property."""

import math

import pytest
import torch

from posenb.metrics import limb_table, pcp, pcp_limbs
from posenb.skeletons import AIC14, COCO17, HAND21, LSP14, MPII16

NAN = float("nan")


def stick(first, second):
    """Predictions of one limb whose ends, 10 apart, are missed by these distances."""
    target = torch.tensor([[[0.0, 0.0], [10.0, 0.0]]])
    return target + torch.tensor([[[0.0, first], [0.0, second]]]), target


ONE = {"limb": ((0,), (1,))}
BOTH = torch.ones(1, 2).bool()


@pytest.mark.parametrize(
    ("distances", "strict", "loose"), [((5, 5), 1, 1), ((5.01, 0), 0, 1), ((2, 8), 0, 1), ((5, 5.01), 0, 0)]
)
def test_strict_asks_both_ends_and_loose_their_mean(distances, strict, loose):
    pred, target = stick(*distances)
    assert pcp(pred, target, BOTH, ONE).mean == strict
    assert pcp(pred, target, BOTH, ONE, strict=False).mean == loose


def test_another_threshold():
    pred, target = stick(1, 2)
    assert [pcp(pred, target, BOTH, ONE, threshold).mean for threshold in (0.1, 0.2)] == [0, 1]


def test_a_limb_without_a_labelled_end_does_not_count_and_a_nan_prediction_is_wrong():
    pred, target = stick(0, 0)
    assert math.isnan(pcp(pred, target, torch.tensor([[True, False]]), ONE).mean)
    pred[0, 0] = NAN
    assert pcp(pred, target, BOTH, ONE).mean == 0
    target[0, 1] = NAN
    pred, target, visible = torch.cat([pred, target[:, :1].expand(1, 2, 2)]), target.expand(2, 2, 2), BOTH.repeat(2, 1)
    visible[1, 1] = False
    assert pcp(pred, target, visible, ONE).per_limb == {"limb": 0}


@pytest.mark.parametrize("skeleton", [LSP14, MPII16, AIC14], ids=lambda s: s.name)
def test_the_ten_limbs(skeleton):
    found = {
        name: tuple("+".join(skeleton.joints[k] for k in end) for end in ends)
        for name, ends in pcp_limbs(skeleton).items()
    }
    mpii = skeleton is MPII16
    assert len(found) == 10
    assert found["torso"] == ("thorax" if mpii else "neck", "left_hip+right_hip")
    assert found["head"] == ("upper_neck" if mpii else "neck", "head_top")
    assert found["left_forearm"] == ("left_elbow", "left_wrist")
    assert found["right_lower_leg"] == ("right_knee", "right_ankle")


@pytest.mark.parametrize("skeleton", [COCO17, HAND21], ids=lambda s: s.name)
def test_a_skeleton_without_these_limbs_is_refused(skeleton):
    with pytest.raises(ValueError, match=f"which {skeleton.name} lacks"):
        pcp_limbs(skeleton)


def test_is_person_centric(generator):
    target = 100 * torch.rand(40, 14, 2, generator=generator)
    visible = torch.ones(40, 14).bool()
    assert pcp(target, target, visible, LSP14).mean == 1
    swapped = pcp(target[:, list(LSP14.flip)], target, visible, LSP14).per_limb
    assert swapped["head"] == swapped["torso"] == 1
    assert all(value < 0.6 for name, value in swapped.items() if name not in ("head", "torso"))


def test_does_not_depend_on_unit_or_place_and_strict_is_harder(generator):
    target = 100 * torch.rand(50, 14, 2, generator=generator, dtype=torch.float64)
    pred = target + 20 * torch.randn(50, 14, 2, generator=generator, dtype=torch.float64)
    visible = torch.rand(50, 14, generator=generator) < 0.8
    strict, loose = (pcp(pred, target, visible, LSP14, strict=s) for s in (True, False))
    assert 0.1 < strict.mean < loose.mean < 0.9
    assert pcp(4 * pred + 8, 4 * target + 8, visible, LSP14).per_limb == strict.per_limb


def test_table_of_lsp(generator):
    target = 100 * torch.rand(20, 14, 2, generator=generator)
    pred = target + 20 * torch.randn(20, 14, 2, generator=generator)
    score = pcp(pred, target, torch.ones(20, 14).bool(), LSP14)
    table = limb_table(score)
    assert list(table) == ["Torso", "U.leg", "L.leg", "U.arm", "Forearm", "Head", "Total"]
    assert table["U.arm"] == pytest.approx(50 * (score.per_limb["left_upper_arm"] + score.per_limb["right_upper_arm"]))
    four = sum(table[name] for name in ("U.leg", "L.leg", "U.arm", "Forearm"))
    assert table["Total"] == pytest.approx((table["Torso"] + table["Head"] + 2 * four) / 10)


def test_shapes_that_would_be_broadcast_are_refused():
    with pytest.raises(ValueError, match="must be"):
        pcp(torch.zeros(1, 2, 2), torch.zeros(3, 2, 2), torch.ones(3, 2).bool(), ONE)
