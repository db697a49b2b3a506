"""What is measured on runs of adversarial augmentation."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from posenb import augment, runs
from posenb.evaluation import Predictions
from posenb.experiments import adversarial
from posenb.experiments.adversarial import Agreement, agreement, confusion, depth, flattening, passes, specs
from posenb.methods.adversarial_augmentation import AdversarialAugmentation, difficulty
from posenb.skeletons import LSP14
from posenb.spec import Network
from tests.adversaries import a_step, joint
from tests.tiny import tiny_data, tiny_method, tiny_spec


class TestSpecs:
    def test_stages_start_from_each_other(self):
        found = specs("quick", "body", seed=2)
        assert found["agents"].start == (found["start"],) == found["random"].start == found["direct agents"].start
        for name in adversarial.VARIANTS:
            assert found[name].start == (found["agents"],)
            assert found[name].method == "adversarial_augmentation"
        assert found["direct"].start == (found["direct agents"],)
        assert {spec.seed for spec in found.values()} == {2}

    @pytest.mark.parametrize("profile", ["smoke", "quick", "full", "paper"])
    def test_all_of_stage_3_differ_in_nothing_but_their_options(self, profile):
        found = specs(profile, "body")
        third = [spec for name, spec in found.items() if name not in ("start", "agents", "direct agents")]
        assert len({spec.key for spec in found.values()}) == len(found)
        assert all(spec.budget == third[0].budget and spec.data == third[0].data for spec in third)
        losses = {spec.method_options().loss for spec in found.values()}
        assert losses == {"mse" if profile == "paper" else "soft_cross_entropy"}

    def test_the_papers_learning_rates_at_its_own_size(self):
        found = specs("paper", "body")
        assert found["agents"].method_options().agent_lr == 2.5e-4
        assert found["both"].method_options().agent_lr == 5e-5

    def test_another_network_for_all(self):
        found = specs("quick", "body", network=Network("hourglass", {"block": "dense"}))
        assert {spec.network.name for spec in found.values()} == {"hourglass"}

    def test_every_run_can_be_trained(self):
        # a wrong option, or a network without bridges, is found here
        for spec in specs("smoke", "body").values():
            runs.create(spec)


class TestCurves:
    def test_depth_and_flattening_by_hand(self):
        start, end = [3.0, 1.0, 2.0], [2.0, 2.0, 2.0]
        assert depth(np.array([start, end])).tolist() == [0.75, 0]  # ends 2.5, middle 1, mean 2
        assert flattening(np.array([start, [9.0, 9.0, 9.0], end])) == 0.75
        assert flattening(np.array([start, [6.0, 2.0, 4.0]])) == 0  # twice the loss is not flatter
        assert flattening(np.array([end, start])) == -0.75

    def test_difficulty_at_zero_degrees_is_that_of_the_images_as_they_are(self):
        method, data = tiny_method(loss="mse"), tiny_data(6)
        found = adversarial.difficulty_over(method, data, adversarial.turned((-30, 0, 30)), batch=4)
        sample = augment.apply(data.batch(torch.arange(6)), augment.still(6), (32, 32), data.skeleton)
        with torch.inference_mode():
            expected = difficulty(method, method.network(sample.images), sample)
        assert found.shape == (6, 3)
        assert found[:, 1] == pytest.approx(expected.numpy(), rel=1e-5)
        assert not np.allclose(found[:, 0], found[:, 1])


class TestAgreement:
    def test_of_a_distribution_with_itself(self):
        p = torch.tensor([[0.1, 0.2, 0.7], [0.5, 0.3, 0.2]])
        found = agreement(p, p)
        assert found.pearson == pytest.approx([1, 1]) and found.spearman == pytest.approx([1, 1])
        assert found.divergence == pytest.approx([0, 0], abs=1e-6)

    def test_by_hand(self):
        predicted, losses = torch.tensor([[0.2, 0.3, 0.5]]), torch.tensor([[0.5, 0.3, 0.2]])
        found = agreement(predicted, losses)
        # deviations (-4, -1, 5) and (5, -1, -4) thirtieths
        assert found.pearson == pytest.approx([-39 / 42], rel=1e-5)
        assert found.spearman == pytest.approx([-1])
        expected = 0.5 * np.log(2.5) + 0.2 * np.log(0.4)
        assert found.divergence == pytest.approx([expected], rel=1e-5)

    def test_a_flat_distribution_has_no_correlation(self):
        found = agreement(torch.full((1, 4), 0.25), torch.tensor([[0.1, 0.2, 0.3, 0.4]]))
        assert np.isnan(found.pearson).all() and np.isnan(found.spearman).all()

    def test_of_a_method(self):
        data = tiny_data(5, size=40)
        found = adversarial.rotation_agreement(joint(), data)
        assert isinstance(found, Agreement) and found.pearson.shape == (5,)
        assert (np.abs(found.pearson) <= 1 + 1e-6).all() and (found.divergence >= 0).all()

    def test_predictions_of_batches_are_those_of_all(self):
        method, data = joint(), tiny_data(5, size=40)
        found = adversarial.predicted_distributions(method, data, batch=2)
        with torch.inference_mode():
            whole = method.predict_distributions(augment.center(data.images, (32, 32)))
        for name, shape in {"scale": (5, 7), "rotation": (5, 9), "occlusion": (5, *method.grid)}.items():
            assert found[name].shape == shape
            assert torch.allclose(found[name], whole[name], atol=1e-6)
            assert torch.allclose(found[name].flatten(1).sum(1), torch.ones(5))


def test_collapse_counts_images_beyond_90_degrees():
    method, data = joint(direct=True, agents=["asr"]), tiny_data(4)
    assert -0.5 <= adversarial.collapse(method, data) <= 0.5
    with torch.no_grad():
        method.agents["asr"].head.bias[1] = 100.0
    assert adversarial.collapse(method, data) == 0.5


class TestPasses:
    def test_by_hand(self):
        assert passes(30) == (20 * 3, 30, 20)
        assert passes(30).units(agent=0.5) == 5 * 30 + 2 * 0.5 * 30
        assert passes(30, swept=True).units(agent=0) == 30 * 30
        assert passes(30, ["asr"]) == (15 * 3, 30, 15)
        assert passes(30, ["aho"], swept=True) == (15 * 17, 30, 15)

    @pytest.mark.parametrize("agents", [("asr", "aho"), ("asr",), ("aho",)], ids="+".join)
    def test_a_step_takes_no_others(self, agents):
        method = joint(agents=agents)
        images = {"forward": 0, "learned": 0, "agent": 0}

        def forward_bridges(batch, mask=None):
            images["learned" if torch.is_grad_enabled() else "forward"] += len(batch)
            return original(batch, mask)

        original = method.network.forward_bridges
        method.network.forward_bridges = forward_bridges
        for agent in method.agents.values():
            agent.register_forward_pre_hook(lambda _, bridges: images.update(agent=images["agent"] + len(bridges[0])))
        method.train_step(a_step(method, batch=6), {"train": tiny_data(18)})
        assert images == passes(6, agents)._asdict()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSENB_HOME", str(tmp_path_factory.mktemp("home")))
        yield runs.train(tiny_spec(steps=4), device="cpu")


class TestAccuracy:
    def test_hits_give_the_runs_own_pck(self, run):
        found = adversarial.hits(run)
        assert found.shape[1:] == (2, 16)
        assert adversarial.accuracy(found.mean(axis=0)) == pytest.approx(run.metrics["pck"])

    def test_gains_by_hand(self, run, monkeypatch):
        shares = {0.5: 0.5, 0.6: 0.6, 0.55: 0.55, 0.8: 0.8}
        fake = {level: replace(run) for level in shares}
        levels = {id(of): level for level, of in fake.items()}

        def hits(of):
            labelled = np.ones((20, 16))
            return np.stack([(np.arange(20)[:, None] < 20 * levels[id(of)]) * labelled, labelled], axis=1)

        monkeypatch.setattr(adversarial, "hits", hits)
        none, asr, aho, both = (fake[level] for level in shares)
        assert adversarial.gain(both, none, asr).value == pytest.approx(0.2)
        found = adversarial.component_gain(none, asr, aho, both)
        assert found.value == pytest.approx(0.05)  # occlusion over random
        assert found.statistic(found.images.mean(axis=0)) == pytest.approx(found.value)
        assert adversarial.hard_joint_gain(none, both).value == pytest.approx(0)  # every joint gained as much

    def test_gain_on_hard_joints(self, run, monkeypatch):
        joints = run.spec.data.load("final")[:1].skeleton.joints
        hard = np.array([name.split("_")[-1] in ("wrist", "knee", "ankle") for name in joints])
        assert hard.sum() == 6
        better = replace(run)

        def hits(of):
            right = np.tile(hard * 1.0 if of is better else hard * 0.0, (4, 1))
            return np.stack([right, np.ones_like(right)], axis=1)

        monkeypatch.setattr(adversarial, "hits", hits)
        assert adversarial.hard_joint_gain(run, better).value == pytest.approx(1)

    def test_confusion_of_a_run_with_itself_is_no_less(self, run):
        found = adversarial.confusion_less(run, run)
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
    found = confusion(Predictions(pred, torch.ones(3, 14)), replace(data, visible=visible))
    assert found.tolist() == [[2, 2], [0, 1], [0, 0]]


def test_stages_of_training(tmp_path, monkeypatch):
    monkeypatch.setenv("POSENB_HOME", str(tmp_path))
    start = tiny_spec(steps=2)
    options = {"loss": "soft_cross_entropy", "pretrained": False}
    spec = replace(start, method="adversarial_augmentation", options=options, start=(start,))
    run = runs.train(spec, device="cpu")
    assert isinstance(run.method, AdversarialAugmentation)
    names, curves = adversarial.curves_over_training([runs.train(start), run], start.data.load("final")[:3])
    assert names == ["start", "step 1", "step 2"] and curves.shape == (3, 3, 9)
    assert not np.allclose(curves[0], curves[2])
