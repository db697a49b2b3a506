"""The claims on iterative error feedback (Carreira et al. 2016)."""

from __future__ import annotations

from posenb.claims.claim import Claim

CLAIMS: tuple[Claim, ...] = ()
