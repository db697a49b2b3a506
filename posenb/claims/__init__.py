"""The papers' claims: the registry, the statistics that judge them, and the records of what came out.

A claim's statistic is one number a run, signed so that the claim says "above 0". Over paired seeds it gets a 95% t
interval, and over test images a bootstrap interval beside it. The verdict follows from the first interval alone, by
:func:`posenb.claims.judging.judge`; nobody types one.
"""

from posenb.claims.campaign import announce, measure_all
from posenb.claims.claim import Claim
from posenb.claims.judging import (
    INCONCLUSIVE,
    NOT_JUDGED,
    NOT_REPRODUCED,
    REPRODUCED,
    Measurement,
    Parts,
    Verdict,
    bootstrap,
    judge,
)
from posenb.claims.records import (
    measure,
    problem,
    publish,
    published_folder,
    record,
    records,
    records_folder,
    repeat,
    schema,
    sentence,
    summary,
)
from posenb.claims.registry import CLAIMS, find

__all__ = [
    "CLAIMS",
    "INCONCLUSIVE",
    "NOT_JUDGED",
    "NOT_REPRODUCED",
    "REPRODUCED",
    "Claim",
    "Measurement",
    "Parts",
    "Verdict",
    "announce",
    "bootstrap",
    "find",
    "judge",
    "measure",
    "measure_all",
    "problem",
    "publish",
    "published_folder",
    "record",
    "records",
    "records_folder",
    "repeat",
    "schema",
    "sentence",
    "summary",
]
