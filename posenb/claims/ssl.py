"""The claims on the collapsing problem in semi-supervised pose estimation (Xie et al. 2021)."""

from __future__ import annotations

from posenb.claims.claim import Claim

CLAIMS: tuple[Claim, ...] = ()
