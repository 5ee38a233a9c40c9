"""Multibase texts and Multikey public keys (Controlled Identifiers 1.0 sections 2.2.2 and 2.4)."""

from typing import Final

import base58
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from joserfc.jwk import OKPKey

from chaincode.encoding import decode_base64url, encode_base64url
from client_sdk.credentials.jose import Key, export_public_jwk, parse_public_jwk
from client_sdk.errors import KeyFormatError

_ED25519_PUBLIC: Final = bytes.fromhex("ed01")
_P256_PUBLIC: Final = bytes.fromhex("8024")
_MAX_CHARS: Final = 1 << 12
"""Base58 takes time that grows with the square of the length."""


def encode_base58btc(data: bytes) -> str:
    """Return bytes as a multibase text in base58btc, which begins with `z`."""
    return "z" + base58.b58encode(data).decode("ascii")


def decode_base58btc(text: str) -> bytes:
    """Return the bytes of a multibase text in base58btc.

    Raises:
        KeyFormatError: Another base, a foreign character, or too long.
    """
    if not text.startswith("z") or not text.isascii() or len(text) > _MAX_CHARS:
        raise KeyFormatError("multibase: a base58btc text, which begins with z, is expected")
    try:
        return base58.b58decode(text[1:])
    except ValueError:
        raise KeyFormatError("multibase: a character that is not of base58btc") from None


def encode_multikey(key: Key) -> str:
    """Return the public half of a key as a Multikey, `z6Mk...` for Ed25519, `zDn...` for P-256."""
    jwk = export_public_jwk(key)
    x = decode_base64url(str(jwk["x"]))
    if isinstance(key, OKPKey):
        return encode_base58btc(_ED25519_PUBLIC + x)
    # A compressed point (SEC 1 section 2.3.3): x, and whether y is odd.
    is_odd = decode_base64url(str(jwk["y"]))[-1] & 1
    return encode_base58btc(_P256_PUBLIC + bytes([2 + is_odd]) + x)


def decode_multikey(text: str) -> Key:
    """Return the public key that a Multikey stands for.

    Raises:
        KeyFormatError: Not a Multikey of Ed25519 or P-256.
    """
    data = decode_base58btc(text)
    if data.startswith(_ED25519_PUBLIC):
        x = encode_base64url(data.removeprefix(_ED25519_PUBLIC))
        return parse_public_jwk({"kty": "OKP", "crv": "Ed25519", "x": x})
    if data.startswith(_P256_PUBLIC):
        return _decompress_p256(data.removeprefix(_P256_PUBLIC))
    raise KeyFormatError("Multikey: a public key on Ed25519 or P-256 is expected")


def _decompress_p256(point: bytes) -> Key:
    if len(point) != 33:
        raise KeyFormatError("Multikey: a compressed P-256 point has 33 bytes")
    try:
        numbers = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point).public_numbers()
    except (ValueError, UnsupportedAlgorithm):
        raise KeyFormatError("Multikey: not a point of P-256") from None
    x, y = (encode_base64url(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    return parse_public_jwk({"kty": "EC", "crv": "P-256", "x": x, "y": y})
