"""OKS by hand, and AP and AR beside pycocotools."""

import json
import math
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from posenb.metrics import COCO_SIGMAS, People, oks, oks_ap, oks_ap_detections, oks_sigmas
from posenb.skeletons import COCO17, HAND21, LSP14
from tests.metrics.coco import annotations_of, coco_score, people_of

NAN = float("nan")
SAMPLES = Path(__file__).resolve().parents[3] / "shared/datasets/samples/coco"


def agree(mine, coco):
    assert tuple(mine) == pytest.approx(tuple(coco), abs=1e-6, nan_ok=True)


def crowd_scene(count, per_image, seed=0, joints=17):
    """People in pictures, some without labels, some crowds, some small; and poses near them, too few or too many.

    Scores are tenths, so most are ties.
    """
    g = torch.Generator().manual_seed(seed)

    def uniform(*shape):
        return torch.rand(*shape, generator=g, dtype=torch.float64)

    image = torch.randint(0, max(1, count // per_image), (count,), generator=g)
    size = 10 + 290 * uniform(count, 1) ** 2
    corner = 400 * uniform(count, 2)
    boxes = torch.cat([corner, size, 1.5 * size], dim=1)
    points = corner[:, None] + uniform(count, joints, 2) * boxes[:, None, 2:]
    visible = (uniform(count, joints) < 0.7) & (uniform(count, 1) < 0.85)
    points = points * visible[..., None]  # COCO writes zeros where there is no label
    area = (boxes[:, 2] * boxes[:, 3]) * (0.3 + 0.5 * uniform(count))
    people = People(points, visible, area, image, uniform(count) < 0.1, boxes)

    copies = torch.randint(0, count, (int(1.5 * count),), generator=g)
    whole = torch.where(visible[..., None], points, corner[:, None] + uniform(count, joints, 2) * boxes[:, None, 2:])
    noise = 0.15 * uniform(len(copies), 1, 1) * size[copies, :, None]
    pred = whole[copies] + noise * torch.randn(len(copies), joints, 2, generator=g, dtype=torch.float64)
    pred[::50] = whole[copies[::50]]
    pred[1::50] = pred[::50][: len(pred[1::50])]  # the same pose twice
    scores = torch.randint(0, 10, (len(copies),), generator=g) / 10
    return pred, scores, image[copies], people


class TestOks:
    def test_by_hand(self):
        target = torch.zeros(2, 2, 2)
        pred = torch.tensor([[[3.0, 4.0], [0.0, 0.0]], [[0.0, 0.0], [6.0, 8.0]]])
        visible = torch.tensor([[True, True], [False, True]])
        similar = oks(pred, target, visible, torch.tensor([100.0, 50.0]), sigmas=(0.25, 0.5))
        # d^2 / (8 sigma^2 area): 25 / 50 and 0; 100 / 100 alone
        assert_close(similar, torch.tensor([(math.exp(-0.5) + 1) / 2, math.exp(-1)]).double(), atol=1e-7, rtol=0)

    def test_is_one_for_the_labels_themselves_whatever_is_not_labelled(self, generator):
        target = torch.rand(5, 17, 2, generator=generator)
        visible = torch.rand(5, 17, generator=generator) < 0.5
        pred = target + 100 * ~visible[..., None]
        assert oks(pred, target.masked_fill(~visible[..., None], NAN), visible, torch.ones(5)).tolist() == [1] * 5

    def test_a_nan_prediction_is_infinitely_far_and_nobody_labelled_is_nan(self):
        pred, target = torch.zeros(2, 17, 2), torch.zeros(2, 17, 2)
        pred[0, 0, 1] = NAN
        visible = torch.tensor([[True] * 17, [False] * 17])
        similar = oks(pred, target, visible, torch.ones(2))
        assert similar[0] == pytest.approx(16 / 17) and similar[1].isnan()

    def test_without_labels_distance_is_to_the_doubled_box(self):
        target, visible = torch.full((1, 1, 2), NAN), torch.zeros(1, 1, dtype=torch.bool)
        boxes = torch.tensor([[10.0, 20.0, 4.0, 6.0]])  # doubled: x 6 to 18, y 14 to 32

        def similarity(x, y):
            return oks(torch.tensor([[[x, y]]]), target, visible, torch.tensor([1.0]), (0.5,), boxes).item()

        assert similarity(6.0, 32.0) == 1
        assert similarity(5.0, 34.0) == pytest.approx(math.exp(-(1 + 4) / 2))

    def test_does_not_depend_on_the_unit(self, generator):
        pred, target = torch.rand(2, 9, 17, 2, generator=generator, dtype=torch.float64)
        visible, area = torch.ones(9, 17).bool(), 10 + torch.rand(9, generator=generator, dtype=torch.float64)
        assert_close(oks(pred, target, visible, area), oks(3 * pred, 3 * target, visible, 9 * area))

    def test_broadcasts_to_pairs(self, generator):
        pred, target = torch.rand(2, 4, 17, 2, generator=generator)
        visible, area = torch.ones(4, 17).bool(), torch.ones(4)
        pairs = oks(pred[:, None], target, visible, area)
        assert pairs.shape == (4, 4) and torch.equal(pairs.diagonal(), oks(pred, target, visible, area))

    def test_needs_a_sigma_a_joint(self):
        with pytest.raises(ValueError, match="sigmas must be 14 numbers"):
            oks(torch.zeros(1, 14, 2), torch.zeros(1, 14, 2), torch.ones(1, 14).bool(), torch.ones(1))


def test_sigmas_go_by_joint_names():
    assert oks_sigmas(COCO17) == COCO_SIGMAS
    lsp = dict(zip(LSP14.joints, oks_sigmas(LSP14), strict=True))
    assert (lsp["left_ankle"], lsp["right_hip"], lsp["neck"]) == (0.089, 0.107, 0.05)
    assert oks_sigmas(HAND21) == (0.05,) * 21


class TestOnePersonACrop:
    def test_by_hand(self):
        """Two people, one found: the found one first gives precision 1 up to recall .5, 51 of 101 recalls."""
        target = 50 * torch.ones(2, 17, 2)
        pred = target + torch.tensor([0.0, 1000.0])[:, None, None]
        visible, area = torch.ones(2, 17).bool(), torch.tensor([2000.0, 2000.0])
        score = oks_ap(pred, torch.tensor([0.9, 0.1]), target, visible, area)
        assert (score.ap, score.ap50, score.ap75) == pytest.approx((51 / 101,) * 3)
        assert (score.ar, score.ar_medium) == (0.5, 0.5)
        assert math.isnan(score.ap_large) and math.isnan(score.ar_large)
        worse = oks_ap(pred, torch.tensor([0.1, 0.9]), target, visible, area)
        assert worse.ap == pytest.approx(51 / 101 / 2) and worse.ar == 0.5

    @pytest.mark.parametrize("with_boxes", [True, False])
    @pytest.mark.parametrize("seed", range(3))
    def test_as_pycocotools(self, seed, with_boxes):
        _, _, _, people = crowd_scene(400, 1, seed)
        people = people._replace(image=torch.arange(400))
        if not with_boxes:  # then people without labels are left out
            people = People(*(part[people.visible.any(1)] for part in people))
        g = torch.Generator().manual_seed(seed)
        pred = people.points + 0.04 * people.boxes[:, None, 2:] * torch.randn(people.points.shape, generator=g)
        scores = torch.randint(0, 20, (len(pred),), generator=g) / 20
        boxes = people.boxes if with_boxes else None
        mine = oks_ap(pred, scores, *people[:3], crowd=people.crowd, boxes=boxes)
        assert 0.1 < mine.ap < 0.9 and mine.ap_medium != mine.ap_large
        agree(mine, coco_score(pred, scores, people.image, annotations_of(people)))

    def test_as_pycocotools_where_recalls_are_hundredths(self):
        """Then a recall of 7 / 100 is just below COCO's seventh step, which NumPy rounds up."""
        g = torch.Generator().manual_seed(0)
        points, people = torch.zeros(100, 17, 2), torch.arange(100)
        boxes = torch.tensor([[0.0, 0.0, 80.0, 80.0]]).expand(100, 4)
        labels = People(points, points[..., 0] == 0, torch.full((100,), 4000.0), people, people < 0, boxes)
        pred = points + 100 * (torch.rand(100, 1, 1, generator=g) < 0.2) + 40 * torch.eye(2)[torch.arange(17) % 2]
        pred = torch.where(torch.rand(100, 1, 1, generator=g) < 0.9, 0.01 * pred, pred)
        scores = torch.linspace(1, 0, 100)
        mine = oks_ap(pred, scores, *labels[:3])
        assert 0.5 < mine.ap < 0.99
        agree(mine, coco_score(pred, scores, people, annotations_of(labels)))

    def test_rows_are_images_of_their_own_unless_said(self):
        pred, scores, _, people = crowd_scene(300, 1)
        pred, scores = pred[:300], scores[:300]
        labels = {"crowd": people.crowd, "boxes": people.boxes}
        mine = oks_ap(pred, scores, *people[:3], **labels)
        agree(mine, oks_ap(pred, scores, *people[:3], image=torch.arange(300), **labels))
        together = oks_ap(pred, scores, *people[:3], image=people.image, **labels)
        agree(together, oks_ap_detections(pred, scores, people.image, people))
        assert together.ap != mine.ap

    def test_people_without_labels_are_left_out_with_their_poses_where_boxes_are_not_known(self):
        _, _, _, people = crowd_scene(50, 1)
        pred, scores = people.points + 3, torch.linspace(0, 1, 50)
        kept = people.visible.any(1)
        assert not kept.all()
        some = oks_ap(pred[kept], scores[kept], *(part[kept] for part in people[:3]))
        agree(oks_ap(pred, scores, *people[:3]), some)


class TestDetections:
    @pytest.mark.parametrize(("count", "per_image"), [(5000, 4), (600, 1), (600, 60)])
    def test_as_pycocotools_on_random_people(self, count, per_image):
        pred, scores, image, people = crowd_scene(count, per_image, seed=per_image)
        mine = oks_ap_detections(pred, scores, image, people)
        assert all(0.02 < value < 0.98 for value in mine)
        agree(mine, coco_score(pred, scores, image, annotations_of(people)))

    def test_other_joints(self):
        pred, scores, image, people = crowd_scene(200, 4, joints=5)
        sigmas = torch.tensor([0.05, 0.1, 0.15, 0.2, 0.1])
        mine = oks_ap_detections(pred, scores, image, people, sigmas)
        agree(mine, coco_score(pred, scores, image, annotations_of(people), sigmas.double()))

    def test_the_order_of_people_and_of_images_does_not_matter_without_ties(self, generator):
        pred, scores, image, people = crowd_scene(300, 4)
        scores = torch.rand(scores.shape, generator=generator)
        people = People(*(part[people.visible.any(1)] for part in people))  # many others are equally similar: 1
        mine = oks_ap_detections(pred, scores, image, people)
        a, b = (torch.randperm(len(part), generator=generator) for part in (pred, people.points))
        # another numbering of the images too
        shuffled = People(*(part[b] for part in people))._replace(image=1000 - 3 * people.image[b])
        agree(oks_ap_detections(pred[a], scores[a], 1000 - 3 * image[a], shuffled), mine)

    def test_images_without_people_or_without_poses(self):
        pred, scores, image, people = crowd_scene(60, 3)
        image = torch.where(image % 2 == 0, image, image + 1000)
        mine = oks_ap_detections(pred, scores, image, people)
        agree(mine, coco_score(pred, scores, image, annotations_of(people)))
        assert oks_ap_detections(pred, scores, image + 5000, people).ar == 0
        assert oks_ap_detections(pred[:0], scores[:0], image[:0], people).ap == 0
        nobody = People(*(part[:0] for part in people))
        assert all(math.isnan(value) for value in oks_ap_detections(pred, scores, image, nobody))

    def test_a_second_pose_of_a_person_is_wrong_and_of_a_crowd_ignored(self):
        points = 50 * torch.ones(1, 17, 2)
        one = People(points, torch.ones(1, 17).bool(), torch.tensor([5000.0]), torch.zeros(1), torch.tensor([False]))
        crowd = one._replace(points=points + 500, crowd=torch.tensor([True]))
        both = People(*(torch.cat(pair) for pair in zip(one[:5], crowd[:5], strict=True)))
        near, far = points, points + 500
        pred = torch.cat([far, far, near, near])
        score = oks_ap_detections(pred, torch.tensor([0.9, 0.8, 0.7, 0.6]), torch.zeros(4), both)
        assert (score.ap, score.ar) == (pytest.approx(1), 1)
        first_wrong = oks_ap_detections(torch.cat([points + 200, near]), torch.tensor([0.9, 0.1]), torch.zeros(2), one)
        assert (first_wrong.ap, first_wrong.ar) == (pytest.approx(0.5), 1)

    @pytest.mark.skipif(not SAMPLES.is_dir(), reason="COCO's sample is not at ../shared/datasets/samples/coco")
    @pytest.mark.parametrize("noise", [0, 0.01, 0.02, 0.05])
    @pytest.mark.parametrize("name", ["test_coco.json", "test_keypoint_partition_metric.json"])
    def test_as_pycocotools_on_coco_itself(self, name, noise):
        """The second file has the same people with 133 joints of the whole body."""
        annotations = json.loads((SAMPLES / name).read_text())["annotations"]
        people, g = people_of(annotations), torch.Generator().manual_seed(1)
        assert not people.visible.any(1).all() and len(people.image.unique()) == 4
        sigmas = torch.tensor(COCO_SIGMAS, dtype=torch.float64)
        if people.points.shape[1] != 17:
            sigmas = torch.full(people.points.shape[1:2], 0.05, dtype=torch.float64)
        copies = torch.randint(0, len(annotations), (60,), generator=g)
        step = noise * people.area[copies].sqrt()[:, None, None]
        pred = people.points[copies] + step * torch.randn(people.points[copies].shape, generator=g)
        scores = torch.randint(0, 5, (60,), generator=g) / 5
        mine = oks_ap_detections(pred, scores, people.image[copies], people, sigmas)
        agree(mine, coco_score(pred, scores, people.image[copies], annotations, sigmas))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"boxes": None}, "need boxes"),
        ({"area": torch.full((20,), NAN)}, "area of person 0 is not known"),
        ({"area": torch.ones(19)}, r"area must be \(20,\)"),
        ({"crowd": torch.zeros(20)}, "crowd must be bool"),
        ({"image": torch.zeros(2)}, "people's image must be"),
        ({"visible": torch.ones(20, 5).bool()}, "must be"),
    ],
)
def test_bad_labels_are_refused_in_a_line(change, message):
    pred, scores, image, people = crowd_scene(20, 2)
    with pytest.raises(ValueError, match=message) as error:
        oks_ap_detections(pred, scores, image, people._replace(**change))
    assert "\n" not in str(error.value)


def test_bad_poses_are_refused_in_a_line():
    pred, scores, image, people = crowd_scene(20, 2)
    with pytest.raises(ValueError, match=r"pred must be \(D, 17, 2\)"):
        oks_ap_detections(pred[:, :5], scores, image, people)
    with pytest.raises(ValueError, match=r"scores must be \(30,\)"):
        oks_ap_detections(pred, scores[:3], image, people)
    with pytest.raises(ValueError, match=r"pred and target must be"):
        oks_ap(pred, scores, *people[:3])
