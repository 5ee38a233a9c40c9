"""Verification of Iroha's two signature schemes with libsodium, and their key formats.

Both are Ed25519 (RFC 8032). `ed25519_sha3` (a key of 64 hex digits) puts SHA3-512 where RFC 8032
has SHA-512 and signs the SHA3-256 hash of the payload; `ed25519_sha2` (a multihash key, `ed0120`
and 64 hex digits) is RFC 8032 itself over the payload. Malleable signatures (S >= L), keys of small
or mixed order and points that are not canonical are refused in both (ADR 0008).
"""

import hashlib
from binascii import unhexlify
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

from nacl import bindings as sodium
from nacl.exceptions import CryptoError

from chaincode.errors import DecodeError, SignatureInvalidError

MULTIHASH_PREFIX: Final = "ed0120"
_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_MAX_VARINT_BYTES: Final = 8
_CONTINUES: Final = 0x80
_BAD_SIGNATURE: Final = "Bad signature."


class KeyAlgorithm(Enum):
    """How a key's signatures are made; the names are those of Iroha's `crypto_type`."""

    ED25519_SHA3 = "ed25519_sha3_256"
    ED25519_SHA2 = "ed25519_sha2_256"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that signatures can be checked under.

    Attributes:
        algorithm: The scheme that the key belongs to.
        raw: 32 bytes, the compressed point.
    """

    algorithm: KeyAlgorithm
    raw: bytes

    def encode(self) -> str:
        """Return the key as Iroha writes it: lower-case hex, with `ed0120` before a SHA-2 key."""
        prefix = MULTIHASH_PREFIX if self.algorithm is KeyAlgorithm.ED25519_SHA2 else ""
        return prefix + self.raw.hex()


@lru_cache(maxsize=65_536)
def parse_public_key(text: str) -> PublicKey:
    """Return the key that a hex text of either format stands for.

    Raises:
        DecodeError: Not hex, or of a length or prefix that belongs to neither format.
    """
    try:
        data = unhexlify(text)
    except ValueError:
        raise DecodeError("public key: hex digits are expected") from None
    if len(data) == _KEY_BYTES:
        return PublicKey(KeyAlgorithm.ED25519_SHA3, data)
    prefix = bytes.fromhex(MULTIHASH_PREFIX)
    if len(data) == len(prefix) + _KEY_BYTES and data.startswith(prefix):
        return PublicKey(KeyAlgorithm.ED25519_SHA2, data.removeprefix(prefix))
    raise DecodeError("public key: 64 hex digits, or ed0120 and 64 hex digits, are expected")


def verify_signature(*, public_key: str, signature: str, payload: bytes) -> PublicKey:
    """Return the key, now known to have signed `payload`.

    Args:
        public_key: Hex, in either format.
        signature: 128 hex digits.
        payload: The serialised bytes whose signature this is.

    Raises:
        SignatureInvalidError: The key or signature is malformed, or the signature does not verify;
            the text is irohad's.
    """
    for text in (signature, public_key):
        if len(text) % 2:
            raise SignatureInvalidError("Hex string contains uneven number of characters.")
    try:
        signature_bytes = unhexlify(signature)
        key_bytes = unhexlify(public_key)
    except ValueError:
        raise SignatureInvalidError("hex digits are expected") from None
    key = _read_key(public_key, key_bytes, len(signature_bytes))
    if len(signature_bytes) != _SIGNATURE_BYTES or not _is_acceptable_point(key.raw):
        raise SignatureInvalidError(_BAD_SIGNATURE)
    try:
        if key.algorithm is KeyAlgorithm.ED25519_SHA2:
            sodium.crypto_sign_open(signature_bytes + payload, key.raw)
        else:
            _verify_sha3(key.raw, signature_bytes, hashlib.sha3_256(payload).digest())
    except CryptoError:
        raise SignatureInvalidError(_BAD_SIGNATURE) from None
    return key


def _read_key(text: str, data: bytes, signature_length: int) -> PublicKey:
    """Return a key; as in irohad, a raw one counts only beside a signature of the right length."""
    if len(data) != _KEY_BYTES or signature_length == _SIGNATURE_BYTES:
        try:
            return parse_public_key(text)
        except DecodeError:
            pass
    raise SignatureInvalidError(_multihash_problem(data))


def _multihash_problem(data: bytes) -> str:
    """Return why bytes are no multihash key that can be verified with, in irohad's words."""
    rest = _after_varint(data)
    if rest is None:
        return "Could not parse the Multihash data type."
    value = _after_varint(rest)
    if value is None:
        return "Could not parse the Multihash data length."
    length = _varint(rest[: len(rest) - len(value)])
    if length != len(value):
        return (
            "The length encoded in the input data header doesn't match the actual length of the "
            "input data"
        )
    return "Unimplemented signature algorithm."


def _after_varint(data: bytes) -> bytes | None:
    """Return what follows a variable-length number, or None where there is none."""
    for index, byte in enumerate(data[:_MAX_VARINT_BYTES]):
        if byte < _CONTINUES:
            return data[index + 1 :]
    return None


def _varint(data: bytes) -> int:
    return sum((byte & ~_CONTINUES) << (7 * index) for index, byte in enumerate(data))


@lru_cache(maxsize=65_536)
def _is_acceptable_point(raw: bytes) -> bool:
    """Tell whether 32 bytes are a canonical point of the prime-order group, not of small order."""
    return sodium.crypto_core_ed25519_is_valid_point(raw)


def _verify_sha3(key: bytes, signature: bytes, message: bytes) -> None:
    """Check S*B - k*A == R, byte by byte: the sum on the other side would pass a non-canonical R.

    Raises:
        CryptoError: The signature does not verify.
    """
    r_bytes, s_bytes = signature[:32], signature[32:]
    if sodium.crypto_core_ed25519_scalar_reduce(s_bytes + bytes(32)) != s_bytes:
        raise CryptoError("S is not reduced")
    k = sodium.crypto_core_ed25519_scalar_reduce(hashlib.sha3_512(r_bytes + key + message).digest())
    difference = sodium.crypto_core_ed25519_sub(
        sodium.crypto_scalarmult_ed25519_base_noclamp(s_bytes),
        sodium.crypto_scalarmult_ed25519_noclamp(k, key),
    )
    if difference != r_bytes:
        raise CryptoError("R differs")
