"""Tables by body part."""

import math

import pytest
import torch

from posenb.metrics import Score, columns, joint_table
from posenb.skeletons import AIC14, COCO17, HAND21, LSP14, MPII16

SETS = (LSP14, MPII16, COCO17, AIC14, HAND21)


@pytest.mark.parametrize("skeleton", SETS, ids=lambda s: s.name)
def test_columns_share_no_joint_and_leave_out_only_what_papers_leave_out(skeleton):
    shown = [joint for joints in columns(skeleton).values() for joint in joints]
    assert len(shown) == len(set(shown))
    left_out = {"pelvis", "thorax", "upper_neck"} if skeleton is MPII16 else set()
    assert set(skeleton.joints) - set(shown) == left_out


def score_by_name(skeleton, values, default=0.0):
    per_joint = torch.tensor([values.get(joint, default) for joint in skeleton.joints]).double()
    return Score(per_joint.nanmean().item(), 0.5, per_joint)


def test_left_and_right_are_averaged_in_per_cent():
    table = joint_table(score_by_name(LSP14, {"left_wrist": 0.5, "right_wrist": 0.25, "neck": 1, "head_top": 0}), LSP14)
    assert list(table) == ["Head", "Sho.", "Elb.", "Wri.", "Hip", "Knee", "Ank.", "Mean"]
    assert (table["Wri."], table["Head"], table["Knee"]) == (37.5, 50, 0)
    assert table["Mean"] == pytest.approx(100 * 1.75 / 14)


def test_the_head_of_mpii_is_its_top():
    assert joint_table(score_by_name(MPII16, {"head_top": 1}), MPII16)["Head"] == 100


def test_hands_have_a_column_a_finger_and_errors_stay_in_pixels():
    table = joint_table(score_by_name(HAND21, {"thumb1": 4, "thumb4": 8, "wrist": 2}), HAND21, scale=1)
    assert table == {"Wrist": 2, "Thumb": 3, "Index": 0, "Middle": 0, "Ring": 0, "Little": 0, "Mean": 14 / 21}


def test_any_other_set_goes_by_its_joint_names():
    table = joint_table(score_by_name(COCO17, {"left_eye": 1, "right_eye": 0.5, "nose": 0.25}), COCO17)
    assert (table["nose"], table["eye"], len(table)) == (25, 75, 10)


def test_a_joint_without_label_has_no_weight():
    nan = float("nan")
    values = {"left_hip": nan, "right_hip": 1, "left_knee": nan, "right_knee": nan}
    table = joint_table(score_by_name(LSP14, values), LSP14)
    assert table["Hip"] == 100 and math.isnan(table["Knee"])


def test_a_score_of_another_set_is_refused():
    with pytest.raises(ValueError, match="the score has 16 joints, LSP14 has 14"):
        joint_table(score_by_name(MPII16, {}), LSP14)
