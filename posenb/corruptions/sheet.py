"""All corruptions in all severities at a glance."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Generator, Tensor

from posenb.corruptions.apply import NAMES, TEST, corrupt

_GAP = 0.06  # of an image's width, between columns
_WIDE, _LABELS, _TITLE = 2.7, 1.4, 0.45  # inches: the pictures, the names on their left, the severities above


def corruption_sheet(image: Tensor, seed: int = 0, table: int | None = None) -> Figure:
    """A contact sheet: a row for each of the 15 corruptions, a column for each severity.

    Every picture of a row has the same draws, so that only the severity differs. The five corruptions that are kept
    from training stand below the ten, in another colour.

    Args:
        image: ``(3, H, W)`` uint8, or float in [0, 1].
        seed: of what is drawn.
        table: as for :func:`posenb.corruptions.apply.corrupt`.
    """
    height, width = image.shape[-2:]
    gap = max(1, round(_GAP * width))
    line, column = height + gap, width + gap
    sheet = np.ones((len(NAMES) * line - gap, 5 * column - gap, 3))
    for row, name in enumerate(NAMES):
        for severity in range(1, 6):
            generator = Generator().manual_seed(seed)
            out = corrupt(image[None], name, severity, generator, table)[0]
            picture = out.permute(1, 2, 0).cpu().float() / (255 if out.dtype == torch.uint8 else 1)
            top, left = row * line, (severity - 1) * column
            sheet[top : top + height, left : left + width] = picture.numpy()
    tall = _WIDE * sheet.shape[0] / sheet.shape[1]
    figure, axes = plt.subplots(figsize=(_LABELS + _WIDE, _TITLE + tall))
    figure.subplots_adjust(left=_LABELS / (_LABELS + _WIDE), right=1, bottom=0, top=tall / (_TITLE + tall))
    axes.imshow(sheet, interpolation="nearest")
    axes.set_yticks([row * line + height / 2 for row in range(len(NAMES))], [name.replace("_", " ") for name in NAMES])
    axes.set_xticks([k * column + width / 2 for k in range(5)], [str(severity) for severity in range(1, 6)])
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("severity", labelpad=2)
    axes.tick_params(length=0)
    for name, label in zip(NAMES, axes.get_yticklabels(), strict=True):
        label.set_color("#a04000" if name in TEST else "black")
    axes.spines[:].set_visible(False)
    plt.close(figure)
    return figure
