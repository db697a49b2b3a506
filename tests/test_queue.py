"""The queue of runs."""

import dataclasses
import os
import signal
import warnings

import pytest
import torch

from posenb import queue, runs
from posenb.errors import UserError
from posenb.methods.supervised import Supervised
from tests.tiny import tiny_spec


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("POSENB_HOME", str(tmp_path))
    # the workers that it starts share this
    assert os.environ["POSENB_HOME"] == str(tmp_path)
    return tmp_path


class Dying(Supervised):
    """Its process is killed, as for want of memory."""

    def prepare(self, data):
        os.kill(os.getpid(), signal.SIGKILL)


class Complaining(Supervised):
    """Warns as it begins."""

    def prepare(self, data):
        warnings.warn("the cat is on the keyboard", stacklevel=1)


def started_from(spec, seed=0):
    return dataclasses.replace(tiny_spec(seed), method="stable_heatmaps", options={}, start=(spec,))


def test_a_run_stands_behind_those_that_it_starts_from_and_once():
    start = tiny_spec()
    first, second = started_from(start), dataclasses.replace(started_from(start), options={"rcc": True})
    assert queue.with_starts([first, second, start, first]) == [start, first, second]


def test_what_is_stored_is_not_missing(home):
    start = tiny_spec(steps=2)
    later = started_from(start)
    runs.train(start, device="cpu")
    assert runs.is_stored(start) and queue.missing([later]) == [later]


def test_what_a_stored_run_started_from_is_not_needed_again(home):
    start = tiny_spec(steps=2)
    later = started_from(start)
    finished = runs.train(later, device="cpu").provenance["finished"]
    runs.remove(start.key)
    assert queue.missing([later]) == [] and queue.missing([later, start]) == [start]
    assert runs.train(later, device="cpu").provenance["finished"] == finished
    assert not runs.is_stored(start)


def test_what_fails_costs_what_starts_from_it_alone(home):
    broken = dataclasses.replace(tiny_spec(steps=2), options={"loss": "mse", "lr": 1e30})
    good = tiny_spec(seed=1, steps=2)
    torch.set_num_threads(1)
    ended = list(queue.train([started_from(broken), good], "cpu", jobs=2))
    told = {one.spec.key: one.error for one in ended}
    assert told.keys() == {broken.key, started_from(broken).key, good.key}
    assert told[good.key] == "" and "no longer finite" in told[broken.key]
    assert told[started_from(broken).key] == "a run that it starts from failed"
    assert runs.is_stored(good) and not runs.is_stored(broken)


def test_together_gives_each_run_by_its_name(home):
    torch.set_num_threads(2)
    try:
        start = tiny_spec(steps=60)
        specs = {"later": started_from(start), "start": start, "other": tiny_spec(seed=1, steps=60)}
        found = queue.together(specs, "cpu")
    finally:
        torch.set_num_threads(1)
    assert list(found) == list(specs) and all(found[name].spec == specs[name] for name in specs)
    assert {run.provenance["threads"] for run in found.values()} == {1}  # trained by workers that share the cores
    assert queue.missing(specs.values()) == []


def test_few_steps_are_not_worth_a_process(home, monkeypatch):
    monkeypatch.setattr(queue, "train", lambda *_: pytest.fail("processes were started"))
    specs = {"one": tiny_spec(seed=0, steps=2), "two": tiny_spec(seed=1, steps=2)}
    assert list(queue.together(specs, "cpu")) == ["one", "two"]


def test_together_raises_what_failed_and_trains_the_others(home):
    broken = dataclasses.replace(tiny_spec(steps=2), options={"loss": "mse", "lr": 1e30})
    good = tiny_spec(seed=1, steps=2)
    with pytest.raises(UserError, match=r"supervised body small 2 steps, seed 0: .*no longer finite"):
        queue.together({"broken": broken, "good": good}, "cpu", jobs=2)
    assert runs.is_stored(good)


def test_what_a_worker_warns_of_is_heard(home):
    spec = dataclasses.replace(tiny_spec(steps=2), method=f"{__name__}:Complaining")
    with pytest.warns(UserWarning, match="2 steps, seed 0: the cat is on the keyboard"):
        queue.together({"one": spec, "two": tiny_spec(seed=1, steps=2)}, "cpu", jobs=2)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_process_that_dies_is_told_with_what_to_do(home):
    spec = dataclasses.replace(tiny_spec(steps=2), method=f"{__name__}:Dying")
    with pytest.raises(UserError, match="a training process died; was there too little memory"):
        list(queue.train([spec], "cpu", jobs=1))


def test_a_queue_without_workers_is_refused():
    with pytest.raises(ValueError, match="jobs must be at least 1"):
        list(queue.train([tiny_spec()], "cpu", jobs=0))
