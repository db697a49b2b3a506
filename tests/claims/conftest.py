"""A record as it lies on disk."""

from typing import Any

import pytest


@pytest.fixture
def record() -> dict[str, Any]:
    return {
        "claim": "ADA-1",
        "dataset": "body",
        "profile": "full",
        "statistic": "a number",
        "seeds": [0, 1, 2],
        "values": [1.0, 1.1, 0.9],
        "mean": 1.0,
        "interval": [0.751586228824997, 1.248413771175003],
        "image_interval": [0.9, 1.1],
        "verdict": "reproduced",
        "runs": ["0123456789abcdef"],
        "trained": {},
        "curves": [{}],
        "provenance": {"posenb": "0.1.0", "commit": "0123abcd", "finished": "2026-11-21T00:00:00+00:00"},
    }
