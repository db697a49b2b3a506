"""Adversarial augmentation, the joint stage: the pair, who learns what, and where it starts."""

import copy
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from posenb import augment
from posenb.errors import UserError
from posenb.heatmaps import gaussian
from posenb.methods.adversarial_augmentation import (
    AdversarialAugmentation,
    AdversarialPretraining,
    Options,
    PretrainingOptions,
    difficulty,
)
from posenb.skeletons import LSP14
from posenb.step import Budget
from posenb.training import fit
from tests.adversaries import (
    BATCH,
    FABRIC,
    SETTING,
    Ranked,
    a_pair,
    a_step,
    joint,
    made,
    pretraining,
    same,
    sample_of,
    state,
    tiny_like,
)
from tests.tiny import tiny_data


@pytest.fixture(scope="module")
def data():
    return tiny_data(18, size=48)


class TestPair:
    def test_they_differ_in_what_the_agent_decides_and_nothing_else(self, data):
        method = joint(augmentation=augment.Family(shift=0.1))
        _, _, drawn, pair = a_pair(method, data)
        asr, aho = pair.rows["asr"], pair.rows["aho"]
        assert sorted([*asr.tolist(), *aho.tolist()]) == list(range(6))
        ours, theirs = pair.adversarial, pair.reference
        assert torch.equal(ours.sample.images[aho], theirs.sample.images[aho])
        assert not torch.equal(ours.sample.images[asr], theirs.sample.images[asr])
        for name in ("flip", "gain", "shift"):
            assert torch.equal(getattr(pair.drawn, name), getattr(drawn, name))
        assert torch.equal(pair.drawn.angle[aho], drawn.angle[aho])
        for view in (ours, theirs):
            assert len(view.masks) == len(method.shapes)
            assert all((mask[asr] == 1).all() for mask in view.masks)
            lowest = view.masks[-1][aho]
            assert ((lowest == 0).sum(dim=(1, 2, 3)) == 2).all()

    def test_scale_and_angle_come_from_the_bins_that_were_drawn(self, data):
        method = joint()
        *_, pair = a_pair(method, data)
        asr, choices = pair.rows["asr"], pair.choices["asr"]
        angles = torch.tensor(augment.ROTATIONS.centres)[choices["rotation"].picked]
        exponents = torch.tensor(augment.SCALES.centres)[choices["scale"].picked]
        assert (pair.drawn.angle[asr] - angles).abs().max() <= 5.001
        assert (pair.drawn.scale[asr].log2() - exponents).abs().max() <= 0.0501

    def test_masks_hide_the_cells_that_were_drawn(self, data):
        method = joint(cells=1)
        *_, pair = a_pair(method, data)
        hidden = (pair.adversarial.masks[-1][pair.rows["aho"]] == 0).flatten(1).float().argmax(dim=1)
        assert torch.equal(hidden, pair.choices["aho"]["occlusion"].picked[:, 0])

    def test_the_features_are_those_of_the_unaugmented_image(self, data):
        method = joint()
        read = []
        method.agents["asr"].register_forward_pre_hook(lambda _, inputs: read.extend(inputs))
        _, batch, _, pair = a_pair(method, data)
        plain = augment.center(batch.images, (32, 32))[pair.rows["asr"]]
        with torch.no_grad():
            expected = method.network.eval().forward_bridges(plain)[1]
        assert_close(list(read), expected)

    def test_together_both_work_on_the_same_images(self, data):
        *_, pair = a_pair(joint(together=True), data)
        assert pair.rows["asr"].tolist() == pair.rows["aho"].tolist() == list(range(6))
        assert (pair.adversarial.masks[-1] == 0).flatten(1).any(dim=1).all()

    @pytest.mark.parametrize("place", ["down", "independent", "pixels"])
    def test_other_places_of_occlusion(self, place, data):
        method = joint(occlusion=place, agents=["aho"], cells=1)
        step, _, _, pair = a_pair(method, data)
        masks = pair.adversarial.masks
        assert len(masks) == (1 if place == "pixels" else len(method.shapes))
        assert all((mask == 0).flatten(1).any(dim=1).all() for mask in masks)
        if place == "pixels":
            assert masks[0].shape[-2:] == (32, 32)
            method.eval()
            hidden = method.network(pair.adversarial.sample.images * masks[0])[0]
            assert_close(method.run(step, pair.adversarial)[0], hidden)

    @pytest.mark.parametrize("options", [{"agents": ["asr"]}, {"agents": "aho"}, {"occlusion": "independent"}], ids=str)
    def test_two_processes_draw_what_one_would(self, options, data):
        method = joint(**options)
        step = a_step(method, batch=12)
        whole = method.noise(step)
        for rank, rows in enumerate((slice(0, 6), slice(6, 12))):
            part = a_step(method, batch=12)
            part.fabric = Ranked(rank, 2)
            assert all(torch.equal(a, b[rows]) for a, b in zip(method.noise(part), whole, strict=True))
            assert torch.equal(method.shares(part), method.shares(step))


class TestJointStep:
    def test_shares_are_equal(self):
        method = joint()
        assert torch.bincount(method.shares(a_step(method, batch=12))).tolist() == [4, 4, 4]
        one = joint(agents=["aho"])
        assert torch.bincount(one.shares(a_step(one, batch=12))).tolist() == [6, 6]
        with pytest.raises(UserError, match="2 images do not divide into 3 shares"):
            method.shares(a_step(method, batch=2))

    @pytest.mark.parametrize("options", [{}, {"direct": True}, {"together": True}, {"comparison": "pck"}], ids=str)
    def test_what_agents_learn_never_reaches_the_pose_network(self, options, data):
        method = joint(**options)
        before, agents = state(method.network), state(method.agents)
        step, *_, pair = a_pair(method, data)
        method.teach_agents(step, pair)
        assert all(weight.grad is None for weight in method.network.parameters())
        assert same(before, method.network)  # its batch statistics as well
        assert all(weight.requires_grad for weight in method.network.parameters()) and method.network.training
        assert not same(agents, method.agents)

    def test_what_the_pose_network_learns_never_reaches_the_agents(self, data):
        method = joint()
        step, *_, pair = a_pair(method, data)
        agents = state(method.agents)
        step.update("network", method.loss(method.run(step, pair.adversarial), pair.adversarial.sample))
        assert all(weight.grad is None for weight in method.agents.parameters())
        assert same(agents, method.agents)
        assert any(weight.grad.any() for weight in method.network.parameters())

    def test_judging_uses_evaluation_mode(self, data):
        method = joint()
        step, *_, pair = a_pair(method, data)
        found = method.harder(step, pair)
        plain = copy.deepcopy(method)
        plain.eval()
        with torch.no_grad():
            worth = [
                difficulty(plain, plain.network(view.sample.images, view.masks), view.sample)
                for view in (pair.adversarial, pair.reference)
            ]
        assert torch.equal(found, worth[0] > worth[1])
        assert found.any() and not found.all()

    def test_a_pair_of_twins_is_a_tie_and_ties_are_penalised(self, data):
        for comparison in ("loss", "pck"):
            method = joint(comparison=comparison)
            step, *_, pair = a_pair(method, data)
            assert not method.harder(step, pair._replace(adversarial=pair.reference)).any()

    def test_correct_joints_lie_within_a_fifth_of_the_torso(self, data):
        method = joint(comparison="pck")
        sample = sample_of(data)
        # a torso of 20 pixels for everybody: right is what lies within 4
        torso = LSP14.index("right_shoulder", "left_hip", "left_shoulder", "right_hip")
        points = torch.full_like(sample.points, 10.0)
        points[:, torso[1]] = points[:, torso[3]] = torch.tensor([10.0, 30.0])
        sample = sample._replace(points=points, visible=torch.ones_like(sample.visible))
        moved = points.clone()
        moved[:, 0, 0] += 3
        moved[:, 1, 0] += 6
        maps = [gaussian(moved, (16, 16), 2, 1.5)]
        assert method.correct(maps, sample).tolist() == pytest.approx([13 / 14] * len(data))
        some = sample.visible.clone()
        some[:, 5:] = False
        assert method.correct(maps, sample._replace(visible=some)).tolist() == pytest.approx([4 / 5] * len(data))
        assert not method.correct(maps, sample._replace(visible=some & False)).any()

    @pytest.mark.parametrize("harder", [True, False])
    def test_a_winner_is_rewarded_and_a_loser_penalised(self, harder, data):
        """One step of gradient descent on the logits themselves, by eq. (3) and (4)."""
        method = joint()
        *_, pair = a_pair(method, data)
        for choice in pair.choices["asr"].values():
            logits = choice.logits.detach().clone().requires_grad_()
            method.divergence(choice._replace(logits=logits), torch.full((len(logits),), harder)).sum().backward()
            p = logits.detach().softmax(-1).gather(1, choice.picked[:, None])
            expected = -0.2 * p if harder else 0.5 * p
            assert_close(logits.grad.gather(1, choice.picked[:, None]), expected, rtol=1e-3, atol=1e-6)

    def test_the_cap_is_a_multiple_of_chance(self, data):
        method = joint(cap=1.0)
        *_, pair = a_pair(method, data)
        choice = pair.choices["asr"]["rotation"]
        # no more than chance for anybody: the target is uniform
        uniform = torch.full_like(choice.logits, 1 / 9)
        expected = augment.divergence(uniform, choice.logits)
        assert_close(method.divergence(choice, torch.ones(len(uniform)).bool()), expected, rtol=1e-3, atol=1e-6)

    def test_the_random_share_is_augmented_at_random(self, data):
        method = joint()
        seen, original = [], method.network.forward_bridges

        def forward_bridges(images, mask=None):
            if method.network.training:
                seen.append(images)
            return original(images, mask)

        method.network.forward_bridges = forward_bridges
        step = a_step(method)
        method.train_step(step, {"train": data})
        again = a_step(method)
        batch, drawn = again.batch(data), again.draw(method.options.augmentation)
        plain = augment.apply(batch, drawn, (32, 32), LSP14).images
        (images,) = seen  # the pose network learns once
        assert len(images) == BATCH
        assert torch.equal(images[:3], plain[method.shares(step) == 0])

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"agents": ["asr"]},
            {"agents": ["aho"], "cells": 1},
            {"direct": True, "agents": ["asr"]},
            {"together": True},
        ],
        ids=str,
    )
    def test_training_is_finite_and_says_what_happens(self, options, data, tmp_path):
        method = joint(**options)
        budget = Budget(steps=2, batch=6, precision="32-true", evaluations=1)
        last = fit(method, {"train": data}, dict, budget, 0, FABRIC, tmp_path)[-1]
        names = {"entropy_scale", "entropy_rotation"} if "asr" in method.options.agents else set()
        names |= {"entropy_occlusion"} if "aho" in method.options.agents else set()
        assert {"upside_down"} <= last.keys() if method.options.direct else names <= last.keys()

    def test_a_killed_run_goes_on_with_the_same_numbers(self, data, tmp_path):
        def history(folder, evaluate=dict):
            budget = Budget(steps=4, batch=6, precision="32-true", evaluations=2)
            rows = fit(joint(), {"train": data}, evaluate, budget, 0, FABRIC, tmp_path / folder, 0.0)
            return [{k: v for k, v in row.items() if k != "images_per_second"} for row in rows]

        def die():
            raise KeyboardInterrupt

        whole = history("whole")
        with pytest.raises(KeyboardInterrupt):
            history("killed", die)
        assert history("killed") == whole

    def test_stacks_of_an_hourglass_are_occluded_alike(self, data):
        options = {"channels": 16, "blocks": 1, "depth": 2, "stacks": 2, "norm": "group"}
        method = AdversarialAugmentation(
            Options(pretrained=False), replace(SETTING, network="hourglass", network_options=options)
        )
        assert method.grid == (2, 2)
        found = method.train_step(a_step(method), {"train": data})
        assert all(torch.isfinite(value) for value in found.values())


class TestStart:
    def test_more_cells_than_the_grid_has_are_refused(self):
        for cells in (0, 17):
            with pytest.raises(ValueError, match=f"cells must lie between 1 and the 4 x 4 of the grid, not {cells}"):
                joint(cells=cells)

    def test_pretrained_agents_are_taken_over_each_by_its_name(self):
        source = pretraining(agents=["asr", "aho"])
        method = made(AdversarialAugmentation, agents=["aho"])
        with torch.no_grad():
            for weight in source.agents.parameters():
                weight.add_(1)
        method.start_from([source])
        assert same(state(source.agents["aho"]), method.agents["aho"])
        assert same(state(source.network), method.network)

    def test_fresh_agents_stay_fresh(self):
        source, method = pretraining(), joint()
        with torch.no_grad():
            for weight in source.agents.parameters():
                weight.add_(1)
        before = state(method.agents)
        method.start_from([source])
        assert same(before, method.agents) and same(state(source.network), method.network)

    def test_the_control_neither_knows_nor_learns(self, data, tmp_path):
        source, method = pretraining(), made(AdversarialAugmentation, uniform=True)
        method.start_from([source])
        assert same(state(source.network), method.network)
        before, network = state(method.agents), state(method.network)
        budget = Budget(steps=2, batch=6, precision="32-true", evaluations=1)
        last = fit(method, {"train": data}, dict, budget, 0, FABRIC, tmp_path)[-1]
        assert same(before, method.agents) and not same(network, method.network)
        assert [last[f"entropy_{kind}"] for kind in ("scale", "rotation", "occlusion")] == pytest.approx([1.0] * 3)
        for predicted in method.predict_distributions(torch.rand(2, 3, 32, 32)).values():
            assert_close(predicted, torch.full_like(predicted, 1 / predicted[0].numel()))

    def test_agents_that_are_missing_are_named(self, data):
        with pytest.raises(UserError, match="no pre-trained agent aho: start from"):
            made(AdversarialAugmentation).start_from([pretraining(agents=["asr"])])
        with pytest.raises(UserError, match="no pre-trained agent asr or aho"):
            made(AdversarialAugmentation).start_from([tiny_like()])
        with pytest.raises(UserError, match="goes on from a run of adversarial_pretraining"):
            made(AdversarialAugmentation).prepare({"train": data})

    def test_a_network_without_bridges_is_refused_in_one_line(self):
        with pytest.raises(ValueError, match="needs a network with forward_bridges"):
            AdversarialPretraining(PretrainingOptions(), replace(SETTING, network="baseline", network_options={}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "l3"}, "loss must be one of mse, soft_cross_entropy, not 'l3'"),
        ({"agents": ["asr", "ahx"]}, "agents must be one of asr, aho, not 'ahx'"),
        ({"agents": []}, "agents must be one of asr, aho, not ''"),
        ({"comparison": "oks"}, "comparison must be one of loss, pck, not 'oks'"),
        ({"occlusion": "left"}, "occlusion must be one of up, down, independent, pixels, not 'left'"),
        ({"alpha": 0}, r"alpha and beta must lie in \(0, 1\], not 0 and 0.5"),
        ({"uniform": True, "direct": True}, "uniform needs agents that draw from bins: direct ones have none"),
        ({"cap": 0.5}, "cap must be at least 1, the probability of chance, not 0.5"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Options(**options)


def test_joints_cannot_be_compared_without_a_reference_length():
    bare = replace(SETTING, skeleton=replace(SETTING.skeleton, reference=()))
    with pytest.raises(ValueError, match=r"comparison=pck needs a reference length, which .* lacks: say loss"):
        AdversarialAugmentation(Options(comparison="pck"), bare)
