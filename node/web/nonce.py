"""Nonces for proofs: sealed times, so that an unasked-for nonce costs the store nothing."""

import struct
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl.exceptions import CryptoError
from nacl.secret import Aead

from chaincode.encoding import decode_base64url, encode_base64url
from chaincode.errors import DecodeError
from client_sdk.credentials.jose import Key, export_private_jwk
from node.errors import NonceError

NONCE_SECONDS: Final = 300
_MAX_NONCE_CHARS: Final = 128
_TIME: Final = struct.Struct(">Q")


class NonceSealer:
    """Makes nonces and knows its own again, in every instance that has the same signing key."""

    def __init__(self, signing_key: Key, *, service: str) -> None:
        """Derive the sealing key by HKDF (RFC 5869) from the service's private key."""
        secret = decode_base64url(str(export_private_jwk(signing_key)["d"]))
        self._context = f"tegata {service} nonce v1".encode()
        derived = HKDF(algorithm=SHA256(), length=Aead.KEY_SIZE, salt=None, info=self._context)
        self._box = Aead(derived.derive(secret))

    def new_nonce(self, now_ms: int) -> str:
        """Return an unpredictable nonce that lasts `NONCE_SECONDS`."""
        expires_at_ms = now_ms + NONCE_SECONDS * 1000
        sealed = self._box.encrypt(_TIME.pack(expires_at_ms), aad=self._context)
        return encode_base64url(bytes(sealed))

    def check_nonce(self, nonce: str, now_ms: int) -> int:
        """Return when a nonce expires, in milliseconds; whether it was used, the store knows.

        Raises:
            NonceError: Not one of this service's, or expired.
        """
        try:
            sealed = decode_base64url(nonce[:_MAX_NONCE_CHARS])
            plain = self._box.decrypt(sealed, aad=self._context)
        except (CryptoError, DecodeError, ValueError):
            raise NonceError("the nonce is not one of this service") from None
        expires_at_ms: int = _TIME.unpack(plain)[0]
        if expires_at_ms <= now_ms:
            raise NonceError("the nonce has expired; ask for a new one")
        return expires_at_ms
