"""One step: order of samples, randomness by its number, what several processes draw, budgets."""

import pytest
import torch

from posenb import augment
from posenb.step import Budget, Step, order, seeded
from tests.tiny import tiny_data


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
