"""Sealing to a public key: HPKE in base mode (RFC 9180), by `cryptography`.

DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305; one message per encapsulation. What is
sealed says nothing of who sealed it: whoever reads it must find that elsewhere.
"""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl.utils import random as random_bytes

from client_sdk.errors import KeyFormatError, SealError

KEY_BYTES: Final = 32
OVERHEAD_BYTES: Final = 48
"""How much longer the sealed text is: the encapsulated key and the tag."""

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


class SealingKey:
    """A private key that opens what is sealed to its public half. Its repr shows no secret."""

    def __init__(self, private_bytes: bytes) -> None:
        """Take over a key.

        Args:
            private_bytes: 32 secret bytes (RFC 7748).

        Raises:
            KeyFormatError: Not 32 bytes.
        """
        if len(private_bytes) != KEY_BYTES:
            raise KeyFormatError(f"a sealing key has {KEY_BYTES} bytes")
        self._key = X25519PrivateKey.from_private_bytes(private_bytes)
        self.public_bytes: bytes = self._key.public_key().public_bytes_raw()

    @classmethod
    def generate(cls) -> "SealingKey":
        """Return a new random key."""
        return cls(random_bytes(KEY_BYTES))

    @classmethod
    def derive(cls, secret: bytes, purpose: bytes) -> "SealingKey":
        """Return the key that follows from a secret, for one purpose (HKDF-SHA256, RFC 5869).

        Args:
            secret: At least 32 random bytes.
            purpose: What the key is for; no other use of the secret has the same.
        """
        return cls(
            HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(secret)
        )

    @property
    def private_bytes(self) -> bytes:
        """The 32 secret bytes: for sealed storage only."""
        return self._key.private_bytes_raw()

    def open(self, sealed: bytes, *, info: bytes) -> bytes:
        """Return what was sealed to this key.

        Args:
            sealed: What `seal` returned.
            info: As it was sealed with.

        Raises:
            SealError: Sealed to another key or with other `info`, or changed.
        """
        try:
            return _SUITE.decrypt(sealed, self._key, info=info)
        except (InvalidTag, ValueError):
            raise SealError(
                "it was sealed to another key or for another place, or changed"
            ) from None

    def __repr__(self) -> str:
        return f"SealingKey(public_bytes={self.public_bytes.hex()!r})"


def seal(content: bytes, public_bytes: bytes, *, info: bytes) -> bytes:
    """Return the content, sealed: `enc` and ciphertext (RFC 9180 section 6.1).

    Args:
        content: What only the key's holder is to read.
        public_bytes: The 32 bytes of the public key.
        info: What it is, and where it belongs; who opens it must say the same.

    Raises:
        KeyFormatError: Not a public key that can be sealed to.
    """
    try:
        return _SUITE.encrypt(content, X25519PublicKey.from_public_bytes(public_bytes), info=info)
    except ValueError:
        raise KeyFormatError(f"a public sealing key is a point of {KEY_BYTES} bytes") from None
