"""The measurement of a run's stability, and the claims' statistics."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from posenb import corruptions, profiles, runs
from posenb.claims import Measurement
from posenb.experiments import smoothness
from posenb.experiments import stability_claims as claims
from posenb.experiments.stability import Stability, measure, measure_method, off_diagonal
from posenb.experiments.stability_specs import ARCHITECTURES, NAMES, specs
from posenb.methods.base import Method, Setting
from posenb.skeletons import LSP14
from posenb.spec import Budget
from tests.tiny import NETWORK, tiny_data, tiny_spec


class Constant(Method):
    """Answers the same point, (8.5, 4.5), whatever it sees."""

    def __init__(self):
        super().__init__(None, Setting(LSP14, (32, 32)))
        self.weight = nn.Parameter(torch.zeros(1))

    stride = 1
    optimizers = train_step = None

    def heatmaps(self, images):
        maps = torch.zeros(len(images), 14, 32, 32)
        maps[..., 4, 8] = 1.0
        return maps


class Drifting(Constant):
    """Answers a point 1 pixel further right for every 10 that an image is brighter."""

    def predict(self, images, flip=False):
        x = (images.float().mean(dim=(1, 2, 3)) / 10).floor()
        return torch.stack([x, 0 * x], dim=-1)[:, None].expand(-1, 14, -1), torch.ones(len(images), 14)


Constant.__abstractmethods__ = Drifting.__abstractmethods__ = frozenset()


def test_a_constant_answer_is_stable_and_wrong():
    found = measure_method(Constant(), tiny_data(5))
    assert found.corruptions == corruptions.TEST and found.moves.shape == (5, 5, 5)
    assert not found.moves.any() and (found.stable == 1).all()
    assert found.pck.mean() < 0.4
    assert np.array_equal(found.corrupted_auc, np.broadcast_to(found.auc[:, None, None], (5, 5, 5)))
    assert (found.gap == 1).all()


def test_moves_count_in_pixels_of_256():
    data = tiny_data(4)
    found = measure_method(Drifting(), data, ("brightness",), (5,))
    bright = corruptions.corrupt(data.images, "brightness", 5, torch.Generator())  # nothing random about it
    method = Drifting()
    steps = (method.predict(bright)[0] - method.predict(data.images)[0])[:, 0, 0]
    assert steps.min() >= 1
    assert found.moves[:, 0, 0] == pytest.approx((steps * 8).square().numpy())
    limits = torch.arange(1, 31)
    assert found.stable[:, 0, 0] == pytest.approx((steps[:, None] * 8 <= limits).double().mean(dim=1).numpy())
    assert found.curve[:, 0] == pytest.approx((steps[:, None] * 8 <= limits).double().numpy())
    assert found.summary()["r"] == pytest.approx(found.moves.mean())


def test_only_labelled_joints_and_images_count():
    data = tiny_data(4)
    visible = data.visible.clone()
    visible[0] = False
    visible[1, 1:] = False
    found = measure_method(Constant(), dataclasses.replace(data, visible=visible), severities=(1,))
    assert len(found.auc) == 3
    error = (torch.tensor([8.5, 4.5]) - data.points[1, 0]).norm().item()
    assert found.auc[0] == pytest.approx(max(0, 1 - error * 8 / 30)) and found.pck[0] == float(error <= 2)


def test_an_image_is_measured_alike_whatever_is_beside_it():
    data, method = tiny_data(6), Drifting()
    whole, part = (measure_method(method, d, severities=(3,), batch=4) for d in (data, data[:3]))
    assert np.array_equal(whole.moves[:3], part.moves)


def test_a_run_is_measured_once_and_again_where_the_file_is_damaged(tmp_path, monkeypatch):
    monkeypatch.setenv("POSENB_HOME", str(tmp_path))
    spec = dataclasses.replace(
        tiny_spec(steps=2), method="stable_heatmaps", options={"mst": True}, budget=Budget(2, 4, "32-true", 1)
    )
    run = runs.train(spec, device="cpu")
    first = measure(run, 4)
    (kept,) = run.path.glob("stability-*.pt")
    written = kept.stat().st_mtime_ns
    again = measure(run, 4)
    assert kept.stat().st_mtime_ns == written
    kept.write_bytes(b"damaged")
    third = measure(run, 4)
    for other in (again, third):
        assert other.corruptions == first.corruptions
        assert np.array_equal(other.moves, first.moves) and np.array_equal(other.spread, first.spread)


class TestSpecs:
    def test_all_start_from_one_run_and_differ_in_their_options_alone(self):
        found = specs("full", "hand", 2)
        assert tuple(found) == NAMES and len({spec.key for spec in found.values()}) == len(NAMES)
        base = found["base"]
        assert base.start == (profiles.foundations("full", "hand", 2),)
        assert all(dataclasses.replace(spec, options=base.options) == base for spec in found.values())

    @pytest.mark.parametrize("name", ARCHITECTURES)
    def test_another_network_starts_from_a_run_of_its_own(self, name):
        spec = specs("quick", "hand", 0, ARCHITECTURES[name])["all"]
        assert spec.network == spec.start[0].network == ARCHITECTURES[name]


def fake(**values):
    """Two images, one corruption at one severity; the given fields have these values, the others 1."""
    whole = {name: np.ones(2) for name in ("auc", "pck", "spread", "gap")}
    whole |= {name: np.ones((2, 1, 1)) for name in ("moves", "curve", "stable", "corrupted_auc")}
    assert set(values) <= set(whole)
    return Stability(("jpeg_compression",), (1,), **{k: v * values.get(k, 1.0) for k, v in whole.items()})


@pytest.fixture
def given(monkeypatch):
    """Puts variants' measurements in the place of trained runs."""

    def put(**variants):
        monkeypatch.setattr(claims, "measured", lambda names, *_: ({name: variants[name] for name in names}, ["key"]))
        monkeypatch.setattr(claims, "off_diagonals", lambda *_: {"base": [0.5]})

    return put


def check(measurement: Measurement, value: float):
    assert measurement.value == pytest.approx(value)
    assert np.min(measurement.statistic(measurement.images.mean(axis=0))) == measurement.value


class TestStatistics:
    def test_shr2(self, given):
        given(base=fake(spread=1000.0), rcc=fake(spread=900.0))
        found = claims.measure_shr2("smoke", "hand", 0)
        check(found, 0.1)
        assert found.curves["floor"] == 652

    def test_shr3(self, given):
        given(base=fake(gap=0.05), hdhr=fake(gap=0.2))
        check(claims.measure_shr3("smoke", "hand", 0), 0.15)

    @pytest.mark.parametrize(
        "singles, together, value",
        [((80.0, 70.0, 60.0), 50.0, 0.1), ((80.0, 105.0, 60.0), 50.0, -0.05), ((40.0, 70.0, 60.0), 50.0, -0.1)],
    )
    def test_shr5_is_the_least_of_four_falls(self, singles, together, value, given):
        variants = dict(zip(claims.SINGLE, (fake(moves=v) for v in singles), strict=True))
        given(base=fake(moves=100.0), all=fake(moves=together), **variants, **{claims.WITHOUT_RCC: fake(moves=1.0)})
        check(claims.measure_shr5("smoke", "hand", 0), value)

    def test_shr6_is_the_least_of_four_rises(self, given):
        variants = dict(zip(claims.SINGLE, (fake(stable=v) for v in (0.6, 0.7, 0.65)), strict=True))
        given(base=fake(stable=0.5), all=fake(stable=0.72), **variants)
        check(claims.measure_shr6("smoke", "hand", 0), 0.02)

    @pytest.mark.parametrize("cost, value", [(0.0, 0.02), (0.015, 0.005), (0.05, -0.03)])
    def test_shr8_weighs_stability_and_cost(self, cost, value, given):
        rivals = {name: fake(stable=0.6) for name in claims.RIVALS}
        given(base=fake(auc=0.8), all=fake(auc=0.8 - cost, stable=0.63), **rivals)
        check(claims.measure_shr8("smoke", "hand", 0), min(0.03, value))

    def test_shr7_is_the_least_of_the_architectures(self, monkeypatch):
        stable = {"a/base": 0.5, "a/all": 0.7, "b/base": 0.6, "b/all": 0.63}
        found = {name: fake(stable=value) for name, value in stable.items()}
        monkeypatch.setattr(claims, "_measured", lambda *_: (found, ["key"]))
        check(claims.measure_shr7("smoke", "hand", 0), 0.03)

    def test_shr9(self, given):
        given(base=fake(corrupted_auc=0.5), all=fake(corrupted_auc=0.6))
        check(claims.measure_shr9("smoke", "hand", 0), 0.1)

    def test_shr12(self, given):
        given(mst=fake(stable=0.7), st_g=fake(stable=0.6), st_a=fake(stable=0.75))
        check(claims.measure_shr12("smoke", "hand", 0), -0.05)

    def test_shr13(self, given):
        given(base=fake(auc=0.8), hdhr=fake(auc=0.79), hdhr_l1=fake(auc=0.1), hdhr_l2=fake(auc=0.3))
        check(claims.measure_shr13("smoke", "hand", 0), 0.01)


class TestSmoothness:
    """SHR-10 and SHR-11, at smoke on two pictures or videos, by what is given for either run."""

    @pytest.fixture(autouse=True)
    def runs_by_name(self, monkeypatch):
        data = tiny_data(4)
        visible = data.visible.clone()
        visible[0] = False
        data = dataclasses.replace(data, visible=visible)

        def run(name, **_):
            source = SimpleNamespace(name="hand", load=lambda _: data)
            return SimpleNamespace(spec=SimpleNamespace(key=name, data=source), method=name, metrics={"pck": len(name)})

        monkeypatch.setattr(claims, "specs", lambda *_: {name: name for name in NAMES})
        monkeypatch.setattr(runs, "train", run)

    def judge(self, measure, base, together, value):
        found = measure("smoke", "hand", 0)
        check(found, value)
        assert found.runs == ["base", "all"] and found.images.shape == (2, 2)
        assert found.curves.pop("pck") == [len("base"), len("all")]
        assert found.curves == pytest.approx({"base": base, "all": together})

    @pytest.mark.parametrize(("together", "value"), [((0.6, 0.9), 0.5), ((3.0, 1.5), -0.5)])
    def test_shr10(self, monkeypatch, together, value):
        heights = {"base": (1.0, 2.0), "all": together}

        def surface(method, data):
            assert len(data) == 2 and data.visible.any(dim=1).all()
            steps = np.zeros((2, 5, 5))
            steps[:, 2:] = np.array(heights[method])[:, None, None]  # a step of 1 has a roughness of a third
            return steps

        monkeypatch.setattr(smoothness, "surface", surface)
        self.judge(claims.measure_shr10, 1.5 / 3, np.mean(together) / 3, value)

    @pytest.mark.parametrize(("together", "value"), [((1.0, 1.4), 0.6), ((4.5, 3.0), -0.25)])
    def test_shr11(self, monkeypatch, together, value):
        moved = {"base": (4.0, 2.0), "all": together}
        monkeypatch.setattr(smoothness, "frames", lambda data, name, video: (name, video))
        monkeypatch.setattr(smoothness, "jitter", lambda method, video: (None, moved[method][video[1]]))
        self.judge(claims.measure_shr11, 3.0, np.mean(together), value)


def test_theory_claims_hold():
    assert 0 < claims.measure_shr1("smoke", "hand", 0).value <= 1e-12
    found = claims.measure_shr4("smoke", "hand", 0)
    assert found.value == 1 and len(found.images) == 5000
    assert found.curves["counterexample"]["kept"] is False


def test_the_claims_of_runs_go_through_from_training_to_statistic(tmp_path, monkeypatch):
    monkeypatch.setenv("POSENB_HOME", str(tmp_path))
    tiny = {
        name: dataclasses.replace(tiny_spec(steps=2), method="stable_heatmaps", options=options)
        for name, options in (("base", {}), ("rcc", {"rcc": True}))
    }
    monkeypatch.setattr(claims, "specs", lambda *_: tiny)
    found = claims.measure_shr2("smoke", "body", 0, "cpu")
    assert found.images.shape == (16, 2) and found.runs == [spec.key for spec in tiny.values()]
    assert found.curves["variants"]["rcc"]["d_n"] == pytest.approx(found.images[:, 1].mean())
    assert tiny["base"].network.options == NETWORK


def test_accuracy_off_the_diagonal_is_that_of_the_joints_there(monkeypatch):
    data = tiny_data(6)
    points = data.points.clone()
    far = (points[..., 0] - points[..., 1]).abs() * 2 >= 20
    points[far] += 5  # a reference length of 10: wrong beyond 2 pixels
    run = SimpleNamespace(
        spec=SimpleNamespace(data=SimpleNamespace(load=lambda _: data)), predictions=SimpleNamespace(points=points)
    )
    assert far.any() and not far.all()
    assert off_diagonal(run, (0, 20, 64, 100))[:2] == [1.0, 0.0]
    assert np.isnan(off_diagonal(run, (0, 20, 64, 100))[2])
