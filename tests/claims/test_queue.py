"""The queue of runs."""

import dataclasses
import os

import pytest
import torch

from posenb import claims, runs
from posenb.claims import campaign, queue
from posenb.claims.claim import Claim
from posenb.errors import UserError
from tests.tiny import tiny_spec


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("POSENB_HOME", str(tmp_path))
    # the workers that it starts share this
    assert os.environ["POSENB_HOME"] == str(tmp_path)
    return tmp_path


def started_from(spec, seed=0):
    return dataclasses.replace(tiny_spec(seed), method="stable_heatmaps", options={}, start=(spec,))


def test_a_run_stands_behind_those_that_it_starts_from_and_once():
    start = tiny_spec()
    first, second = started_from(start), dataclasses.replace(started_from(start), options={"rcc": True})
    assert queue.with_starts([first, second, start, first]) == [start, first, second]


def test_what_is_stored_is_not_missing(home):
    start = tiny_spec(steps=2)
    later = started_from(start)
    runs.train(start, device="cpu")
    assert runs.is_stored(start) and queue.missing([later]) == [later]


def test_what_fails_costs_what_starts_from_it_alone(home):
    broken = dataclasses.replace(tiny_spec(steps=2), options={"loss": "mse", "lr": 1e30})
    good = tiny_spec(seed=1, steps=2)
    torch.set_num_threads(1)
    ended = list(queue.train([started_from(broken), good], "cpu", jobs=2))
    told = {one.spec.key: one.error for one in ended}
    assert told.keys() == {broken.key, started_from(broken).key, good.key}
    assert told[good.key] == "" and "no longer finite" in told[broken.key]
    assert told[started_from(broken).key] == "a run that it starts from failed"
    assert runs.is_stored(good) and not runs.is_stored(broken)


def specs(profile, dataset, seed):
    """The specs of the claim below."""
    return {"one": tiny_spec(seed, steps=2)}


def measure(profile, dataset, seed, device):
    """Where it always goes wrong."""
    raise UserError("nothing came out")


class TestCampaign:
    claim = Claim(
        "XYZ-1", "01_foundations", "says", "paper", f"{__name__}:measure", None, f"{__name__}:specs", ("one",), True
    )

    def test_a_sweep_takes_three_seeds(self):
        assert list(campaign.seeds(self.claim, 5)) == [0, 1, 2]
        assert list(campaign.seeds(dataclasses.replace(self.claim, sweep=False), 5)) == [0, 1, 2, 3, 4]

    def test_says_what_would_be_trained(self, home):
        runs.train(tiny_spec(0, steps=2), device="cpu")
        lines = campaign.announce([(self.claim, "body")], "full", 5)
        assert lines[0] == "XYZ-1 on body: would be measured over 3 seed(s); 3 runs, 2 of them to be trained"
        assert lines[1].startswith("2 runs to be trained in all")

    def test_goes_on_where_a_claim_fails(self, home, monkeypatch):
        monkeypatch.setitem(claims.CLAIMS, "XYZ-1", self.claim)
        said = []
        failed = campaign.measure_all(
            [(self.claim, "body"), (claims.find("ADA-1"), "body")], "smoke", 1, "cpu", tell=said.append
        )
        assert failed == ["XYZ-1"]
        assert said[1] == "XYZ-1 on body: FAILED: nothing came out"
        assert said[-1].startswith("ADA-1 on body: not judged")
