"""The statistics of the claims on self adversarial training, by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from posenb.claims import Measurement
from posenb.experiments import self_adversarial_claims as claims
from posenb.experiments.self_adversarial import Judgement, Poses


@pytest.fixture
def given(monkeypatch):
    """Puts runs of these names in the place of trained ones, with a history each and what is found on their images."""

    def put(histories=None, judged=None, poses=None):
        def run(name):
            options = SimpleNamespace(wait=0.5, gamma=4.0)
            spec = SimpleNamespace(key=name, method_options=lambda: options)
            return SimpleNamespace(spec=spec, history=pd.DataFrame((histories or {}).get(name, {})))

        monkeypatch.setattr(claims, "_runs", lambda names, *_: {name: run(name) for name in names})
        monkeypatch.setattr(claims, "judgement", lambda run, _: judged)
        monkeypatch.setattr(claims, "poses", lambda run, _: poses[run.spec.key])

    return put


def check(measurement: Measurement, value: float):
    assert measurement.value == pytest.approx(value)
    assert np.min(measurement.statistic(measurement.images.mean(axis=0))) == pytest.approx(measurement.value)


@pytest.mark.parametrize(
    ("fake", "damaged", "value"),
    [
        ((3.0, 2.0), (1.5, 2.3), 0.4),  # .5 and .3 above 1 and 2; 2 and .5 above 1 and 1.5
        ((1.25, 1.75), (1.5, 2.3), 0.25),
        ((3.0, 2.0), (0.5, 1.7), -0.4),
        ((0.75, 0.75), (1.5, 2.3), -0.5),
    ],
)
def test_sat1_is_the_smaller_of_before_and_on_damaged_maps(given, fake, damaged, value):
    # k is released after half of eight steps; the first two, and those after it, would turn every sign
    rows = {"step": range(1, 9), "real": [9, 9, 1, 1.5, 9, 9, 9, 9], "fake": [0, 0, *fake, 0, 0, 0, 0]}
    judged = Judgement(np.array([1.0, 2.0]), np.array([70.0, 80.0]), np.array(damaged), {}, {})
    given({"sat": rows}, judged)
    found = claims.measure_sat1("smoke", "body", 0)
    check(found, value)
    assert (found.curves["real"], found.curves["generated"]) == (1.5, 75) and found.runs == ["sat"]
    assert found.curves["before"] == pytest.approx(np.mean(fake) - 1.25)


@pytest.mark.parametrize(
    ("fixed", "steered", "saturated", "value"),
    [
        ((0.5, 0.6, 0.7), (0.1, 0.2, 0.0), (0, 0, 0), 0.5),
        ((0.5, 0.6, 0.7), (0.1, 0.2, 0.0), (1, 0, 0), 1 / 3),
        ((0.5, 0.6, 0.7), (0.1, 0.2, 0.0), (1, 1, 0), -1 / 3),
        ((0.1, 0.2, 0.0), (0.5, 0.6, 0.7), (0, 0, 0), -0.5),
    ],
)
def test_sat2_is_the_smaller_of_balance_and_freedom(given, fixed, steered, saturated, value):
    def rows(imbalance, ends):
        early = {"step": range(1, 10), "real": 1.0, "fake": 4.0, "k": 0.5}  # nine steps, of which six do not count
        return early | {"imbalance": [7.0] * 6 + list(imbalance), "saturated": [1.0] * 6 + list(ends)}

    given({"fixed": rows(fixed, (1, 1, 1)), "sat": rows(steered, saturated)})
    found = claims.measure_sat2("smoke", "body", 0)
    check(found, value)
    means = {"fixed": np.mean(fixed), "sat": np.mean(steered)}
    assert found.curves["imbalance"] == pytest.approx(means) and found.curves["gamma"] == 4
    assert found.curves["histories"]["sat"]["imbalance"][-3:] == list(steered)


@pytest.mark.parametrize(("sign", "value"), [(1, 0.25), (-1, -1 / 3)])
def test_sat3_is_the_lesser_of_two_areas_less_a_half(given, sign, value):
    # the third image has no pair to exchange, and does not count for the displaced joint either
    scores = torch.tensor([[9.0, 8, 2, 1], [3.0, 4, 2, 1], [0.0, 1, 2, 3]])
    first = torch.tensor([[True, False, False, False]] * 3)  # higher than 3 of 3, and than 2 of 3
    pair = torch.tensor([[True, True, False, False], [True, False, True, False], [False] * 4])  # 4 of 4, 2 or 1 of 2
    judged = Judgement(
        *[np.ones(3)] * 3,
        score=dict.fromkeys(("displaced", "swapped", "answers"), sign * scores),
        wrong={"displaced": first, "swapped": pair, "answers": first},
    )
    given(judged=judged)
    found = claims.measure_sat3("smoke", "body", 0)
    # displaced (1 + 2/3) / 2, swapped (1 + 1/2) / 2, each less 1/2; of the negated scores the complements
    check(found, value)
    assert len(found.images) == 2 and found.curves["swapped"] == pytest.approx(0.5 + sign * 0.25)
    assert found.curves["answers"] == pytest.approx((1 + 2 / 3 + 0) / 3 if sign > 0 else (0 + 1 / 3 + 1) / 3)


@pytest.mark.parametrize(
    ("alone", "trained", "value"),
    [
        ((0.5, 0.30, 0.20), (0.6, 0.15, 0.15), 0.05),  # of PCK, unreal limbs, exchanged joints
        ((0.5, 0.30, 0.40), (0.6, 0.22, 0.15), 0.08),
        ((0.5, 0.30, 0.40), (0.53, 0.2, 0.15), 0.03),
        ((0.6, 0.30, 0.40), (0.5, 0.2, 0.15), -0.1),
        ((0.5, 0.15, 0.40), (0.6, 0.3, 0.15), -0.15),
        ((0.5, 0.30, 0.15), (0.6, 0.2, 0.35), -0.2),
    ],
)
def test_sat4_is_the_least_of_three_gains(given, alone, trained, value):
    def poses(pck, odd, swapped):
        spread = np.array([-0.05, 0.05, 0.9])  # the last image has no pair, and does not count
        zeros = np.zeros(3)
        return Poses(pck + spread, zeros, zeros, odd + spread, zeros, np.array([swapped, swapped, np.nan]))

    given(poses={"mse": poses(*alone), "sat": poses(*trained)})
    found = claims.measure_sat4("smoke", "body", 0)
    check(found, value)
    assert len(found.images) == 2 and found.runs == ["mse", "sat"]
    assert found.curves["variants"]["sat"]["swapped"] == pytest.approx(trained[2])
