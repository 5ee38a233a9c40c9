"""A participant's lasting identity among the others: it signs what it says, and opens envelopes.

Envelopes are NaCl boxes from a key that is made for one of them. Its sender can therefore show
everybody what was in it, without giving anything else away: so a quarrel about a bad share is
settled, and not by whom one believes.
"""

import hashlib
from typing import Final, Self

from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey
from nacl.signing import SigningKey, VerifyKey
from nacl.utils import random as random_bytes

from chaincode.encoding import JsonObject, encode_base64url
from client_sdk.credentials.jose import Key, key_from_seed, parse_public_jwk, sign_compact
from client_sdk.errors import FrostFormatError, KeyFormatError

SEED_BYTES: Final = 32


class HostKey:
    """A participant's private host key, an Ed25519 key. Its repr shows nothing secret.

    Attributes:
        public: The public half, 32 bytes.
    """

    __slots__ = ("_jwt_key", "_signing_key", "public")

    def __init__(self, seed: bytes) -> None:
        """Derive the key from a secret seed of 32 bytes.

        Raises:
            KeyFormatError: The seed has another length.
        """
        if len(seed) != SEED_BYTES:
            raise KeyFormatError(f"a host key has {SEED_BYTES} bytes, this one {len(seed)}")
        self._signing_key = SigningKey(seed)
        self.public = bytes(self._signing_key.verify_key)
        self._jwt_key = key_from_seed(seed)

    @classmethod
    def generate(cls) -> Self:
        """Return a new random key."""
        return cls(random_bytes(SEED_BYTES))

    @property
    def seed(self) -> bytes:
        """The secret that the key is made from: for sealed storage only."""
        return bytes(self._signing_key)

    def sign(self, payload: JsonObject, typ: str) -> str:
        """Return a signed JWT."""
        return sign_compact({"typ": typ}, payload, self._jwt_key)

    def open_envelope(self, envelope: bytes, label: bytes) -> bytes:
        """Return what an envelope to this key holds.

        Raises:
            FrostFormatError: It is not addressed to this key, has another label, or was changed.
        """
        return _open(self._signing_key.to_curve25519_private_key(), envelope[:32], envelope, label)

    def __repr__(self) -> str:
        return f"HostKey(public={self.public.hex()!r})"


def verification_key(public: bytes) -> Key:
    """Return the key that a participant's JWTs are verified with.

    Raises:
        KeyFormatError: Not a public host key.
    """
    _encryption_key(public)
    return parse_public_jwk({"kty": "OKP", "crv": "Ed25519", "x": encode_base64url(public)})


def seal_envelope(content: bytes, *, to: bytes, label: bytes, envelope_key: bytes) -> bytes:
    """Return an envelope that only the host key `to` opens.

    Args:
        content: What goes in.
        to: The receiver's public host key.
        label: What the envelope belongs to; it opens under no other.
        envelope_key: 32 secret bytes that serve for this envelope alone.
    """
    private = PrivateKey(envelope_key)
    box = Box(private, PublicKey(_encryption_key(to)))
    return bytes(private.public_key) + box.encrypt(content, _nonce(label)).ciphertext


def reveal_envelope(envelope: bytes, *, to: bytes, label: bytes, envelope_key: bytes) -> bytes:
    """Return what an envelope holds, by the key that its sender made for it.

    Raises:
        FrostFormatError: The key is not this envelope's, or the envelope opens for nobody.
    """
    private = PrivateKey(envelope_key)
    if bytes(private.public_key) != envelope[:32]:
        raise FrostFormatError("the key is not the one that the envelope was made with")
    return _open(private, _encryption_key(to), envelope, label)


def _open(private: PrivateKey, public: bytes, envelope: bytes, label: bytes) -> bytes:
    try:
        return Box(private, PublicKey(public)).decrypt(envelope[32:], _nonce(label))
    except (CryptoError, ValueError):
        raise FrostFormatError("the envelope does not open") from None


def _nonce(label: bytes) -> bytes:
    """Return a nonce; each envelope has a key of its own, so that it may be known beforehand."""
    return hashlib.sha256(label).digest()[: Box.NONCE_SIZE]


def _encryption_key(public: bytes) -> bytes:
    try:
        return bytes(VerifyKey(public).to_curve25519_public_key())
    except (CryptoError, ValueError):
        raise KeyFormatError("a host key is no point of the prime-order group") from None
