"""One Bench: what is trained on what, and its statistics by hand."""

import shlex
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from posenb import cli, runs
from posenb.errors import UserError
from posenb.experiments import bench, bench_guide
from posenb.experiments.bench_specs import COMBINED, FEW, ROWS, carried, label_counts, specs
from posenb.profiles import PROFILES

NAMES = tuple(ROWS)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("dataset", ["body", "lsp"])
class TestSpecs:
    def test_all_rows_share_data_schedule_and_seed(self, profile, dataset):
        found = specs(profile, dataset, 3)
        assert set(found) == {*ROWS, *(f"few, {name}" for name in FEW)}
        for before, labels in zip(("few, ", ""), label_counts(profile, dataset), strict=True):
            some = [found[before + name] for name in (FEW if before else ROWS)]
            assert {spec.data.train for spec in some} == {labels}
            assert len({str(replace(spec.data, unlabelled=0)) for spec in some}) == 1
            assert len({str(spec.budget) for spec in some}) == 1 and {spec.seed for spec in some} == {3}
            # options that the methods know, and one encoder's run at the bottom of all
            assert all(spec.method_options() for spec in some)

    def test_every_row_goes_on_from_the_same_supervised_run(self, profile, dataset):
        found = specs(profile, dataset)
        start = found["supervised"].start[0]
        for name, row in ROWS.items():
            sources = found[name].start
            if row.agents:
                assert sources[0].method == "adversarial_pretraining"
                sources = sources[0].start
            if not (row.method == "error_feedback" and profile == "paper"):
                assert sources[0] == start
            assert len(sources) == (2 if row.two else 1) or not sources
            assert (found[name].data.unlabelled > 0) == row.two


def test_combinations_are_their_parts():
    found = specs("full", "body")
    for both, other in COMBINED.items():
        options = dict(found[both].options)
        assert options.pop("stable") == dict(found["mst"].options)
        assert options == dict(found[other].options) and found[both].start == found[other].start


def test_findings_are_carried_between_two_data_sets():
    found = carried("full", "lsp")
    assert found["body, mst"] == specs("full", "body")["mst"] and found["lsp, mst"] == specs("full", "lsp")["mst"]
    with pytest.raises(UserError, match="from body to lsp, not from hand"):
        carried("full", "hand")


def means(**changes):
    """A bench on which everything is .5, but for what is named 'row_metric'."""
    table = pd.DataFrame(0.5, list(NAMES), list(bench.METRICS))
    for place, value in changes.items():
        row, _, metric = place.rpartition("_")
        table.loc[row, metric] = value
    return table.to_numpy()


class TestStatistics:
    def test_the_least_gain_is_over_supervised_training_in_each_methods_aim(self):
        good = means(adversarial_pck=0.6, self_adversarial_pck=0.7, feedback_pck=0.8, stable_ruc=0.9, dual_few=0.55)
        assert bench.least_gain(good, NAMES) == pytest.approx(0.05)
        # what a method is not made for does not count
        assert bench.least_gain(good - means(stable_pck=0.9) + 0.5, NAMES) == pytest.approx(0.05)
        assert bench.gains(good, NAMES)["stable"] == pytest.approx(0.4)
        assert bench.least_gain(means(feedback_pck=0.2), NAMES) == pytest.approx(-0.3)

    def test_a_combination_keeps_both_gains_or_not(self):
        names = ("mst", *COMBINED.values(), *COMBINED)
        table = pd.DataFrame(0.5, list(names), list(bench.METRICS))
        table.loc["mst+dual", ["pck", "ruc"]] = 0.6, 0.8
        table.loc["mst+adversarial", ["pck", "ruc"]] = 0.7, 0.45
        kept = bench.kept_gains(table.to_numpy(), names)
        assert kept == pytest.approx({"mst+dual": 0.1, "mst+adversarial": -0.05})

    def test_agreement_is_of_ranks_of_gains(self):
        base = np.zeros((1, 2))
        one = np.concatenate([base, [[1, 1], [2, 2], [3, 3]]])
        assert bench.agreement(np.stack([one, 10 * one])) == pytest.approx(1)
        assert bench.agreement(np.stack([one, -one])) == pytest.approx(-1)
        # the base's own level does not count
        assert bench.agreement(np.stack([one, one + 5])) == pytest.approx(1)
        assert bench.agreement(np.stack([one, one * 0])) == 0


def test_the_table_is_a_mean_over_seeds():
    rows = [{name: {"pck": 0.1 * seed + 0.5, "flops": 2.0} for name in ("supervised", "mst")} for seed in (0, 1)]
    found = bench.table([{"dataset": "body", "curves": [{"rows": of_seed} for of_seed in rows]}])
    assert found.loc[("body", "mst"), "pck"] == pytest.approx(0.55)
    assert bench.table([]).empty


def bench_table(**changes):
    table = pd.DataFrame(means(**changes), list(NAMES), list(bench.METRICS))
    return table.assign(flops=1.0, kept=1.0, seconds=2.0)


class TestGuide:
    def test_advises_what_measures_best(self):
        table = bench_table(dual_few=0.6, mst_few=0.58, mst_odd=0.4, stable_odd=0.6)
        advice = bench_guide.advice(table).set_index("need")
        few, odd = advice.loc[bench_guide.NEEDS["few"]], advice.loc[bench_guide.NEEDS["odd"]]
        assert (few["row"], few["before"], few["after"], few["time"]) == ("dual", 0.5, pytest.approx(0.6), 2.0)
        assert odd["row"] == "mst"  # of odd limbs fewer is better

    def test_a_gain_too_small_to_matter_is_no_reason(self):
        advice = bench_guide.advice(bench_table(mst_ruc=0.505))
        assert set(advice["row"]) == {"supervised"}

    def test_what_costs_too_much_accuracy_is_not_advised(self):
        table = bench_table(feedback_ruc=0.9, feedback_pck=0.3, mst_ruc=0.7, mst_pck=0.45)
        best = bench_guide.advice(table).set_index("need").loc[bench_guide.NEEDS["ruc"]]
        assert best["row"] == "mst" and best["pck"] == pytest.approx(-0.05)

    def test_of_equally_good_methods_the_cheapest_is_advised(self):
        table = bench_table(mst_ruc=0.695, dual_ruc=0.7, stable_ruc=0.68)
        table.loc[["dual", "mst", "stable"], "flops"] = [6.0, 2.0, 1.0]
        best = bench_guide.advice(table).set_index("need").loc[bench_guide.NEEDS["ruc"]]
        assert best["row"] == "mst"  # within a point of the best, which the cheapest of all is not

    def test_a_need_that_was_not_measured_is_left_out(self):
        table = bench_table(mst_ruc=0.7)
        table["few"] = np.nan
        assert set(bench_guide.advice(table)["need"]) == {v for k, v in bench_guide.NEEDS.items() if k != "few"}

    @pytest.mark.parametrize("name", NAMES)
    def test_commands_are_those_of_the_bench(self, name, monkeypatch):
        """Each line, as the command line reads it, makes the spec's method, options and number of starts."""
        seen = []
        monkeypatch.setattr(runs, "train", lambda spec, **_: seen.append(spec) or Stored(spec))
        monkeypatch.setattr(runs, "find", lambda key: Stored(seen[1 if key == "RUN2" else 0]))
        for line in bench_guide.commands(name, "lsp"):
            done = CliRunner().invoke(cli.app, shlex.split(line)[1:])
            assert done.exit_code == 0, done.output
        wanted = specs("full", "lsp")[name]
        assert seen[-1].method == wanted.method and seen[-1].network == wanted.network
        assert seen[-1].method_options() == wanted.method_options()
        if name != "supervised":
            assert len(seen[-1].start) == len(wanted.start)
        assert (seen[-1].data.unlabelled > 0) == (wanted.data.unlabelled > 0)


def test_long_commands_are_broken_where_a_shell_goes_on():
    (*_, line) = bench_guide.commands("mst+dual", "mine")
    lines = bench_guide.wrapped(line).split("\n")
    assert len(lines) > 1 and all(len(one) <= 90 for one in lines) and all(one.endswith(" \\") for one in lines[:-1])
    assert not any(one.rstrip(" \\").endswith(("--set", "--start")) for one in lines)
    # a shell drops a backslash with its line break; shlex does not
    assert shlex.split(bench_guide.wrapped(line).replace("\\\n", "")) == shlex.split(line)


class Stored:
    """A run that nobody trained."""

    def __init__(self, spec):
        self.spec, self.metrics, self.key = spec, {}, spec.key
