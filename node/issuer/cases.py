"""What is under way at the counter, between the pages that lead to an offer (ADR 0081).

The page itself carries it, sealed: the issuer keeps nothing of a person to whom nothing was
offered, and any instance of the service goes on with it.
"""

import struct
from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl.exceptions import CryptoError
from nacl.secret import Aead

from chaincode.encoding import JsonObject, decode_base64url, encode_base64url
from chaincode.errors import DecodeError
from client_sdk.strict_json import encode_json, parse_strict_json_object
from node.errors import ApiError

CASE_SECONDS: Final = 1800
"""How long a person may stand at the counter: as long as a session there lasts without use."""
_INFO: Final = b"tegata issuer counter case v1"
_TIME: Final = struct.Struct(">Q")


class CaseOverError(ApiError):
    """What a page carries is not the counter's, of somebody else's desk, or too old."""

    def __init__(self) -> None:
        super().__init__(
            409,
            "case_over",
            "This cannot go on",
            "The page is too old, or another person's. Begin again.",
        )


class Cases:
    """Seals what is under way, and opens it again, for the person at the counter who began it."""

    def __init__(self, session_key: bytes, *, now_ms: Callable[[], int]) -> None:
        """Derive the sealing key.

        Args:
            session_key: The key that the pages' sessions are signed with, in all instances.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        derived = HKDF(algorithm=SHA256(), length=Aead.KEY_SIZE, salt=None, info=_INFO)
        self._box = Aead(derived.derive(session_key))
        self._now_ms = now_ms

    def seal(self, fields: JsonObject, *, kind: str, by: str) -> str:
        """Seal something.

        Args:
            fields: What it is.
            kind: Which kind of thing: what is opened as another does not open.
            by: Who works at the counter.
        """
        plain = _TIME.pack(self._now_ms() + CASE_SECONDS * 1000) + encode_json(fields)
        return encode_base64url(bytes(self._box.encrypt(plain, aad=_context(kind, by))))

    def open(self, sealed: str, *, kind: str, by: str) -> JsonObject:
        """Return what was sealed.

        Raises:
            CaseOverError: It was sealed for another or as another kind, long ago, or not here.
        """
        try:
            plain = self._box.decrypt(decode_base64url(sealed), aad=_context(kind, by))
        except (CryptoError, DecodeError, ValueError):
            raise CaseOverError from None
        if _TIME.unpack_from(plain)[0] <= self._now_ms():
            raise CaseOverError
        return parse_strict_json_object(plain[_TIME.size :])


def _context(kind: str, by: str) -> bytes:
    return encode_json({"kind": kind, "by": by})
