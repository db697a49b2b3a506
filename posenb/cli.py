"""The `posenb` command."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from posenb import __version__
from posenb.cli_claims import claims as claims_command
from posenb.cli_data import app as data_commands
from posenb.cli_runs import app as run_commands
from posenb.cli_runs import show, show_trained
from posenb.errors import UserError, first_line

if TYPE_CHECKING:
    from posenb.spec import Data, Spec

# torch and the rest are imported by the commands that need them: --help answers at once

app = typer.Typer(
    name="posenb",
    help="Five papers on training 2D pose estimators, reproduced. Start with `posenb reproduce`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(data_commands, name="data")
app.add_typer(run_commands, name="runs")
app.command("claims")(claims_command)


# what typer raises where options or arguments cannot be; it names only this heir of it
Misuse: type[Any] = typer.BadParameter.__mro__[1]


class ProfileName(StrEnum):
    smoke = "smoke"
    quick = "quick"
    full = "full"
    paper = "paper"


class Table(StrEnum):
    csv = "csv"
    coco = "coco"


Dataset = Annotated[str, typer.Option(help="body, hand, scene (synthetic), or a real one that `posenb data` prepared.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Seed = Annotated[int, typer.Option(min=0, help="Of weights, order and augmentation.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"posenb {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    pass


@app.command()
def reproduce(
    chapters: Annotated[list[str] | None, typer.Argument(help="Names such as `foundations`; none: all.")] = None,
    profile: Annotated[
        ProfileName, typer.Option(help="smoke (tests), quick (minutes), full (hours), paper (GPUs).")
    ] = (ProfileName.quick),
    dataset: Annotated[
        str, typer.Option(help="body, hand, or a real one that `posenb data` prepared; default: each chapter's own.")
    ] = "",
    seeds: Annotated[int, typer.Option(help="Judge the chapters' claims over this many seeds first; 0: none.")] = -1,
    only_claims: Annotated[
        str, typer.Option("--claims", help="Measure just these, such as ADA-4,SHR-5, and execute no chapter.")
    ] = "",
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1, help="Chapters, or runs of claims, at the same time, sharing the cores; default: 2 chapters, 1 run."
        ),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Execute chapters again even where nothing changed.")] = False,
    seed: Seed = 0,
    device: Device = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run and why, and stop.")] = False,
    site: Annotated[bool, typer.Option(help="Build the site from the executed chapters.")] = True,
) -> None:
    """Execute chapters, measure their claims, and build the site.

    What is up to date is skipped, and what was killed goes on where it was. At the full and paper profiles the claims
    of the chapters are measured over their seeds first (5 and 3); at quick and smoke only where --seeds says so.
    """
    from posenb import claims, profiles
    from posenb import reproduce as book

    selected = {chapter.name: chapter for chapter in book.select(chapters or [])}
    names = list(selected)
    count = seeds if seeds >= 0 else (profiles.SEEDS[profile] if profile in ("full", "paper") or only_claims else 0)
    if only_claims:
        chosen = [claims.find(identifier.strip()) for identifier in only_claims.split(",")]
        selected = {chapter.name: chapter for chapter in book.select([claim.chapter for claim in chosen])}
    else:
        chosen = [claim for claim in claims.CLAIMS.values() if claim.chapter in names] if count else []
    measured: list[tuple[claims.Claim, str]] = []
    for claim in chosen:
        own = selected[claim.chapter].parameters["dataset"]
        # of a whole chapter, what its own data set settles is measured there
        settled = claim.once and not only_claims
        measured.append((claim, own if settled else dataset or own))
    failed: list[str] = []
    if dry_run and measured:
        print(*claims.announce(measured, profile, count), sep="\n")
    elif not dry_run:
        failed = claims.measure_all(measured, profile, count, device, jobs or 1, partial(print, flush=True))
    if only_claims:
        raise typer.Exit(1 if failed else 0)
    code = book.run(names, profile, dataset, seed, device, jobs=jobs, fresh=fresh, dry_run=dry_run, site=site)
    raise typer.Exit(code or bool(failed))


@app.command()
def train(
    method: Annotated[
        str,
        typer.Option(help="supervised, stable_heatmaps, another of the book's, or package.module:Class of your own."),
    ] = "supervised",
    dataset: Dataset = "body",
    network: Annotated[str, typer.Option(help="small, hourglass, baseline, hrnet; feedback with error_feedback.")] = (
        "small"
    ),
    steps: Annotated[int, typer.Option(min=1)] = 1500,
    batch: Annotated[int, typer.Option(min=1)] = 32,
    size: Annotated[int, typer.Option(min=16, help="Side of the input in pixels.")] = 64,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Training samples; none: all of a real set, 3,000 synthetic.")
    ] = None,
    unlabelled: Annotated[
        int, typer.Option(min=0, help="Further samples without their labels, such as semi_supervised reads.")
    ] = 0,
    unlabelled_from: Annotated[str, typer.Option(help="The data set that these come from, if another.")] = "",
    option: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A method's option, such as loss=mse.")
    ] = None,
    network_option: Annotated[
        list[str] | None, typer.Option("--network-set", metavar="NAME=VALUE", help="Such as stacks=2.")
    ] = None,
    start: Annotated[
        list[str] | None,
        typer.Option(help="Go on from a stored run, by its key's first letters; twice where two networks learn."),
    ] = None,
    choose: Annotated[
        bool, typer.Option("--choose", help="Hold validation samples back; leave the test set unread.")
    ] = (False),
    seed: Seed = 0,
    device: Device = "auto",
    processes: Annotated[int, typer.Option(min=1, help="Processes on this machine that share each batch.")] = 1,
    precision: Annotated[str, typer.Option(help="bf16-mixed or 32-true.")] = "bf16-mixed",
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write TensorBoard logs.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Train again even where the store has this run.")] = False,
) -> None:
    """Train one run. Kill it at any time: the same command goes on."""
    from posenb import data, runs
    from posenb.spec import Budget, Data, Network, Spec

    count = 3000 if samples is None and dataset in data.SYNTHETIC else samples
    try:
        spec = Spec(
            method=method,
            options=_settings(option),
            data=Data(
                dataset,
                train=count,
                test=1000,
                unlabelled=unlabelled,
                unlabelled_from=unlabelled_from,
                size=size,
                margin=size // 4,
                protocol="choose" if choose else "verdict",
            ),
            network=Network(network, _settings(network_option)),
            budget=Budget(steps=steps, batch=batch, precision=precision, snapshots=0),  # type: ignore[arg-type]
            seed=seed,
            start=tuple(_as_it_was(key) for key in start or ()),
        )
    except ValueError as error:
        raise UserError(first_line(error)) from None
    _tell_fewer(spec.data)
    run = runs.train(spec, device=device, processes=processes, fresh=fresh, logs=tensorboard)
    show_trained(run)
    print(f"next: posenb predict {run.key[:8]} PICTURES")


def _tell_fewer(wanted: Data) -> None:
    """A real set may have fewer samples than were asked for; the run takes those that there are."""
    from posenb import data

    for part, name, count in (
        ("train", wanted.name, wanted.train),
        ("unlabelled", wanted.unlabelled_from or wanted.name, wanted.unlabelled),
    ):
        if count and name not in data.SYNTHETIC and (there := len(wanted.load(part))) < count:
            left = " left without labels" if name == wanted.name and part == "unlabelled" else ""
            print(f"posenb: {name} has {there:,} training samples{left}, not {count:,}: all are taken", file=sys.stderr)


@app.command()
def evaluate(
    run: Annotated[str, typer.Argument(help="The first letters of a run's key.")],
    dataset: Annotated[str, typer.Option(help="Default: the data set it was trained on.")] = "",
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    samples: Annotated[int, typer.Option(min=1)] = 1000,
    flip: Annotated[bool, typer.Option("--flip", help="Average each answer with that for the mirror image.")] = False,
    device: Device = "cpu",
) -> None:
    """Score a run on a data set; joints are matched by their names."""
    from posenb import data, evaluation, runs, training

    found = runs.find(run)
    own, place = found.spec.data, training.make_fabric("32-true", device, 1).device
    options = own.options if dataset in ("", own.name) else {}  # such as a difficulty: of its own data set
    some = data.load(dataset or own.name, split, count=samples, size=own.size, **options)
    method = found.method.to(place)
    if not set(some.skeleton.joints) & set(method.setting.skeleton.joints):
        raise UserError(f"{dataset} has no joint of the run's joint set: evaluate it on {own.name}")
    pred = evaluation.predict(method, some, place, flip=flip)
    told = f"{len(some):,} {split} samples of {dataset or own.name}"
    show(found.key, evaluation.score(pred, some.as_skeleton(method.setting.skeleton)), told)


@app.command()
def predict(
    run: Annotated[str, typer.Argument(help="The first letters of a run's key: see `posenb runs list`.")],
    source: Annotated[Path, typer.Argument(help="A picture, a folder of pictures, or a video.")],
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("predictions"),
    boxes: Annotated[
        Path | None,
        typer.Option(help="CSV with image, x, y, width, height; without it each picture is taken as one person."),
    ] = None,
    table: Annotated[Table, typer.Option(help="csv, or coco for COCO's JSON.")] = Table.csv,
    overlays: Annotated[bool, typer.Option(help="Draw the poses.")] = True,
) -> None:
    """Find poses in pictures or a video of your own: overlays, and a table. A run of error feedback draws its steps."""
    from posenb import inference, runs
    from posenb.data.boxes import read_boxes

    method = runs.find(run).method
    chosen = read_boxes(boxes) if boxes else None
    count = inference.run(method, source, out, chosen, table, overlays)
    print(f"{count} pose(s) written to {out}")


@app.command()
def doctor() -> None:
    """Is this a machine that the book runs on?"""
    from posenb import doctor

    problems = doctor.check_versions()
    print(*(problems or ["all is well"]), sep="\n")
    raise typer.Exit(2 if problems else 0)


def _as_it_was(prefix: str) -> Spec:
    """The spec of a run to start from. Raises UserError where today's data or code would make another run of it."""
    from posenb import runs

    found = runs.find(prefix)
    if found.spec.key != found.key:
        raise UserError(
            f"run {found.key} was trained on other data than {found.spec.data.name} is today, or by an earlier version "
            "of its method: train it again and start from that, or prepare new pictures under a new name"
        )
    return found.spec


def _settings(words: list[str] | None) -> dict[str, Any]:
    """NAME=VALUE words as a mapping; values are JSON where they are valid JSON, else text. Dots nest."""
    import json

    settings: dict[str, Any] = {}
    for word in words or []:
        name, equals, text = word.partition("=")
        if not equals:
            raise UserError(f"{word!r} must be NAME=VALUE")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        *outer, last = name.split(".")
        place = settings
        for part in outer:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise UserError(f"{part} is given a value, and an option of its own, {name}")
        place[last] = value
    return settings


def _end(number: int, frame: FrameType | None) -> None:
    """At SIGTERM, which reaches this process alone: end its own, which would go on unseen, and stop as at Ctrl-C."""
    for child in multiprocessing.active_children():
        child.terminate()
    raise KeyboardInterrupt


def _tell_misuse(error: typer.BadParameter) -> None:
    """In a line what is wrong with an option or argument; where nothing was asked for, the help."""
    words = error.format_message().rstrip()
    if words and "\n" not in words:
        words = f"posenb: {words.rstrip('.')}: see `{error.ctx.command_path if error.ctx else 'posenb'} --help`"
    if words:
        print(words, file=sys.stderr)


def main(words: Sequence[str] | None = None) -> None:
    """Run the command (of ``words``; of the command line where None).

    A user's mistake is one line on standard error and exit code 2.
    """
    words = list(sys.argv[1:] if words is None else words)
    # what is trained anew begins anew, and pictures are predicted from the first one
    goes_on = "predict" not in words[:1] and "--fresh" not in words
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _end)
    stopped = "posenb: stopped" + ("; the same command goes on where it was" if goes_on else "")
    try:
        code = app(words, prog_name="posenb", standalone_mode=False)
        if code == 130:  # how typer ends at Ctrl-C
            print(stopped, file=sys.stderr)
        sys.exit(code or 0)
    except Misuse as error:
        _tell_misuse(error)
        sys.exit(2)
    except UserError as error:
        print(f"posenb: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print(stopped, file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        print(f"posenb: {first_line(error)}", file=sys.stderr)
        sys.exit(2)
    except (ImportError, RuntimeError):
        # libraries that do not fit each other fail in many ways; the doctor tells these in a line
        from posenb.doctor import check_versions

        if problems := check_versions():
            print(*(f"posenb: {problem}" for problem in problems), sep="\n", file=sys.stderr)
            sys.exit(2)
        raise
