"""The key of a ledger account: both of Iroha's schemes, by libsodium."""

import hashlib
from pathlib import Path
from typing import Final, Self

from nacl import bindings as sodium
from nacl.utils import random as random_bytes

from chaincode.errors import DecodeError
from chaincode.signatures import KeyAlgorithm, PublicKey, parse_public_key
from client_sdk.errors import KeyFormatError

SEED_BYTES: Final = 32


class AccountKey:
    """A private key of an account. It never shows its secret in a repr.

    Attributes:
        public_key: The public half, in the form that Iroha writes.
    """

    __slots__ = ("_algorithm", "_expanded", "_raw_public", "_seed", "public_key")

    def __init__(self, seed: bytes, algorithm: KeyAlgorithm = KeyAlgorithm.ED25519_SHA2) -> None:
        """Derive a key from its 32-byte seed.

        Raises:
            KeyFormatError: The seed is not 32 bytes long.
        """
        if len(seed) != SEED_BYTES:
            raise KeyFormatError(f"a private key has {SEED_BYTES} bytes, this one {len(seed)}")
        self._seed = seed
        self._algorithm = algorithm
        if algorithm is KeyAlgorithm.ED25519_SHA2:
            self._raw_public, self._expanded = sodium.crypto_sign_seed_keypair(seed)
        else:
            self._expanded = _expand_sha3(seed)
            self._raw_public = sodium.crypto_scalarmult_ed25519_base_noclamp(self._expanded[:32])
        self.public_key: str = PublicKey(algorithm, self._raw_public).encode()

    @classmethod
    def generate(cls, algorithm: KeyAlgorithm = KeyAlgorithm.ED25519_SHA2) -> Self:
        """Return a new random key."""
        return cls(random_bytes(SEED_BYTES), algorithm)

    @classmethod
    def load(cls, private_key_file: Path) -> Self:
        """Read a keypair of Iroha: `NAME.priv`, a seed of 64 hex digits, and `NAME.pub` beside it.

        Raises:
            KeyFormatError: A file cannot be read, or the two halves do not belong together.
        """
        public_key_file = private_key_file.with_suffix(".pub")
        try:
            seed = bytes.fromhex(private_key_file.read_text(encoding="ascii").strip())
            public_key = parse_public_key(public_key_file.read_text(encoding="ascii").strip())
        except (OSError, ValueError, DecodeError) as error:
            raise KeyFormatError(
                f"{private_key_file} and .pub: not a keypair ({type(error).__name__})"
            ) from None
        key = cls(seed, public_key.algorithm)
        if key.raw_public_key != public_key.raw:
            raise KeyFormatError(f"{public_key_file}: not the public half of {private_key_file}")
        return key

    @property
    def algorithm(self) -> KeyAlgorithm:
        """The scheme of this key's signatures."""
        return self._algorithm

    @property
    def seed(self) -> bytes:
        """The 32 secret bytes that the key is made from: for sealed storage only."""
        return self._seed

    @property
    def raw_public_key(self) -> bytes:
        """The 32 bytes of the compressed public point."""
        return self._raw_public

    def sign(self, payload: bytes) -> str:
        """Return the signature of serialised payload bytes, 128 hex digits."""
        if self._algorithm is KeyAlgorithm.ED25519_SHA2:
            return sodium.crypto_sign(payload, self._expanded)[: sodium.crypto_sign_BYTES].hex()
        return self._sign_sha3(hashlib.sha3_256(payload).digest()).hex()

    def _sign_sha3(self, message: bytes) -> bytes:
        """Sign as RFC 8032 section 5.1.6 does, with SHA3-512 as the hash."""
        scalar, prefix = self._expanded[:32], self._expanded[32:]
        r = _hash_to_scalar(prefix + message)
        r_point = sodium.crypto_scalarmult_ed25519_base_noclamp(r)
        k = _hash_to_scalar(r_point + self._raw_public + message)
        s = sodium.crypto_core_ed25519_scalar_add(
            r, sodium.crypto_core_ed25519_scalar_mul(k, scalar)
        )
        return r_point + s

    def __repr__(self) -> str:
        return f"AccountKey(public_key={self.public_key!r})"


def _hash_to_scalar(data: bytes) -> bytes:
    return sodium.crypto_core_ed25519_scalar_reduce(hashlib.sha3_512(data).digest())


def _expand_sha3(seed: bytes) -> bytes:
    """Return the reduced secret scalar and the prefix, 32 bytes each (RFC 8032 section 5.1.5)."""
    digest = bytearray(hashlib.sha3_512(seed).digest())
    digest[0] &= 248
    digest[31] &= 63
    digest[31] |= 64
    scalar = sodium.crypto_core_ed25519_scalar_reduce(bytes(digest[:32]) + bytes(32))
    return scalar + bytes(digest[32:])
