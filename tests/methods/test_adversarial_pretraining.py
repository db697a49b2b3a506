"""Adversarial augmentation: how hard an image is, and the stage in which the pose network is frozen."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from posenb import augment
from posenb.augment import Bins
from posenb.errors import UserError
from posenb.heatmaps import gaussian
from posenb.losses import heatmap_mse, per_image, soft_cross_entropy
from posenb.methods.adversarial_augmentation import (
    AdversarialPretraining,
    PretrainingOptions,
    difficulty,
    image_losses,
    judging,
)
from posenb.skeletons import LSP14
from posenb.step import Budget
from posenb.training import fit
from tests.adversaries import (
    FABRIC,
    SETTING,
    Ranked,
    a_step,
    joint,
    made,
    pretraining,
    same,
    sample_of,
    state,
)
from tests.tiny import tiny_data


@pytest.fixture(scope="module")
def data():
    return tiny_data(18, size=48)


class TestDifficulty:
    @pytest.mark.parametrize("loss", [heatmap_mse, soft_cross_entropy])
    def test_per_image_is_the_loss_of_one_image_at_a_time(self, loss, generator):
        pred, target = torch.randn(2, 4, 3, 8, 8, generator=generator)
        visible = torch.rand(4, 3, generator=generator) > 0.3
        found = per_image(loss)(pred, target.abs(), visible)
        alone = [loss(*(t[k : k + 1] for t in (pred, target.abs(), visible))) for k in range(4)]
        assert_close(found, torch.stack(alone))
        assert_close(found.mean(), loss(pred, target.abs(), visible))

    @pytest.mark.parametrize("loss", ["mse", "soft_cross_entropy"])
    def test_the_right_answer_is_not_hard(self, loss, data):
        method, sample = joint(loss=loss), sample_of(data)
        target = method.target(sample)
        right = target if loss == "mse" else target.clamp(min=1e-30).log()
        assert difficulty(method, [right], sample).max() < 1e-5
        assert difficulty(method, [torch.zeros_like(target)], sample).min() > 1e-3

    @pytest.mark.parametrize("loss", ["mse", "soft_cross_entropy"])
    def test_joints_out_of_view_do_not_make_it_easier(self, loss, data):
        method, sample = joint(loss=loss), sample_of(data)
        # all joints at one place with the same answer, so that each is equally hard
        ones = torch.ones_like(sample.visible)
        sample = sample._replace(points=torch.full_like(sample.points, 16.0), visible=ones)
        maps = [torch.zeros_like(method.target(sample))]
        some = sample._replace(visible=(torch.arange(14) < 5).expand(len(data), 14))
        assert_close(difficulty(method, maps, some), difficulty(method, maps, sample))
        assert image_losses(method, maps, some).max() < image_losses(method, maps, sample).min()

    def test_an_image_without_a_joint_in_view_is_not_hard(self, data):
        method, sample = joint(), sample_of(data)
        none = sample._replace(visible=torch.zeros_like(sample.visible))
        assert not difficulty(method, [torch.ones_like(method.target(none))], none).any()

    def test_stacks_are_averaged(self, data):
        method, sample = joint(), sample_of(data)
        a, b = torch.zeros_like(method.target(sample)), torch.ones_like(method.target(sample))
        both, first, second = (image_losses(method, maps, sample) for maps in ([a, b], [a], [b]))
        assert_close(both, (first + second) / 2)

    def test_judging_leaves_modes_as_they_were(self):
        network = SETTING.create_network()
        for learns in (True, False):
            network.requires_grad_(learns)
            with judging(network):
                assert not network.training and not any(w.requires_grad for w in network.parameters())
            assert network.training and all(w.requires_grad == learns for w in network.parameters())


class TestPretraining:
    @pytest.mark.parametrize("options", [{}, {"sweep": "apart"}, {"direct": True, "agents": ["asr"]}], ids=str)
    def test_the_pose_network_stays_frozen_bit_for_bit(self, options, data, tmp_path):
        method = pretraining(**options)
        network, agents = state(method.network), state(method.agents)
        budget = Budget(steps=2, batch=4, precision="32-true", evaluations=1)
        history = fit(method, {"train": data}, dict, budget, 0, FABRIC, tmp_path)
        assert same(network, method.network)
        assert not same(agents, method.agents)
        assert len(history) == 2

    def test_the_sweeps_target_is_what_a_loop_over_bins_finds(self, data):
        method = pretraining(noise=0.0)
        step = a_step(method, batch=2)
        batch = step.batch(data)
        scale, rotation = method.sweep(step, batch)
        losses = torch.zeros(2, 7, 9)
        for i in range(2):
            one = type(batch)(*(field[i : i + 1] for field in batch))
            for s, exponent in enumerate(augment.SCALES.centres):
                for r, angle in enumerate(augment.ROTATIONS.centres):
                    drawn = replace(
                        augment.still(1), scale=torch.tensor([2**exponent]), angle=torch.tensor([float(angle)])
                    )
                    sample = augment.apply(one, drawn, (32, 32), LSP14)
                    target = gaussian(sample.points, (16, 16), 2, 1.5)
                    error = (method.network.eval()(sample.images)[0] - target).square().mean(dim=(-2, -1))
                    losses[i, s, r] = error[sample.visible].mean()
        assert_close(scale, losses.sum(2) / losses.sum((1, 2))[:, None], rtol=1e-4, atol=1e-5)
        assert_close(rotation, losses.sum(1) / losses.sum((1, 2))[:, None], rtol=1e-4, atol=1e-5)

    def test_apart_agrees_with_pairs_of_which_one_is_still(self, data):
        method = pretraining(noise=0.0, sweep="apart")
        step = a_step(method, batch=2)
        batch = step.batch(data)
        scale, rotation = method.sweep(step, batch)
        method.scales, method.options = Bins((0.0,), 0), replace(method.options, sweep="pairs")
        assert_close(rotation, method.sweep(step, batch)[1], rtol=1e-4, atol=1e-6)
        assert scale.shape == (2, 7) and (scale.sum(1) - 1).abs().max() < 1e-5

    def test_occlusions_target_are_the_votes_of_the_data_set(self, data, tmp_path):
        method = pretraining(agents=["aho"])
        method.prepare({"train": data})
        plain = data.cropped()
        inside = ((plain.points >= 0) & (plain.points < 48)).all(-1)
        assert method.cell_counts.sum() == inside.sum()
        right = (plain.points[inside][:, 0] >= 24).sum()
        assert method.cell_counts[:, method.grid[1] // 2 :].sum() == right

    def test_the_divergence_falls(self, data, tmp_path):
        method = pretraining(agent_lr=3e-3)
        budget = Budget(steps=20, batch=3, precision="32-true", evaluations=1)
        history = fit(method, {"train": data}, dict, budget, 0, FABRIC, tmp_path)
        for name in ("loss_asr", "loss_aho"):
            early, late = (sum(row[name] for row in rows) for rows in (history[:5], history[-5:]))
            assert late < 0.5 * early

    def test_two_processes_sweep_what_one_would(self, data):
        whole = pretraining().sweep(a_step(pretraining(), batch=4), data.batch(torch.arange(4)))
        for rank, rows in enumerate((slice(0, 2), slice(2, 4))):
            method = pretraining()
            step = a_step(method, batch=4)
            step.fabric = Ranked(rank, 2)
            part = method.sweep(step, data.batch(torch.arange(4)[rows]))
            assert_close(part, (whole[0][rows], whole[1][rows]), rtol=1e-4, atol=1e-6)

    def test_it_needs_a_pose_network_to_start_from(self, data):
        with pytest.raises(UserError, match="goes on from a trained pose network"):
            made(AdversarialPretraining).prepare({"train": data})


def test_a_wrong_sweep_is_refused():
    with pytest.raises(ValueError, match="sweep must be one of pairs, apart, not 'all'"):
        PretrainingOptions(sweep="all")
