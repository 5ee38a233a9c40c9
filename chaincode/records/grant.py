"""What a holder lets a verifier see."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, Literal

from chaincode.records.fields import ACCOUNT, DIGEST, EXPIRY, choice, whole
from chaincode.records.record import IdentityRecord

MAX_USES: Final = 1_000_000
GrantState = Literal["live", "revoked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRecord(IdentityRecord):
    """`tg_grant_<id>` on the holder's account: one verifier may see attributes for one purpose.

    Attributes:
        commitment: 32 bytes, the salted hash of verifier, credential, attributes and purpose.
        gateway: The account of the gateway that may serve it.
        expires_at_ms: Milliseconds since 1970, UTC.
        uses: How often it may be used, at least 1.
        state: `revoked` is final.
    """

    prefix: ClassVar[str] = "tg_grant_"

    commitment: Annotated[bytes, DIGEST]
    gateway: Annotated[str, ACCOUNT]
    expires_at_ms: Annotated[int, EXPIRY]
    uses: Annotated[int, whole(MAX_USES)]
    state: Annotated[GrantState, choice(GrantState)]
