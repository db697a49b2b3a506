"""The claims that no paper makes: all methods on one bench."""

from __future__ import annotations

from posenb.claims.claim import Claim
from posenb.experiments.bench_specs import CARRY, CONTROLS, FEW, OTHER, PARTS, ROWS

_CHAPTER = "07_one_bench"
_MEASURES = "posenb.experiments.bench"
_SPECS = "posenb.experiments.bench_specs:specs"
_NONE = "no paper compares the five"

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "ALL-1",
        _CHAPTER,
        "On the same data, encoder and seeds every method raises what it is made for, over the same training without "
        "it.",
        _NONE,
        f"{_MEASURES}:measure_all1",
        specs_by=_SPECS,
        runs=(*ROWS, *CONTROLS, *(f"few, {name}" for name in FEW)),
        sweep=True,
    ),
    Claim(
        "ALL-2",
        _CHAPTER,
        "Methods add up: stable heatmaps with dual networks, and with adversarial augmentation, keep what either part "
        "gains.",
        _NONE,
        f"{_MEASURES}:measure_all2",
        specs_by=_SPECS,
        runs=(*PARTS, "few, mst+dual", "few, mst+labels"),
        sweep=True,
    ),
    Claim(
        "ALL-3",
        _CHAPTER,
        "What methods gain on synthetic people they gain on real ones.",
        _NONE,
        f"{_MEASURES}:measure_all3",
        specs_by="posenb.experiments.bench_specs:carried",
        runs=tuple(f"{name}, {row}" for name in OTHER for row in CARRY),
        sweep=True,
        once=True,
    ),
)
