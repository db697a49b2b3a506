"""What a run is, as data: a Spec says everything that its numbers depend on, and hashes to the run's key."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from posenb import data, methods, training
from posenb.errors import UserError
from posenb.methods.base import LATER
from posenb.options import build
from posenb.step import Budget


@dataclass(frozen=True)
class Data:
    """A data set and how much of it.

    Attributes:
        name: 'body', 'hand', or any data set that ``posenb data`` prepared.
        train: training samples (None: all).
        test: samples of the final evaluation (None: all).
        monitor: samples evaluated during training.
        unlabelled: further training samples whose labels are not shown to the method; they follow the labelled ones.
        unlabelled_from: the data set that these come from instead, its first training samples; '' is this one.
        size: side of the network's input in pixels.
        margin: pixels of surroundings stored about each training sample.
        protocol: 'verdict' trains on all training samples and reads the test samples once, at the end; 'choose', for
            hyper-parameters, holds validation samples back and never sees the test samples.
        options: such as ``difficulty`` of synthetic data.
    """

    name: str = "body"
    train: int | None = 3000
    test: int | None = 1000
    monitor: int = 300
    unlabelled: int = 0
    unlabelled_from: str = field(default="", metadata=LATER)
    size: int = 64
    margin: int = 16
    protocol: str = "verdict"
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.protocol not in ("verdict", "choose"):
            raise UserError(f"protocol must be 'verdict' or 'choose', not {self.protocol!r}")
        if self.train is None and self.unlabelled and not self.unlabelled_from:
            raise UserError("say how many training samples keep their labels: all of them leave none unlabelled")
        if self.unlabelled_from and not self.unlabelled:
            raise UserError(f"say how many samples of {self.unlabelled_from} to take, without their labels")

    @property
    def tested_on(self) -> str:
        """The split of the final evaluation: 'test', or 'val' while choices are made."""
        return "test" if self.protocol == "verdict" else "val"

    def load(self, part: str, margin: int | None = None) -> data.PoseDataset:
        """'train', 'unlabelled', 'monitor' or 'final' samples; the last two by default without a margin."""
        if part == "unlabelled" and self.unlabelled_from:
            other = replace(self, name=self.unlabelled_from, train=self.unlabelled, unlabelled=0, unlabelled_from="")
            # options are this data set's own
            return replace(other, options={}).load("train", margin)
        if part in ("train", "unlabelled"):
            split, margin = "train" if self.protocol == "verdict" else "fit", self.margin if margin is None else margin
            count = None if self.train is None else self.train + self.unlabelled
        else:
            split, count = (self.tested_on, self.test) if part == "final" else ("val", self.monitor)
        found = data.load(self.name, split, count=count, size=self.size, margin=margin or 0, **self.options)
        chosen = {"train": slice(self.train), "unlabelled": slice(self.train, None)}
        if part in chosen and not len(found := found[chosen[part]]):
            raise UserError(f"{self.name} has no {part} samples left: its split {split!r} does not have {count}")
        return found


@dataclass(frozen=True)
class Network:
    """A network by its name in :mod:`posenb.models`, and its options."""

    name: str = "small"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Spec:
    """A run: method and options, data, network, budget, seed, and the runs that it starts from.

    Attributes:
        method: 'supervised', or 'package.module:Class' for a method of your own.
        options: fields of the method's options that differ from their defaults.
        data, network, budget, seed: see their classes.
        start: specs of the runs whose weights this one starts from.
    """

    method: str = "supervised"
    options: Mapping[str, Any] = field(default_factory=dict)
    data: Data = field(default_factory=Data)
    network: Network = field(default_factory=Network)
    budget: Budget = field(default_factory=Budget)
    seed: int = 0
    start: tuple[Spec, ...] = ()

    def __post_init__(self) -> None:
        # what came from JSON or from a command line is made whole here
        object.__setattr__(self, "start", tuple(self.start))

    def method_options(self) -> Any:
        """The method's options, defaults filled in.

        Raises:
            UserError: for an option that the method does not have, or a value that it refuses.
        """
        try:
            return build(methods.find(self.method).options_type(), self.options, f"method {self.method!r}")
        except ValueError as error:
            raise UserError(str(error)) from None

    def describe(self) -> dict[str, Any]:
        """Everything that the run's numbers depend on, as plain JSON values, defaults and versions included."""
        versions = {"data": data.version(self.data.name)}
        if self.data.unlabelled_from:
            versions["unlabelled"] = data.version(self.data.unlabelled_from)
        return {
            "method": self.method,
            "options": plain(self.method_options()),
            "data": plain(self.data),
            "network": plain(self.network),
            "budget": plain(self.budget),
            "seed": self.seed,
            "start": [spec.describe() for spec in self.start],
            "versions": {
                "loop": training.VERSION,
                "method": methods.find(self.method).version,
                **versions,
            },
        }

    @property
    def key(self) -> str:
        """The run's name in the store: a hash of :meth:`describe`."""
        text = json.dumps(self.describe(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def unusual_options(self) -> list[str]:
        """The method's options that differ from their defaults, as a command line gives them: NAME=VALUE.

        Options that today's method does not know are given as they are.
        """
        usual: Any = {}
        with suppress(UserError):
            usual = plain(dataclasses.asdict(methods.find(self.method).options_type()))
        return _differences(plain(self.options), usual)

    @property
    def title(self) -> str:
        """For people: method, data, network, steps, seed."""
        return f"{self.method} {self.data.name} {self.network.name} {self.budget.steps} steps, seed {self.seed}"


def _differences(given: Mapping[str, Any], usual: Mapping[str, Any], outer: str = "") -> list[str]:
    found = []
    for name, value in given.items():
        default = usual.get(name)
        if isinstance(value, Mapping) and isinstance(default, Mapping):
            found += _differences(value, default, f"{outer}{name}.")
        elif name not in usual or value != default:
            found.append(f"{outer}{name}={value if isinstance(value, str) else json.dumps(value)}")
    return found


def plain(value: Any) -> Any:
    """Dataclasses, mappings and sequences as dicts and lists; a field marked LATER only where it is not the default."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [(f, getattr(value, f.name)) for f in dataclasses.fields(value)]
        return {f.name: plain(part) for f, part in fields if f.metadata != LATER or part != f.default}
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, (list, tuple)) else value


def from_description(described: Mapping[str, Any]) -> Spec:
    """The Spec that :meth:`Spec.describe` described."""
    return Spec(
        method=described["method"],
        options=described["options"],
        data=Data(**described["data"]),
        network=Network(**described["network"]),
        budget=Budget(**described["budget"]),
        seed=described["seed"],
        start=tuple(from_description(spec) for spec in described["start"]),
    )
