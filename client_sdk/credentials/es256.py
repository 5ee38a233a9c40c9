"""ES256 (RFC 7518 section 3.4): by `tegata_es256` where it is built, else by `cryptography`.

Both give the same verdicts on the same 64 bytes (ADR 0071).
"""

from types import ModuleType
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import ECKey

_native: ModuleType | None = None
try:
    import tegata_es256
except ImportError:  # pragma: no cover - depends on the machine; the tests run both ways
    pass
else:
    _native = tegata_es256

SIGNATURE_BYTES: Final = 64
SCALAR_BYTES: Final = 32
_ECDSA: Final = ECDSA(SHA256())
_P256: Final = SECP256R1()
_UNCOMPRESSED: Final = b"\x04"
"""What a point begins with where both coordinates follow (SEC 1 section 2.3.3)."""
# Where a key keeps what was read of it once, beside what joserfc keeps there (`public_key`).
_PUBLIC: Final = "_tegata_public"
_PRIVATE: Final = "_tegata_private"


class P256Key(ECKey):
    """A key on P-256 whose JWK was checked; `cryptography` reads it once somebody asks."""

    _point: bytes | None = None

    @classmethod
    def of_point(cls, coordinates: bytes, members: dict[str, str | list[str]]) -> "P256Key":
        """Return the public key of a point.

        Args:
            coordinates: x and y, 32 bytes each.
            members: The JWK's `kty`, `crv`, `x` and `y`.

        Raises:
            ValueError: They are not a point of P-256.
        """
        point = _UNCOMPRESSED + coordinates
        if _native is None:
            return cls(EllipticCurvePublicKey.from_encoded_point(_P256, point), members)
        native_key = _native.PublicKey(point)
        unread: Any = None
        key = cls(unread, members)
        key._point = point
        key.__dict__[_PUBLIC] = native_key
        return key

    @classmethod
    def validate_dict_key(cls, data: Any) -> None:
        """Pass: the members were checked."""

    @property
    def raw_value(self) -> EllipticCurvePublicKey | EllipticCurvePrivateKey:
        """The key as `cryptography` has it."""
        point = self._point
        if point is not None:
            self._raw_value = EllipticCurvePublicKey.from_encoded_point(_P256, point)
            self._point = None
        return self._raw_value

    @property
    def is_private(self) -> bool:
        """Whether the private half is here."""
        return self._point is None and super().is_private

    @property
    def curve_name(self) -> str:
        """The curve's name in a JWK."""
        return "P-256"


def verify_es256(data: bytes, signature: bytes, key: ECKey) -> bool:
    """Tell whether a signature of 64 bytes is of these bytes, under the key's public half."""
    if len(signature) != SIGNATURE_BYTES:
        return False
    if _native is not None:
        found: bool = _native_public(_native, key).verify(signature, data)
        return found
    r, s = signature[:SCALAR_BYTES], signature[SCALAR_BYTES:]
    encoded = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
    try:
        key.public_key.verify(encoded, data, _ECDSA)
    except InvalidSignature:
        return False
    return True


def sign_es256(data: bytes, key: ECKey, private_key: EllipticCurvePrivateKey) -> bytes:
    """Return a signature of 64 bytes.

    Args:
        data: What is signed.
        key: The key.
        private_key: Its private half.
    """
    if _native is not None:
        signed: bytes = _native_private(_native, key, private_key).sign(data)
        return signed
    r, s = decode_dss_signature(private_key.sign(data, _ECDSA))
    return r.to_bytes(SCALAR_BYTES, "big") + s.to_bytes(SCALAR_BYTES, "big")


def _native_public(native: ModuleType, key: ECKey) -> Any:
    found = key.__dict__.get(_PUBLIC)
    if found is None:
        found = key.__dict__[_PUBLIC] = native.PublicKey(_point_of(key.public_key))
    return found


def _native_private(native: ModuleType, key: ECKey, private_key: EllipticCurvePrivateKey) -> Any:
    found = key.__dict__.get(_PRIVATE)
    if found is None:
        secret = private_key.private_numbers().private_value.to_bytes(SCALAR_BYTES, "big")
        found = native.PrivateKey(secret, _point_of(private_key.public_key()))
        key.__dict__[_PRIVATE] = found
    return found


def _point_of(public_key: EllipticCurvePublicKey) -> bytes:
    return public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
