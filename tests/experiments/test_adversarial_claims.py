"""The claims on adversarial augmentation, as they are measured."""

import math
from types import SimpleNamespace

import jsonschema
import numpy as np
import pytest
import torch

from posenb import augment, claims
from posenb.experiments import accuracy as shared
from posenb.experiments import adversarial, adversarial_accuracy, adversarial_claims
from posenb.experiments.adversarial_specs import HOURGLASSES
from posenb.skeletons import LSP14
from posenb.spec import Network

ADA = [claim for claim in claims.CLAIMS.values() if claim.chapter == "02_adversarial_augmentation"]


def test_all_of_the_papers_claims_are_registered():
    assert [claim.id for claim in ADA] == [f"ADA-{k}" for k in range(2, 16)]
    assert all(len(claim.statistic) > 40 for claim in ADA)


def test_weights_are_counted():
    # a stem of 3 x 3, pairs of 3 x 3 and 1 x 1, and the norms' scales and shifts
    small = Network("small", {"widths": (8, 16)})
    convolutions = 9 * (3 * 8 + 8 * 16 + 16 * 16 + 2 * 16 * 16 + 8 * 8) + 16 * 8 + (8 * 5 + 5)
    norms = 2 * (8 + 16 + 16 + 2 * 16 + 8 + 8)
    assert adversarial_claims.count_weights(small, 5) == convolutions + norms


def test_the_dense_hourglass_is_lighter_but_not_by_half():
    found = adversarial_claims.measure_ada6("full", "body", 0)
    weights = found.curves["weights"]
    assert set(weights) == set(HOURGLASSES)
    assert found.value == 0.5 - weights["dense"] / weights["residual"]
    # 38M in the paper are the residual one's weights as bytes
    assert round(4 * weights["residual"] / 1e6) == 38
    assert 0.5 < weights["dense"] / weights["residual"] < 1


def test_the_sweep_costs_six_times_the_pair():
    found = adversarial_claims.measure_ada10("full", "body", 0)
    # for each image: 3 to learn; 2 of 3 are judged, each with one pass for its bridges: 2 + 4 or 2 + 63 + 16 thirds
    assert found.curves["pair"] == pytest.approx(5) and found.curves["sweep"] == pytest.approx(3 + 81 / 3)
    assert found.value == pytest.approx(5)


def test_flattening_is_of_random_and_adversarial_in_this_order():
    bowl, flat = [3.0, 1.0, 2.0], [2.0, 2.0, 2.0]
    means = np.array([[bowl, bowl], [bowl, flat]])  # random stays, adversarial flattens
    assert adversarial_claims._flattening(means) == (0.75, 0.75)
    assert adversarial_claims._flattening(means[::-1]) == (0.0, -0.75)


def test_the_control_is_deeper_where_choices_flatten():
    bowl, flat = [3.0, 1.0, 2.0], [2.0, 2.0, 2.0]
    means = np.array([[flat, bowl], [bowl, flat], [flat, flat]])  # of uniform, both, random: the last stage counts
    assert adversarial_claims._chosen(means) == 0.75 == -adversarial_claims._chosen(means[[1, 0, 2]])


def fake(name, **attributes):
    """What a run says of itself: its name, also where a method or answers are asked for."""
    images = SimpleNamespace(load=lambda _: name)
    spec = SimpleNamespace(key=name, data=images, start=("before",))
    whole = {"spec": spec, "method": name, "predictions": name, "metrics": {"pck": 0.5}}
    return SimpleNamespace(**whole | attributes)


@pytest.fixture
def given(monkeypatch):
    """Puts these in the place of trained runs: hits of PCK, of all joints or of each."""

    def put(accuracies):
        setting = SimpleNamespace(skeleton=LSP14)

        def run(name):
            return fake(name, method=SimpleNamespace(setting=setting))

        def hits(run):
            right = np.broadcast_to(accuracies[run.spec.key], (2, 14))
            return np.stack([right, np.ones((2, 14))], axis=1)

        monkeypatch.setattr(adversarial_claims, "trained", lambda names, *_: {name: run(name) for name in names})
        monkeypatch.setattr(shared, "final_hits", hits)
        for figure in ("parts", "by_threshold"):
            monkeypatch.setattr(adversarial_accuracy, figure, lambda _: {})

    return put


def check(measurement, value):
    assert measurement.value == pytest.approx(value)
    assert np.min(measurement.statistic(measurement.images.mean(axis=0))) == pytest.approx(measurement.value)


@pytest.mark.parametrize(
    ("number", "accuracies", "value"),
    [
        (8, {"aho": 0.7, "scaled down": 0.65, "independent": 0.6}, 0.05),
        (8, {"aho": 0.7, "scaled down": 0.6, "independent": 0.68}, 0.02),
        (8, {"aho": 0.62, "scaled down": 0.65, "independent": 0.6}, -0.03),
        (9, {"stacked both": 0.7, "stacked random": 0.6}, 0.1),
        (9, {"stacked both": 0.6, "stacked random": 0.63}, -0.03),
        (11, {"aho": 0.7, "pixels": 0.64}, 0.06),
        (11, {"aho": 0.6, "pixels": 0.61}, -0.01),
        (12, {"both": 0.7, "together": 0.65, "random": 0.68}, 0.02),
        (12, {"both": 0.7, "together": 0.75, "random": 0.6}, -0.05),
        (13, {"both": 0.7, "unprepared": 0.66}, 0.04),
        (13, {"both": 0.6, "unprepared": 0.68}, -0.08),
    ],
)
def test_gains_in_accuracy_over_the_best_of_the_others(given, number, accuracies, value):
    given(accuracies)
    found = getattr(adversarial_claims, f"measure_ada{number}")("smoke", "body", 0)
    check(found, value)
    assert set(found.runs) == set(accuracies)


@pytest.mark.parametrize(
    ("before", "after", "value"),
    [  # of wrists, knees and ankles, and of the other joints
        ((0.5, 0.5), (0.7, 0.6), 0.1),
        ((0.5, 0.5), (0.62, 0.3), 0.12),
        ((0.5, 0.5), (0.6, 0.7), -0.1),
        ((0.6, 0.7), (0.5, 0.5), -0.1),
    ],
)
def test_ada5_is_the_smaller_of_the_hard_joints_gain_and_of_what_it_is_beyond_the_others(given, before, after, value):
    hard = np.array([joint.endswith(adversarial_accuracy.HARD_JOINTS) for joint in LSP14.joints])
    assert hard.sum() == 6
    given({name: np.where(hard, *of) for name, of in (("random", before), ("both", after))})
    check(adversarial_claims.measure_ada5("smoke", "body", 0), value)


BOWL, HALF, FLAT, DEEP = [3.0, 1.0, 2.0], [2.5, 1.5, 2.0], [2.0, 2.0, 2.0], [3.0, 0.0, 3.0]
"""Of depth .75, .375, 0 and 1.5 of their mean, 2."""


@pytest.mark.parametrize(
    ("random", "both", "value"),
    [(BOWL, FLAT, 0.75), (HALF, FLAT, 0.375), (BOWL, HALF, 0.375), (FLAT, HALF, -0.375), (DEEP, DEEP, -0.75)],
)
def test_ada2_is_the_smaller_of_two_flattenings(monkeypatch, random, both, value):
    ends = {"start": BOWL, "random": random, "both": both}

    def curves(runs, images):
        loss = np.array([ends[run.spec.key] for run in runs])  # (stages, angles)
        return ["start", "step 9"], np.stack([loss + 0.4, loss - 0.4, loss, loss], axis=1)  # the mean counts

    monkeypatch.setattr(adversarial_claims, "trained", lambda names, *_: {name: fake(name) for name in names})
    monkeypatch.setattr(adversarial_claims, "tested", lambda *_: None)
    monkeypatch.setattr(adversarial, "curves_over_training", curves)
    found = adversarial_claims.measure_ada2("smoke", "body", 0)
    check(found, value)
    assert found.images.shape == (4, 2, 2, 3) and found.runs == ["random", "both"]
    assert found.curves["depth"]["both"] == pytest.approx([0.75, adversarial.depth(np.array(both))])


RISING, FALLING = [0.2, 0.3, 0.5], [5.0, 3.0, 2.0]


@pytest.mark.parametrize(
    ("first", "second", "value"),
    [  # deviations (-4, -1, 5) with (-4, -1, 5) or with (5, -1, -4)
        (RISING, RISING, 2 / 4),
        (RISING, FALLING, (1 - 39 / 42) / 4),
        (FALLING, FALLING, -2 * 39 / 42 / 4),
    ],
)
def test_ada3_is_the_mean_correlation_over_images_and_steps(monkeypatch, first, second, value):
    losses = {1: first, 9: second}

    def at(step):
        return SimpleNamespace(step=step, rotations=augment.ROTATIONS)

    run = fake("both", snapshots=[1, 9], at=at)
    predicted = torch.tensor([RISING, [1 / 3] * 3])  # the second image's is flat, which counts 0
    monkeypatch.setattr(adversarial_claims, "trained", lambda names, *_: dict.fromkeys(names, run))
    monkeypatch.setattr(adversarial_claims, "tested", lambda *_: None)
    monkeypatch.setattr(adversarial, "predicted_distributions", lambda *_: {"rotation": predicted})
    monkeypatch.setattr(adversarial, "difficulty_over", lambda method, *_: np.array([losses[method.step]] * 2))
    found = adversarial_claims.measure_ada3("smoke", "body", 0)
    check(found, value)
    at_first = 0.5 if first is RISING else -39 / 84
    assert found.images.shape == (2, 2) and found.curves["pearson"][0] == pytest.approx(at_first)


@pytest.mark.parametrize(
    ("angles", "value"), [([-170.0, 100.0, 30.0, 90.0, 120.0], 0.1), ([10.0, -100.0, 80.0, -30.0], -0.25)]
)
def test_ada7_is_the_share_turned_beyond_a_right_angle_less_a_half(monkeypatch, angles, value):
    monkeypatch.setattr(adversarial_claims, "trained", lambda names, *_: {name: fake(name) for name in names})
    monkeypatch.setattr(adversarial, "predicted_distributions", lambda *_: {"angle": torch.tensor(angles)})
    found = adversarial_claims.measure_ada7("smoke", "body", 0)
    check(found, value)
    assert found.runs == ["direct"] and found.curves["angles"] == angles


@pytest.mark.parametrize(
    ("counts", "value"),
    [  # of each image joints taken for their mirror image, and wrong ones
        ({"random": [[2, 4], [1, 2]], "both": [[1, 4], [0, 1]]}, 0.3),
        ({"random": [[1, 4], [0, 4]], "both": [[1, 1], [1, 3]]}, -0.375),
    ],
)
def test_ada14_is_the_share_of_confused_joints_that_is_gone(monkeypatch, counts, value):
    monkeypatch.setattr(adversarial_claims, "trained", lambda names, *_: {name: fake(name) for name in names})
    monkeypatch.setattr(adversarial_accuracy, "confusion", lambda answers, _: np.array(counts[answers], dtype=float))
    found = adversarial_claims.measure_ada14("smoke", "body", 0)
    check(found, value)
    assert found.runs == ["random", "both"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSENB_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.mark.slow
@pytest.mark.parametrize("claim", ADA, ids=lambda claim: claim.id)
def test_each_is_measured_at_smoke(home, claim):
    record = claims.measure(claim.id, "smoke", "body", [0], device="cpu")
    jsonschema.validate(record, claims.schema())
    assert math.isfinite(record["mean"]) and record["verdict"] == claims.NOT_JUDGED
    # the queue trains what is measured, and nothing else
    assert set(record["runs"]) == {spec.key for spec in claim.specs("smoke", "body", 0)}


@pytest.mark.slow
def test_a_record_of_components_makes_the_table_and_the_curves(home):
    (curves,) = claims.measure("ADA-4", "smoke", "body", [0], device="cpu")["curves"]
    table = adversarial_accuracy.component_table([curves["parts"]])
    assert list(table.iloc[:, 0]) == ["small: Random Aug.", "small: +ASR", "small: +AHO", "small: +ASR+AHO"]
    assert list(table.columns[1:]) == ["Head", "Sho.", "Elb.", "Wri.", "Hip", "Knee", "Ank.", "Mean"]
    lines = curves["by_threshold"]["small, both"]
    assert {len(line) for line in lines.values()} == {len(curves["thresholds"])}
