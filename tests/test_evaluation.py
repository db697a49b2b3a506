"""Predictions of a data set, the flip test, and the metrics of a run."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from posenb import augment, evaluation, metrics
from posenb.evaluation import Predictions
from posenb.heatmaps import gaussian
from posenb.methods.base import Method, Setting
from posenb.skeletons import LSP14
from tests.tiny import tiny_data, tiny_method

FLIP = list(LSP14.flip)


class Seeing(nn.Module):
    """Answers the brightness of the image, weighted for each joint by a ramp that mirrors with the joint.

    Exactly equivariant to mirroring, in floating point too: nothing is summed. ``bias`` moves all maps to the right.
    """

    def __init__(self, stride: int, bias: int = 0) -> None:
        super().__init__()
        self.stride, self.bias = stride, bias

    def forward(self, images):
        maps = functional.max_pool2d(images.amax(dim=1, keepdim=True), self.stride)
        ramp = torch.linspace(0.5, 1, maps.shape[-1])
        weights = torch.stack([ramp if joint.startswith("left") else ramp.flip(0) for joint in LSP14.joints])
        middle = torch.tensor([not joint.startswith(("left", "right")) for joint in LSP14.joints])
        weights = torch.where(middle[:, None], 1, weights)
        return [(maps * weights[:, None]).roll(self.bias, dims=-1)]


class Fake(Method):
    """A method whose network is given."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__(None, Setting(LSP14, (32, 32)))
        self.network = network

    def optimizers(self):
        return {}

    def train_step(self, step, data):
        return {}


def blobs(points, size=32):
    """Images ``(B, 3, size, size)`` of one smooth blob at each of ``points (B, 2)``."""
    return gaussian(points[:, None], (size, size), 1, 2.0).expand(-1, 3, -1, -1)


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_the_flip_test_changes_nothing_for_a_network_that_mirrors_with_its_image(stride):
    method, data = Fake(Seeing(stride)), tiny_data(6, size=40)  # 4 pixels of margin
    images = augment.center(data.images, (32, 32))
    maps = method.heatmaps(images)
    assert not torch.equal(maps, maps[:, FLIP])  # left and right see differently
    assert torch.equal(method.heatmaps_of_mirrored(images), maps)
    plain, flipped = (evaluation.predict(method, data, batch=4, flip=flip) for flip in (False, True))
    assert torch.equal(plain.points, flipped.points) and torch.equal(plain.scores, flipped.scores)


@pytest.mark.parametrize("bias", [1, -1])
def test_the_flip_test_cancels_a_bias_of_a_pixel(bias, generator):
    truth = 8 + torch.randint(0, 16, (10, 2), generator=generator) + 0.5
    method, images = Fake(Seeing(1, bias)), blobs(truth)
    joints = list(LSP14.index("neck", "head_top"))  # their maps are the image itself
    plain, flipped = (method.predict(images, flip=flip)[0][:, joints] - truth[:, None] for flip in (False, True))
    assert torch.allclose(plain, torch.tensor([float(bias), 0]).expand_as(plain), atol=1e-3)
    assert torch.allclose(flipped, torch.zeros_like(flipped), atol=1e-3)


def test_the_flip_test_makes_any_network_mirror_with_its_image():
    method, data = tiny_method().eval(), tiny_data(4)
    images = augment.center(data.images, (32, 32))
    with torch.inference_mode():
        plain, mirrored = method.predict(images), method.predict(images.flip(-1))
        both, both_mirrored = method.predict(images, flip=True), method.predict(images.flip(-1), flip=True)

    def back(points):
        return torch.stack([32 - points[..., 0], points[..., 1]], dim=-1)[:, FLIP]

    assert not torch.allclose(back(mirrored[0]), plain[0], atol=1e-2)
    assert torch.allclose(back(both_mirrored[0]), both[0], atol=1e-3)
    assert torch.allclose(both_mirrored[1][:, FLIP], both[1], atol=1e-5)


def test_predictions_do_not_depend_on_the_batch_and_leave_the_method_in_evaluation_mode():
    method, data = tiny_method().train(), tiny_data(7, size=40)
    some, all_at_once = (evaluation.predict(method, data, batch=batch) for batch in (3, 7))
    assert not method.training
    assert some.points.shape == (7, 14, 2) and some.scores.shape == (7, 14)
    assert torch.allclose(some.points, all_at_once.points, atol=1e-4)


class TestScore:
    def predictions(self, data, distance):
        return Predictions(data.cropped().points + distance * torch.tensor([0.6, 0.8]), torch.ones(len(data), 14))

    def test_is_that_of_the_metrics_on_the_sample_proper(self):
        data = replace(tiny_data(5, size=40), margin=4)
        score = evaluation.score(self.predictions(data, 1.5), data)
        assert score["pck"] == score["pck_pooled"] == score["pck/neck"] == 1  # within .2 x 10
        assert score["auc"] == pytest.approx(1 - 1.5 / (30 * 32 / 256))
        assert score["epe"] == pytest.approx(1.5)
        assert {"pckh", "oks_ap"}.isdisjoint(score)
        assert evaluation.score(self.predictions(data, 2.5), data)["pck"] == 0

    def test_pckh_where_heads_are_known(self):
        data = replace(tiny_data(5), head=torch.full((5,), 4.0))
        assert [evaluation.score(self.predictions(data, d), data)["pckh"] for d in (1.9, 2.1)] == [1, 0]

    def test_oks_where_areas_are_known(self):
        area = torch.tensor([100.0, 200, math.nan, 400, 100])
        data = replace(tiny_data(5), area=area)
        pred = self.predictions(data, 1.0)
        pred = pred._replace(scores=torch.rand(5, 14, generator=torch.Generator().manual_seed(1)))
        known = torch.isfinite(area)
        rows = (pred.points, pred.scores.mean(1), data.points, data.visible, area)
        wanted = metrics.oks_ap(*(row[known] for row in rows), sigmas=metrics.oks_sigmas(LSP14)).ap
        assert 0 < wanted < 1
        assert evaluation.score(pred, data)["oks_ap"] == wanted
        unknown = replace(data, area=torch.full((5,), math.nan))
        assert "oks_ap" not in evaluation.score(pred, unknown)
