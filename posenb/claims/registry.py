"""Every claim that is measured, by its id; each paper's are stated in a file of their own."""

from __future__ import annotations

from posenb.claims import ada, ief, sat, shr, ssl
from posenb.claims.claim import Claim
from posenb.errors import UserError

CLAIMS: dict[str, Claim] = {claim.id: claim for claim in (*ada.CLAIMS, *shr.CLAIMS, *sat.CLAIMS, *ssl.CLAIMS, *ief.CLAIMS)}


def find(identifier: str) -> Claim:
    """The claim of this id.

    Raises:
        UserError: where the registry has none.
    """
    if identifier.upper() not in CLAIMS:
        raise UserError(f"no claim {identifier!r} is registered; there are {', '.join(CLAIMS)}")
    return CLAIMS[identifier.upper()]
