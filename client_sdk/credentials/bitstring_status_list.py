"""W3C Bitstring Status List 1.0: a status list that is itself a credential.

Its conventions are the opposite of the Token Status List's: GZIP, multibase, and index 0 is the
left-most bit.
"""

import gzip
import hashlib
import re
import zlib
from dataclasses import dataclass
from typing import Final, Self

from chaincode.encoding import JsonObject, JsonValue, decode_base64url, encode_base64url
from chaincode.errors import DecodeError
from client_sdk.credentials.w3c_vc import CONTEXT, CREDENTIAL_TYPE, types_of, validate_period
from client_sdk.errors import CredentialFormatError, StatusListError

MIN_ENTRIES: Final = 131_072
"""The least size that hides a holder among others (section 6.1), 16 KiB."""
MAX_ENTRIES: Final = 1 << 24
ENTRY_TYPE: Final = "BitstringStatusListEntry"
LIST_TYPE: Final = "BitstringStatusListCredential"
SUBJECT_TYPE: Final = "BitstringStatusList"
_GZIP: Final = 16 + zlib.MAX_WBITS
_INDEX: Final = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusEntry:
    """Where one status of a credential stands: an entry of `credentialStatus` (section 2.1).

    Attributes:
        purpose: `revocation` or `suspension`.
        index: The place in the list, from 0.
        list_url: Where the list's credential is fetched.
    """

    purpose: str
    index: int
    list_url: str

    def to_json(self) -> JsonObject:
        """Return the entry as a credential's `credentialStatus` holds it."""
        return {
            "type": ENTRY_TYPE,
            "statusPurpose": self.purpose,
            "statusListIndex": str(self.index),
            "statusListCredential": self.list_url,
        }

    @classmethod
    def from_json(cls, value: JsonValue) -> Self:
        """Return the entry that `credentialStatus` holds.

        Raises:
            CredentialFormatError: Not an entry of this type, or with more than one bit a status.
        """
        entry = value if isinstance(value, dict) else {}
        match entry:
            case {
                "type": "BitstringStatusListEntry",
                "statusPurpose": str(purpose),
                "statusListIndex": str(index),
                "statusListCredential": str(list_url),
            } if _INDEX.fullmatch(index) and entry.get("statusSize", 1) == 1:
                return cls(purpose=purpose, index=int(index), list_url=list_url)
        raise CredentialFormatError(f"credentialStatus: a {ENTRY_TYPE} with one bit is expected")


class Bitstring:
    """One bit for each credential of a list."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes = bytes(MIN_ENTRIES // 8)) -> None:
        """Take over packed bits; by default a list of the least size, all clear."""
        self._data = bytearray(data)

    def __len__(self) -> int:
        return len(self._data) * 8

    def __getitem__(self, index: int) -> bool:
        """Return the bit at an index.

        Raises:
            StatusListError: The list has no such index (RANGE_ERROR, section 3.2).
        """
        byte, mask = self._place(index)
        return bool(self._data[byte] & mask)

    def __setitem__(self, index: int, value: bool) -> None:
        """Write the bit at an index.

        Raises:
            StatusListError: The list has no such index.
        """
        byte, mask = self._place(index)
        self._data[byte] = self._data[byte] | mask if value else self._data[byte] & ~mask

    @property
    def packed(self) -> bytes:
        """The packed bytes."""
        return bytes(self._data)

    def digest(self) -> bytes:
        """Return SHA-256 of the packed bits, 32 bytes: what the ledger anchors."""
        return hashlib.sha256(self._data).digest()

    def encode(self) -> str:
        """Return the bits in GZIP form, base64url in multibase (section 3.3)."""
        return "u" + encode_base64url(gzip.compress(bytes(self._data), mtime=0))

    @classmethod
    def decode(cls, text: str) -> Self:
        """Return the bits that `encode` wrote (section 3.4).

        Raises:
            StatusListError: Not multibase of one GZIP stream, or too short or too long.
        """
        if not text.startswith("u"):
            raise StatusListError("encodedList: multibase base64url, which begins with u, expected")
        inflater = zlib.decompressobj(_GZIP)
        try:
            data = inflater.decompress(decode_base64url(text[1:]), MAX_ENTRIES // 8)
        except (DecodeError, zlib.error) as error:
            raise StatusListError(f"encodedList: not base64url of GZIP data: {error}") from None
        if not inflater.eof or inflater.unused_data:
            raise StatusListError(f"encodedList: not one whole stream of {MAX_ENTRIES} bits")
        if len(data) * 8 < MIN_ENTRIES:
            raise StatusListError(f"encodedList: fewer than {MIN_ENTRIES} entries")
        return cls(data)

    def _place(self, index: int) -> tuple[int, int]:
        if not 0 <= index < len(self):
            raise StatusListError(f"index {index}: the list has {len(self)} entries")
        byte, bit = divmod(index, 8)
        return byte, 0x80 >> bit


def build_list_credential(
    bits: Bitstring, *, url: str, issuer: str, purpose: str, valid_from: str, valid_until: str
) -> JsonObject:
    """Return the credential that publishes a list, not yet secured (section 2.2).

    Args:
        bits: The list.
        url: Where it will be published.
        issuer: The issuer's URL.
        purpose: `revocation` or `suspension`.
        valid_from: As `dateTimeStamp`.
        valid_until: As `dateTimeStamp`; a verifier fetches it anew after that.
    """
    return {
        "@context": [CONTEXT],
        "id": url,
        "type": [CREDENTIAL_TYPE, LIST_TYPE],
        "issuer": issuer,
        "validFrom": valid_from,
        "validUntil": valid_until,
        "credentialSubject": {
            "id": f"{url}#list",
            "type": SUBJECT_TYPE,
            "statusPurpose": purpose,
            "encodedList": bits.encode(),
        },
    }


def read_list_credential(
    credential: JsonObject, *, entry: StatusEntry, now_s: int, leeway_s: int
) -> Bitstring:
    """Return the list of a list credential whose signature was verified (section 3.2).

    Args:
        credential: The list credential.
        entry: The entry that led to it.
        now_s: Seconds since 1970-01-01 UTC.
        leeway_s: How many seconds the two clocks may differ.

    Raises:
        StatusListError: It is of another URL or purpose, or malformed.
        ExpiredError: Not valid now.
    """
    subject = credential.get("credentialSubject")
    if LIST_TYPE not in types_of(credential) or not isinstance(subject, dict):
        raise StatusListError(f"a {LIST_TYPE} is expected")
    if credential.get("id", entry.list_url) != entry.list_url:
        raise StatusListError("the list was published under another URL")
    purposes = subject.get("statusPurpose")
    if entry.purpose not in (purposes if isinstance(purposes, list) else [purposes]):
        raise StatusListError(f"the list is not about {entry.purpose}")
    text = subject.get("encodedList")
    if subject.get("type") != SUBJECT_TYPE or not isinstance(text, str):
        raise StatusListError(f"credentialSubject: a {SUBJECT_TYPE} is expected")
    validate_period(credential, now_s=now_s, leeway_s=leeway_s)
    return Bitstring.decode(text)
