"""What a claim is: what is claimed, where, and the function that measures one seed of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from posenb.claims.judging import Measurement


@dataclass(frozen=True)
class Claim:
    """A claim of a paper, and how it is judged; stated before anything is measured.

    Attributes:
        id: as in the list of claims, such as 'ADA-1'.
        chapter: the chapter that shows it.
        text: what is claimed.
        paper: where, and with which figure.
        measured_by: 'package.module:function', called with (profile, dataset, seed, device).
        margin: for "equally good": the claim is that the statistic lies within +-margin of 0.
    """

    id: str
    chapter: str
    text: str
    paper: str
    measured_by: str
    margin: float | None = None

    @property
    def measure(self) -> Callable[[str, str, int, str], Measurement]:
        """The function that measures one seed: of a profile, on a data set, on a device."""
        module, _, function = self.measured_by.partition(":")
        return getattr(import_module(module), function)

    @property
    def statistic(self) -> str:
        """In words, as that function's docstring states it; the claim says that it is above 0."""
        return " ".join((inspect.getdoc(self.measure) or "").split("\n\n")[0].split())
