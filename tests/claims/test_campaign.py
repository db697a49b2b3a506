"""Many claims, one after the other."""

import dataclasses
import os

import pytest

from posenb import claims, runs
from posenb.claims import campaign
from posenb.claims.claim import Claim
from posenb.errors import UserError
from tests.tiny import tiny_spec


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("POSENB_HOME", str(tmp_path))
    # the workers that it starts share this
    assert os.environ["POSENB_HOME"] == str(tmp_path)
    return tmp_path


def specs(profile, dataset, seed):
    """The specs of the claim below."""
    return {"one": tiny_spec(seed, steps=2)}


def measure(profile, dataset, seed, device):
    """Where it always goes wrong."""
    raise UserError("nothing came out")


class TestCampaign:
    claim = Claim(
        "XYZ-1", "01_foundations", "says", "paper", f"{__name__}:measure", f"{__name__}:specs", ("one",), True
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
