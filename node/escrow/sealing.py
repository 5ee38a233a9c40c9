"""Shares at rest: sealed under a key that is not in the database, bound to their place in it."""

from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl.exceptions import CryptoError
from nacl.secret import Aead

from chaincode.encoding import decode_base64url
from client_sdk.credentials.jose import Key, export_private_jwk
from node.errors import StorageError

_CONTEXT: Final = b"tegata escrow store v1"


class StoreSealer:
    """Seals what must not be read from a stolen database (XChaCha20-Poly1305)."""

    def __init__(self, signing_key: Key) -> None:
        """Derive the sealing key by HKDF (RFC 5869) from the agent's private key."""
        secret = decode_base64url(str(export_private_jwk(signing_key)["d"]))
        derived = HKDF(algorithm=SHA256(), length=Aead.KEY_SIZE, salt=None, info=_CONTEXT)
        self._box = Aead(derived.derive(secret))

    def seal(self, plain: bytes, *, place: str) -> bytes:
        """Return `plain` sealed; it opens with the same `place` only."""
        return bytes(self._box.encrypt(plain, aad=place.encode()))

    def open(self, sealed: bytes, *, place: str) -> bytes:
        """Return what was sealed.

        Raises:
            StorageError: It was changed, moved, or sealed by an agent with another key.
        """
        try:
            return self._box.decrypt(sealed, aad=place.encode())
        except (CryptoError, ValueError):
            raise StorageError(f"the store's entry {place} does not open with this key") from None


def share_place(handle: str, epoch: int, index: int) -> str:
    """Return the place that a share at rest is bound to."""
    return f"{handle}/{epoch}/{index}"
