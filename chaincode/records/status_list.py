"""Where the states of many credentials are published."""

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from chaincode.encoding import JsonObject
from chaincode.errors import DecodeError
from chaincode.records.fields import DIGEST, RECORD, Form, whole
from chaincode.records.record import IdentityRecord

MAX_URI_CHARS: Final = 1_024
BITS: Final = (1, 2, 4, 8)
_URI: Final = re.compile(r"https?://[!-~]+")
_LAST_VERSION: Final = 2**53 - 1


def _read_uri(fields: JsonObject, name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or len(value) > MAX_URI_CHARS or not _URI.fullmatch(value):
        raise DecodeError(
            f"{name}: an http or https URI of {MAX_URI_CHARS} characters at most is expected"
        )
    return value


def _read_bits(fields: JsonObject, name: str) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value not in BITS:
        raise DecodeError(f"{name}: one of {', '.join(map(str, BITS))} is expected")
    return value


def _write(name: str, value: str | int) -> JsonObject:
    return {name: value}


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusListRecord(IdentityRecord):
    """`tg_status_<id>` on the issuer's account: which list of statuses counts now.

    A copy of the list counts only while its bytes have this digest.

    Attributes:
        uri: Where the list is published, as credentials name it.
        bits: How many bits a status takes: one of `BITS`.
        digest: 32 bytes, SHA-256 of the list's decompressed bytes.
        version: From 1; grows with every change.
        issuer_record: The id of the `tg_issuer_` record that this issuer acts under.
    """

    prefix: ClassVar[str] = "tg_status_"

    uri: Annotated[str, Form(_read_uri, _write)]
    bits: Annotated[int, Form(_read_bits, _write)]
    digest: Annotated[bytes, DIGEST]
    version: Annotated[int, whole(_LAST_VERSION)]
    issuer_record: Annotated[str, RECORD]
