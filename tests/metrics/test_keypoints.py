"""Metrics by hand, and to the last digit of published figures on MPII."""

import math
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from torch.testing import assert_close

from posenb.metrics import (
    MPII_EXCLUDED,
    auc,
    correct,
    epe,
    errors,
    joint_table,
    pck,
    pck_curve,
    pckh,
    pckh_curve,
    response,
)
from posenb.skeletons import MPII16

NAN = float("nan")
MPII_EVAL = Path(__file__).resolve().parents[3] / "shared/datasets/mpii_eval"


def places(distances):
    """Predictions and labels that are ``distances (B, K)`` apart, along a 3-4-5 triangle."""
    distances = torch.tensor(distances, dtype=torch.float64)
    target = torch.full((*distances.shape, 2), 10.0, dtype=torch.float64)
    return target + distances[..., None] * torch.tensor([0.6, -0.8], dtype=torch.float64), target


def test_correct_counts_as_pck_does():
    pred, target = places([[1.0, 2.0, 2.1, NAN], [0.5, 9.0, 0.0, 1.0]])
    visible = torch.tensor([[True, True, True, True], [True, True, False, True]])
    reference = torch.tensor([10.0, 10.0], dtype=torch.float64)
    found = correct(pred, target, visible, reference)
    assert_close(found, torch.tensor([[1, 1, 0, 0], [1, 0, NAN, 1]], dtype=torch.float64), equal_nan=True)
    assert found.nanmean().item() == pytest.approx(pck(pred, target, visible, reference, 0.2).pooled)
    # an image without a reference length does not count; several answers at once
    both = correct(torch.stack([pred, target]), target, visible, torch.tensor([NAN, 10.0]))
    assert both.shape == (2, 2, 4) and both[:, 0].isnan().all()
    assert both[1, 1].tolist()[:2] == [1, 1]


class TestErrors:
    def test_are_distances_and_nan_without_label(self):
        pred = torch.tensor([[[3.0, 4.0], [1.0, 1.0]]])
        found = errors(pred, torch.zeros(1, 2, 2), torch.tensor([[True, False]]))
        assert found[0, 0] == 5 and found[0, 1].isnan()

    @pytest.mark.parametrize(
        ("pred", "visible"), [((1, 3, 2), (1, 2)), ((1, 2, 2), (1, 3)), ((2, 2, 2), (1, 2))], ids=str
    )
    def test_refuse_shapes_that_would_be_broadcast(self, pred, visible):
        with pytest.raises(ValueError, match="must be") as error:
            errors(torch.zeros(pred), torch.zeros(1, 2, 2), torch.ones(visible).bool())
        assert "\n" not in str(error.value)


class TestPck:
    def test_by_hand(self):
        # reference 10 and 20 at .2: 2 and 4 pixels
        pred, target = places([[1.0, 3.0, 1.5], [3.0, 9.0, 1.0]])
        visible = torch.tensor([[True, True, True], [True, True, False]])
        score = pck(pred, target, visible, torch.tensor([10.0, 20.0]), 0.2)
        assert score.per_joint.tolist() == [1.0, 0.0, 1.0]
        assert score.mean == pytest.approx(2 / 3)
        assert score.pooled == pytest.approx(3 / 5)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    @pytest.mark.parametrize(("distance", "reference", "threshold"), [(2, 10, 0.2), (6, 30, 0.2), (35, 70, 0.5)])
    def test_an_error_equal_to_the_threshold_is_correct(self, dtype, distance, reference, threshold):
        target = torch.zeros(1, 2, 2, dtype=dtype)
        pred = target.clone()
        pred[0, 0, 0] = distance
        pred[0, 1, 1] = distance * 1.0001
        score = pck(pred, target, torch.ones(1, 2).bool(), torch.tensor([reference]).to(dtype), threshold)
        assert score.per_joint.tolist() == [1, 0]

    def test_mean_weighs_joints_and_pooled_weighs_labels(self):
        pred, target = places([[0.0, 9.0]] * 4)
        visible = torch.tensor([[True, True]] + [[True, False]] * 3)
        score = pck(pred, target, visible, torch.full((4,), 10.0), 0.2)
        assert (score.mean, score.pooled) == (0.5, 0.8)

    def test_a_joint_that_is_nowhere_labelled_has_no_score_and_no_weight(self):
        pred, target = places([[0.0, 0.0, 9.0]])
        score = pck(pred, target, torch.tensor([[True, False, True]]), torch.tensor([10.0]), 0.2)
        assert score.per_joint[1].isnan()
        assert (score.mean, score.pooled) == (0.5, 0.5)

    def test_nothing_labelled_is_nan(self):
        pred, target = places([[0.0, 0.0]])
        score = pck(pred, target, torch.zeros(1, 2).bool(), torch.tensor([10.0]), 0.2)
        assert math.isnan(score.mean) and math.isnan(score.pooled) and score.per_joint.isnan().all()

    def test_a_nan_prediction_is_wrong_and_a_nan_label_without_mask_does_not_count(self):
        pred, target = places([[0.0, 0.0, 0.0, 0.0]])
        pred[0, 0], target[0, 1], pred[0, 2] = NAN, NAN, NAN
        score = pck(pred, target, torch.tensor([[True, False, False, True]]), torch.tensor([10.0]), 0.2)
        assert score.per_joint.nan_to_num(-1).tolist() == [0, -1, -1, 1]
        assert score.pooled == 0.5

    def test_images_without_reference_are_left_out(self):
        pred, target = places([[0.0, 9.0], [9.0, 9.0]])
        visible = torch.ones(2, 2).bool()
        score = pck(pred, target, visible, torch.tensor([10.0, NAN]), 0.2)
        assert score == (*pck(pred[:1], target[:1], visible[:1], torch.tensor([10.0]), 0.2)[:2], score.per_joint)
        assert score.per_joint.tolist() == [1, 0]

    def test_does_not_depend_on_the_unit(self, generator):
        pred, target = torch.rand(2, 20, 5, 2, generator=generator, dtype=torch.float64)
        visible = torch.rand(20, 5, generator=generator) < 0.8
        reference = torch.rand(20, generator=generator, dtype=torch.float64) + 0.5
        score = pck(pred, target, visible, reference, 0.3)
        assert 0.1 < score.pooled < 0.9
        assert score[:2] == pck(4 * pred, 4 * target, visible, 4 * reference, 0.3)[:2]


class TestPckh:
    def test_leaves_pelvis_and_thorax_out_of_means_but_shows_them(self):
        wrong = [9.0 if joint in ("pelvis", "thorax") else 0.0 for joint in MPII16.joints]
        pred, target = places([wrong])
        score = pckh(pred, target, torch.ones(1, 16).bool(), torch.tensor([10.0]))
        assert (score.mean, score.pooled) == (1, 1)
        assert [MPII16.joints[k] for k in (score.per_joint == 0).nonzero()] == ["pelvis", "thorax"]

    def test_counts_every_joint_of_other_sets(self):
        pred, target = places([[5.0] * 7 + [5.1] * 7])
        score = pckh(pred, target, torch.ones(1, 14).bool(), torch.tensor([10.0]))
        assert (score.mean, score.pooled) == (0.5, 0.5)

    def test_another_threshold(self):
        pred, target = places([[0.9, 1.1]])
        assert pckh(pred, target, torch.ones(1, 2).bool(), torch.tensor([10.0]), 0.1).mean == 0.5

    def test_leaves_out_what_it_is_told_to(self):
        pred, target = places([[9.0, 9.0] + [0.0] * 14])
        labels = (target, torch.ones(1, 16).bool(), torch.tensor([10.0]))
        assert [MPII16.joints[k] for k in MPII_EXCLUDED] == ["pelvis", "thorax"]
        assert pckh(pred, *labels).mean == 12 / 14
        assert pckh(pred, *labels, excluded=()).mean == 14 / 16
        score = pckh(pred, *labels, excluded=(0, 1))
        assert (score.mean, score.pooled, score.per_joint[0]) == (1, 1, 0)
        assert pckh(pred[:, :5], target[:, :5], labels[1][:, :5], labels[2], excluded=(0,)).mean == 3 / 4


class TestCurve:
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_is_the_score_at_each_threshold(self, generator, dtype):
        pred, target = torch.rand(2, 30, 16, 2, generator=generator, dtype=dtype)
        visible = torch.rand(30, 16, generator=generator) < 0.8
        reference = torch.rand(30, generator=generator, dtype=dtype) + 0.5
        reference[3] = NAN
        thresholds = (0.1, 0.25, 0.7)
        for one, all_at_once in ((pck, pck_curve), (pckh, pckh_curve)):
            curve = all_at_once(pred, target, visible, reference, thresholds)
            assert curve.per_joint.shape == (3, 16) and 0 < curve.mean[0] < curve.mean[1] < curve.mean[2]
            for k, threshold in enumerate(thresholds):
                score = one(pred, target, visible, reference, threshold)
                assert (curve.mean[k], curve.pooled[k]) == score[:2]
                assert torch.equal(curve.per_joint[k], score.per_joint)

    def test_thresholds_count_equality_in_the_precision_of_the_points(self):
        pred = torch.tensor([[[0.2, 0.0], [0.7, 0.0]]])
        curve = pck_curve(pred, torch.zeros(1, 2, 2), torch.ones(1, 2).bool(), torch.ones(1), [0.2, 0.7])
        assert curve.per_joint.tolist() == [[1, 0], [1, 1]]

    def test_of_pckh_goes_from_a_tenth_to_a_half(self):
        pred, target = places([[0.5, 1.5, 2.5, 3.5, 4.5, 5.5]])
        curve = pckh_curve(pred, target, torch.ones(1, 6).bool(), torch.tensor([10.0]))
        assert_close(curve.thresholds, torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5], dtype=torch.float64))
        assert_close(curve.mean, torch.arange(1, 6) / 6, check_dtype=False)


class TestEpe:
    def test_by_hand(self):
        pred, target = places([[1.0, 4.0, 7.0], [3.0, 8.0, 9.0]])
        score = epe(pred, target, torch.tensor([[True, True, False], [True, False, False]]))
        assert_close(score.per_joint, torch.tensor([2, 4, NAN]).double(), equal_nan=True)
        assert (score.mean, score.pooled) == pytest.approx((3, 8 / 3))

    def test_a_nan_prediction_is_infinitely_far_and_one_without_label_does_not_count(self):
        pred, target = places([[1.0, 1.0, 1.0]])
        pred[0, :2] = NAN
        score = epe(pred, target, torch.tensor([[True, False, True]]))
        assert score.mean == score.pooled == math.inf
        assert (score.per_joint[0], score.per_joint[2]) == (math.inf, pytest.approx(1))


class TestAuc:
    def test_by_hand(self):
        pred, target = places([[0.0, 5.0, 10.0, 20.0, 3.0]])
        pred[0, 4] = NAN
        score = auc(pred, target, torch.ones(1, 5).bool(), 10)
        assert_close(score.per_joint, torch.tensor([1, 0.5, 0, 0, 0]).double())
        assert score.mean == pytest.approx(0.3)

    def test_is_the_integral_of_pck_over_thresholds(self, generator):
        pred, target = 30 * torch.rand(2, 40, 3, 2, generator=generator, dtype=torch.float64)
        visible = torch.rand(40, 3, generator=generator) < 0.7
        pixels = torch.ones(40)
        steps = torch.linspace(0, 25, 2001)
        curve = [pck(pred, target, visible, pixels, t.item()) for t in steps]
        score = auc(pred, target, visible, 25)
        for mine, column in ((score.mean, 0), (score.pooled, 1)):
            integral = torch.trapezoid(torch.tensor([point[column] for point in curve]), steps) / 25
            assert mine == pytest.approx(integral.item(), abs=1e-3)

    def test_unlabelled_joints_have_no_weight(self):
        pred, target = places([[0.0, 5.0]])
        score = auc(pred, target, torch.tensor([[True, False]]), 10)
        assert (score.mean, score.pooled) == (1, 1)


def test_response_is_the_mean_of_the_maxima():
    maps = torch.zeros(2, 2, 3, 4)
    maps[0, 0, 1, 1], maps[0, 1, 2, 3], maps[1, 0] = 1.0, 0.5, 0.25
    maps[1, 1] = -0.75
    assert response(maps) == 0.25


def short(joint):
    """MPII's four letters for a joint."""
    side, _, part = joint.partition("_")
    return {"upper_neck": "neck", "head_top": "head"}.get(joint) or (side[0] + part[:3] if part else joint[:4])


def bearpaw():
    return scipy.io.loadmat(MPII_EVAL / "bearpaw-hg_s2_b1.mat")["preds"]


def newell():
    """HDF5, whose only data set is contiguous doubles: the address and the size stand in its layout message."""
    file = (MPII_EVAL / "newell.h5").read_bytes()
    layout = file.index(b"\x03\x01\x60\x08\x00\x00\x00\x00\x00\x00")  # version 3, contiguous
    address, size = np.frombuffer(file[layout + 2 : layout + 18], "<u8")
    return np.frombuffer(file[address : address + size], "<f8").reshape(-1, 16, 2)


# per cent at .5: head, shoulder, elbow, wrist, hip, knee, ankle; the mean over joints; pooled where it is known
PUBLISHED = {
    "bearpaw-hg_s2_b1": (bearpaw, [95.80, 94.57, 88.12, 83.31, 86.24, 80.88, 77.44], 86.76, 87.30),
    "newell": (newell, [95.94, 95.19, 89.14, 84.17, 86.97, 83.20, 80.37], 87.98, None),
}


def validation(read, dtype):
    """MPII's validation set and a published prediction of it: joint names, predictions, labels, head sizes."""
    labels = scipy.io.loadmat(MPII_EVAL / "detections_our_format.mat")
    target = torch.from_numpy(labels["pos_gt_src"]).permute(2, 0, 1).to(dtype)
    visible = torch.from_numpy(labels["jnt_missing"]).T == 0
    first, second = torch.from_numpy(labels["headboxes_src"])
    head = 0.6 * (second - first).norm(dim=0).to(dtype)
    pred = torch.from_numpy(np.array(read())).to(dtype)
    return [name.item() for name in labels["dataset_joints"][0]], pred, target, visible, head


needs_mpii = pytest.mark.skipif(
    not MPII_EVAL.is_dir(), reason="MPII's evaluation files are not at ../shared/datasets/mpii_eval"
)


@needs_mpii
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("read", "groups", "mean", "pooled"), PUBLISHED.values(), ids=PUBLISHED)
def test_published_pckh_on_mpii_to_the_last_digit(read, groups, mean, pooled, dtype):
    joints, pred, target, visible, head = validation(read, dtype)
    assert joints == [short(joint) for joint in MPII16.joints]
    score = pckh(pred, target, visible, head)
    table = joint_table(score, MPII16)
    assert list(table) == ["Head", "Sho.", "Elb.", "Wri.", "Hip", "Knee", "Ank.", "Mean"]
    assert [f"{value:.2f}" for value in table.values()] == [f"{value:.2f}" for value in (*groups, mean)]
    assert pooled is None or f"{100 * score.pooled:.2f}" == f"{pooled:.2f}"


@needs_mpii
@pytest.mark.parametrize("read", [bearpaw, newell])
def test_the_curve_on_mpii_as_counted_one_by_one(read):
    """In NumPy, joint by joint, as the evaluations that the figures come from go about it."""
    _, pred, target, visible, head = validation(read, torch.float64)
    curve = pckh_curve(pred, target, visible, head)
    found, wanted, size = pred.numpy(), target.numpy(), head.numpy()
    for t, threshold in enumerate((0.1, 0.2, 0.3, 0.4, 0.5)):
        fractions = []
        for k, labelled in enumerate(visible.T.numpy()):
            distance = np.linalg.norm(found[labelled, k] - wanted[labelled, k], axis=1)
            fractions.append(np.mean(distance / size[labelled] <= threshold))
        assert curve.per_joint[t].tolist() == fractions
        assert curve.mean[t].item() == pytest.approx(np.mean([f for k, f in enumerate(fractions) if k not in (6, 7)]))


@pytest.mark.parametrize("reference", [torch.ones(1), torch.ones(3, 1), torch.tensor(1.0)])
def test_each_pose_needs_its_reference(reference):
    points = torch.zeros(3, 2, 2)
    with pytest.raises(ValueError, match="for each of 3 poses"):
        pck(points, points, torch.ones(3, 2).bool(), reference, 0.2)


@pytest.mark.parametrize("threshold", [0, -1, NAN])
def test_an_area_needs_a_threshold_above_0(threshold):
    points = torch.zeros(1, 2, 2)
    with pytest.raises(ValueError, match="max_threshold must be above 0"):
        auc(points, points, torch.ones(1, 2).bool(), threshold)
