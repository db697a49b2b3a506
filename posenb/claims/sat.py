"""The claims on self adversarial training (Chou et al. 2017)."""

from __future__ import annotations

from posenb.claims.claim import Claim

CLAIMS: tuple[Claim, ...] = ()
