"""Token Status List: the state of many credentials, a few bits each (draft-ietf-oauth-status-list).

The issuer signs the whole list, so a verifier that fetches it does not tell which credential it
looks at. An index is packed from the least significant bit of its byte on (section 4.1).
"""

import hashlib
import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from chaincode.encoding import JsonObject, JsonValue, decode_base64url, encode_base64url
from chaincode.errors import DecodeError
from client_sdk.credentials.jose import (
    Key,
    sign_compact,
    sign_compact_elsewhere,
    validate_times,
    verify_compact,
)
from client_sdk.credentials.sd_jwt_vc import CredentialSigner
from client_sdk.errors import CredentialFormatError, StatusListError

STATUS_LIST_TYP: Final = "statuslist+jwt"
STATUS_LIST_MEDIA_TYPE: Final = f"application/{STATUS_LIST_TYP}"
BITS: Final = (1, 2, 4, 8)
MAX_LIST_BYTES: Final = 1 << 21
"""Decompressed: 2^20 credentials at two bits take an eighth of it."""


class Status(IntEnum):
    """What an entry says (section 7.1); the other values are free for applications or reserved."""

    VALID = 0
    INVALID = 1
    SUSPENDED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReference:
    """Where the status of one credential stands: its claim `status.status_list` (section 6.2).

    Attributes:
        index: The place in the list, from 0.
        uri: Where the list is fetched, and the `sub` of its token.
    """

    index: int
    uri: str

    def to_claim(self) -> JsonObject:
        """Return the value of the credential's `status` claim."""
        return {"status_list": {"idx": self.index, "uri": self.uri}}

    @classmethod
    def from_claim(cls, claim: JsonValue) -> Self | None:
        """Return the reference in a credential's `status` claim, or None where it has none.

        Raises:
            CredentialFormatError: The claim is no object, or its `status_list` is malformed.
        """
        if not isinstance(claim, dict):
            raise CredentialFormatError("status: an object is expected")
        if "status_list" not in claim:
            return None
        match claim["status_list"]:
            case {"idx": int(index), "uri": str(uri)} if not isinstance(index, bool) and uri:
                if index >= 0:
                    return cls(index=index, uri=uri)
        raise CredentialFormatError("status_list: idx, a whole number, and uri are expected")


class StatusList:
    """The statuses of a list's credentials, by index."""

    __slots__ = ("_bits", "_data")

    def __init__(self, *, bits: int, data: bytes) -> None:
        """Take over packed statuses.

        Args:
            bits: How many each takes: one of `BITS`.
            data: The packed bytes.

        Raises:
            StatusListError: `bits` is another number.
        """
        if bits not in BITS:
            raise StatusListError(f"bits: one of {', '.join(map(str, BITS))} is expected")
        self._bits = bits
        self._data = bytearray(data)

    @classmethod
    def of_size(cls, size: int, *, bits: int) -> Self:
        """Return a list of `size` statuses, rounded up to whole bytes, each `Status.VALID`."""
        return cls(bits=bits, data=bytes((size * bits + 7) // 8))

    def __len__(self) -> int:
        return len(self._data) * 8 // self._bits

    def __getitem__(self, index: int) -> int:
        """Return the status at an index.

        Raises:
            StatusListError: The list has no such index (section 8.3 step 4).
        """
        byte, shift, mask = self._place(index)
        return (self._data[byte] >> shift) & mask

    def __setitem__(self, index: int, status: int) -> None:
        """Write the status at an index.

        Raises:
            StatusListError: The list has no such index, or the status needs more bits.
        """
        byte, shift, mask = self._place(index)
        if not 0 <= status <= mask:
            raise StatusListError(f"status {status} does not fit in {self._bits} bits")
        self._data[byte] = self._data[byte] & ~(mask << shift) | status << shift

    @property
    def bits(self) -> int:
        """How many bits each status takes."""
        return self._bits

    @property
    def packed(self) -> bytes:
        """The packed bytes."""
        return bytes(self._data)

    def digest(self) -> bytes:
        """Return SHA-256 of the packed bytes, 32 bytes: what the ledger anchors."""
        return hashlib.sha256(self._data).digest()

    def encode(self) -> str:
        """Return the packed bytes, compressed with DEFLATE in the ZLIB format, in base64url."""
        return encode_base64url(zlib.compress(bytes(self._data), level=9))

    @classmethod
    def decode(cls, text: str, *, bits: int) -> Self:
        """Return the list that `encode` wrote.

        Raises:
            StatusListError: Not base64url of one ZLIB stream, or longer than `MAX_LIST_BYTES`.
        """
        inflater = zlib.decompressobj()
        try:
            data = inflater.decompress(decode_base64url(text), MAX_LIST_BYTES)
        except (DecodeError, zlib.error) as error:
            raise StatusListError(f"lst: not base64url of ZLIB data: {error}") from None
        if not inflater.eof or inflater.unused_data:
            raise StatusListError(f"lst: not one whole ZLIB stream of {MAX_LIST_BYTES} bytes")
        return cls(bits=bits, data=data)

    def _place(self, index: int) -> tuple[int, int, int]:
        if not 0 <= index < len(self):
            raise StatusListError(f"index {index}: the list has {len(self)} entries")
        byte, shift = divmod(index * self._bits, 8)
        return byte, shift, (1 << self._bits) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusListToken:
    """A list that is known to be signed by its issuer (section 5.1).

    Attributes:
        statuses: The list.
        uri: Where it was published.
        issued_at: Seconds since 1970-01-01 UTC.
        expires_at: Seconds since 1970-01-01 UTC; None where it does not say.
        ttl_s: How many seconds it may be cached; None where it does not say.
    """

    statuses: StatusList
    uri: str
    issued_at: int
    expires_at: int | None
    ttl_s: int | None

    def fresh_until(self, fetched_at: int) -> int | None:
        """Return when a copy has to be fetched anew (section 13.7), seconds since 1970; or None."""
        ends = [end for end in (self.expires_at, _sum(fetched_at, self.ttl_s)) if end is not None]
        return min(ends, default=None)


def sign_status_list(
    statuses: StatusList,
    *,
    uri: str,
    issuer_key: Key | CredentialSigner,
    issued_at: int,
    expires_at: int | None = None,
    ttl_s: int | None = None,
    header: JsonObject | None = None,
) -> str:
    """Return the Status List Token (section 5.1) of a list.

    Args:
        statuses: The list.
        uri: Where the token will be published.
        issuer_key: The private key that signs, or whoever has it.
        issued_at: Seconds since 1970-01-01 UTC.
        expires_at: Seconds since 1970-01-01 UTC.
        ttl_s: How many seconds the token may be cached.
        header: More header parameters, such as `kid` or `x5c`.

    Raises:
        CredentialFormatError: The token would be too long.
        KeyFormatError: `issuer_key` is only a public half.
        FrostError: The issuer's authorities did not sign.
    """
    payload: JsonObject = {"sub": uri, "iat": issued_at}
    if expires_at is not None:
        payload["exp"] = expires_at
    if ttl_s is not None:
        payload["ttl"] = ttl_s
    payload["status_list"] = {"bits": statuses.bits, "lst": statuses.encode()}
    whole: JsonObject = {**(header or {}), "typ": STATUS_LIST_TYP}
    if isinstance(issuer_key, Key):
        return sign_compact(whole, payload, issuer_key)
    return sign_compact_elsewhere(
        whole,
        payload,
        issuer_key.public_key,
        lambda signing_input: issuer_key.sign(signing_input, ()),
    )


def verify_status_list(
    token: str, *, issuer_key: Key, expected_uri: str, now_s: int, leeway_s: int
) -> StatusListToken:
    """Return the list of a Status List Token (section 8.3).

    Args:
        token: The JWT.
        issuer_key: The key that the credential's issuer signs lists with.
        expected_uri: The `uri` of the credential's reference.
        now_s: Seconds since 1970-01-01 UTC.
        leeway_s: How many seconds the two clocks may differ.

    Raises:
        StatusListError: It is of another URI, or its list is malformed.
        CredentialFormatError: Not a JWT of this type.
        SignatureError: Not signed under `issuer_key`.
        ExpiredError: Not valid now.
    """
    _, claims = verify_compact(token, issuer_key, STATUS_LIST_TYP)
    if claims.get("sub") != expected_uri:
        raise StatusListError("sub: the list was published under another URI")
    validate_times(claims, now_s=now_s, leeway_s=leeway_s)
    match claims.get("status_list"):
        case {"bits": int(bits), "lst": str(text)}:
            statuses = StatusList.decode(text, bits=bits)
        case _:
            raise StatusListError("status_list: bits and lst are expected")
    issued_at = _seconds(claims, "iat")
    if issued_at is None:
        raise StatusListError("iat: the time of issue is required")
    return StatusListToken(
        statuses=statuses,
        uri=expected_uri,
        issued_at=issued_at,
        expires_at=_seconds(claims, "exp"),
        ttl_s=_seconds(claims, "ttl", least=1),
    )


def _seconds(claims: JsonObject, name: str, *, least: int = 0) -> int | None:
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or value < least:
        raise StatusListError(f"{name}: a number of seconds from {least} on is expected")
    return int(value)


def _sum(start: int, length: int | None) -> int | None:
    return None if length is None else start + length
