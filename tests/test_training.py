"""The loop: history, learning rates, resume, what it refuses."""

import math
from itertools import pairwise

import pytest

from posenb.errors import UserError
from posenb.step import Budget
from posenb.training import fit, make_fabric
from tests.tiny import tiny_data, tiny_method


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
