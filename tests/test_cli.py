"""The command line: what newcomers type, and what they mistype."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from posenb import cli, runs
from posenb.errors import UserError
from tests.tiny import tiny_spec

runner = CliRunner()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A store with one run."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSENB_HOME", str(folder))
        runs.train(tiny_spec(), device="cpu")
        yield folder


KEY = tiny_spec().key


def call(*words: str):
    return runner.invoke(cli.app, list(words))


@pytest.mark.parametrize(
    "words", [[], ["reproduce"], ["data"], ["train"], ["evaluate"], ["predict"], ["runs"], ["claims"], ["runs", "list"]]
)
def test_every_command_explains_itself(words):
    done = call(*words, "--help")
    assert done.exit_code == 0 and "Usage" in done.output


def test_runs_list_show_evaluate(home):
    assert KEY in call("runs", "list").output
    shown = call("runs", "show", KEY[:6])
    assert '"soft_cross_entropy"' in shown.output and "threads" in shown.output
    scored = call("evaluate", KEY[:6], "--samples", "16")
    assert scored.exit_code == 0 and "pck/left_wrist" in scored.output
    assert all("on 16 test samples of body: PCK@0.2" in one.output for one in (shown, scored))
    assert f"pck  {runs.find(KEY[:6]).metrics['pck']:.4f}" in scored.output  # on its own 16 test images


def test_train_with_options_and_predict(home, tmp_path):
    words = "train --steps 2 --batch 4 --size 32 --samples 8 --set loss=mse --set augmentation.rotation=10 "
    words += "--network-set widths=[8,8] --device cpu --precision 32-true"
    done = call(*words.split())
    assert done.exit_code == 0, done.output
    key = done.output.split()[1]
    options = runs.find(key).spec.method_options()
    assert "on 1,000 test samples of body" in done.output and f"next: posenb predict {key[:8]}" in done.output
    assert options.loss == "mse" and options.augmentation.rotation == 10 and options.augmentation.flip == 0.5
    cv2.imwrite(str(tmp_path / "me.png"), np.zeros((50, 40, 3), np.uint8))
    done = call("predict", key, str(tmp_path / "me.png"), "--out", str(tmp_path / "out"), "--table", "coco")
    assert done.exit_code == 0 and json.loads((tmp_path / "out" / "predictions.json").read_text())["annotations"]


def test_train_on_few_labels_and_further_images(home):
    words = "train --method semi_supervised --steps 2 --batch 4 --size 32 --samples 6 --unlabelled 10 --device cpu "
    words += "--unlabelled-from hand --set scheme=consistency --network-set widths=[8,8] --precision 32-true"
    done = call(*words.split())
    assert done.exit_code == 0, done.output
    found = runs.find(done.output.split()[1]).spec.data
    assert (found.train, found.unlabelled, found.unlabelled_from) == (6, 10, "hand")


def test_train_goes_on_from_a_stored_run(home):
    words = f"train --method stable_heatmaps --steps 2 --batch 4 --size 32 --samples 8 --start {KEY[:8]} --device cpu "
    words += "--set mst=true --network-set widths=[8,8] --network-set norm=group --precision 32-true"
    done = call(*words.split())
    assert done.exit_code == 0, done.output
    assert [spec.key for spec in runs.find(done.output.split()[1]).spec.start] == [KEY]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--start", "nothing"], "no finished run starts with 'nothing'"),
        (["train", "--dataset", "faces"], "data set must be one of"),
        (["train", "--set", "loss"], "must be NAME=VALUE"),
        (["train", "--set", "speed=1"], "has no option speed"),
        (["train", "--set", "augmentation.speed=1"], "has no option speed"),
        (["train", "--precision", "half"], "precision must be"),
        (["train", "--network", "big"], "network must be one of"),
        (["train", "--method", "magic"], "method must be one of"),
        (["train", "--method", "semi_supervised"], "set the data's `unlabelled`"),
        (["train", "--dataset", "lsp", "--unlabelled", "900"], "say how many training samples keep their labels"),
        (["runs", "show", "nothing"], "no finished run"),
        (["claims", "XYZ-1"], "no claim"),
        (["predict", "nothing", "x.png"], "no finished run"),
    ],
)
def test_mistakes_are_one_line(home, words, message):
    done = call(*words)
    assert isinstance(done.exception, UserError) and message in str(done.exception)
    assert "\n" not in str(done.exception)


def test_a_run_of_data_that_have_changed_since_is_told_and_not_started_from(home, monkeypatch):
    from posenb.data import synthetic

    count = len(list(runs.stored()))
    monkeypatch.setattr(synthetic, "VERSION", "another")
    assert KEY in call("runs", "show", KEY).output
    done = call("train", "--start", KEY)
    assert isinstance(done.exception, UserError)
    assert f"run {KEY} was trained on other data than body is today" in str(done.exception)
    assert len(list(runs.stored())) == count


def test_claims_are_printed(home):
    done = call("claims", "ADA-1")
    assert "bowl shape" in done.output and "statistic" in done.output


def test_claims_are_listed_for_programs(home):
    found = json.loads(call("claims", "--json").output)
    assert {"ADA-1", "SHR-13"} <= {claim["id"] for claim in found}
    assert all(claim["statistic"] and claim["records"] == [] for claim in found)


def test_claims_alone_are_measured_and_announced(home):
    done = call("reproduce", "--claims", "ADA-1, shr-2", "--profile", "smoke", "--dry-run")
    assert "ADA-1 on body: would be measured over 1 seed(s); 1 runs, 1 of them to be trained" in done.output
    assert "SHR-2 on hand" in done.output and not (home / "_build").exists()
    done = call("reproduce", "--claims", "ADA-1", "--profile", "smoke", "--device", "cpu")
    assert "ADA-1 on body: not judged" in done.output and done.exit_code == 0


def test_what_one_data_set_settles_is_measured_there_unless_it_is_named(home):
    smoke = ["--dataset", "body", "--profile", "smoke", "--seeds", "1", "--dry-run"]
    done = call("reproduce", "stable_heatmaps", *smoke)
    assert "SHR-1 on hand" in done.output and "SHR-2 on body" in done.output
    assert "SHR-1 on body" in call("reproduce", "--claims", "SHR-1", *smoke).output


def test_a_record_that_cannot_be_compared_is_not(home):
    done = call("claims", "ADA-1", "--repeat", "0")
    assert done.output == "ADA-1: no record at full that stands and has runs to repeat\n" and done.exit_code == 0


def test_the_installed_command_prints_a_mistake_and_exits_with_2(home):
    command = [sys.executable, "-c", "from posenb.cli import main; main()", "runs", "remove", "zzzz"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "posenb: no run starts with 'zzzz': see `posenb runs list`\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "--steps", "0"], "Invalid value for '--steps'"),
        (["train", "--stepps", "3"], "No such option: --stepps"),
        (["evaluate"], "Missing argument 'run'"),
        (["predict"], "Missing argument 'run'"),
        (["data", "lsp", "--archive"], "Option '--archive' requires an argument"),
        (["brew"], "No such command 'brew'"),
    ],
)
def test_misuse_of_the_command_line_is_one_line_that_names_the_help(words, said, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    told = capsys.readouterr()
    assert ended.value.code == 2 and told.out == ""
    assert told.err.startswith("posenb: ") and said in told.err and told.err.endswith("--help`\n")
    assert told.err.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["data"], ["runs"]])
def test_no_command_is_answered_with_the_help(words, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    told = capsys.readouterr()
    assert ended.value.code == 2 and " ".join(["Usage: posenb", *words]) in told.out + told.err


def test_success_and_failure_reach_the_shell(home, monkeypatch, capsys):
    for problems, code in (([], 0), (["no torch"], 2)):
        monkeypatch.setattr("posenb.doctor.check_versions", lambda found=problems: found)
        with pytest.raises(SystemExit) as ended:
            cli.main(["doctor"])
        assert (ended.value.code or 0) == code
    assert "no torch" in capsys.readouterr().out


def test_libraries_that_do_not_fit_are_told_in_one_line(monkeypatch, capsys):
    def broken(words, **_):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(cli, "app", broken)
    monkeypatch.setattr("posenb.doctor.check_versions", lambda: ["torch 2 and torchvision 1 do not fit together"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "posenb: torch 2 and torchvision 1 do not fit together\n"
    monkeypatch.setattr("posenb.doctor.check_versions", list)
    with pytest.raises(RuntimeError, match="nms"):  # a fault of ours is not hidden
        cli.main()
