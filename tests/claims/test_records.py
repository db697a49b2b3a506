"""Verdicts, intervals, records."""

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from jsonschema import ValidationError, validate

from posenb import claims, home
from posenb.claims import INCONCLUSIVE, NOT_JUDGED, NOT_REPRODUCED, REPRODUCED, Measurement, bootstrap, judge
from posenb.errors import DataError, UserError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([1.0, 1.1, 0.9, 1.0, 1.05], REPRODUCED),
        ([-1.0, -1.1, -0.9, -1.0, -1.05], NOT_REPRODUCED),
        ([1.0, -1.0, 0.5, -0.5, 0.1], INCONCLUSIVE),
        ([1.0, 1.1], NOT_JUDGED),
    ],
)
def test_the_rule(values, verdict):
    assert judge(values).verdict == verdict


def test_a_least_of_parts_needs_one_part_that_is_refuted():
    # each part is 0 in the mean, and below 0 in another seed: their least is below 0 in every seed
    parts = [[-1.0, 0.5, 0.5], [0.5, -1.1, 0.5], [0.5, 0.6, -1.0]]
    least = [min(row) for row in parts]
    assert judge(least).verdict == NOT_REPRODUCED and judge(least, parts).verdict == INCONCLUSIVE
    assert judge(least, parts).high == judge(least).high < 0
    refuted = [[*row, value] for row, value in zip(parts, (-0.9, -1.0, -0.95), strict=True)]
    assert judge(least, refuted).verdict == NOT_REPRODUCED
    # one part alone does not refute where the least, with it, is not below 0 for sure
    wide = [[-0.1, -9.0], [-0.11, 9.0], [-0.1, 0.0]]
    assert judge([min(row) for row in wide], wide).verdict == INCONCLUSIVE


def test_the_interval_is_students():
    # t(.975, 4) = 2.776; standard deviation of 1..5 is 1.5811
    found = judge([1, 2, 3, 4, 5])
    assert found.low == pytest.approx(3 - 2.7764 * 1.5811 / 5**0.5, abs=1e-3)
    assert found.high == pytest.approx(3 + 2.7764 * 1.5811 / 5**0.5, abs=1e-3)


def _measurement(images: np.ndarray) -> Measurement:
    return Measurement(float(images.mean()), images, lambda mean: float(mean.mean()), ["0" * 16], {})


def test_the_bootstrap_is_that_of_the_mean():
    images = np.random.default_rng(1).normal(2, 1, (400, 3))
    low, high = bootstrap([_measurement(images)], draws=2000)
    error = images.mean(axis=1).std() / 400**0.5
    assert low == pytest.approx(images.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(images.mean() + 1.96 * error, abs=0.15 * error)


def test_the_bootstrap_draws_the_same_images_for_all_seeds():
    images = np.random.default_rng(1).normal(0, 1, (100, 1))
    low, high = bootstrap([_measurement(images), _measurement(-images)])
    assert low == pytest.approx(0, abs=1e-12) and high == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("field", "value"),
    [("verdict", "splendid"), ("profile", "huge"), ("runs", [3]), ("interval", [1.0]), ("claim", "ada1")],
)
def test_the_schema_refuses(record, field, value):
    validate(record, claims.schema())
    with pytest.raises(ValidationError):
        validate(record | {field: value}, claims.schema())
    with pytest.raises(ValidationError):
        validate(record | {"extra": 1}, claims.schema())


def test_own_records_stand_before_published_ones(record, tmp_path, monkeypatch):
    monkeypatch.setenv("POSENB_HOME", str(tmp_path))
    for folder, mean in ((claims.published_folder(), 1.0), (claims.records_folder(), 2.0)):
        folder.mkdir(parents=True)
        (folder / "ADA-1.body.full.json").write_text(json.dumps(record | {"mean": mean}))
    assert [found["mean"] for found in claims.records("ADA-1")] == [2.0]
    assert claims.record("ADA-1", "body")["mean"] == 2.0
    assert claims.record("ADA-1", "lsp") is None
    assert list(claims.records("SHR-1")) == []


def test_published_records_are_the_checkouts_wherever_runs_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("POSENB_HOME", str(tmp_path))
    monkeypatch.setattr(import_module("posenb.claims.records"), "checkout", home.checkout)
    assert claims.published_folder() == ROOT / "book" / "published"
    assert claims.records_folder() == tmp_path / "records"
    monkeypatch.chdir(tmp_path)
    assert claims.published_folder() == tmp_path / "book" / "published"


def test_a_damaged_record_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("POSENB_HOME", str(tmp_path))
    claims.records_folder().mkdir()
    (claims.records_folder() / "ADA-1.body.full.json").write_text('{"claim": ')
    with pytest.raises(UserError, match=r"ADA-1\.body\.full\.json is no valid record .*measure it again"):
        list(claims.records())


def test_a_record_under_anothers_name_is_refused(record, tmp_path, monkeypatch):
    monkeypatch.setenv("POSENB_HOME", str(tmp_path))
    claims.records_folder().mkdir()
    (claims.records_folder() / "SHR-3.hand.full.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"SHR-3\.hand\.full\.json .*it holds ADA-1\.body\.full\.json"):
        list(claims.records())


def test_an_unknown_claim_is_told(record):
    with pytest.raises(UserError, match="no claim 'ADA-99' is registered; there are ADA-1"):
        claims.find("ADA-99")


@pytest.fixture(scope="module")
def one_home(tmp_path_factory):
    """A store that the claims below share, as they share runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSENB_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.mark.parametrize("identifier", claims.CLAIMS)
def test_every_claim_can_be_measured(identifier, one_home):
    """At smoke, with its own function: the record agrees with the schema, is kept, and stands."""
    try:
        found = claims.measure(identifier, "smoke", "body", [0], device="cpu")
    except DataError as error:
        pytest.skip(f"it needs a real data set: {error}")
    assert found == claims.record(identifier, "body", ["smoke"])
    assert claims.problem(found) == ""


def test_smoke_is_not_judged_whatever_its_seeds_say(one_home):
    """A count: the same number above 0 for every seed, which any other profile would call reproduced."""
    found = claims.measure("ADA-10", "smoke", "body", [0, 1, 2], device="cpu")
    assert judge(found["values"]).verdict == REPRODUCED and found["verdict"] == NOT_JUDGED
    assert claims.problem(found) == ""


def test_a_record_in_one_line(record):
    said = "reproduced (1, 95% interval 0.752 to 1.25, over images 0.9 to 1.1; 3 seeds)"
    assert claims.sentence(record) == said
    one = {"seeds": [0], "interval": None, "verdict": NOT_JUDGED}
    assert claims.sentence(record | one) == "not judged (1, over images 0.9 to 1.1; 1 seed)"


class TestProblem:
    """Altered and outdated records are noticed."""

    @pytest.fixture
    def good(self, record):
        claim = claims.find("ADA-1")
        keys = [spec.key for seed in (0, 1, 2) for spec in claim.specs("full", "body", seed)]
        return record | {"statistic": claim.statistic, "runs": keys, "mean": 1.0}

    def test_there_is_none(self, good):
        assert claims.problem(good) == ""

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"verdict": "not reproduced"}, "its values say 'reproduced'"),
            ({"values": [-1.0, -1.1, -0.9]}, "its values say 'not reproduced'"),
            ({"values": [1.0, 1.2, 0.9]}, "have the mean 1.03"),
            ({"interval": [0.5, 1.5]}, "have the interval 0.752 to 1.25"),
            ({"statistic": "another"}, "another statistic"),
            ({"runs": ["0123456789abcdef"] * 3}, "other runs"),
            ({"seeds": [0, 1, 3]}, "other runs"),
        ],
    )
    def test_is_said(self, good, change, said):
        assert said in claims.problem(good | change)

    def test_a_data_set_that_has_gone_is_told_and_spoils_no_other_record(self, good):
        assert "data set must be one of" in claims.problem(good | {"dataset": "zoo"})

    def test_a_new_version_of_the_method_makes_records_stale(self, good, monkeypatch):
        monkeypatch.setattr("posenb.methods.supervised.Supervised.version", 99)
        assert "other runs" in claims.problem(good)


def test_where_nothing_was_counted_the_earlier_record_stays(one_home, monkeypatch):
    kept = claims.measure("ADA-1", "smoke", "body", [0], device="cpu")
    nothing = Measurement(float("nan"), np.full((4, 1), np.nan), lambda mean: float("nan"), kept["runs"], {})
    monkeypatch.setattr(claims.Claim, "measure", lambda *_: nothing)
    with pytest.raises(UserError, match=r"ADA-1 on body is not recorded: .* nothing was counted"):
        claims.measure("ADA-1", "smoke", "body", [0], device="cpu")
    assert claims.record("ADA-1", "body", ["smoke"]) == kept


def test_a_run_trained_again_is_compared_with_the_record(tmp_path, monkeypatch):
    monkeypatch.setenv("POSENB_HOME", str(tmp_path))
    record = claims.measure("ADA-1", "smoke", "body", [0], device="cpu")
    again = claims.repeat(record, pick=5, device="cpu")
    assert again.now == again.recorded
    record["trained"][record["runs"][0]]["pck"] += 0.5
    assert claims.repeat(record, device="cpu").recorded == again.now + 0.5


def test_published_records_are_valid_and_follow_the_rule():
    paths = sorted((ROOT / "book" / "published").glob("*.json"))
    assert paths
    for path in paths:
        found = json.loads(path.read_text())
        validate(found, claims.schema())
        verdict = judge(found["values"])
        assert found["mean"] == pytest.approx(verdict.mean)
        assert claims.problem(found) == "", path.name
