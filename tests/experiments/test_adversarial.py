"""What is measured on runs of adversarial augmentation."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from posenb import augment, runs
from posenb.experiments import adversarial
from posenb.experiments.adversarial import Agreement, agreement, depth, flattening, passes
from posenb.methods.adversarial_augmentation import AdversarialAugmentation, difficulty, upside_down
from tests.adversaries import a_step, joint
from tests.tiny import tiny_data, tiny_method, tiny_spec


class TestCurves:
    def test_depth_and_flattening_by_hand(self):
        start, flat, half = [3.0, 1.0, 2.0], [2.0, 2.0, 2.0], [2.5, 1.5, 2.0]
        assert depth(np.array([start, flat, half])).tolist() == [0.75, 0, 0.375]  # ends 2.5, middle 1, mean 2
        stays, flattens = np.array([start, [6.0, 2.0, 4.0]]), np.array([start, flat])
        assert min(flattening(flattens, random=stays)) == 0.75
        assert min(flattening(np.array([start, [9.0, 9.0, 9.0], half]), np.array([start, start, start]))) == 0.375
        assert min(flattening(stays, random=stays)) == 0  # twice the loss is not flatter
        assert min(flattening(flattens, random=flattens)) == 0  # nor is what random training flattens as much
        assert min(flattening(stays, random=flattens)) == -0.75

    def test_ends_are_means_over_seeds(self):
        seeds = [
            {"depth": {"random": [0.9, last], "both": [0.9, 0.1]}, "pck": {"random": 0.5, "both": 0.5 + last}}
            for last in (0.2, 0.4)
        ]
        (found,) = adversarial.ends([{"dataset": "lsp", "curves": seeds}]).values()
        assert found["depth"].to_dict() == pytest.approx({"random": 0.3, "both": 0.1})
        assert found["pck"].to_dict() == pytest.approx({"random": 0.5, "both": 0.8})

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


class TestSettling:
    def test_even_chances_stay_even(self):
        found = adversarial.settle(torch.full((5,), 0.6), 0.2, 0.5, None, updates=20)
        assert found.shape == (21, 5) and torch.allclose(found, torch.full_like(found, 0.2), atol=1e-5)

    def test_a_bin_that_wins_takes_all_unless_there_is_a_cap(self):
        wins = torch.tensor([0.9, 0.3, 0.3, 0.3, 0.9])
        free = adversarial.settle(wins - torch.tensor([0, 0, 0, 0, 0.01]), 0.2, 0.5, None, updates=3000)
        capped = adversarial.settle(wins, 0.2, 0.5, 2 / 5, updates=600)
        assert free[-1, 0] > 0.9
        assert (capped <= 0.4 + 1e-6).all() and (capped[-1, [0, 4]] > 0.35).all()
        assert torch.allclose(capped.sum(1), torch.ones(601), atol=1e-4)


class TestViews:
    def test_an_agent_draws_from_its_bins(self):
        method, data = joint(), tiny_data(3, size=40)
        with torch.no_grad():  # one bin only: no rotation, no scale
            for head, middle in ((method.agents["asr"].scale, 3), (method.agents["asr"].rotation, 4)):
                head.weight.zero_()
                head.bias.copy_(torch.where(torch.arange(len(head.bias)) == middle, 0.0, -1e4))
        method.scales, method.rotations = (replace(bins, std=0.0) for bins in (method.scales, method.rotations))
        views = adversarial.drawn_views(method, data, 2, torch.Generator().manual_seed(0))
        assert views.shape == (3, 2, 3, 32, 32)
        assert torch.equal(views, augment.center(data.images, (32, 32))[:, None].expand_as(views))

    def test_a_direct_one_shows_what_it_says(self):
        method, data = joint(direct=True, agents=["asr"]), tiny_data(2, size=40)
        with torch.no_grad():
            method.agents["asr"].head.weight.zero_()
            method.agents["asr"].head.bias.copy_(torch.tensor([0.0, 100.0]))  # 180 degrees
        views = adversarial.drawn_views(method, data, 1, torch.Generator())
        turned = augment.center(data.images, (32, 32)).flip(-1, -2)
        assert (views[:, 0] - turned).abs().mean() < 0.02


def test_a_direct_agent_turns_people_upside_down():
    method, data = joint(direct=True, agents=["asr"]), tiny_data(4)

    def share():
        return upside_down(adversarial.predicted_distributions(method, data)["angle"]).item()

    with torch.no_grad():
        method.agents["asr"].head.weight.zero_()
        method.agents["asr"].head.bias[1] = 0.0
        assert share() == 0
        method.agents["asr"].head.bias[1] = 100.0
    assert share() == 1


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
