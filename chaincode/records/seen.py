"""The receipt of an access: a gateway writes it before its verifier sees anything."""

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from chaincode.records.fields import DIGEST, data
from chaincode.records.record import IdentityRecord

MAX_SEALED_BYTES: Final = 8_192


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRecord(IdentityRecord):
    """`tg_seen_<id>_<n>` on the holder's account: the n-th use of the grant with this id.

    It is written once, by the gateway that the grant names, and never changes.

    Attributes:
        salted_hash: 32 bytes, SHA-256 of the access, which holds a salt.
        sealed: The access, sealed to the holder's key.
    """

    prefix: ClassVar[str] = "tg_seen_"
    by_another: ClassVar[bool] = True
    id_form: ClassVar[re.Pattern[str]] = re.compile(r"[0-9a-f]{32}_[1-9][0-9]{0,6}")
    id_words: ClassVar[str] = "32 lower-case hex digits, an underscore and a number from 1"

    salted_hash: Annotated[bytes, DIGEST]
    sealed: Annotated[bytes, data(MAX_SEALED_BYTES)]


def seen_id(grant_id: str, use: int) -> str:
    """Return the record id of the receipt of one use of a grant.

    Args:
        grant_id: 32 lower-case hex digits.
        use: Counted from 1.
    """
    return f"{grant_id}_{use}"


def parse_seen_id(record_id: str) -> tuple[str, int]:
    """Return the grant's id and the use that a receipt's record id names."""
    grant_id, _, use = record_id.partition("_")
    return grant_id, int(use)
