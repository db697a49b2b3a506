"""The claims on adversarial augmentation, as they are measured."""

import math

import jsonschema
import numpy as np
import pytest

from posenb import claims
from posenb.experiments import adversarial_accuracy, adversarial_claims
from posenb.experiments.adversarial_specs import HOURGLASSES
from posenb.spec import Network

ADA = [claim for claim in claims.CLAIMS.values() if claim.chapter == "02_adversarial_augmentation"]


def test_all_of_the_papers_claims_are_registered():
    assert [claim.id for claim in ADA] == [f"ADA-{k}" for k in range(2, 15)]
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
    assert adversarial_claims._flattening(means) == 0.75
    assert adversarial_claims._flattening(means[::-1]) == -0.75


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
