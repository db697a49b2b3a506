"""Stable heatmap regression and its rivals: what is answered, what is learned from, what nobody may see."""

import itertools

import pytest
import torch
from torch.optim import SGD

from posenb import augment, corruptions
from posenb.corruptions import apply
from posenb.heatmaps import gaussian, highly_differentiated, rcc
from posenb.methods import find
from posenb.methods.base import Setting
from posenb.methods.stable_heatmaps import RIVALS, Options, StableHeatmaps
from posenb.skeletons import LSP14
from posenb.step import Budget, Step
from posenb.training import make_fabric
from tests.tiny import NETWORK, tiny_data, tiny_method

SWITCHES = [dict(zip(("rcc", "hdhr", "mst"), on, strict=True)) for on in itertools.product((False, True), repeat=3)]
EVERY = [*SWITCHES, *({"rival": name} for name in RIVALS if name != "none")]


def names(options):
    return "+".join(str(value) if name == "rival" else name for name, value in options.items() if value) or "base"


def make(network="small", network_options=NETWORK, **options):
    return StableHeatmaps(Options(**options), Setting(LSP14, (32, 32), network, network_options))


def sample_of(data):
    return augment.apply(data.batch(torch.arange(len(data))), augment.still(len(data)), (32, 32), data.skeleton)


def take_step(method, data, number=0):
    """One step of the method on the CPU in single precision; its report."""
    optimizers = {"network": SGD(method.network.parameters(), 0.1)}
    step = Step(number, Budget(steps=4, batch=4), 0, make_fabric("32-true", "cpu"), optimizers)
    return method.train().train_step(step, {"train": data})


@pytest.fixture
def raw(generator):
    """Raw maps ``(2, 14, 32, 32)``."""
    return torch.randn(2, 14, 32, 32, generator=generator)


def test_is_registered():
    assert find("stable_heatmaps") is StableHeatmaps


@pytest.mark.parametrize("options", SWITCHES, ids=names)
class TestAnswers:
    def test_have_the_inputs_size_and_points_are_pixel_centres(self, options):
        method, data = make(**options).eval(), tiny_data(3)
        points, scores = method.predict(data.images)
        assert method.heatmaps(augment.center(data.images, (32, 32))).shape == (3, 14, 32, 32)
        assert points.shape == (3, 14, 2) and scores.shape == (3, 14)
        assert torch.equal(points % 1, torch.full_like(points, 0.5)) and (points < 32).all()

    def test_are_what_the_switches_say(self, options, raw):
        maps = make(**options).objective.answer(raw)
        if options["hdhr"]:
            torch.testing.assert_close(maps.sum(dim=(-2, -1)), torch.ones(2, 14))
            plain = raw.flatten(-2).softmax(dim=-1).unflatten(-1, (32, 32))
            expected = rcc(plain) if options["rcc"] else plain / plain.amax(dim=(-2, -1), keepdim=True)
            torch.testing.assert_close(maps / maps.amax(dim=(-2, -1), keepdim=True), expected, atol=1e-5, rtol=1e-4)
        else:
            if options["rcc"]:
                positive = (1 + (20 * raw).double().exp()).log().float() / 20  # softplus
                torch.testing.assert_close(maps, rcc(positive) * positive.amax(dim=(-2, -1), keepdim=True))
            else:
                assert torch.equal(maps, raw)

    def test_are_compared_where_peaks_are_one(self, options, raw):
        method = make(**options)
        peaked = method.objective.peaked(method.objective.read(raw, options["rcc"]))
        if not options["hdhr"]:
            assert torch.equal(peaked, method.objective.answer(raw))
        else:
            assert peaked.amax(dim=(-2, -1)).flatten().tolist() == pytest.approx([1] * 28, abs=1e-5)
        visible = torch.ones(2, 14, dtype=torch.bool)
        assert method.objective.stability([peaked, peaked.clone()], visible) == 0

    def test_a_flip_test_averages_before_rcc(self, options):
        method, data = make(**options).eval(), tiny_data(2)
        images = augment.center(data.images, (32, 32))
        mirrored = method.raw(images.flip(-1)).flip(-1)[:, list(LSP14.flip)]
        expected = method.objective.answer((method.raw(images) + mirrored) / 2)
        _, scores = method.predict(images, flip=True)
        torch.testing.assert_close(scores, expected.amax(dim=(-2, -1)))


@pytest.mark.parametrize("options", EVERY, ids=names)
class TestTraining:
    def test_learns_in_a_step_that_follows_from_its_number(self, options):
        data = tiny_data(8, size=36)
        first, again = make(**options), make(**options)
        before = {name: weight.clone() for name, weight in first.network.named_parameters()}
        report, same = take_step(first, data, 3), take_step(again, data, 3)
        assert report == same and all(value.isfinite() for value in report.values())
        moved = [not torch.equal(before[name], weight) for name, weight in first.network.named_parameters()]
        assert any(moved)
        assert ("stability" in report) == (
            bool(options.get("mst")) or options.get("rival") in ("augmix", "st_a", "st_g")
        )

    def test_never_sees_a_test_corruption(self, options, monkeypatch):
        seen = set()
        corrupted = apply._corrupted

        def watch(pictures, name, *rest):
            seen.add(name)
            return corrupted(pictures, name, *rest)

        monkeypatch.setattr(apply, "_corrupted", watch)
        method, data = make(**options), tiny_data(8, size=36)
        for number in range(4):
            take_step(method, data, number)
        assert not seen & set(corruptions.TEST)
        assert bool(seen) == (bool(options.get("mst")) or options.get("rival") == "st_a")

    def test_joints_without_a_label_teach_nothing(self, options):
        method, sample = make(**options), sample_of(tiny_data(2))
        hidden = torch.zeros_like(sample.visible)
        maps = method.objective.enlarge(method.network(sample.images))
        loss = method.objective.loss(maps, sample._replace(visible=hidden), 0.25)
        loss = loss + method.objective.stability([maps[-1], maps[-1].flip(-1), maps[-1] + 1], hidden)
        loss.backward()
        assert all(weight.grad is None or not weight.grad.any() for weight in method.network.parameters())


class TestLoss:
    def test_rcc_gives_a_single_peak_back_at_any_height(self):
        method = make(rcc=True)
        # near the diagonal: far from it a network must make the background exceedingly low
        spread = gaussian(torch.tensor([[[10.0, 12.0], [20.5, 16.5]]]), (32, 32), 1, 3.0)
        for height in (1.0, 0.3):
            raw = torch.expm1(20 * height * spread.clamp(min=1e-6)).log() / 20
            torch.testing.assert_close(method.objective.answer(raw), height * spread, atol=0.02, rtol=0)

    def test_rcc_takes_over_from_the_map_itself(self, raw):
        sample = sample_of(tiny_data(2))
        for hdhr in (False, True):
            # hardly anything but the floor of the softplus tells a positive map from itself
            high = raw.abs() + 2
            plain = make(hdhr=hdhr).objective.loss([high], sample)
            method = make(rcc=True, hdhr=hdhr, fade=0.5)
            start, middle, end = (method.objective.loss([high], sample, at) for at in (0.0, 0.25, 0.5))
            torch.testing.assert_close(start, plain)
            torch.testing.assert_close(middle, (start + end) / 2)
            assert not torch.isclose(start, end)
            torch.testing.assert_close(method.objective.loss([high], sample, 0.9), end)
            torch.testing.assert_close(make(rcc=True, hdhr=hdhr, fade=0.0).objective.loss([high], sample, 0.0), end)

    def test_is_least_at_the_target(self, generator):
        sample = sample_of(tiny_data(2))
        spread = gaussian(sample.points, (32, 32), 1, 3.0)
        sharp = highly_differentiated(sample.points, (32, 32), 1)
        for best, options in (
            (spread, {}),
            # the inverse of the softplus
            (torch.expm1(20 * spread.clamp(min=1e-5)).log() / 20, {"rcc": True}),
            (sharp.clamp(min=1e-12).log(), {"hdhr": True}),
            (sharp, {"hdhr": True, "hdhr_loss": "l1"}),
            (sharp, {"hdhr": True, "hdhr_loss": "l2"}),
        ):
            method = make(**options)
            least = method.objective.loss([best], sample)
            for _ in range(3):
                noise = 0.1 * torch.randn(best.shape, generator=generator)
                assert method.objective.loss([best + noise], sample) > least, options

    def test_stacks_are_averaged(self, raw):
        sample, method = sample_of(tiny_data(2)), make(hdhr=True)
        one, other = method.objective.loss([raw], sample), method.objective.loss([-raw], sample)
        torch.testing.assert_close(method.objective.loss([raw, -raw], sample), (one + other) / 2)


def test_starts_from_another_methods_network_but_for_the_head():
    source, method = tiny_method(), make()
    head = method.network.head.weight.clone()
    method.start_from([source])
    assert torch.equal(method.network.head.weight, head)
    learned = {name: value for name, value in source.network.state_dict().items() if not name.startswith("head")}
    own = method.network.state_dict()
    assert learned and all(torch.equal(own[name], value) for name, value in learned.items())


@pytest.mark.parametrize(
    "network, options", [("small", {}), ("hourglass", {"stacks": 2, "channels": 16, "blocks": 1, "depth": 2})]
)
def test_any_network_starts_with_maps_near_zero(network, options):
    method = make(network, options).eval()
    raw = method.raw(torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert raw.shape == (2, 14, 32, 32) and 0 < raw.abs().max() < 0.2


@pytest.mark.parametrize(
    "options, message",
    [
        ({"rival": "luck"}, "rival must be one of"),
        ({"rival": "at", "rcc": True}, "stands on the baseline"),
        ({"hdhr_loss": "l3"}, "hdhr_loss must be"),
        ({"hdhr_loss": "l1"}, "is about highly differentiated heatmaps: set hdhr=true"),
        ({"hdhr": True, "alpha": 1.0}, "alpha must lie between 0 and 1"),
        ({"hdhr": True, "threshold": -1}, "threshold must be 0 or more"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Options(**options)


def test_the_stability_weight_fits_the_main_loss():
    assert Options(mst=True).stability_weight < Options(mst=True, hdhr=True).stability_weight
    assert Options(mst=True, weight=0.0).stability_weight == 0
    assert Options(rival="st_a").stability_weight > 0 == Options(rival="at").stability_weight
