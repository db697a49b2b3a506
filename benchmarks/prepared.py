"""Measure the prepared form of real data: how large it is, and how fast it is made and read.

    OMP_NUM_THREADS=1 python benchmarks/prepared.py

A set is made in a temporary folder: pictures of 640 x 480 as smooth as photographs are, with one person each. By
processor time, everything from the system's file cache: what is compared is work, not disks. The usual way is that of
a Dataset that reads a sample's picture file whenever it is asked for it.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import timing
import torch

from posenb.data import PoseDataset, prepared
from posenb.data.people import Person, Picture
from posenb.data.prepare import prepare
from posenb.data.sources import Source
from posenb.skeletons import MPII16

HEIGHT, WIDTH = 480, 640
BATCH = 32
SIZES = ((64, 16), (256, 64))  # of a sample, and its margin
SOURCE = Source("benchmark", "Made up", MPII16, "none", "made here", "", "none")


def made_up(count: int, folder: Path) -> list[Picture]:
    """Pictures with coarse structure and a little noise, as JPEG files, and a person in each."""
    rng = np.random.default_rng(0)
    pictures = []
    for number in range(count):
        coarse = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        pixels = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        noisy = np.clip(pixels + rng.normal(0, 6, pixels.shape), 0, 255).astype(np.uint8)
        path = folder / f"{number:06d}.jpg"
        cv2.imwrite(str(path), noisy, [cv2.IMWRITE_JPEG_QUALITY, 90])
        side = float(rng.uniform(150, 450))
        center = rng.uniform((0.3 * WIDTH, 0.3 * HEIGHT), (0.7 * WIDTH, 0.7 * HEIGHT))
        points = center + rng.uniform(-0.4, 0.4, (len(MPII16), 2)) * side
        labelled, hidden = np.ones(len(MPII16), bool), np.zeros(len(MPII16), bool)
        person = Person(points, labelled, hidden, center, side, number=number + 1)
        pictures.append(Picture(path.name, path, (person,), number=number))
    return pictures


def usual(pictures: list[Picture], size: int, margin: int) -> Callable[[], torch.Tensor]:
    """A batch of samples, each read from its picture's file, cut out and resized by OpenCV."""
    rng = np.random.default_rng(1)
    stored = size + 2 * margin

    def sample(picture: Picture) -> torch.Tensor:
        pixels = cv2.imread(str(picture.path), cv2.IMREAD_COLOR_RGB)
        (person,) = picture.people
        assert pixels is not None and person.center is not None
        scale = size / person.side
        shift = stored / 2 - scale * person.center
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        shown = cv2.warpAffine(pixels, matrix, (stored, stored), borderMode=cv2.BORDER_REPLICATE)
        return torch.from_numpy(shown).permute(2, 0, 1)

    return lambda: torch.stack([sample(pictures[k]) for k in rng.integers(0, len(pictures), BATCH)])


def mapped(data: PoseDataset) -> Callable[[], object]:
    """A batch of samples gathered from the mapped file."""
    generator = torch.Generator().manual_seed(1)
    return lambda: data.batch(torch.randint(len(data), (BATCH,), generator=generator))


def cropping(folder: Path, size: int, margin: int, count: int) -> float:
    """Seconds a person to make the mapped file from the small pictures."""
    for path in folder.glob("crops-*.npy"):
        path.unlink()
    start = timing.now()
    prepared.load(SOURCE, "train", size, margin, folder=folder)
    return (timing.now() - start) / count


def lines(count: int, rounds: int, seconds: float, folder: Path) -> list[str]:
    """The table, and what it is of."""
    (folder / "pictures").mkdir()
    pictures = made_up(count, folder / "pictures")
    start = timing.now()
    report = prepare(SOURCE, MPII16, pictures, folder)
    preparing = (timing.now() - start) / count
    original = sum(picture.path.stat().st_size for picture in pictures) / count
    rows = [
        f"{count:,} JPEG files of {WIDTH} x {HEIGHT}, {original / 1024:,.0f} KiB each, one person in each; prepared: "
        f"{report.size / count / 1024:,.1f} KiB a person, at {1 / preparing:,.0f} people a second.",
        "",
        "| sample + margin | mapped, KiB a person | crops made, people/s | mapped batches, people/s "
        "| picture files, people/s | mapped against files |",
        "|---|---|---|---|---|---|",
    ]
    for size, margin in SIZES:
        made = statistics.median(cropping(folder, size, margin, count) for _ in range(3))
        data = prepared.load(SOURCE, "train", size, margin, folder=folder)
        ours, theirs = mapped(data), usual(pictures, size, margin)
        taken: tuple[list[float], list[float]] = ([], [])
        for _ in range(rounds):
            for samples, work in zip(taken, (ours, theirs), strict=True):
                samples.append(timing.duration(work, seconds) / BATCH)
        here, there = (timing.pick(samples) for samples in taken)
        stored = (size + 2 * margin) ** 2 * 3 / 1024
        rows.append(
            f"| {size} + {margin} | {stored:,.0f} | {1 / made:,.0f} | {1 / here:,.0f} | {1 / there:,.0f} "
            f"| {there / here:,.0f} x |"
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=512, help="pictures")
    parser.add_argument("--quick", action="store_true", help="whether it runs, not how fast")
    options = parser.parse_args()
    timing.use_threads(1)
    rounds, seconds = (1, 0.1) if options.quick else (8, 0.5)
    with tempfile.TemporaryDirectory() as folder:
        print(*lines(options.count, rounds, seconds, Path(folder)), sep="\n")
    about = f"{date.today().isoformat()}, {platform.system()} {platform.machine()}"
    print(f"\n{about}, Python {platform.python_version()}, torch {torch.__version__}, one thread, processor time")


if __name__ == "__main__":
    main()
