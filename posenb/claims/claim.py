"""What a claim is: what is claimed, where, and the function that measures one seed of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from posenb.claims.judging import Measurement
    from posenb.spec import Spec


EVERY = ("every one",)
"""For ``Claim.runs``: all that ``specs_by`` gives, where a profile of larger size has more of them."""


@dataclass(frozen=True)
class Claim:
    """A claim of a paper, and how it is judged; stated before anything is measured.

    Attributes:
        id: as in the list of claims, such as 'ADA-1'.
        chapter: the chapter that shows it.
        text: what is claimed.
        paper: where, and with which figure.
        measured_by: 'package.module:function', called with (profile, dataset, seed, device).
        specs_by: 'package.module:function', called with (profile, dataset, seed): all Specs of an experiment by name.
        runs: the names of those that the claim is measured on; none for a theorem, ``EVERY`` for all.
        sweep: whether it needs so many runs that three seeds must do at full.
        once: whether its chapter's own data set settles it for all: a theorem, a count, a comparison of data sets, or a
            question about pictures that other sets do not have.
    """

    id: str
    chapter: str
    text: str
    paper: str
    measured_by: str
    specs_by: str = ""
    runs: tuple[str, ...] = ()
    sweep: bool = False
    once: bool = False

    @property
    def measure(self) -> Callable[[str, str, int, str], Measurement]:
        """The function that measures one seed: of a profile, on a data set, on a device."""
        return _named(self.measured_by)

    def specs(self, profile: str, dataset: str, seed: int) -> list[Spec]:
        """The runs that one seed is measured on."""
        if not self.runs:
            return []
        every: Mapping[str, Spec] = _named(self.specs_by)(profile, dataset, seed)
        return list(every.values()) if self.runs == EVERY else [every[name] for name in self.runs]

    @property
    def page(self) -> str:
        """Where the book's site judges it, with its figure."""
        return f"{self.chapter}.html#the-claims-judged"

    def specs_over(self, profile: str, dataset: str, seeds: Iterable[int]) -> list[Spec]:
        """The runs of several seeds, those of the first one first."""
        return [spec for seed in seeds for spec in self.specs(profile, dataset, seed)]

    @property
    def statistic(self) -> str:
        """In words, as that function's docstring states it; the claim says that it is above 0."""
        return " ".join((inspect.getdoc(self.measure) or "").split("\n\n")[0].split())


def _named(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
