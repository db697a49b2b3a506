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
from posenb.experiments.bench_specs import (
    CARRY,
    COMBINED,
    CONTROL,
    CONTROLS,
    FEW,
    PARTS,
    ROWS,
    carried,
    label_counts,
    specs,
)
from posenb.profiles import PROFILES

NAMES = (*ROWS, *CONTROLS)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("dataset", ["body", "lsp"])
class TestSpecs:
    def test_all_rows_share_data_schedule_and_seed(self, profile, dataset):
        found = specs(profile, dataset, 3)
        assert set(found) == {*NAMES, *(f"few, {name}" for name in FEW)}
        for before, labels in zip(("few, ", ""), label_counts(profile, dataset), strict=True):
            some = [found[before + name] for name in (FEW if before else NAMES)]
            assert {spec.data.train for spec in some} == {labels}
            assert len({str(replace(spec.data, unlabelled=0)) for spec in some}) == 1
            assert len({str(spec.budget) for spec in some}) == 1 and {spec.seed for spec in some} == {3}
            # options that the methods know, and one encoder's run at the bottom of all
            assert all(spec.method_options() for spec in some)

    def test_every_row_goes_on_from_the_same_supervised_run(self, profile, dataset):
        found = specs(profile, dataset)
        start = found["supervised"].start[0]
        for name, row in (ROWS | CONTROLS).items():
            sources = found[name].start
            if row.first:
                assert all(dict(one.options)["weight"] == 0 and not one.data.unlabelled for one in sources)
                sources = tuple(source for one in sources for source in one.start)
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
        assert options == dict(found[other].options)
        begun = [spec.start if spec.method != "adversarial_pretraining" else (spec,) for spec in found[both].start]
        alone = [spec.start if spec.method != "adversarial_pretraining" else (spec,) for spec in found[other].start]
        assert begun == alone


def test_a_control_is_the_same_training_without_what_the_method_adds():
    found = specs("full", "body")
    shared = {"generator": "self_adversarial", "direct": "feedback", "labels": "dual", "mst+labels": "mst+dual"}
    for control, method in shared.items():
        alone, whole = found[control], found[method]
        assert CONTROL[method] == control and alone.method == whole.method and alone.network == whole.network
        assert alone.start == whole.start[:1] and alone.budget == whole.budget
        assert found[f"few, {control}"].start[0] == found[f"few, {method}"].start[0] if control in FEW else True
    # the head and the labels' loss are the dual networks' own
    assert found["labels"].method_options().sigma == found["dual"].method_options().sigma
    for method, control in CONTROL.items():
        assert method in ROWS and control in NAMES and found[control].seed == found[method].seed


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


def least(gains):
    return min(gain for of_method in gains.values() for gain in of_method)


class TestStatistics:
    def test_the_least_gain_is_over_each_methods_control_in_its_aim(self):
        good = dict(adversarial_pck=0.6, self_adversarial_pck=0.7, feedback_pck=0.8, dual_few=0.55)
        good |= dict(stable_ruc=0.9, stable_corrupted=0.6)
        assert least(bench.aimed_gains(means(**good), NAMES)) == pytest.approx(0.05)
        # what a method is not made for does not count, nor what supervised training has where it is not the control
        assert least(bench.aimed_gains(means(**good, stable_pck=0.1, supervised_few=0.9), NAMES)) == pytest.approx(0.05)
        assert least(bench.aimed_gains(means(**good, labels_few=0.6), NAMES)) == pytest.approx(-0.05)
        assert least(bench.aimed_gains(means(**good, direct_pck=0.9), NAMES)) == pytest.approx(-0.1)

    def test_steady_and_wrong_is_no_gain(self):
        found = bench.aimed_gains(means(stable_ruc=1.0, stable_corrupted=0.1), NAMES)
        assert found["stable"] == pytest.approx([0.5, -0.4])

    def test_a_combination_keeps_both_gains_or_not(self):
        table = pd.DataFrame(0.5, list(PARTS), list(bench.METRICS))
        table.loc["mst+dual", ["few", "ruc"]] = 0.6, 0.8
        table.loc["mst+dual", "pck"] = 0.1  # with many labels, which is not what dual networks are for
        table.loc["mst+adversarial", ["pck", "ruc"]] = 0.7, 0.45
        kept = bench.kept_gains(table.to_numpy(), PARTS)
        assert kept["mst+dual"] == pytest.approx([0.1, 0.3]) and kept["mst+adversarial"] == pytest.approx([0.2, -0.05])
        table.loc["mst+labels", "few"] = 0.65
        assert bench.kept_gains(table.to_numpy(), PARTS)["mst+dual"] == pytest.approx([-0.05, 0.3])

    def test_agreement_is_of_gains_over_controls(self):
        assert CARRY[: len(CONTROL)] == tuple(CONTROL)
        rng = np.random.default_rng(0)
        one = rng.normal(size=(len(CARRY), 2))
        changed = bench.changes(one)
        for k, (method, control) in enumerate(CONTROL.items()):
            assert np.allclose(changed[k], one[CARRY.index(method)] - one[CARRY.index(control)])
        assert bench.agreement(np.stack([one, 10 * one])) == pytest.approx(1)
        assert bench.agreement(np.stack([one, -one])) == pytest.approx(-1)
        # a data set's own level does not count
        assert bench.agreement(np.stack([one, one + 5])) == pytest.approx(1)
        assert bench.agreement(np.stack([one, one * 0])) == 0
        # where all gain on one and lose on the other nothing carries over, and one large change decides nothing
        rising = [name for name in CONTROL if name not in CONTROL.values()]
        rise = np.zeros((len(CARRY), 1))
        rise[[CARRY.index(name) for name in rising]] = 1
        fall = -0.1 * rise
        assert bench.agreement(np.stack([rise, fall])) == pytest.approx(-len(rising) / len(CONTROL))
        rise[CARRY.index("stable")] = fall[CARRY.index("stable")] = 100
        assert bench.agreement(np.stack([rise, fall])) == pytest.approx((2 - len(rising)) / len(CONTROL))


def test_the_table_is_a_mean_over_seeds():
    rows = [{name: {"pck": 0.1 * seed + 0.5, "flops": 2.0} for name in ("supervised", "mst")} for seed in (0, 1)]
    found = bench.table([{"dataset": "body", "curves": [{"rows": of_seed} for of_seed in rows]}])
    assert found.loc[("body", "mst"), "pck"] == pytest.approx(0.55)
    assert bench.table([]).empty


def bench_table(**changes):
    table = pd.DataFrame(means(**changes), list(NAMES), list(bench.METRICS))
    return table.assign(flops=1.0, kept=1.0, seconds=2.0)


def test_gains_stand_beside_their_controls_a_column_a_data_set():
    of_seeds = [dict.fromkeys(bench.AIMS, 0.0) | {"stable": gain} for gain in (0.5, -0.25)]
    records = [{"dataset": name, "curves": [{"gains": gains} for gains in of_seeds]} for name in ("body", "lsp")]
    table = bench.gains_table(records).set_index("method")
    row = table.loc[ROWS["stable"].label]
    assert row["the same without it"] == ROWS["squared"].label
    assert row["is to raise"] == "RUC and AUC on corrupted pictures"
    assert row["gain on body"] == row["gain on lsp"] == "+0.500, -0.250" and len(table) == len(bench.AIMS)


class TestGuide:
    def test_advises_what_measures_best(self):
        table = bench_table(dual_few=0.6, mst_few=0.58, mst_odd=0.4, stable_odd=0.6)
        advice = bench_guide.advice([table]).set_index("need")
        few, odd = advice.loc[bench_guide.NEEDS["few"]], advice.loc[bench_guide.NEEDS["odd"]]
        assert (few["row"], few["before"], few["after"], few["time"]) == ("dual", 0.5, pytest.approx(0.6), 2.0)
        assert odd["row"] == "mst"  # of odd limbs fewer is better

    def test_a_gain_too_small_to_matter_is_no_reason(self):
        advice = bench_guide.advice([bench_table(mst_ruc=0.505)])
        assert set(advice["row"]) == {"supervised"}

    def test_what_gains_in_some_seeds_only_is_not_advised(self):
        seeds = [bench_table(mst_ruc=0.9, stable_ruc=0.6), bench_table(mst_ruc=0.49, stable_ruc=0.6)]
        best = bench_guide.advice(seeds).set_index("need").loc[bench_guide.NEEDS["ruc"]]
        assert best["row"] == "stable" and best["after"] == pytest.approx(0.6)

    def test_what_costs_too_much_accuracy_is_not_advised(self):
        table = bench_table(feedback_ruc=0.9, feedback_pck=0.3, mst_ruc=0.7, mst_pck=0.45)
        best = bench_guide.advice([table]).set_index("need").loc[bench_guide.NEEDS["ruc"]]
        assert best["row"] == "mst" and best["pck"] == pytest.approx(-0.05)

    def test_of_equally_good_methods_the_cheapest_is_advised(self):
        table = bench_table(mst_ruc=0.695, dual_ruc=0.7, stable_ruc=0.68)
        table.loc[["dual", "mst", "stable"], "flops"] = [6.0, 2.0, 1.0]
        best = bench_guide.advice([table]).set_index("need").loc[bench_guide.NEEDS["ruc"]]
        assert best["row"] == "mst"  # within a point of the best, which the cheapest of all is not

    def test_of_equally_good_methods_one_that_costs_accuracy_is_not_advised(self):
        table = bench_table(mst_ruc=0.7, mst_pck=0.45, dual_ruc=0.695, dual_pck=0.49)
        table.loc[["mst", "dual"], "flops"] = [1.0, 2.0]
        best = bench_guide.advice([table]).set_index("need").loc[bench_guide.NEEDS["ruc"]]
        assert best["row"] == "dual"

    def test_a_need_that_was_not_measured_is_left_out(self):
        table = bench_table(mst_ruc=0.7)
        table["few"] = np.nan
        assert set(bench_guide.advice([table])["need"]) == {v for k, v in bench_guide.NEEDS.items() if k != "few"}

    @pytest.mark.parametrize("name", ROWS)
    def test_commands_are_those_of_the_bench(self, name, monkeypatch):
        """Each line, as the command line reads it, makes the spec's method, options and number of starts."""
        seen = []
        monkeypatch.setattr(runs, "train", lambda spec, **_: seen.append(spec) or Stored(spec))
        for unneeded in ("_tell_fewer", "show_trained"):  # they read pictures and answers, which are not here
            monkeypatch.setattr(cli, unneeded, lambda _: None)
        lines = bench_guide.commands(name, "lsp")
        monkeypatch.setattr(runs, "find", lambda key: Stored(seen[list(lines).index(key)]))
        for line in lines.values():
            done = CliRunner().invoke(cli.app, shlex.split(line)[1:])
            assert done.exit_code == 0, done.output
        wanted = specs("full", "lsp")[name]
        assert seen[-1].method == wanted.method and seen[-1].network == wanted.network
        assert seen[-1].method_options() == wanted.method_options()
        if name != "supervised":
            assert len(seen[-1].start) == len(wanted.start)
            if ROWS[name].first:
                for made, source in zip(seen[-1].start, wanted.start, strict=True):
                    assert made.method_options() == source.method_options()
                    assert [one.method for one in made.start] == ["supervised"]
                assert seen[-1].start[0].seed != seen[-1].start[1].seed
        assert (seen[-1].data.unlabelled > 0) == (wanted.data.unlabelled > 0)


def test_a_script_names_each_run_before_a_later_command_asks_for_it():
    script = bench_guide.script(bench_guide.commands("mst+dual", "mine"))
    asked = script.replace("\\\n", "").split("--start ")[1:]
    for name in {word.split()[0] for word in asked}:
        assert 0 <= script.index(f"# {name}\n") < script.index(f"--start {name}")
    assert script.count("posenb train") == script.count("# ") == 5


def test_long_commands_are_broken_where_a_shell_goes_on():
    line = bench_guide.commands("mst+dual", "mine")["RUN"]
    lines = bench_guide.wrapped(line).split("\n")
    assert len(lines) > 1 and all(len(one) <= 90 for one in lines) and all(one.endswith(" \\") for one in lines[:-1])
    assert not any(one.rstrip(" \\").endswith(("--set", "--start")) for one in lines)
    # a shell drops a backslash with its line break; shlex does not
    assert shlex.split(bench_guide.wrapped(line).replace("\\\n", "")) == shlex.split(line)


class Stored:
    """A run that nobody trained."""

    def __init__(self, spec):
        self.spec, self.metrics, self.key = spec, {}, spec.key
