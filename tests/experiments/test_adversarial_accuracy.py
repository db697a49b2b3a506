"""Accuracy of runs of adversarial augmentation, against each other."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from posenb import runs
from posenb.evaluation import Predictions
from posenb.experiments import accuracy as shared
from posenb.experiments import adversarial_accuracy as accuracy
from posenb.skeletons import LSP14
from tests.tiny import tiny_data, tiny_spec


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSENB_HOME", str(tmp_path_factory.mktemp("home")))
        yield runs.train(tiny_spec(steps=4), device="cpu")


class TestAccuracy:
    def test_hits_give_the_runs_own_pck(self, run):
        found = shared.final_hits(run)
        assert found.shape[1:] == (2, 16)
        assert shared.pck(found.mean(axis=0)) == pytest.approx(run.metrics["pck"])

    def test_gains_by_hand(self, run, monkeypatch):
        shares = {0.5: 0.5, 0.6: 0.6, 0.55: 0.55, 0.8: 0.8}
        fake = {level: replace(run) for level in shares}
        levels = {id(of): level for level, of in fake.items()}

        def hits(of):
            labelled = np.ones((20, 16))
            return np.stack([(np.arange(20)[:, None] < 20 * levels[id(of)]) * labelled, labelled], axis=1)

        monkeypatch.setattr(shared, "final_hits", hits)
        none, asr, aho, both = (fake[level] for level in shares)
        assert accuracy.gain({"both": both, "none": none, "asr": asr}).value == pytest.approx(0.2)
        found = accuracy.component_gain({"none": none, "asr": asr, "aho": aho, "both": both})
        assert found.value == pytest.approx(0.05)  # occlusion over random
        assert found.statistic(found.images.mean(axis=0)) == pytest.approx([0.1, 0.05, 0.2, 0.25])
        # every joint gained as much
        assert accuracy.hard_joint_gain({"none": none, "both": both}).value == pytest.approx(0)

    def test_components_of_two_networks_must_all_gain(self, run, monkeypatch):
        levels = {"a": (0.1, 0.2, 0.3, 0.9), "b": (0.5, 0.7, 0.8, 0.85)}  # of random, asr, aho, both
        fake = {f"{name}, {k}": replace(run) for name, of in levels.items() for k in range(len(of))}
        shares = {id(fake[f"{name}, {k}"]): level for name, of in levels.items() for k, level in enumerate(of)}
        labelled = np.ones((20, 16))
        monkeypatch.setattr(
            shared,
            "final_hits",
            lambda of: np.stack([(np.arange(20)[:, None] < 20 * shares[id(of)] - 1e-9) * labelled, labelled], axis=1),
        )
        assert accuracy.component_gain(fake).value == pytest.approx(0.05)  # b: both over aho

    def test_rows_and_lines_for_the_figures(self, run):
        row, lines = accuracy.parts(run), accuracy.by_threshold(run)
        assert row["Mean"] == pytest.approx(100 * run.metrics["pck"])
        wrists = [run.metrics[f"pck/{side}_wrist"] for side in ("left", "right")]
        assert row["Wri."] == pytest.approx(100 * np.mean(wrists))
        at = accuracy.THRESHOLDS.index(0.2)
        assert lines["all joints"][at] == pytest.approx(run.metrics["pck"])
        assert lines["wrist"][at] == pytest.approx(np.mean(wrists))
        assert all(np.diff(line).min() >= 0 for line in lines.values())

    def test_gain_on_hard_joints(self, run, monkeypatch):
        joints = run.spec.data.load("final")[:1].skeleton.joints
        hard = np.array([name.split("_")[-1] in ("wrist", "knee", "ankle") for name in joints])
        assert hard.sum() == 6
        better = replace(run)

        def hits(of):
            right = np.tile(hard * 1.0 if of is better else hard * 0.0, (4, 1))
            return np.stack([right, np.ones_like(right)], axis=1)

        monkeypatch.setattr(shared, "final_hits", hits)
        assert accuracy.hard_joint_gain({"run": run, "better": better}).value == pytest.approx(1)
        # all lose, the hard ones less: that is no gain
        before, after = np.ones(16), np.where(hard, 0.9, 0.5)
        monkeypatch.setattr(
            shared,
            "final_hits",
            lambda of: np.stack([[after if of is better else before] * 4, np.ones((4, 16))], axis=1),
        )
        assert accuracy.hard_joint_gain({"run": run, "better": better}).value == pytest.approx(-0.1)

    def test_confusion_of_a_run_with_itself_is_no_less(self, run):
        found = accuracy.confusion_less(run, run)
        assert found.value == 0 and found.images.shape[1:] == (2, 2)


def test_confusion_by_hand():
    data = tiny_data(3)
    points = torch.stack([torch.arange(14.0) * 2 + 1, torch.full((14,), 16.0)], dim=-1).expand(3, 14, 2).clone()
    data = replace(data, points=points, reference=torch.full((3,), 5.0))  # wrong: more than 1 pixel off
    right, left = LSP14.index("right_wrist", "left_wrist")
    neck = LSP14.index("neck")[0]
    pred = points.clone()
    pred[0, [right, left]] = points[0, [left, right]]  # swapped
    pred[1, right] += torch.tensor([0.0, 10.0])  # wrong, and no nearer to the other
    pred[1, neck] += 10  # has no other side
    pred[2, right] = points[2, left]
    visible = data.visible.clone()
    visible[2, left] = False  # nobody knows where the other one is
    found = accuracy.confusion(Predictions(pred, torch.ones(3, 14)), replace(data, visible=visible))
    assert found.tolist() == [[2, 2], [0, 1], [0, 0]]


def test_table_1_by_hand():
    seeds = [{"random": {"Head": 1.0, "Mean": 3.0}, "dense, both": {"Head": 2.0, "Mean": 4.0}}] * 2
    seeds[1] = {"random": {"Head": 2.0, "Mean": 5.0}, "dense, both": {"Head": 2.0, "Mean": 4.0}}
    table = accuracy.component_table(seeds)
    assert table.to_numpy().tolist() == [["Random Aug.", "1.5", "4.0"], ["dense: +ASR+AHO", "2.0", "4.0"]]
    assert list(table.columns[1:]) == ["Head", "Mean"]


def test_variants_are_compared_within_a_record_and_chained_between_records():
    def record(*seeds):
        return {"curves": [{"pck": seed} for seed in seeds]}

    found = accuracy.variant_gains(
        [
            record({"small, random": 0.5, "small, aho": 0.6}, {"small, random": 0.4, "small, aho": 0.4}),
            # trained elsewhere: its own aho came out .2 lower, which pixels must not be blamed for
            record({"aho": 0.4, "pixels": 0.3}, {"aho": 0.2, "pixels": 0.25}),
            record({"both": 0.9, "unprepared": 0.8}),
        ]
    )
    assert {name: gains.tolist() for name, gains in found.items()} == {
        "aho": pytest.approx([0.1, 0.0]),
        "pixels": pytest.approx([0.0, 0.05]),
    }
