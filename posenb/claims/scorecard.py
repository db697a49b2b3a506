"""Every claim with what came of it, as tables: what the Scorecard page shows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from posenb.claims.judging import INCONCLUSIVE, NOT_JUDGED, NOT_REPRODUCED, REPRODUCED
from posenb.claims.records import problem, records
from posenb.claims.registry import CLAIMS
from posenb.data import SYNTHETIC

PAPERS = {
    "ADA": "adversarial data augmentation",
    "SHR": "stable heatmap regression",
    "SAT": "self adversarial training",
    "SSL": "semi-supervised training",
    "IEF": "iterative error feedback",
    "ALL": "all methods together",
}
NOT_MEASURED, NOT_ASKED, STALE = "not measured", "not asked", "stale"
_ORDER = [REPRODUCED, NOT_REPRODUCED, INCONCLUSIVE, STALE, NOT_JUDGED]


def rows() -> pd.DataFrame:
    """A row for every record of a claim, and one for every claim without.

    Columns: claim, paper (its abbreviation), says, published (the paper's figure), dataset, profile, verdict ('stale'
    where the record no longer stands), statistic (with its interval), seeds, device, hours (of training, all its runs),
    commit, problem (why it is stale).
    """
    found = []
    for claim in CLAIMS.values():
        about = {"claim": claim.id, "paper": claim.id.partition("-")[0], "says": claim.text, "published": claim.paper}
        of_claim = [about | _row(record) for record in records(claim.id) if record["profile"] != "smoke"]
        found += of_claim or [about | {"verdict": NOT_MEASURED}]
    return pd.DataFrame(found, columns=_COLUMNS, dtype=object).fillna("")


_COLUMNS = ["claim", "paper", "says", "published", "dataset", "profile", "verdict", "statistic"]
_COLUMNS += ["seeds", "device", "hours", "commit", "problem"]


def interval(record: Mapping[str, Any]) -> str:
    """A record's statistic with its 95% interval over seeds, to two digits of the interval's half width.

    The interval stays in one line; a statistic that has none, or is the same for all seeds, stands alone.
    """
    low, high = record["interval"] or (0.0, 0.0)
    if low == high:
        return f"{record['mean']:.2g}"
    decimals = min(max(1 - math.floor(math.log10((high - low) / 2)), 0), 4)
    digits = f".{decimals}f" if max(-low, high) > 5e-5 else ".1g"  # a theorem's rounding errors
    mean, low, high = (f"{value:{digits}}" for value in (record["mean"], low, high))
    return f"{mean} [{low},\N{NO-BREAK SPACE}{high}]"


def standing(record: Mapping[str, Any]) -> tuple[str, str]:
    """A record's verdict, 'stale' where it no longer stands; and why that is, empty where it stands."""
    why = problem(record)
    return STALE if why else record["verdict"], why


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    trained = record["trained"].values()
    verdict, why = standing(record)
    return {
        "dataset": record["dataset"],
        "profile": record["profile"],
        "verdict": verdict,
        "statistic": interval(record) + "; no part alone is below 0" * _left_open(record),
        "seeds": len(record["seeds"]),
        "device": ", ".join(sorted({run["device"] for run in trained})) or "CPU",
        "hours": round(sum(run["seconds"] for run in trained) / 3600, 1),
        "commit": (record["provenance"]["commit"] or "")[:7],
        "problem": why,
    }


def _left_open(record: Mapping[str, Any]) -> bool:
    """Whether a least of several parts lies below 0, as by chance it may, and none of the parts does."""
    return record["verdict"] == INCONCLUSIVE and record["interval"][1] < 0


def balance() -> str:
    """How many claims were measured, and came out how: a line for synthetic pictures, and one for real ones."""
    table, lines = verdicts(), []
    for name, column in table.items():
        asked = column[column != NOT_ASKED]
        measured = asked[asked != NOT_MEASURED]
        counts = measured.value_counts().reindex(_ORDER).dropna().astype(int)
        found = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
        where = "LSP" if name == "lsp" else f"{name} pictures"
        lines.append(f"{where}: {len(measured)} of {len(asked)} claims measured" + f"; {found}" * bool(found))
    return "\n".join(lines)


def verdicts() -> pd.DataFrame:
    """A row a claim, a column a data set (synthetic bodies and hands are one): the verdict at full or paper size.

    Records of other real data sets are in :func:`rows` only. What the chapter's own data set settles for all is
    'not asked' of LSP.
    """
    table = rows()
    full = table[table["profile"].isin(["full", "paper"]) & table["dataset"].isin([*SYNTHETIC, "lsp"])]
    where = full["dataset"].map(lambda name: name if name == "lsp" else "synthetic")
    wide = full.assign(where=where).pivot_table(index="claim", columns="where", values="verdict", aggfunc="first")
    # where nothing is recorded a column is of numbers, not of words
    wide = wide.reindex(index=list(CLAIMS), columns=["synthetic", "lsp"]).astype(object)
    once = [claim.id for claim in CLAIMS.values() if claim.once]
    wide.loc[once, "lsp"] = wide.loc[once, "lsp"].fillna(NOT_ASKED)
    return wide.fillna(NOT_MEASURED).replace({"": NOT_JUDGED})
