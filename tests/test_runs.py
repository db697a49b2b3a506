"""The run store: keys, caching, damage, kills, processes."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pandas as pd
import pytest
import torch
from filelock import FileLock

from posenb import runs
from posenb.cli_runs import list_all
from posenb.errors import UserError
from posenb.methods.supervised import Supervised
from posenb.spec import Budget, Data, Network, Spec, from_description
from tests.tiny import tiny_spec

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run in a store of its own; tests that damage it copy the store first."""
    home = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSENB_HOME", str(home))
        torch.set_num_threads(1)
        run = runs.train(tiny_spec(), device="cpu", checkpoint_seconds=0)
    return run


@pytest.fixture
def copied(trained, tmp_path, monkeypatch):
    """The same run in a store that a test may damage."""

    shutil.copytree(trained.path.parents[1], tmp_path / "home")
    monkeypatch.setenv("POSENB_HOME", str(tmp_path / "home"))
    return runs.Run(trained.spec, tmp_path / "home" / "runs" / trained.path.name)


def test_keys_differ_with_everything_that_numbers_depend_on():
    base = Spec()
    others = [
        dataclasses.replace(base, seed=1),
        dataclasses.replace(base, options={"lr": 1e-4}),
        dataclasses.replace(base, data=Data(train=10)),
        dataclasses.replace(base, network=Network("small", {"widths": (8, 8)})),
        dataclasses.replace(base, budget=Budget(steps=3)),
        dataclasses.replace(base, start=(base,)),
    ]
    assert len({spec.key for spec in (base, *others)}) == len(others) + 1


def test_spelling_out_a_default_gives_the_same_key():
    assert Spec(options={"loss": "mse"}).key == Spec().key


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("semi_supervised", {"hard": {"flip": 0}}),
        ("stable_semi_supervised", {"stable": {"hdhr": True}}),
        ("error_feedback", {"augmentation": {"flip": 0}}),
    ],
)
def test_an_option_inside_of_another_leaves_its_neighbours_as_they_are_by_default(method, options):
    usual, spec = Spec(method=method).method_options(), Spec(method=method, options=options)
    ((outer, inner),), found = options.items(), spec.method_options()
    assert found == dataclasses.replace(usual, **{outer: dataclasses.replace(getattr(usual, outer), **inner)})
    assert found != usual
    # what a command line would be told gives the same run
    (line,) = dataclasses.replace(spec, options=dataclasses.asdict(found)).unusual_options()
    name, _, value = line.partition("=")
    again = {outer: {name.removeprefix(f"{outer}."): json.loads(value)}}
    assert dataclasses.replace(spec, options=again).key == spec.key


def test_a_spec_survives_its_description():
    spec = dataclasses.replace(tiny_spec(), start=(tiny_spec(seed=4),))
    assert from_description(json.loads(json.dumps(spec.describe()))).key == spec.key


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (Spec(method="magic"), "method must be one of"),
        (Spec(method="no.such:Method"), "cannot be imported"),
        (Spec(options={"speed": 3}), "has no option speed; it has loss"),
        (Spec(options={"loss": "l3"}), "loss must be one of"),
        (Spec(network=Network("big")), "network must be one of"),
        (Spec(network=Network("small", {"depth": 3})), "has no option depth"),
        (Spec(options={"lr": "fast"}), "lr must be something like 0.002, not 'fast'"),
        (Spec(options={"lr": True}), "lr must be something like"),
        (Spec(options={"lr": -1}), "Invalid learning rate"),
        (Spec(options={"augmentation": 3}), "augmentation must be something like"),
        (Spec("self_adversarial", {"discriminator_options": "abc"}), "discriminator_options must be something like"),
        (Spec(options={"augmentation": {"flip": 7}}), r"flip must lie in \[0, 1\], not 7"),
        (Spec(options={"augmentation": {"rotation": -5.0}}), "rotation must be 0 or more"),
        (Spec(options={"sigma": 0.0}), "sigma must be above 0, not 0"),
        (Spec(method="stable_heatmaps", options={"sigma": -1.0}), "sigma must be above 0"),
        (Spec(options={"augmentation": {"rotation": "much"}}), "rotation must be something like 30.0"),
        (Spec(method="stable_heatmaps", options={"rcc": "False"}), "rcc must be true or false, not 'False'"),
    ],
)
def test_a_wrong_spec_is_one_line_and_stores_nothing(spec, message, tmp_path, monkeypatch):
    monkeypatch.setenv("POSENB_HOME", str(tmp_path))
    with pytest.raises(UserError, match=message) as caught:
        runs.train(spec, device="cpu")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists()


def changed(**data):
    return dataclasses.replace(tiny_spec(), data=dataclasses.replace(tiny_spec().data, **data))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (changed(size=33), "cannot answer a picture of 33 pixels: image sides must be multiples"),
        (dataclasses.replace(tiny_spec(), network=Network("feedback")), "cannot answer a picture of 32 pixels"),
        (dataclasses.replace(tiny_spec(), method="semi_supervised", options={"scheme": "dual"}), "needs unlabelled"),
    ],
)
def test_what_cannot_begin_is_told_before_training_and_leaves_no_run(spec, message, tmp_path, monkeypatch):
    monkeypatch.setenv("POSENB_HOME", str(tmp_path))
    with pytest.raises(UserError, match=message):
        runs.train(spec, device="cpu")
    assert list(runs.stored()) == [] and not (runs.folder() / spec.key).exists()


def test_a_batch_that_does_not_divide_is_told_before_any_process_starts(tmp_path, monkeypatch):
    monkeypatch.setenv("POSENB_HOME", str(tmp_path))
    with pytest.raises(UserError, match="a batch of 8 does not divide among 3 processes"):
        runs.train(tiny_spec(), device="cpu", processes=3)


def test_a_data_set_without_test_people_is_refused_before_training(tmp_path, monkeypatch):
    from posenb import data

    def nobody_to_test(name, split, **kwargs):
        if split == "test":
            raise UserError("it has nobody in its split 'test'")
        return load(name, split, **kwargs)

    load = data.load
    monkeypatch.setenv("POSENB_HOME", str(tmp_path))
    monkeypatch.setattr(data, "load", nobody_to_test)
    monkeypatch.setattr(runs, "fit", lambda *_: pytest.fail("it was trained"))
    with pytest.raises(UserError, match="nobody in its split 'test'"):
        runs.train(tiny_spec(), device="cpu")


def test_a_start_of_another_network_is_one_line(copied):
    spec = dataclasses.replace(tiny_spec(seed=2), network=Network("small", {"widths": (4, 8)}), start=(copied.spec,))
    with pytest.raises(UserError, match="cannot start from a run of another network or joint set"):
        runs.train(spec, device="cpu")


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_fresh_training_that_fails_gives_the_old_run_back(copied, monkeypatch, failure):
    def fail(*_):
        raise failure

    with pytest.raises(UserError, match="not available"):
        runs.train(copied.spec, device="cuda:99", fresh=True)
    monkeypatch.setattr(runs, "fit", fail)
    with pytest.raises(failure):
        runs.train(copied.spec, device="cpu", fresh=True)
    monkeypatch.undo()
    monkeypatch.setenv("POSENB_HOME", str(copied.path.parents[1]))
    assert runs.is_stored(copied.spec) and [key for key, *_ in runs.stored()] == [copied.path.name]
    finished = copied.provenance["finished"]
    assert runs.train(copied.spec, device="cpu").provenance["finished"] == finished


class Careless(Supervised):
    """Draws without a generator, as dropout does."""

    def train_step(self, step, data):
        if step.number == int(os.environ.get("STOP_AT", -1)):
            raise KeyboardInterrupt
        with torch.no_grad():
            for weight in self.network.parameters():
                weight.mul_(1 + 0.1 * torch.randn(()))
        return super().train_step(step, data)


def test_what_layers_draw_for_themselves_survives_a_kill_and_is_nobody_elses(tmp_path, monkeypatch):
    spec = dataclasses.replace(tiny_spec(steps=6), method=f"{__name__}:Careless")
    monkeypatch.setenv("POSENB_HOME", str(tmp_path / "whole"))
    torch.manual_seed(5)
    before = torch.get_rng_state()
    whole = runs.train(spec, device="cpu").method.state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    monkeypatch.setenv("POSENB_HOME", str(tmp_path / "killed"))
    monkeypatch.setenv("STOP_AT", "3")
    with pytest.raises(KeyboardInterrupt):
        runs.train(spec, device="cpu", checkpoint_seconds=0)
    monkeypatch.delenv("STOP_AT")
    torch.manual_seed(6)
    resumed = runs.train(spec, device="cpu", checkpoint_seconds=0).method.state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_the_seconds_of_a_run_count_from_before_it_was_killed(tmp_path, monkeypatch):
    from posenb.files import load_tensors, save_tensors
    from posenb.methods.supervised import Supervised

    def stop(self, step, data):
        if step.number == 6:
            raise KeyboardInterrupt
        return whole_step(self, step, data)

    whole_step, spec = Supervised.train_step, tiny_spec()
    monkeypatch.setenv("POSENB_HOME", str(tmp_path))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Supervised, "train_step", stop)
        runs.train(spec, device="cpu", checkpoint_seconds=0)
    checkpoint = runs.folder() / spec.key / "checkpoint.pt"
    save_tensors(load_tensors(checkpoint) | {"seconds": 5000.0}, checkpoint)
    assert 5000 <= runs.train(spec, device="cpu").provenance["seconds"] < 5600


def test_what_another_process_writes_beside_a_run_is_left_alone(copied):
    import os

    mine, gone = (copied.path / f"stability.pt.{pid}.partial" for pid in (os.getpid(), 2**22 + 1))
    mine.touch(), gone.touch()
    runs.train(copied.spec, device="cpu")
    assert mine.exists() and not gone.exists()


def test_a_run_holds_what_it_promises(trained):
    assert 0 <= trained.metrics["pck"] <= 1
    assert trained.history["step"].tolist() == list(range(1, 13))
    assert trained.snapshots == [6, 12]
    assert trained.predictions.points.shape == (16, 16, 2)
    assert trained.provenance["threads"] == 1
    assert not (trained.path / "checkpoint.pt").exists()
    last, final = trained.at(12).state_dict(), trained.method.state_dict()
    assert all(torch.equal(last[name], final[name]) for name in final)


def test_asked_twice_it_trains_once(copied):
    finished = copied.provenance["finished"]
    again = runs.train(copied.spec, device="cpu")
    assert again.provenance["finished"] == finished


@pytest.mark.parametrize("name", ["weights.pt", "history.parquet", "predictions.pt", "result.json", "snapshots/6.pt"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_damage_is_named_and_mended(copied, trained, name, damage):
    path = copied.path / name
    whole = path.read_bytes()
    if damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "flip":
        middle = len(whole) // 2
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :])
    else:
        path.unlink()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        again = runs.train(copied.spec, device="cpu")
    if (name, damage) != ("result.json", "gone"):  # then it was simply not finished
        assert any(name in str(warning.message) for warning in caught)
    assert again.metrics == trained.metrics
    pd.testing.assert_frame_equal(comparable(again.history), comparable(trained.history), check_exact=True)


def test_a_damaged_checkpoint_is_named_and_costs_that_run_alone(trained, tmp_path, monkeypatch):
    monkeypatch.setenv("POSENB_HOME", str(tmp_path))
    path = tmp_path / "runs" / trained.spec.key
    path.mkdir(parents=True)
    (path / "checkpoint.pt").write_bytes(b"PK\x03\x04 not a checkpoint")
    with pytest.warns(UserWarning, match=r"checkpoint\.pt is damaged.*starts again"):
        again = runs.train(trained.spec, device="cpu")
    assert again.metrics == trained.metrics


def test_a_run_that_starts_from_another_takes_its_weights(tmp_path, monkeypatch, copied):
    spec = dataclasses.replace(
        tiny_spec(seed=1, steps=1), options={"lr": 0.0, "weight_decay": 0.0}, start=(copied.spec,)
    )
    run = runs.train(spec, device="cpu")
    source, result = copied.method.network.state_dict(), run.method.network.state_dict()
    assert all(torch.equal(source[name], result[name]) for name in source)


def test_a_start_of_another_joint_set_of_the_same_size_is_one_line(copied):
    result = json.loads((copied.path / "result.json").read_text())
    joints = result["skeleton"]["joints"]
    result["skeleton"]["joints"] = [*joints[1:], joints[0]]
    (copied.path / "result.json").write_text(json.dumps(result))
    spec = dataclasses.replace(tiny_spec(seed=2), start=(copied.spec,))
    with pytest.raises(UserError, match="cannot start from a run of another network or joint set"):
        runs.train(spec, device="cpu")


def test_a_run_keeps_its_joint_set_whatever_becomes_of_its_data(copied, monkeypatch):
    from posenb import data

    assert copied.skeleton == copied.method.setting.skeleton == data.skeleton("body")
    monkeypatch.setattr(data, "skeleton", lambda _: pytest.fail("the data set was asked"))
    assert copied.method.setting.skeleton.joints[0] == "right_ankle"


def test_options_are_named_where_they_differ(copied):
    spec = Spec(options={"lr": 0.004, "loss": "mse", "augmentation": {"rotation": 10.0, "flip": 0.5}})
    assert spec.unusual_options() == ["lr=0.004", "augmentation.rotation=10.0"]
    assert from_description(spec.describe()).unusual_options() == spec.unusual_options()
    assert Spec(method="no.such:Method", options={"speed": 3}).unusual_options() == ["speed=3"]


def test_list_find_and_remove(copied):
    assert [key for key, _, result in runs.stored() if result] == [copied.spec.key]
    assert runs.find(copied.spec.key[:5]).spec.key == copied.spec.key
    with pytest.raises(UserError, match="no finished run"):
        runs.find("zzz")
    with pytest.raises(UserError, match="at least 4 letters"):
        runs.remove("a")
    with FileLock(runs.folder() / f"{copied.spec.key}.lock"), pytest.raises(UserError, match="is being trained by"):
        runs.remove(copied.spec.key)
    aside = copied.path.with_name(f"{copied.path.name}.old")  # by a killed training with --fresh
    shutil.copytree(copied.path, aside)
    assert runs.remove(copied.spec.key[:6]) == [copied.spec.key]
    assert list(runs.stored()) == [] and not aside.exists()


def test_a_run_without_a_pck_or_of_another_version_is_listed_among_the_others(copied, capsys):
    result = json.loads((copied.path / "result.json").read_text())
    result["metrics"]["pck"] = None
    (copied.path / "result.json").write_text(json.dumps(result))
    foreign = copied.path.with_name("0" * 16)
    shutil.copytree(copied.path, foreign)
    described = json.loads((foreign / "spec.json").read_text())
    described["data"]["shape"] = "round"
    (foreign / "spec.json").write_text(json.dumps(described))
    list_all()
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{'0' * 16}  trained by another version of posenb"
    assert second.startswith(f"{copied.spec.key}  PCK@0.2 unknown  supervised")


def drive(what: str, home: Path) -> dict:
    """Run tests/drive_runs.py, which forks and kills; its last line is JSON."""
    command = [sys.executable, "-m", "tests.drive_runs", what, str(home)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def comparable(history: pd.DataFrame) -> pd.DataFrame:
    return history.drop(columns="images_per_second")


def test_killed_at_any_moment_it_ends_as_if_undisturbed(trained, tmp_path):
    """kill -9 before and after each kind of file operation, and in the midst of steps, again and again."""
    report = drive("kills", tmp_path)
    assert report["kills"] >= 8
    run = runs.Run(trained.spec, tmp_path / "runs" / trained.spec.key)
    assert run.metrics == trained.metrics
    pd.testing.assert_frame_equal(comparable(run.history), comparable(trained.history), check_exact=True)
    weights, expected = run.method.state_dict(), trained.method.state_dict()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert not list(run.path.glob("**/*.partial"))


def test_two_processes_that_ask_for_the_same_run_train_it_once(tmp_path):
    report = drive("twins", tmp_path)
    assert report == {"trainings": 1, "exit_codes": [0, 0]}


@pytest.mark.slow
def test_two_processes_on_one_batch_agree_with_one(tmp_path):
    report = drive("processes", tmp_path)
    assert report["processes"] == 2
    one, two = report["histories"]
    assert two == pytest.approx(one, rel=1e-5)
    assert report["largest_difference"] < 1e-5
    assert report["moved"] > 1e-2  # the weights did change by much more than that
