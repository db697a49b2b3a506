"""The runs of the chapter on adversarial augmentation: which start from which, and in what they differ."""

from dataclasses import replace

import pytest

from posenb import runs
from posenb.experiments.adversarial_specs import VARIANTS, networks, specs, stacked, stages
from posenb.spec import Network

STACKED = ("stacked random", "stacked both")


class TestSpecs:
    def test_stages_start_from_each_other(self):
        found = specs("quick", "body", seed=2)
        assert found["agents"].start == (found["start"],) == found["random"].start == found["direct agents"].start
        for name in VARIANTS:
            assert found[name].start == (found["agents"],)
            assert found[name].method == "adversarial_augmentation"
        assert found["direct"].start == (found["direct agents"],)
        assert {spec.seed for spec in found.values()} == {2}

    @pytest.mark.parametrize("profile", ["smoke", "quick", "full", "paper"])
    def test_all_of_stage_3_differ_in_nothing_but_their_options(self, profile):
        found = specs(profile, "body")
        third = [spec for name, spec in found.items() if name not in ("start", "agents", "direct agents", *STACKED)]
        assert len({spec.key for spec in found.values()}) == len(found)
        assert all(spec.budget == third[0].budget and spec.data == third[0].data for spec in third)
        losses = {spec.method_options().loss for spec in found.values()}
        assert losses == {"mse" if profile == "paper" else "soft_cross_entropy"}

    def test_the_papers_learning_rates_at_its_own_size(self):
        found = specs("paper", "body")
        assert {found[name].method_options().lr for name in ("start", "random", "both", "stacked both")} == {2.5e-4}
        assert found["agents"].method_options().agent_lr == 2.5e-4
        assert found["both"].method_options().agent_lr == 5e-5

    def test_another_network_for_all(self):
        found = stages("quick", "body", network=Network("hourglass", {"block": "dense"}))
        assert {spec.network.name for spec in found.values()} == {"hourglass"}

    def test_every_run_can_be_trained(self):
        # a wrong option, or a network without bridges, is found here
        for spec in specs("smoke", "body").values():
            runs.create(spec)

    def test_the_stacked_ones_differ_in_nothing_but_the_network(self):
        found = specs("full", "body")
        for name in ("random", "both"):
            assert replace(found[f"stacked {name}"], network=found[name].network, start=()) == replace(
                found[name], start=()
            )
            assert found[f"stacked {name}"].network == stacked("full")
            assert runs.create(found[f"stacked {name}"]).network.options.stacks == 2

    @pytest.mark.parametrize("name", ["residual", "dense"])
    def test_the_papers_hourglasses_have_a_grid_of_4_by_4(self, name):
        method = runs.create(stages("paper", "body", network=networks("paper")[name])["aho"])
        assert method.grid == (4, 4) and method.network.options.block == name

    def test_as_many_images_as_lsp_has(self):
        assert specs("full", "body")["both"].data.train == 1000
        assert specs("full", "lsp")["both"].data.train is None  # all of them
