"""Verification of Iroha's two signature schemes, and their key formats.

Both are Ed25519 (RFC 8032). `ed25519_sha3` (a key of 64 hex digits) puts SHA3-512 where RFC 8032
has SHA-512 and signs the SHA3-256 hash of the payload; `ed25519_sha2` (a multihash key, `ed0120`
and 64 hex digits) is RFC 8032 itself over the payload. Malleable signatures (S >= L), keys of small
or mixed order and points that are not canonical are refused in both (ADR 0008).

Signatures are verified by libsodium, or by `tegata_ed25519` where it is built, which is faster and
gives the same verdicts (ADR 0029).
"""

import hashlib
from binascii import unhexlify
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from types import ModuleType
from typing import Final, TypeAlias

from nacl import bindings as sodium
from nacl.exceptions import CryptoError

from chaincode.errors import DecodeError, SignatureInvalidError

_native: ModuleType | None = None
try:
    import tegata_ed25519
except ImportError:  # pragma: no cover - depends on the machine; the tests run both ways
    pass
else:
    _native = tegata_ed25519

MULTIHASH_PREFIX: Final = "ed0120"
_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_MAX_VARINT_BYTES: Final = 8
_CONTINUES: Final = 0x80
_BAD_SIGNATURE: Final = "Bad signature."

_Signed: TypeAlias = tuple[bool, bytes, bytes, bytes]
"""Whether the scheme is the SHA-3 one, the key, the signature, and the bytes that it signs."""


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


@dataclass(frozen=True, slots=True)
class SignatureClaim:
    """A signature that nobody has checked yet.

    Attributes:
        public_key: Hex, in either format.
        signature: 128 hex digits.
        payload: The serialised bytes whose signature this is.
    """

    public_key: str
    signature: str
    payload: bytes


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
    verdict = verify_signatures([SignatureClaim(public_key, signature, payload)])[0]
    if isinstance(verdict, SignatureInvalidError):
        raise verdict
    return verdict


def verify_signatures(
    claims: Sequence[SignatureClaim],
) -> list[PublicKey | SignatureInvalidError]:
    """Return for each claim its key, now known to have signed, or why it does not count.

    Many at once cost less than one by one, and may keep another thread's Python running.
    """
    verdicts: list[PublicKey | SignatureInvalidError] = []
    signed: list[_Signed] = []
    for claim in claims:
        try:
            key, item = _read_claim(claim)
        except SignatureInvalidError as error:
            verdicts.append(error)
        else:
            verdicts.append(key)
            signed.append(item)
    results = iter(_verify_many(signed))
    return [
        verdict
        if isinstance(verdict, SignatureInvalidError) or next(results)
        else SignatureInvalidError(_BAD_SIGNATURE)
        for verdict in verdicts
    ]


def _read_claim(claim: SignatureClaim) -> tuple[PublicKey, _Signed]:
    """Return the key, and what has to verify under it."""
    for text in (claim.signature, claim.public_key):
        if len(text) % 2:
            raise SignatureInvalidError("Hex string contains uneven number of characters.")
    try:
        signature = unhexlify(claim.signature)
        key_bytes = unhexlify(claim.public_key)
    except ValueError:
        raise SignatureInvalidError("hex digits are expected") from None
    key = _read_key(claim.public_key, key_bytes, len(signature))
    if len(signature) != _SIGNATURE_BYTES or not _is_acceptable_point(key.raw):
        raise SignatureInvalidError(_BAD_SIGNATURE)
    is_sha3 = key.algorithm is KeyAlgorithm.ED25519_SHA3
    message = hashlib.sha3_256(claim.payload).digest() if is_sha3 else claim.payload
    return key, (is_sha3, key.raw, signature, message)


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


def verify_many_by_libsodium(items: list[_Signed]) -> list[bool]:
    """Tell of each whether it verifies; the key is known to be acceptable."""
    return [
        _verify_sha3(key, signature, message) if is_sha3 else _verify_sha2(key, signature, message)
        for is_sha3, key, signature, message in items
    ]


_verify_many: Callable[[list[_Signed]], list[bool]] = (
    _native.verify_many if _native else verify_many_by_libsodium
)


def _verify_sha2(key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        sodium.crypto_sign_open(signature + message, key)
    except CryptoError:
        return False
    return True


def _verify_sha3(key: bytes, signature: bytes, message: bytes) -> bool:
    """Check S*B - k*A == R, byte by byte: the sum on the other side would pass a non-canonical R.

    An S that is not reduced is refused.
    """
    r_bytes, s_bytes = signature[:32], signature[32:]
    if sodium.crypto_core_ed25519_scalar_reduce(s_bytes + bytes(32)) != s_bytes:
        return False
    k = sodium.crypto_core_ed25519_scalar_reduce(hashlib.sha3_512(r_bytes + key + message).digest())
    try:
        difference = sodium.crypto_core_ed25519_sub(
            sodium.crypto_scalarmult_ed25519_base_noclamp(s_bytes),
            sodium.crypto_scalarmult_ed25519_noclamp(k, key),
        )
    except CryptoError:
        return False
    return difference == r_bytes
