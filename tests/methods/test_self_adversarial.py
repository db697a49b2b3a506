"""Self adversarial training: who learns from what, the controller's rule, and that a kill changes nothing."""

import math
from dataclasses import replace

import pytest
import torch

from posenb import augment, runs
from posenb.heatmaps import gaussian
from posenb.methods import find
from posenb.methods.base import Setting
from posenb.methods.self_adversarial import Options, SelfAdversarial, balance, frozen
from posenb.skeletons import LSP14
from posenb.step import Budget, Step
from posenb.training import fit, make_fabric
from tests.tiny import NETWORK, tiny_data, tiny_method, tiny_spec

FABRIC = make_fabric("32-true", "cpu")
SETTING = Setting(LSP14, (32, 32), "small", NETWORK)
JUDGE = {"widths": (8, 8)}


def make(**options):
    return SelfAdversarial(Options(**{"discriminator_options": JUDGE} | options), SETTING)


def take_step(method, number=0, data=None):
    """One step; the method's report."""
    step = Step(number, Budget(steps=4, batch=4, precision="32-true"), 0, FABRIC, method.optimizers())
    return method.train().train_step(step, {"train": tiny_data(8) if data is None else data})


def state(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(before, network):
    return all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def sample_of(data):
    return augment.apply(data.batch(torch.arange(len(data))), augment.still(len(data)), (32, 32), data.skeleton)


def test_is_registered():
    assert find("self_adversarial") is SelfAdversarial


class TestController:
    @pytest.mark.parametrize(
        ("k", "real", "fake", "expected"),
        [
            (0.2, 0.4, 0.1, 0.2 + 0.1 * (0.2 - 0.1)),  # the generator fools the discriminator: k rises
            (0.2, 0.4, 0.5, 0.2 + 0.1 * (0.2 - 0.5)),  # it does not: k falls
            (0.2, 0.4, 0.2, 0.2),  # equilibrium
            (0.01, 0.0, 3.0, 0.0),  # clipped below
            (0.99, 9.0, 0.0, 1.0),  # and above
        ],
    )
    def test_the_rule_by_hand(self, k, real, fake, expected):
        found = balance(torch.tensor(k), torch.tensor(real), torch.tensor(fake), gamma=0.5, rate=0.1)
        assert found.item() == pytest.approx(expected)

    def test_k_moves_by_the_losses_of_before_the_step(self):
        method = make(k=0.5, lambda_k=0.1, gamma=0.5)
        report = take_step(method)
        expected = 0.5 + 0.1 * (0.5 * report["real"].item() - report["fake"].item())
        assert method.k.item() == pytest.approx(expected) and report["k"].item() == pytest.approx(expected)
        assert report["imbalance"].item() == pytest.approx(abs(0.5 - (report["fake"] / report["real"]).item()))

    def test_k_waits(self):
        method = make(k=0.5, lambda_k=0.1, wait=0.5)
        for number in range(4):
            before = method.k.item()
            take_step(method, number)
            assert (method.k.item() == before) == (number < 2)

    def test_k_stays_where_it_is_fixed(self):
        method = make(k=0.3, lambda_k=0.0)
        take_step(method)
        assert method.k.item() == pytest.approx(0.3)


class TestGradients:
    def test_the_discriminators_step_never_touches_the_generator(self):
        method, sample = make(k=0.5), sample_of(tiny_data(4))
        before, learned = state(method.network), state(method.discriminator)
        step = Step(0, Budget(steps=4, batch=4, precision="32-true"), 0, FABRIC, method.optimizers())
        fake = method.network(sample.images)[-1]
        method.judge(step, sample, method.target(sample), fake.detach(), 0.1)
        assert same(before, method.network) and all(weight.grad is None for weight in method.network.parameters())
        assert not same(learned, method.discriminator)

    def test_the_generators_step_leaves_no_gradient_in_the_discriminator(self):
        method, sample = make(), sample_of(tiny_data(4))
        with frozen(method.discriminator):
            fake = method.network(sample.images)[-1]
            method.error(method.discriminator(sample.images, fake), fake.detach(), sample.visible).backward()
        assert all(weight.grad is None for weight in method.discriminator.parameters())
        assert any(weight.grad is not None and weight.grad.any() for weight in method.network.parameters())
        assert all(weight.requires_grad for weight in method.discriminator.parameters())

    def test_a_spectator_does_not_change_the_generator(self):
        alone, watched, heard = make(adversary=False), make(lambda_g=0.0, k=0.5), make(lambda_g=1.0, k=0.5)
        for number in range(2):
            for method in (alone, watched, heard):
                take_step(method, number)
        assert same(state(alone.network), watched.network)
        assert not same(state(alone.network), heard.network)

    def test_the_generator_hears_nothing_while_the_discriminator_learns_to_reconstruct(self):
        alone, waiting = make(adversary=False), make(lambda_g=1.0, wait=0.5)
        learned = state(waiting.discriminator)
        for number in range(2):
            take_step(alone, number), take_step(waiting, number)
        assert same(state(alone.network), waiting.network) and not same(learned, waiting.discriminator)
        take_step(alone, 2), take_step(waiting, 2)
        assert not same(state(alone.network), waiting.network)

    def test_without_k_generated_maps_teach_the_discriminator_nothing(self):
        first, other = make(k=0.0), make(k=0.0)
        sample = sample_of(tiny_data(4))
        real = first.target(sample)
        for method, fake in ((first, torch.zeros_like(real)), (other, torch.rand_like(real))):
            step = Step(0, Budget(steps=4, batch=4, precision="32-true"), 0, FABRIC, method.optimizers())
            method.judge(step, sample, real, fake, 0.0)
        for one, two in zip(first.discriminator.parameters(), other.discriminator.parameters(), strict=True):
            torch.testing.assert_close(one, two)

    def test_joints_without_a_label_count_nowhere(self):
        data = tiny_data(8)
        hidden = replace(data, visible=torch.zeros_like(data.visible))
        method = make(lambda_g=1.0, k=0.5)
        method.options = replace(method.options, weight_decay=0.0)
        before, judged = state(method.network), state(method.discriminator)
        report = take_step(method, data=hidden)
        assert all(report[name] == 0 for name in ("loss", "adversarial", "real", "fake"))
        assert same(before, method.network) and same(judged, method.discriminator)

    def test_the_target_is_held_where_the_options_say(self):
        first, held = make(lambda_g=5.0), make(lambda_g=5.0, through_target=False)
        take_step(first), take_step(held)
        assert not same(state(first.network), held.network)
        assert same(state(first.discriminator), held.discriminator)


class TestUnit:
    @pytest.mark.parametrize("sigma", [1.0, 1.5])
    def test_an_empty_map_against_a_target_is_one(self, sigma):
        method = make(sigma=sigma)
        target = gaussian(torch.full((2, 14, 2), 16.0), (16, 16), 2, sigma)
        error = method.error(torch.zeros_like(target), target, torch.ones(2, 14, dtype=torch.bool))
        assert error.item() == pytest.approx(1, abs=0.01)
        assert method.energy == pytest.approx(math.pi * sigma**2)

    def test_comments_add_up_to_the_loss(self):
        method, sample = make(), sample_of(tiny_data(3))
        maps = method.target(sample)
        with torch.no_grad():
            comments = method.comments(sample.images, maps)
            loss = method.error(method.discriminator(sample.images, maps), maps, sample.visible)
            alone = method.implausibility(sample.images, sample.points)
        assert comments.shape == maps.shape
        torch.testing.assert_close(comments.sum(dim=(-2, -1)).mean(), loss)
        torch.testing.assert_close(alone, comments.sum(dim=(-2, -1)))


class TestResume:
    def test_a_killed_run_ends_with_the_same_k_and_the_same_weights(self, tmp_path):
        budget, data = Budget(steps=6, batch=4, precision="32-true", evaluations=1), {"train": tiny_data(8)}

        class Kill(Exception):
            pass

        class Killed(SelfAdversarial):
            def train_step(self, step, data):
                if step.number == 4:
                    raise Kill
                return super().train_step(step, data)

        options = Options(discriminator_options=JUDGE, k=0.4, lambda_k=0.05, wait=0.0)
        whole, killed, resumed = (kind(options, SETTING) for kind in (SelfAdversarial, Killed, SelfAdversarial))
        arguments = (data, dict, budget, 0, FABRIC)
        for place, method in (("whole", whole), ("killed", killed)):
            (tmp_path / place).mkdir()
            if method is whole:
                fit(method, *arguments, tmp_path / place, 0.0)
        with pytest.raises(Kill):
            fit(killed, *arguments, tmp_path / "killed", 0.0)
        middle = killed.k.item()
        fit(resumed, *arguments, tmp_path / "killed", 0.0)
        assert middle != 0.4 and resumed.k.item() != middle
        assert same(state(whole), resumed)


def test_goes_on_from_a_run_of_another_loss():
    method, source = make(), tiny_method()
    head = method.network.head.weight.clone()
    method.start_from([source])
    assert torch.equal(method.network.head.weight, head) and head.abs().max() < 0.01
    assert torch.equal(method.network.stem[0].weight, source.network.stem[0].weight)


def test_a_run_keeps_its_controller(tmp_path, monkeypatch):
    monkeypatch.setenv("POSENB_HOME", str(tmp_path))
    options = {"discriminator_options": JUDGE, "k": 0.5}
    run = runs.train(replace(tiny_spec(steps=3, method="self_adversarial"), options=options), device="cpu")
    assert run.method.k.item() == pytest.approx(run.history["k"].iloc[-1])
    assert {"real", "fake", "k", "imbalance", "saturated"} <= set(run.history)


@pytest.mark.parametrize("wrong", [{"k": 1.5}, {"lambda_g": -1.0}, {"gamma": -0.1}])
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        Options(**wrong)
