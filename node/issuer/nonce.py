"""Nonces for key proofs: sealed times, so that an unasked-for nonce costs the store nothing."""

import struct
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl.exceptions import CryptoError
from nacl.secret import Aead

from chaincode.encoding import decode_base64url, encode_base64url
from chaincode.errors import DecodeError
from client_sdk.credentials.jose import Key, export_private_jwk
from node.issuer.errors import ProtocolError

NONCE_SECONDS: Final = 300
_MAX_NONCE_CHARS: Final = 128
_CONTEXT: Final = b"tegata issuer nonce v1"
_TIME: Final = struct.Struct(">Q")


class NonceSealer:
    """Makes nonces and knows its own again, in every instance that has the same signing key."""

    def __init__(self, signing_key: Key) -> None:
        """Derive the sealing key by HKDF (RFC 5869) from the issuer's private key."""
        secret = decode_base64url(str(export_private_jwk(signing_key)["d"]))
        derived = HKDF(algorithm=SHA256(), length=Aead.KEY_SIZE, salt=None, info=_CONTEXT)
        self._box = Aead(derived.derive(secret))

    def new_nonce(self, now_ms: int) -> str:
        """Return an unpredictable nonce that lasts `NONCE_SECONDS`."""
        expires_at_ms = now_ms + NONCE_SECONDS * 1000
        return encode_base64url(bytes(self._box.encrypt(_TIME.pack(expires_at_ms), aad=_CONTEXT)))

    def check_nonce(self, nonce: str, now_ms: int) -> int:
        """Return when a nonce expires, in milliseconds; whether it was used, the store knows.

        Raises:
            ProtocolError: Not one of this issuer's, or expired (`invalid_nonce`).
        """
        try:
            plain = self._box.decrypt(decode_base64url(nonce[:_MAX_NONCE_CHARS]), aad=_CONTEXT)
        except (CryptoError, DecodeError, ValueError):
            raise ProtocolError("invalid_nonce", "the nonce is not one of this issuer") from None
        expires_at_ms: int = _TIME.unpack(plain)[0]
        if expires_at_ms <= now_ms:
            raise ProtocolError("invalid_nonce", "the nonce has expired; ask for a new one")
        return expires_at_ms
