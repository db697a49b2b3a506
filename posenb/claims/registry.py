"""Every claim that is measured, by its id; each paper's are stated in a file of their own."""

from __future__ import annotations

from posenb.claims import ada, every, ief, sat, shr, ssl
from posenb.claims.claim import Claim
from posenb.errors import UserError

_ALL = (*ada.CLAIMS, *shr.CLAIMS, *sat.CLAIMS, *ssl.CLAIMS, *ief.CLAIMS, *every.CLAIMS)
CLAIMS: dict[str, Claim] = {claim.id: claim for claim in _ALL}


def find(identifier: str) -> Claim:
    """The claim of this id.

    Raises:
        UserError: where the registry has none.
    """
    if identifier.upper() not in CLAIMS:
        raise UserError(f"no claim {identifier!r} is registered; there are {', '.join(CLAIMS)}")
    return CLAIMS[identifier.upper()]
