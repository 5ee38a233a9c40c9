"""Credentials that are anchored together."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from chaincode.records.fields import DIGEST, EXPIRY, RECORD, whole
from chaincode.records.record import IdentityRecord

MAX_BATCH: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRecord(IdentityRecord):
    """`tg_batch_<id>` on the issuer's account: up to 2^20 anchored credentials. It never changes.

    Attributes:
        root: 32 bytes, the root of the Merkle tree (`chaincode.merkle`) whose leaves are the
            credentials' salted hashes, in ascending order of the leaves' hashes.
        count: How many there are.
        issuer_record: The id of the `tg_issuer_` record that this issuer acts under.
        status_list: The id of the `tg_status_` record in which all of them have their status.
        expires_at_ms: When the last of them expires; milliseconds since 1970, UTC.
    """

    prefix: ClassVar[str] = "tg_batch_"

    root: Annotated[bytes, DIGEST]
    count: Annotated[int, whole(MAX_BATCH)]
    issuer_record: Annotated[str, RECORD]
    status_list: Annotated[str, RECORD]
    expires_at_ms: Annotated[int, EXPIRY]
