"""An anchored credential."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from chaincode.records.fields import DIGEST, EXPIRY, RECORD, choice
from chaincode.records.record import IdentityRecord

CredentialState = Literal["active", "suspended", "revoked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRecord(IdentityRecord):
    """`tg_cred_<id>` on the issuer's account: one anchored credential.

    Attributes:
        salted_hash: 32 bytes, SHA-256 of the issuer-signed JWT, whose payload holds a salt.
        issuer_record: The id of the `tg_issuer_` record that this issuer acts under.
        expires_at_ms: Milliseconds since 1970, UTC.
        state: `active` and `suspended` change into each other; `revoked` is final.
    """

    prefix: ClassVar[str] = "tg_cred_"

    salted_hash: Annotated[bytes, DIGEST]
    issuer_record: Annotated[str, RECORD]
    expires_at_ms: Annotated[int, EXPIRY]
    state: Annotated[CredentialState, choice(CredentialState)]
