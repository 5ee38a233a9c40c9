"""A Bitstring Status List as it was fetched: its credential's proof, then its bits (section 3.2).

The credential is secured as a JWT or by Data Integrity, whichever its server sends.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.credentials.bitstring_status_list import (
    Bitstring,
    StatusEntry,
    read_list_credential,
)
from client_sdk.credentials.data_integrity import verify_document
from client_sdk.credentials.jose import Key
from client_sdk.credentials.vc_jose import verify_vc_jwt
from client_sdk.credentials.w3c_vc import parse_date_time_stamp, validate_credential
from client_sdk.errors import CredentialFormatError, SignatureError
from client_sdk.http.client import HttpAnswer
from client_sdk.strict_json import parse_strict_json_object

VC_JWT_MEDIA_TYPE: Final = "application/vc+jwt"
BITSTRING_MEDIA_TYPES: Final = (VC_JWT_MEDIA_TYPE, "application/vc", "application/ld+json")


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedBits:
    """A list of one purpose.

    Attributes:
        bits: One bit a credential.
        fresh_until_s: When it has to be fetched anew; seconds since 1970-01-01 UTC.
    """

    bits: Bitstring
    fresh_until_s: int


def read_bits(
    answer: HttpAnswer,
    *,
    entry: StatusEntry,
    keys: Mapping[str, Key],
    now_s: int,
    leeway_s: int,
    default_ttl_s: int,
) -> FetchedBits:
    """Return the list that a server answered with, known to be its issuer's.

    Args:
        answer: The answer, of one of `BITSTRING_MEDIA_TYPES`.
        entry: Where the list was to be had, and what it is about.
        keys: The issuer's registered keys, by their thumbprint.
        now_s: Seconds since 1970-01-01 UTC.
        leeway_s: How many seconds the two clocks may differ.
        default_ttl_s: For how many seconds at most it is kept.

    Raises:
        StatusListError: It is of another URL or purpose, or malformed.
        CredentialFormatError: It is no credential.
        SignatureError: It is not signed by a registered key.
        ExpiredError: Not valid now.
    """

    def find_key(name: JsonValue) -> Key:
        key = keys.get(name.rpartition("#")[2]) if isinstance(name, str) else None
        if key is None:
            raise SignatureError("it is signed with a key that is not registered")
        return key

    if answer.media_type == VC_JWT_MEDIA_TYPE:
        credential = verify_vc_jwt(
            _text(answer),
            find_issuer_key=lambda header, _credential: find_key(header.get("kid")),
            now_s=now_s,
            leeway_s=leeway_s,
        ).credential
    else:
        credential = parse_strict_json_object(answer.body)
        validate_credential(credential)
        verify_document(
            credential,
            find_key=find_key,
            expected_purpose="assertionMethod",
            now_s=now_s,
            leeway_s=leeway_s,
        )
    bits = read_list_credential(credential, entry=entry, now_s=now_s, leeway_s=leeway_s)
    return FetchedBits(bits=bits, fresh_until_s=min(_end_of(credential), now_s + default_ttl_s))


def _text(answer: HttpAnswer) -> str:
    try:
        return answer.body.decode("ascii")
    except UnicodeDecodeError:
        raise CredentialFormatError("a JWT is ASCII") from None


def _end_of(credential: JsonObject) -> int:
    if "validUntil" not in credential:
        return 1 << 62
    return int(parse_date_time_stamp(credential["validUntil"], "validUntil"))
