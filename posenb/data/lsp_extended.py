"""LSP-extended: 10,000 pictures of parkour, gymnastics and athletics (Johnson & Everingham, CVPR 2011).

``joints.mat`` holds ``joints``, 14 x 3 x 10000: x, y and a flag. Four things need care:

- The order of the axes is not LSP's (3 x 14 x 2000).
- The flag is 1 where a joint is labelled, which is not LSP's either. Where it is 0, x and y mean nothing. Whether a
  labelled joint is hidden is not said.
- x and y count as Matlab does: (1, 1) is the centre of the first pixel. Ours is (.5, .5), so ours = Matlab's - .5.
- Workers of a marketplace set the joints, and some lie far from any body. ``people.admitted`` unlabels the wildest.

All of it is for training: people learn from LSP and this together, and are judged on LSP's test half. Left and right
are the person's own. The person's square lies about the labelled joints. Not read: hr-lspet, a later annotation of
9,428 of the pictures, whose files are PNG.
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

SOURCE = SOURCES["lsp-extended"]
TITLE = "LSP-extended"
URL = "https://sam.johnson.io/research/lspet_dataset.zip"
COUNT = 10_000


def install(archive: Path | None = None, folder: Path | None = None) -> str:
    """Prepare LSP-extended from its official archive, or the folder that was unpacked to; downloaded where None.

    What is verified is that all 10,000 images are there, and the annotations' shape and flags. Images that cannot be
    decoded and absurd labels are left out and counted. ``attribution.csv`` has owner and licence of each image, where
    the JPEG files name them.

    Returns a report for people to read. Raises DataError, in one line that names the file or image at fault.
    """
    folder = folder or data_folder(SOURCE.name)
    return leeds.install(TITLE, URL, archive, folder, lambda source: _install(source, folder, COUNT))


def _install(source: Path, folder: Path, count: int) -> str:
    names = [f"im{number:05d}.jpg" for number in range(1, count + 1)]
    with leeds.unpacked(source, folder) as root:
        joints = leeds.find_joints(root, source, TITLE, names[0])
        points, labelled = leeds.read_joints(joints, TITLE, (len(LSP14), 3, count), (2, 0, 1), names)
        paths = leeds.find_pictures(joints, source, TITLE, names)
        unknown = np.zeros(len(LSP14), bool)
        pictures = [
            Picture(path.name, path, (Person(points[row], labelled[row], unknown, number=row + 1),), number=row + 1)
            for row, path in enumerate(paths)
        ]
        prepared = prepare(SOURCE, LSP14, pictures, folder)
        owners = leeds.write_attribution(paths, folder / "attribution.csv")
    return "\n".join(
        [
            prepared.text(SOURCE, folder / "people"),
            f"labelled: {labelled.mean():.1%} of the joints; all people are for training, LSP has the tests",
            owners,
            "annotations: Johnson & Everingham, CVPR 2011, doi:10.1109/CVPR.2011.5995318",
        ]
    )
