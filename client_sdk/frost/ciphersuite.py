"""The two ciphersuites: FROST(Ed25519, SHA-512) of RFC 9591, and its twin for Iroha's SHA-3 keys.

The twin differs in two things, as Iroha's own signatures do: SHA3-512 stands where the RFC has
SHA-512, and what is signed is the SHA3-256 hash of the payload.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chaincode.signatures import KeyAlgorithm
from client_sdk.frost.group import Point, Scalar, reduce_scalar


def _sha512(data: bytes) -> bytes:
    return hashlib.sha512(data).digest()


def _sha3_512(data: bytes) -> bytes:
    return hashlib.sha3_512(data).digest()


def _sha3_256(data: bytes) -> bytes:
    return hashlib.sha3_256(data).digest()


def _unchanged(data: bytes) -> bytes:
    return data


@dataclass(frozen=True, slots=True, kw_only=True)
class Ciphersuite:
    """The hash functions of one suite, by their use (RFC 9591 section 6.1).

    Attributes:
        context: What keeps the hashes of this suite apart from all others.
        digest: A hash of 64 bytes.
        prehash: What turns a payload into the message that is signed.
    """

    context: bytes
    digest: Callable[[bytes], bytes]
    prehash: Callable[[bytes], bytes]

    def binding_factor(self, data: bytes) -> Scalar:
        """Return H1, the factor that binds a nonce to message and signers."""
        return self._scalar(b"rho", data)

    def challenge(self, commitment: Point, public_key: Point, message: bytes) -> Scalar:
        """Return H2, the challenge of an ordinary Ed25519 signature: it has no context."""
        return reduce_scalar(self.digest(commitment + public_key + message))

    def nonce(self, data: bytes) -> Scalar:
        """Return H3, a nonce from random bytes and the secret share."""
        return self._scalar(b"nonce", data)

    def message_hash(self, message: bytes) -> bytes:
        """Return H4."""
        return self.digest(self.context + b"msg" + message)

    def commitments_hash(self, data: bytes) -> bytes:
        """Return H5."""
        return self.digest(self.context + b"com" + data)

    def possession_challenge(self, data: bytes) -> Scalar:
        """Return the challenge of a proof of possession; the RFC has none, this is Zcash's."""
        return self._scalar(b"dkg", data)

    def _scalar(self, use: bytes, data: bytes) -> Scalar:
        return reduce_scalar(self.digest(self.context + use + data))


CIPHERSUITES: Final = {
    KeyAlgorithm.ED25519_SHA2: Ciphersuite(
        context=b"FROST-ED25519-SHA512-v1", digest=_sha512, prehash=_unchanged
    ),
    KeyAlgorithm.ED25519_SHA3: Ciphersuite(
        context=b"TEGATA-FROST-ED25519-SHA3-512-v1", digest=_sha3_512, prehash=_sha3_256
    ),
}
"""The suite of each kind of key that the ledger knows."""
