"""Trajectories of runs, what is read off them, the chapter's Specs and the claims' statistics."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from posenb import claims as registry
from posenb import profiles, runs
from posenb.errors import UserError
from posenb.experiments import accuracy, feedback, scale_selection
from posenb.experiments import feedback_claims as claims
from posenb.experiments.feedback_specs import NAMES, SCENE, specs
from posenb.methods import find
from posenb.skeletons import LSP14, MPII16
from posenb.spec import Budget, Data, Network, Spec
from tests.tiny import NETWORK, tiny_data, tiny_spec


def tiny(options=None, **changes) -> Spec:
    whole = Spec(
        method="error_feedback",
        options=options or {},
        data=Data("body", train=16, test=12, monitor=4, size=32, margin=0),
        network=Network("feedback", NETWORK),
        budget=Budget(steps=4, batch=4, precision="32-true", evaluations=1),
    )
    return dataclasses.replace(whole, **changes)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("POSENB_HOME", str(tmp_path))
    return tmp_path


class TestTrajectories:
    def test_end_where_the_run_predicts_and_are_kept(self, home):
        run = runs.train(tiny(), device="cpu")
        first = feedback.trajectories(run, 5)
        assert first.shape == (6, 12, 16, 2)
        torch.testing.assert_close(first[0], run.method.mean_pose.expand(12, -1, -1))
        torch.testing.assert_close(first[4], run.predictions.points, atol=1e-3, rtol=0)
        (kept,) = run.path.glob("trajectories-*.pt")
        written = kept.stat().st_mtime_ns
        assert torch.equal(feedback.trajectories(run, 5), first) and kept.stat().st_mtime_ns == written
        kept.write_bytes(b"damaged")
        assert torch.equal(feedback.trajectories(run, 5), first)

    def test_of_another_method_there_are_none(self, home):
        run = runs.train(tiny_spec(steps=1), device="cpu")
        with pytest.raises(UserError, match="has no trajectories"):
            feedback.trajectories(run, 2)

    def test_a_killed_training_ends_with_the_same_weights(self, home):
        """A checkpoint in the middle of the curriculum says all that is needed to go on."""
        whole = tiny({"path": "own"}, budget=Budget(steps=6, batch=4, precision="32-true", evaluations=1))
        done = runs.train(whole, device="cpu").method.state_dict()
        kind = find("error_feedback")
        taken, calls = kind.train_step, []

        def killed(self, step, data):
            calls.append(step.number)
            if len(calls) == 4:
                raise KeyboardInterrupt
            return taken(self, step, data)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kind, "train_step", killed)
            with pytest.raises(KeyboardInterrupt):
                runs.train(whole, device="cpu", fresh=True, checkpoint_seconds=0)
        again = runs.train(whole, device="cpu").method.state_dict()
        assert calls == [0, 1, 2, 3] and all(torch.equal(done[name], value) for name, value in again.items())


class TestReadings:
    def test_only_labelled_joints_count(self):
        data = tiny_data(3)
        visible = data.visible.clone()
        visible[0, :13] = False
        visible[1] = False
        data = dataclasses.replace(data, visible=visible)
        points = torch.stack([data.points, data.points + 3])  # PCK@0.2 of 10 pixels: 2
        right = accuracy.right(points, data)
        assert np.isnan(right[:, 1]).all() and right[0, 0, 13] == 1 and right[1, 0, 13] == 0
        assert feedback.image_means(right).tolist() == [[1, 1], [0, 0]]  # the second image is left out
        assert feedback.image_means(right, (0, 1)).shape == (2, 1)

    def test_joints_are_counted_left_and_right_together(self):
        data = tiny_data(4)
        moved = data.points.clone()
        moved[:, LSP14.index("left_knee")[0]] += 100
        curves = feedback.by_joint(torch.stack([moved, data.points]), data)
        assert curves["knee"] == [0.5, 1] and curves["neck"] == [1, 1] and len(curves) == 8

    def test_a_turn_by_hand(self):
        upright = torch.zeros(1, 16, 2)
        for name, place in {
            "left_hip": (4, 10), "right_hip": (2, 10), "left_shoulder": (5, 4), "right_shoulder": (1, 4)
        }.items():  # fmt: skip
            upright[:, MPII16.index(name)[0]] = torch.tensor([float(place[0]), float(place[1])])
        lying = torch.stack([upright[..., 1], -upright[..., 0]], dim=-1)
        poses = torch.cat([upright, -upright, lying, upright * torch.tensor([-1.0, 1.0])])
        assert feedback.turn(poses, MPII16).tolist() == pytest.approx([0, 180, 90, 0])
        assert feedback.from_behind(poses, MPII16)[[0, 3]].tolist() == [False, True]

    def test_hard_groups(self):
        data = tiny_data(3)
        points, occluded = data.points.clone(), data.occluded.clone()
        points[1, :2] = -1.0
        occluded[2, :4] = True
        found = feedback.hard_groups(dataclasses.replace(data, points=points, occluded=occluded))
        assert found["truncated"].tolist() == [False, True, False]
        assert found["hidden"].tolist() == [False, False, True]

    def test_examples_are_the_best_of_each_group_and_the_worst_of_all(self):
        data = tiny_data(6)
        occluded = data.occluded.clone()
        occluded[:3, :5] = True
        data = dataclasses.replace(data, occluded=occluded)
        ends = torch.tensor([5.0, 1, 4, 0, 9, 8])[:, None, None]
        found = feedback.examples(torch.stack([data.points + 20, data.points + ends]), data)
        best = set(found.values()) - {found["failure 1"], found["failure 2"]}
        assert found["hidden"] == 1 and (found["failure 1"], found["failure 2"]) == (4, 5)
        assert "truncated" not in found and len(set(found.values())) == len(found) and best <= {0, 1, 2, 3}

    def test_the_longest_walks_are_of_whole_people(self):
        data = tiny_data(4)
        visible = data.visible.clone()
        visible[3, 0] = False
        data = dataclasses.replace(data, visible=visible)
        starts = torch.tensor([5.0, 9, 7, 20])[:, None, None]
        assert feedback.longest_walks(torch.stack([data.points + starts, data.points]), data, 3) == [1, 2, 0]

    def test_the_way_left(self):
        data = tiny_data(2)
        first, last = feedback.way_left(torch.stack([data.points + 8, data.points + 9, data.points + 2]), data)
        assert (last / first).tolist() == pytest.approx([0.25, 0.25])

    def test_the_field_is_what_one_step_does(self, home):
        method = runs.train(tiny(), device="cpu").method
        data = tiny_data(1)
        image = data.images[0] / 255
        places, moves = feedback.correction_field(method, image, method.mean_pose, 3, side=4)
        assert places.shape == moves.shape == (4, 4, 2)
        start = method.mean_pose.clone()[None]
        start[:, 3] = places[1, 2]
        step = method.trajectory(image[None], 1, start)
        torch.testing.assert_close(moves[1, 2], (step[1] - step[0])[0, 3], atol=1e-4, rtol=1e-3)

    def test_arrows_that_point_one_way(self):
        parallel = torch.tensor([3.0, 4]) * torch.rand(5, 5, 1)
        assert feedback.resultant_length(parallel) == pytest.approx(1)
        inward = torch.cartesian_prod(torch.arange(-2.0, 3), torch.arange(-2.0, 3))
        assert feedback.resultant_length(inward) == pytest.approx(0, abs=1e-6)
        assert feedback.resultant_length(torch.eye(2)) == pytest.approx(0.5**0.5)


class TestSpecs:
    def test_variants_differ_in_their_options_alone(self):
        found = specs("full", "body", 2)
        assert tuple(found) == NAMES and len({spec.key for spec in found.values()}) == len(NAMES)
        rest = [dataclasses.replace(spec, options={}) for name, spec in found.items() if name not in SCENE]
        assert all(spec == rest[0] for spec in rest) and rest[0].seed == 2
        assert found["scene_ief"].data.name == found["scale"].data.name == "scene"
        assert found["scale"].data.options["view"] == "wide"

    def test_hands_have_no_knees(self):
        with pytest.raises(UserError, match="hand has no knees: choose body or lsp"):
            specs("quick", "hand")

    def test_the_paper_profile_is_the_papers(self):
        spec = specs("paper", "body")["ief"]
        assert spec.data.size == 224 and spec.network.options["backbone"] == "googlenet"
        grow = {name for name, spec in specs("paper", "body").items() if spec.options.get("growing")}
        assert grow == {*NAMES} - {"scale"} and not specs("full", "body")["ief"].options

    @pytest.mark.parametrize("profile", profiles.PROFILES)
    def test_every_spec_can_be_made(self, profile):
        for name, spec in specs(profile, "body").items():
            network = {"widths": (8, 8)} if spec.network.name == "shallow" else {"widths": (8, 8, 8, 8)}
            assert runs.create(dataclasses.replace(spec, network=Network(spec.network.name, network))), name

    def test_every_claim_names_its_runs(self):
        for claim in registry.CLAIMS.values():
            if claim.id.startswith("IEF"):
                assert claim.specs("smoke", "body", 0)


@pytest.fixture
def given(monkeypatch):
    """Puts curves of PCK over steps in the place of trained runs'."""

    class Fake:
        spec = tiny()

    def put(**curves):
        made = {name: Fake() for name in curves}
        monkeypatch.setattr(claims, "trained", lambda names, *_: {name: made[name] for name in names})
        of = {id(made[name]): np.asarray(curve, dtype=float) for name, curve in curves.items()}
        monkeypatch.setattr(claims, "over_steps", lambda run, steps: np.stack([of[id(run)]] * 3))
        joints = {id(run): np.full((3, 16), of[id(run)][-1]) for run in made.values()}
        monkeypatch.setattr(claims, "final_joints", lambda run: joints[id(run)])
        monkeypatch.setattr(feedback, "trajectories", lambda run, steps: torch.zeros(9, 12, 16, 2))

    return put


def check(measurement, value):
    assert measurement.value == pytest.approx(value)
    assert np.min(measurement.statistic(measurement.images.mean(axis=0))) == measurement.value


class TestStatistics:
    @pytest.mark.parametrize(
        ("curve", "value"),
        [
            ([0.2, 0.5, 0.6, 0.65, 0.655, 0.6, 0.5, 0.5, 0.5], 0.015),
            ([0.2, 0.5, 0.6, 0.61, 0.61, 0.6, 0.5, 0.5, 0.5], 0.01),
            ([0.2, 0.5, 0.45, 0.6, 0.6, 0.6, 0.5, 0.5, 0.5], -0.05),
            ([0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1], -0.08),
        ],
    )
    def test_ief1(self, given, curve, value, home):
        given(ief=curve)
        check(claims.measure_ief1("smoke", "body", 0), value)

    def test_ief2(self, given):
        given(ief=[0.8], direct=[0.75], iterative_direct=[0.78])
        check(claims.measure_ief2("smoke", "body", 0), 0.02)

    def test_ief3_is_the_smaller_of_loss_and_drift(self, given):
        flat = [0.2, 0.5, 0.6, 0.65, 0.65, 0.65, 0.65, 0.65, 0.64]
        given(ief=flat, no_fpc=[0.2, 0.5, 0.6, 0.6, 0.6, 0.5, 0.5, 0.5, 0.4], own_path=flat)
        check(claims.measure_ief3("smoke", "body", 0), 0.05)
        given(ief=flat, no_fpc=[0.2, 0.5, 0.6, 0.6, 0.4, 0.4, 0.4, 0.4, 0.4], own_path=flat)
        check(claims.measure_ief3("smoke", "body", 0), -0.01)

    def test_ief4_is_the_least_gain(self, given, home):
        given(direct=[0.6], knee=[0.7], knee_hip=[0.72], ief=[0.8])
        check(claims.measure_ief4("smoke", "body", 0), 0.02)


def test_ief5_and_ief6_by_hand(home, monkeypatch):
    run = runs.train(tiny(), device="cpu")
    monkeypatch.setattr(claims, "trained", lambda *_: {"ief": run})
    data = run.spec.data.load("final")
    path = data.points.nan_to_num() + torch.zeros(9, 1, 1, 1)
    path[:4] += 100
    path[4:, :, MPII16.index("left_wrist", "right_wrist")] += 100
    monkeypatch.setattr(feedback, "trajectories", lambda run, steps: path[: steps + 1])
    ends = data.visible[:, MPII16.index(*feedback.ENDS)]
    wrists = data.visible[:, MPII16.index("left_wrist", "right_wrist")]
    found = claims.measure_ief5("smoke", "body", 0)
    check(found, (wrists.sum() / ends.sum()).item())
    assert found.curves["upper_steps"] == 4
    path[4:] = data.points.nan_to_num()
    gone = claims.measure_ief6("smoke", "body", 0)
    check(gone, 0.5)
    assert gone.curves["images"] == {"all": 12}, "no group has ten images"


@pytest.mark.parametrize(
    ("cut", "back", "value"),
    [
        (9, False, 1 / 36),  # of the turned 2 of 8 pixels are left, of the hidden 68 of 144; nine are too few
        (10, False, -0.5),
        (9, True, -3.5),
    ],
)
def test_ief6_is_the_least_over_groups_of_ten(monkeypatch, cut, back, value):
    data, image = tiny_data(30), torch.arange(30)
    first = torch.where(image < 12, 8.0, 16.0)
    last = torch.where(image < 12, 2.0, torch.where(image < 20, 8.0, 16.0))  # nothing is gone for the truncated
    groups = {"turned": image < 12, "hidden": (image >= 10) & (image < 20), "truncated": image >= 30 - cut}
    path = data.points + torch.zeros(5, 1, 1, 1)
    for step, way in {0: last if back else first, 4: first if back else last}.items():
        path[step, ..., 0] += way[:, None]
    run = SimpleNamespace(spec=SimpleNamespace(key="ief", data=SimpleNamespace(load=lambda _: data)))
    monkeypatch.setattr(claims, "trained", lambda names, *_: dict.fromkeys(names, run))
    monkeypatch.setattr(feedback, "trajectories", lambda run, steps: path[: steps + 1])
    monkeypatch.setattr(feedback, "hard_groups", lambda _: groups)
    found = claims.measure_ief6("smoke", "body", 0)
    check(found, value)
    assert found.curves["images"] == {"turned": 12, "hidden": 10} | ({"truncated": 10} if cut == 10 else {})


class TestScale:
    def test_the_true_boxes_give_what_the_run_predicts(self, home):
        """Its test samples are the scenes' people in the boxes that fit them."""
        pose = runs.train(tiny(data=Data("scene", train=16, test=10, monitor=4, size=32, margin=0)), device="cpu")
        wide = Data("scene", train=16, test=10, monitor=4, size=32, margin=0, options={"view": "wide"})
        shallow = Network("shallow", {"widths": (8, 8), "norm": "group"})
        scale = runs.train(tiny(method="scale_selection", data=wide, network=shallow), device="cpu")
        scene = scale_selection.final_scene(pose)
        found = scale_selection.apply(pose, scale, scene)
        right = accuracy.right(found.points["true"], scene.dataset)
        expected = accuracy.right(pose.predictions.points, pose.spec.data.load("final"))
        assert np.array_equal(right[np.isfinite(expected)], expected[np.isfinite(expected)])
        assert set(found.boxes) == {"chosen", "true", "middle"} and found.boxes["chosen"].max() <= 8
        with pytest.raises(UserError, match="choose one of scale_selection"):
            scale_selection.apply(pose, pose, scene)

    def test_ief7_wants_the_chosen_boxes_near_the_true_ones_and_above_the_middle(self):
        assert claims._enough(np.array([0.7, 0.71, 0.5])) == pytest.approx((0.2, 0.01))
        assert claims._enough(np.array([0.7, 0.75, 0.5])) == pytest.approx((0.2, -0.03))
        assert claims._enough(np.array([0.7, 0.7, 0.695])) == pytest.approx((0.005, 0.02))

    def test_ief7_is_for_synthetic_people(self):
        with pytest.raises(UserError, match="measure it on 'body'"):
            claims.measure_ief7("smoke", "lsp", 0)
