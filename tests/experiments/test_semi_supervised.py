"""The semi-supervised experiments: the graph of runs, what is measured, and each claim's statistic."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from posenb import augment, claims, data, metrics, runs
from posenb.experiments import accuracy
from posenb.experiments import semi_supervised as ssl
from posenb.experiments import semi_supervised_claims as judged
from posenb.experiments import semi_supervised_specs as plan
from posenb.methods.semi_supervised import Options
from posenb.spec import Budget, Data, Network
from tests.tiny import NETWORK, tiny_data, tiny_method

OURS = [claim for claim in claims.CLAIMS.values() if claim.id.startswith("SSL")]


class TestSpecs:
    @pytest.mark.parametrize("profile", ["smoke", "quick", "full", "paper"])
    @pytest.mark.parametrize("dataset", ["body", "lsp"])
    def test_every_claim_finds_its_runs(self, profile, dataset):
        assert [claim.id for claim in OURS] == [f"SSL-{k}" for k in range(1, 9)]
        for claim in OURS:
            keys = [spec.key for spec in claim.specs(profile, dataset, 0)]
            assert len(set(keys)) == len(keys)

    def test_all_of_a_seed_start_from_the_same_run_and_see_the_same_labels(self):
        found = plan.specs("full", "body", 3)
        start = found["supervised"].start[0]
        for name in (*plan.VARIANTS, *plan.CONTEXT):
            spec = found[name]
            assert spec.start[0] == start and spec.seed == 3 and spec.budget == found["same"].budget
            assert replace(spec.data, unlabelled=0) == found["supervised"].data
        assert start.start[0].method == "supervised" and start.data.unlabelled == 0

    def test_the_standard_method_and_ours_differ_in_their_views(self):
        found = plan.specs("full", "body")
        same, apart = (found[name].method_options() for name in ("lambda 1", "easy-hard"))
        assert same.easy == same.hard and apart.easy != apart.hard
        assert replace(same, easy=apart.easy, hard=apart.hard) == apart

    def test_two_networks_start_from_two_runs(self):
        first, second = plan.specs("full", "lsp", 1)["dual"].start
        assert replace(second, seed=first.seed, start=first.start) == first
        assert second.seed != first.seed and second.start[0].seed == second.seed

    def test_what_two_sweeps_share_is_trained_once(self):
        found = plan.specs("full", "body")
        assert found["lambda 30"].key == found["same"].key and found["cutout 0"].key == found["dual"].key
        assert found["labels 2, same"].key == found["same"].key and found["magnitude 20"].key != found["dual"].key
        assert found["cutout 5"].key == found["dual+cutout"].key

    @pytest.mark.parametrize("dataset, other", [("body", "lsp"), ("lsp", "body")])
    def test_the_cross_runs_have_the_other_data_sets_images(self, dataset, other):
        found = plan.specs("full", dataset)
        assert found["network 2, cross"].data.unlabelled_from == other
        assert found["network 2, supervised"].key == found["supervised"].key

    def test_every_option_is_one(self):
        for profile in ("smoke", "paper"):
            for spec in plan.specs(profile, "body").values():
                assert isinstance(spec.method_options(), Options)


class TestUnlabelledFromElsewhere:
    def test_they_are_the_other_data_sets_first(self):
        here = Data("body", train=4, unlabelled=6, size=32, margin=0, options={"difficulty": 0.1})
        there = replace(here, unlabelled_from="hand")
        assert torch.equal(there.load("train").images, here.load("train").images)
        hands = data.load("hand", "train", count=6, size=32)
        assert torch.equal(there.load("unlabelled").images, hands.images)
        assert len(here.load("unlabelled")) == 6

    def test_keys_know_it_and_older_ones_stay(self):
        spec = plan.specs("smoke", "body")["same"]
        assert "unlabelled_from" not in spec.describe()["data"]
        other = replace(spec, data=replace(spec.data, unlabelled_from="hand"))
        assert other.key != spec.key and other.describe()["versions"]["unlabelled"] == data.version("hand")
        assert runs.from_description(other.describe()).key == other.key

    def test_the_claims_runs_differ_from_those_beside_it_in_the_statistics_alone(self):
        found = plan.specs("smoke", "body")
        ours, beside = found["network 1, cross"], found["network 1, mixed"]
        assert ours.describe()["options"].pop("statistics") == "labelled"
        assert "statistics" not in beside.describe()["options"]
        assert replace(ours, options=beside.options).key == beside.key != ours.key
        assert runs.from_description(ours.describe()).key == ours.key


class TestMeasures:
    def test_responses_have_the_metrics_mean(self):
        method, some = tiny_method(loss="mse").eval(), tiny_data(5)
        found = ssl.responses(method, some)
        maps = method.heatmaps(augment.center(some.images, (32, 32)))
        assert found.mean() == pytest.approx(metrics.response(maps), rel=1e-4)

    def test_hits_give_the_metrics_accuracy(self):
        method, some = tiny_method().eval(), tiny_data(40)
        points, _ = method.predict(some.images)
        expected = metrics.pck(points, some.points, some.visible, some.reference, 0.2).mean
        assert accuracy.pck(ssl.hits(method, some).mean(axis=0)) == pytest.approx(expected)

    def test_the_view_that_changes_nothing_is_the_image(self):
        method, some = tiny_method().eval(), tiny_data(8)
        assert np.array_equal(ssl.view_hits(method, some, augment.NONE), ssl.hits(method, some))

    def test_a_turned_view_is_judged_by_turned_labels(self):
        """A network that always answers the middle is as good as before where the middle stays."""
        method, some = tiny_method().eval(), tiny_data(8)
        middle = torch.full_like(some.points, 16.0)
        method.predict = lambda images: (middle, None)
        some = replace(some, points=middle)
        assert accuracy.pck(ssl.view_hits(method, some, augment.Family(rotation=60)).mean(axis=0)) == 1


def given_runs(monkeypatch, **accuracies):
    """Puts hits of these accuracies, of two students a pair, in the place of trained runs; two images, four joints."""

    class Given:
        def __init__(self, name):
            self.metrics = {"pck": accuracies[name]}
            some = type("Data", (), {"load": lambda *_: None})()
            self.spec = type("Spec", (), {"key": name, "data": some})

    def hits_of(share):
        return np.stack([np.full((2, 4), share), np.ones((2, 4))], axis=1)

    monkeypatch.setattr(judged, "trained", lambda names, *_: {name: Given(name) for name in names})
    monkeypatch.setattr(accuracy, "final_hits", lambda run: hits_of(run.metrics["pck"]))
    monkeypatch.setattr(ssl, "student_hits", lambda run: [hits_of(share) for share in run.metrics["pck"]])


def check(found, value):
    assert found.value == pytest.approx(value)
    assert np.min(found.statistic(found.images.mean(axis=0))) == pytest.approx(found.value)


class TestStatistics:
    def test_ssl2_measures_from_the_common_start(self, monkeypatch):
        responses = {"supervised": 0.8, "lambda 1": 0.5, "lambda 3": 0.4, "lambda 10": 0.3, "lambda 30": 0.2}
        given_runs(monkeypatch, **responses)

        def line(run, *_):
            response = np.outer([0.6, run.metrics["pck"]], np.ones(3))
            return ssl.Timeline([0, 4], response, np.ones((2, 3, 2, 4)))

        monkeypatch.setattr(ssl, "timeline", line)
        check(judged.measure_ssl2("smoke", "body", 0), 0.1)  # .6 to .5: it fell, and not by as much as with more
        responses["lambda 1"] = 0.65  # below labels alone, yet it rose
        given_runs(monkeypatch, **responses)
        check(judged.measure_ssl2("smoke", "body", 0), -0.05)

    @pytest.mark.parametrize(
        "ends, value",
        [  # of few, more and many labels: the responses and accuracies of labels alone, and of the standard method
            ([((0.8, 0.2), (0.7, 0.4)), ((0.8, 0.6), (0.7, 0.4)), ((0.5, 0.2), (0.9, 0.4))], 0.25),
            ([((0.8, 0.2), (0.7, 0.4)), ((0.8, 0.2), (0.7, 0.4)), ((0.5, 0.2), (0.9, 0.75))], 0.15),
            ([((0.8, 1.0), (0.7, 0.4)), ((0.8, 0.2), (0.7, 0.4)), ((0.5, 0.2), (0.9, 0.4))], -0.25),
        ],
    )
    def test_ssl3_is_the_least_fall_of_three_numbers_of_labels(self, monkeypatch, ends, value):
        names = [f"labels {number}, {kind}" for number in (1, 2, 3) for kind in ("supervised", "same")]
        each = [end for responses, shares in ends for end in zip(responses, shares, strict=True)]
        of = dict(zip(names, each, strict=True))
        given_runs(monkeypatch, **{name: share for name, (_, share) in of.items()})
        asked = []
        monkeypatch.setattr(judged, "unlabelled", lambda *data: asked.append(data[2]) or range(3))

        def line(run, *_):
            response, share = of[run.spec.key]
            hits = np.stack([np.full((2, 2, 4), share), np.ones((2, 2, 4))], axis=2)
            return ssl.Timeline([0, 4], np.outer([0.6, response], np.ones(3)), hits)

        monkeypatch.setattr(ssl, "timeline", line)
        found = judged.measure_ssl3("smoke", "body", 0)
        check(found, value)
        assert asked == found.curves["labels"] == list(plan.LABELS["smoke"])
        assert found.runs == names == list(found.curves["pck"])

    @pytest.mark.parametrize(
        "single, students, value",
        [
            (0.60, (0.70, 0.69), 0.01),  # .095 better, .01 apart
            (0.60, (0.612, 0.606), 0.009),
            (0.60, (0.606, 0.612), 0.009),
            (0.60, (0.80, 0.70), -0.08),
            (0.60, (0.55, 0.56), -0.045),
        ],
    )
    def test_ssl5_is_the_smaller_of_gain_and_closeness(self, monkeypatch, single, students, value):
        others = {"dual+cutout": (0.9, 0.1), "dual+randaugment": (0.2, 0.8)}
        given_runs(monkeypatch, **{"easy-hard": single, "dual": students} | others)
        found = judged.measure_ssl5("smoke", "body", 0)
        check(found, value)
        assert found.curves["pck"]["dual"] == pytest.approx(students)
        assert found.curves["pck"]["dual+cutout"] == pytest.approx((0.9, 0.1))

    def test_ssl6_and_7_are_the_papers_best_less_the_better_end(self, monkeypatch):
        scores = dict(zip((f"cutout {m}" for m in plan.CUTOUTS), (0.5, 0.6, 0.55, 0.52, 0.4), strict=True))
        given_runs(monkeypatch, **scores)
        check(judged.measure_ssl6("smoke", "body", 0), 0.05)
        scores = dict(zip((f"magnitude {m:g}" for m in plan.MAGNITUDES), (0.5, 0.6, 0.55, 0.7), strict=True))
        given_runs(monkeypatch, **scores)
        check(judged.measure_ssl7("smoke", "body", 0), -0.15)

    def test_ssl8_is_the_least_gain(self, monkeypatch):
        each = {1: (0.5, 0.6, 0.4), 2: (0.5, 0.52, 0.3), 3: (0.5, 0.7, 0.2)}
        scores = {
            f"network {n}, {k}": v
            for n, three in each.items()
            for k, v in zip(("supervised", "cross", "mixed"), three, strict=True)
        }
        given_runs(monkeypatch, **scores)
        check(judged.measure_ssl8("smoke", "body", 0), 0.02)

    @pytest.mark.parametrize(
        "response, accuracy, value",
        [((0.8, 0.2), (0.7, 0.4), 0.3), ((0.8, 0.6), (0.7, 0.4), 0.25), ((0.8, 0.2), (0.7, 0.75), -0.05)],
    )
    def test_ssl1_is_the_smaller_of_two_falls(self, response, accuracy, value):
        assert min(judged._fallen(np.array(response), np.array(accuracy))) == pytest.approx(value)

    @pytest.mark.parametrize(
        "response, accuracy, value",
        [
            ((0.8, 0.7, 0.7), (0.6, 0.7, 0.65), 0.05),
            ((0.8, 0.7, 0.7), (0.6, 0.63, 0.5), 0.03),
            ((0.8, 0.3, 0.7), (0.6, 0.7, 0.5), -0.125),
        ],
    )
    def test_ssl4_is_the_least_of_two_gains_and_what_is_kept(self, response, accuracy, value):
        assert min(judged._kept(np.array(response), np.array(accuracy))) == pytest.approx(value)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A store of its own, and specs of a second each."""
    home = tmp_path_factory.mktemp("ssl")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSENB_HOME", str(home))
        torch.set_num_threads(1)
        original = plan.specs

        def shrunk(spec):
            return replace(
                spec,
                data=replace(spec.data, size=32, margin=4),
                network=Network("small", NETWORK),
                budget=Budget(2, 4, "32-true", 1, snapshots=min(2, spec.budget.snapshots)),
                start=tuple(shrunk(source) for source in spec.start),
            )

        def tiny(*arguments):
            return {name: shrunk(spec) for name, spec in original(*arguments).items() if "cross" not in name}

        patch.setattr(plan, "specs", tiny)
        yield


@pytest.mark.parametrize("identifier", ["1", "2", "3", "4", "5"])
def test_claims_go_through_from_training_to_statistic(identifier, small):
    measure = claims.find(f"SSL-{identifier}").measure
    found = measure("smoke", "body", 0, "cpu")
    assert np.isfinite(found.value) and len(found.images) >= 16
    assert np.isfinite(found.statistic(found.images.mean(axis=0))).all()
    assert "pck" in found.curves and set(found.runs)
