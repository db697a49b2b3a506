"""The loop: order of samples, randomness by step, learning rates, resume."""

import math
from itertools import pairwise

import pytest
import torch

from posenb import augment
from posenb.errors import UserError
from posenb.training import Budget, Step, fit, make_fabric, order, seeded
from tests.tiny import tiny_data, tiny_method


def test_order_shows_every_sample_once_an_epoch_and_shuffles_each():
    seen = torch.cat([order(10, 4, number, seed=3) for number in range(5)])
    assert sorted(seen[:10].tolist()) == list(range(10)) == sorted(seen[10:].tolist())
    assert seen[:10].tolist() != seen[10:].tolist()


def test_order_of_a_batch_larger_than_the_data_repeats_them():
    seen = order(3, 8, 0, seed=0)
    assert torch.bincount(seen).tolist() in ([3, 3, 2], [3, 2, 3], [2, 3, 3])


def test_streams_and_seeds_are_unrelated():
    assert order(50, 50, 0, seed=0).tolist() != order(50, 50, 0, seed=0, stream=1).tolist()
    assert order(50, 50, 0, seed=0).tolist() != order(50, 50, 0, seed=1).tolist()
    assert torch.rand(4, generator=seeded(1, 2)).tolist() != torch.rand(4, generator=seeded(2, 1)).tolist()


def test_two_processes_draw_what_one_would():
    class Fabric:
        def __init__(self, rank: int, world: int) -> None:
            self.global_rank, self.world_size, self.device = rank, world, torch.device("cpu")

    data, budget = tiny_data(16), Budget(steps=2, batch=8)
    steps = [Step(1, budget, 5, Fabric(rank, world), {}) for rank, world in ((0, 1), (0, 2), (1, 2))]  # type: ignore[arg-type]
    whole, *parts = [step.batch(data).images for step in steps]
    assert torch.equal(whole, torch.cat(parts))
    whole_draw, *part_draws = [step.draw(augment.Family()).angle for step in steps]
    assert torch.equal(whole_draw, torch.cat(part_draws))


def test_marks_are_spread_over_the_run_and_end_with_it():
    assert Budget(steps=100).marks(4) == {25, 50, 75, 100}
    assert max(Budget(steps=7).marks(3)) == 7
    assert Budget(steps=5).marks(0) == set()


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"batch": 0}, {"precision": "16"}])
def test_a_wrong_budget_is_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        Budget(**wrong)


def test_fit_learns_and_keeps_a_history(tmp_path):
    method, data = tiny_method(lr=0.01), tiny_data(8)
    budget = Budget(steps=60, batch=8, precision="32-true", evaluations=2, snapshots=2)
    fabric = make_fabric("32-true", "cpu")
    history = fit(method, {"train": data}, lambda: {"pck": 0.5}, budget, 0, fabric, tmp_path)
    assert [row["step"] for row in history] == list(range(1, 61))
    assert [row["step"] for row in history if "pck" in row] == [30, 60]
    early, late = (sum(row["loss"] for row in rows) for rows in (history[:10], history[-10:]))
    assert late < 0.95 * early  # the targets' own entropy is most of it
    assert sorted(path.name for path in (tmp_path / "snapshots").iterdir()) == ["30.pt", "60.pt"]


def test_learning_rates_warm_up_and_fall_to_zero():
    method = tiny_method()
    factors = [method.schedule(k / 100) for k in range(101)]
    assert factors[0] > 0 and max(factors) <= 1.02 and factors[-1] == pytest.approx(0, abs=1e-9)
    assert all(a <= b for a, b in pairwise(factors[:6]))
    assert all(a >= b for a, b in pairwise(factors[6:]))


def test_a_loss_that_explodes_is_told_in_one_line(tmp_path):
    method = tiny_method(lr=math.inf)
    with pytest.raises(UserError, match=r"no longer finite at step \d+: lower the learning rate"):
        fit(method, {"train": tiny_data(8)}, dict, Budget(5, 8, "32-true"), 0, make_fabric("32-true", "cpu"), tmp_path)


def test_a_device_that_is_not_there_is_told_in_one_line():
    with pytest.raises(UserError, match="not available") as caught:
        make_fabric("32-true", "no such device")
    assert "\n" not in str(caught.value)


def test_tensorboard_logs_are_an_option(tmp_path):
    pytest.importorskip("tensorboard", reason="the extra 'logs' is not installed")
    method, budget = tiny_method(), Budget(3, 8, "32-true", evaluations=1)
    fabric = make_fabric("32-true", "cpu")
    fit(method, {"train": tiny_data(8)}, lambda: {"pck": 0.25}, budget, 0, fabric, tmp_path, logs=True)
    assert list((tmp_path / "logs").glob("events.out.tfevents.*"))
