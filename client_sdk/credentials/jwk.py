"""Keys of JOSE on Ed25519 and P-256: their JWKs, and bare signatures by them.

Keys are joserfc's; signatures go to `cryptography` and libsodium without a detour (ADR 0042).
"""

from typing import Any, Final, TypeAlias, cast

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from chaincode.encoding import JsonObject, JsonValue, decode_base64url, encode_base64url
from chaincode.errors import DecodeError
from client_sdk.credentials.es256 import P256Key, sign_es256, verify_es256
from client_sdk.errors import KeyFormatError

Key: TypeAlias = ECKey | OKPKey

EDDSA: Final = "EdDSA"
ES256: Final = "ES256"
ALGORITHMS: Final = (EDDSA, ES256)

_COORDINATE_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64


class _CheckedOkpKey(OKPKey):
    """A key whose members `_read_members` has checked, so that nobody does it again."""

    @classmethod
    def validate_dict_key(cls, data: Any) -> None:
        """Pass."""


def generate_key(algorithm: str = EDDSA) -> Key:
    """Return a new random private key for `algorithm`.

    Raises:
        KeyFormatError: Not one of `ALGORITHMS`.
    """
    match algorithm:
        case "EdDSA":
            return OKPKey.generate_key("Ed25519")
        case "ES256":
            return ECKey.generate_key("P-256")
        case _:
            raise KeyFormatError(f"keys are made for {' and '.join(ALGORITHMS)} only")


def key_from_seed(seed: bytes) -> Key:
    """Return the private key on Ed25519 that 32 secret bytes stand for (RFC 8032 section 5.1.5)."""
    public_key = bytes(SigningKey(seed).verify_key)
    return parse_private_jwk(
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": encode_base64url(public_key),
            "d": encode_base64url(seed),
        }
    )


def algorithm_of(key: Key) -> str:
    """Return the one algorithm that a key may be used with: `EdDSA` or `ES256`.

    Raises:
        KeyFormatError: The key is of another type or curve.
    """
    match key:
        case OKPKey() if key.curve_name == "Ed25519":
            return EDDSA
        case ECKey() if key.curve_name == "P-256":
            return ES256
        case _:
            raise KeyFormatError("a key on Ed25519 or P-256 is expected")


def parse_public_jwk(jwk: JsonValue) -> Key:
    """Return the key of a public JWK (RFC 7517, RFC 8037); only `kty`, `crv`, `x`, `y` are read.

    Raises:
        KeyFormatError: Not a JWK on Ed25519 or P-256, a coordinate of another length or off the
            curve, or the JWK holds a private key.
    """
    if isinstance(jwk, dict) and "d" in jwk:
        raise KeyFormatError("JWK: a private key where only a public one may stand")
    return _parse_jwk(jwk, private=False)


def parse_private_jwk(jwk: JsonValue) -> Key:
    """Return the key of a private JWK, as `export_private_jwk` writes it.

    Raises:
        KeyFormatError: As `parse_public_jwk`; `d` is absent, or is not the private half of the key.
    """
    key = _parse_jwk(jwk, private=True)
    # OpenSSL compares the halves on P-256 only; an Ed25519 JWK with a foreign `x` would sign as it.
    if isinstance(key, OKPKey):
        derived = OKPKey.import_key(key.raw_value)
        if export_public_jwk(derived) != export_public_jwk(key):
            raise KeyFormatError("JWK: the private and the public half do not belong together")
    return key


def export_public_jwk(key: Key) -> JsonObject:
    """Return the public JWK with its required members only, also of a private key."""
    coordinates = ("x", "y") if isinstance(key, ECKey) else ("x",)
    return {name: cast(str, key[name]) for name in ("kty", "crv", *coordinates)}


def export_private_jwk(key: Key) -> JsonObject:
    """Return the JWK with its private member `d`: for sealed storage only.

    Raises:
        KeyFormatError: The key is only the public half.
    """
    if not key.is_private:
        raise KeyFormatError("a private key is expected; this is the public half")
    return {**export_public_jwk(key), "d": cast(str, key["d"])}


def thumbprint(key: Key) -> str:
    """Return the SHA-256 thumbprint of the public key, base64url (RFC 7638)."""
    return key.thumbprint()


def _parse_jwk(jwk: JsonValue, *, private: bool) -> Key:
    if not isinstance(jwk, dict):
        raise KeyFormatError("JWK: a JSON object is expected")
    secret = ("d",) if private else ()
    try:
        match jwk.get("kty"), jwk.get("crv"):
            case "OKP", "Ed25519":
                members, data = _read_members(jwk, "x", *secret)
                if private:
                    return OKPKey.import_key(members)
                return _CheckedOkpKey(Ed25519PublicKey.from_public_bytes(data), members)
            case "EC", "P-256":
                members, data = _read_members(jwk, "x", "y", *secret)
                if private:
                    return ECKey.import_key(members)
                return P256Key.of_point(data, members)
            case _:
                raise KeyFormatError("JWK: a key on Ed25519 (OKP) or P-256 (EC) is expected")
    except (JoseError, ValueError) as error:
        raise KeyFormatError(f"JWK: not a point of its curve ({type(error).__name__})") from None


def _read_members(jwk: JsonObject, *coordinates: str) -> tuple[dict[str, str | list[str]], bytes]:
    """Return the members that make the key, and the bytes of the coordinates one after another."""
    members: dict[str, str | list[str]] = {"kty": str(jwk["kty"]), "crv": str(jwk["crv"])}
    data = b""
    for name in coordinates:
        text = jwk.get(name)
        part = _decode_coordinate(text) if isinstance(text, str) else None
        if part is None or not isinstance(text, str):
            raise KeyFormatError(f"JWK: {name} must be {_COORDINATE_BYTES} bytes in base64url")
        members[name] = text
        data += part
    return members, data


def _decode_coordinate(text: str) -> bytes | None:
    try:
        data = decode_base64url(text)
    except DecodeError:
        return None
    return data if len(data) == _COORDINATE_BYTES else None


def sign_bytes(data: bytes, key: Key) -> bytes:
    """Return a signature of 64 bytes in the form that a JWS has (RFC 7518 section 3.4, RFC 8037).

    Raises:
        KeyFormatError: The key is only the public half.
    """
    match key.private_key:
        case EllipticCurvePrivateKey() as private_key:
            return sign_es256(data, key, private_key)
        case Ed25519PrivateKey() as private_key:
            return private_key.sign(data)
        case _:
            raise KeyFormatError("a private key is needed to sign; this is the public half")


def verify_bytes(data: bytes, signature: bytes, key: Key) -> bool:
    """Tell whether a signature in the form of a JWS is of these bytes, under the key's public half.

    Ed25519 is left to libsodium, which also refuses keys of small order and takes half the time.
    """
    if isinstance(key, ECKey):
        return verify_es256(data, signature, key)
    if len(signature) != _SIGNATURE_BYTES or not isinstance(key.public_key, Ed25519PublicKey):
        return False
    try:
        VerifyKey(key.public_key.public_bytes_raw()).verify(data, signature)
    except (BadSignatureError, ValueError):
        return False
    return True
