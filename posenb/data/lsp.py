"""Leeds Sports Pose: 2,000 pictures of people at sport, 14 joints each (Johnson & Everingham, BMVC 2010).

``joints.mat`` holds ``joints``, 3 x 14 x 2000: x, y and a flag. Two things need care:

- The flag is 1 where a joint is hidden, though the archive's README calls it visibility. It is kept as ``occluded``;
  every joint is labelled.
- x and y count as Matlab does: (1, 1) is the centre of the first pixel. Ours is (.5, .5), so ours = Matlab's - .5.

Left and right are the person's own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posenb.data import leeds
from posenb.data.people import Person, Picture
from posenb.data.prepare import prepare
from posenb.data.sources import SOURCES
from posenb.home import data_folder
from posenb.skeletons import LSP14

SOURCE = SOURCES["lsp"]
URL = "https://sam.johnson.io/research/lsp_dataset.zip"
COUNT = 2000
TRAINING = 1000
"""The official halves: images 1 to 1000 for training, the others for tests."""
VALIDATION = range(901, 1001)
"""Training images that are held out for choices."""
NEAR_DUPLICATES = {371: 1622, 550: 1366}
"""Training images that show nearly the same picture as a test image; no split has them."""


def install(archive: Path | None = None, folder: Path | None = None) -> str:
    """Prepare LSP from its official archive, or the folder that was unpacked to; downloaded where None.

    What is verified is the contents: 2,000 images that decode, each with 14 finite joints that are no further
    outside of it than it is large. ``attribution.csv`` has owner and licence of each image, from the comments in the
    JPEG files.

    Returns a report for people to read. Raises DataError, in one line that names the file or image at fault.
    """
    folder = folder or data_folder("lsp")
    return leeds.install("LSP", URL, archive, folder, lambda source: _install(source, folder, COUNT))


def _install(source: Path, folder: Path, count: int) -> str:
    names = [_name(number) for number in range(1, count + 1)]
    with leeds.unpacked(source, folder) as root:
        joints = leeds.find_joints(root, source, "LSP", names[0])
        points, occluded = leeds.read_joints(joints, "LSP", (3, len(LSP14), count), (2, 1, 0), names)
        paths = leeds.find_pictures(joints, source, "LSP", names)
        pictures = [
            Picture(
                name=path.name,
                path=path,
                people=(Person(points[row], np.ones(len(LSP14), bool), occluded[row], number=row + 1),),
                split="train" if row < TRAINING else "test",
                number=row + 1,
            )
            for row, path in enumerate(paths)
            if row + 1 not in NEAR_DUPLICATES
        ]
        held_out = frozenset(_name(number) for number in VALIDATION)
        prepared = prepare(SOURCE, LSP14, pictures, folder, whole=True, validation=held_out)
        owners = leeds.write_attribution(paths, folder / "attribution.csv")
    dropped = [f"{image} (as {twin})" for image, twin in NEAR_DUPLICATES.items() if image <= count]
    return "\n".join(
        [
            prepared.text(SOURCE, folder / "people"),
            f"left out of training, nearly the same as a test image: {', '.join(dropped) or 'none'}",
            owners,
            "annotations: Johnson & Everingham, BMVC 2010, doi:10.5244/C.24.12",
        ]
    )


def _name(number: int) -> str:
    return f"im{number:04d}.jpg"
