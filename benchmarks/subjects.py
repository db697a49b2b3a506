"""What is compared: each subject's own work, the same done naively, and the limit that no implementation passes."""

from __future__ import annotations

import contextlib
import io
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import BuiltinFunctionType
from typing import Any, cast

import cv2
import inputs
import naive
import numpy as np
import torch
from timing import Work, duration, now, pick
from torch import Tensor

from posenb import augment, geometry, heatmaps, training
from posenb.data.dataset import PoseDataset
from posenb.methods.base import Setting
from posenb.methods.supervised import Options, Supervised
from posenb.skeletons import COCO17
from posenb.step import Budget, Step, order, seeded

SIZES = (64, 256)

Measure = Callable[[float], float]
"""Given how many seconds to spend: the seconds a call."""


@dataclass(frozen=True)
class Contender:
    """Somebody who does a subject's work.

    Attributes:
        prepare: makes the measurement, in this process; None: the peers' process has a case of that name.
        target: how many times faster than this one posenb is to be.
        images: images a call.
        workers: processes that do it; such a contender is left out where one thread is asked for.
    """

    prepare: Callable[[], Measure] | None = None
    target: float | None = None
    images: int = inputs.BATCH
    workers: int = 0


@dataclass(frozen=True)
class Subject:
    """Attributes:
    name: what the table says.
    ours: posenb's way.
    others: everybody else by name, the limit among them.
    images: images a call of ours.
    """

    name: str
    ours: Callable[[], Measure]
    others: dict[str, Contender] = field(default_factory=dict)
    images: int = inputs.BATCH


def timed(make: Callable[[], Work]) -> Callable[[], Measure]:
    return lambda: partial(duration, make())


def here(make: Callable[[], Work], target: float | None = None) -> Contender:
    return Contender(timed(make), target)


def writing(*shapes: tuple[int, ...]) -> Work:
    """Fill fresh float32 arrays: the least that an answer of these shapes costs."""
    return lambda: [torch.empty(shape).fill_(1.0) for shape in shapes]


def targets(size: int, least: float) -> Subject:
    side = size // inputs.STRIDE
    points = inputs.points(size)
    tensor = torch.from_numpy(points)
    return Subject(
        f"targets {size}",
        timed(lambda: lambda: heatmaps.gaussian(tensor, (side, side), inputs.STRIDE, inputs.SIGMA)),
        {
            "mmpose": Contender(target=least),
            "mmpose, unbiased": Contender(),
            "naive loop": here(lambda: lambda: naive.gaussians(points, side, inputs.STRIDE)),
            "limit": here(lambda: writing((inputs.BATCH, inputs.JOINTS, side, side))),
        },
    )


def decode(size: int, method: str) -> Subject:
    maps = inputs.maps(size)
    tensor = torch.from_numpy(maps)
    return Subject(
        f"decode {method} {size}",
        timed(lambda: lambda: heatmaps.decode(tensor, inputs.STRIDE, method)),
        {
            "mmpose": Contender(),
            "naive loop": here(lambda: lambda: naive.decode(maps, inputs.STRIDE, method)),
            "limit": here(lambda: tensor.sum),  # every value is read once
        },
    )


def warp(size: int) -> Subject:
    images, matrices = inputs.images(size), inputs.transforms(size)
    tensor = torch.from_numpy(images).permute(0, 3, 1, 2)
    last = torch.tensor([0.0, 0.0, 1.0]).expand(inputs.BATCH, 1, 3)
    matrix = torch.cat([torch.from_numpy(matrices), last], dim=1)
    return Subject(
        f"warp {size}",
        timed(lambda: lambda: geometry.warp(tensor, matrix, (size, size))),
        {
            "albumentations": Contender(),
            "kornia": Contender(),
            "OpenCV loop": here(lambda: lambda: naive.warp(images, matrices)),
            "limit": here(lambda: tensor.clone),
        },
    )


def dataset(size: int) -> PoseDataset:
    """Stored samples of 17 joints, channels-last as every reader of posenb stores them."""
    count = inputs.STORED
    return PoseDataset(
        images=torch.from_numpy(inputs.images(size, count)).permute(0, 3, 1, 2),
        points=torch.from_numpy(inputs.points(size, count)),
        visible=torch.ones(count, inputs.JOINTS, dtype=torch.bool),
        occluded=torch.zeros(count, inputs.JOINTS, dtype=torch.bool),
        reference=torch.ones(count),
        head=torch.ones(count),
        skeleton=COCO17,
        name="benchmark",
    )


def our_input_path(size: int, stride: int = inputs.STRIDE) -> Callable[[], tuple[augment.Sample, Tensor]]:
    data, numbers = dataset(size), iter(range(10**9))

    def work() -> tuple[augment.Sample, Tensor]:
        number = next(numbers)
        batch = data.batch(order(len(data), inputs.BATCH, number, seed=0))
        drawn = augment.draw(inputs.BATCH, augment.Family(), seeded(0, 0, number))
        sample = augment.apply(batch, drawn, (size, size), data.skeleton)
        side = size // stride
        return sample, heatmaps.gaussian(sample.points, (side, side), stride, inputs.SIGMA)

    return work


def input_path(size: int, least: float) -> Subject:
    side = size // inputs.STRIDE

    def loop() -> Work:
        images, points = inputs.images(size, inputs.STORED), inputs.points(size, inputs.STORED)
        rng = np.random.default_rng(5)
        return lambda: naive.input_path(images, points, rng)

    return Subject(
        f"input {size}",
        timed(lambda: our_input_path(size)),
        {
            "mmpose": Contender(target=least),
            "mmpose, 2 workers": Contender(images=inputs.STORED, workers=2),
            "naive loop": here(loop),
            "limit": here(lambda: writing((inputs.BATCH, 3, size, size), (inputs.BATCH, inputs.JOINTS, side, side))),
        },
    )


class Stamped(Supervised):
    """Remembers when its steps began."""

    def __init__(self, options: Options, setting: Setting) -> None:
        super().__init__(options, setting)
        self.began: list[float] = []

    def train_step(self, step: Step, data: Mapping[str, PoseDataset]) -> dict[str, Tensor]:
        self.began.append(now())
        return super().train_step(step, data)


def train(size: int = 64, steps: int = 20) -> Subject:
    data = dataset(size)
    setting = Setting(COCO17, (size, size))

    def loop() -> Measure:
        """The loop itself: seconds from one step's beginning to the next one's."""

        def measure(_: float) -> float:
            method = Stamped(Options(), setting)
            fabric = training.make_fabric("bf16-mixed", "cpu")
            budget = Budget(steps=steps, batch=inputs.BATCH, evaluations=1)
            # no progress bar between the lines of the table
            with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
                training.fit(method, {"train": data}, dict, budget, 0, fabric, Path(folder))
            return pick([after - before for before, after in pairwise(method.began)])

        return measure

    def ready() -> Work:
        """Forward, backward and optimizer on tensors that are there."""
        method = Supervised(Options(), setting)
        network = cast(Any, method.network).to(memory_format=torch.channels_last)
        optimizer = method.optimizers()["network"]
        sample, target = our_input_path(size, method.stride)()
        images = sample.images.contiguous(memory_format=torch.channels_last)

        def work() -> None:
            with torch.autocast("cpu", torch.bfloat16):
                (maps,) = network(images)
            optimizer.zero_grad(set_to_none=True)
            (maps.float() - target).square().mean().backward()
            optimizer.step()

        return work

    return Subject(
        f"training step {size}",
        loop,
        {
            "limit": here(ready),
            # its share of a step is to be less than a tenth
            "input path alone": here(lambda: our_input_path(size, 2)),
        },
    )


@contextlib.contextmanager
def recorded() -> Iterator[dict[int, list[Work]]]:
    """While this lasts, calls of OpenCV's functions are also kept, by thread, to be made again later."""
    calls: dict[int, list[Work]] = {}
    originals = {name: f for name, f in vars(cv2).items() if isinstance(f, BuiltinFunctionType)}

    def recorder(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            calls.setdefault(threading.get_ident(), []).append(partial(function, *args, **options))
            return function(*args, **options)

        return call

    try:
        for name, function in originals.items():
            setattr(cv2, name, recorder(function))
        yield calls
    finally:
        for name, function in originals.items():
            setattr(cv2, name, function)


def render(size: int = 64, count: int = 512) -> Subject:
    from posenb.data import synthetic

    def replayed() -> Work:
        """The OpenCV calls that painting these very pictures takes, arguments ready, in as many threads."""
        with recorded() as calls:
            synthetic.body(count, size=size, cache=False)
        pool = ThreadPoolExecutor(len(calls))

        def replay(works: list[Work]) -> None:
            for work in works:
                work()

        return lambda: list(pool.map(replay, calls.values()))

    return Subject(
        f"render {size}",
        timed(lambda: lambda: synthetic.body(count, size=size, cache=False)),
        {"limit": Contender(timed(replayed), images=count)},
        images=count,
    )


GROUPS: dict[str, list[Callable[[], Subject]]] = {
    "targets": [partial(targets, 64, 20), partial(targets, 256, 5)],
    "decode": [partial(decode, size, method) for method in ("quarter", "dark") for size in SIZES],
    "warp": [partial(warp, size) for size in SIZES],
    "input": [partial(input_path, 64, 8), partial(input_path, 256, 1.5)],
    "train": [train],
    "render": [render],
}
"""Subjects by group, made when their turn comes."""
