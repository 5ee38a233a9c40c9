"""Canonical JSON and base64url: the one text form of every identity record (RFC 8785, RFC 4648)."""

import binascii
import json
from typing import Final, NoReturn, TypeAlias

import pybase64
import rfc8785

from chaincode.errors import DecodeError

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, "JsonValue"]

_ALTERNATIVE_CHARS: Final = b"-_"
_PADDINGS: Final = (b"", b"", b"==", b"=")
_LAST_CHARS: Final = (None, "", "AQgw", "AEIMQUYcgkosw048")
"""Which characters may stand last, by the length modulo 4: those whose spare bits are zero."""


def encode_canonical_json(value: JsonValue) -> bytes:
    """Return the RFC 8785 form of `value`.

    Raises:
        DecodeError: The value has no canonical form (an integer past 2^53, a lone surrogate).
    """
    try:
        return rfc8785.dumps(value)
    except (ValueError, RecursionError) as error:
        # ValueError: rfc8785 lets the UnicodeEncodeError of a name with a lone surrogate through.
        raise DecodeError(f"the value has no canonical JSON form: {type(error).__name__}") from None


def decode_canonical_json(data: bytes) -> JsonObject:
    """Return the JSON object that `data` is the RFC 8785 form of.

    Raises:
        DecodeError: Not JSON, not an object, or not in canonical form (so also: a name twice).
    """
    try:
        value = json.loads(data, parse_float=_refuse_number, parse_constant=_refuse_number)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"not canonical JSON: {type(error).__name__}") from None
    if not isinstance(value, dict):
        raise DecodeError("canonical JSON: an object is expected")
    if encode_canonical_json(value) != data:
        raise DecodeError("JSON, but not in its canonical form (RFC 8785)")
    return value


def encode_base64url(data: bytes) -> str:
    """Return base64url without padding (RFC 4648 section 5)."""
    return pybase64.b64encode_as_string(data, _ALTERNATIVE_CHARS).rstrip("=")


def decode_base64url(text: str) -> bytes:
    """Return the bytes of unpadded base64url; each byte string has exactly one accepted text.

    Raises:
        DecodeError: Another alphabet, padding, white space or non-zero trailing bits.
    """
    spare = len(text) % 4
    allowed = _LAST_CHARS[spare]
    if allowed is not None and text[-1] not in allowed:
        raise DecodeError("base64url with trailing bits or padding (RFC 4648 section 3.5)")
    try:
        # The decoder also takes padding, and `+` and `/` of the other alphabet.
        if "=" not in text and "+" not in text and "/" not in text:
            encoded = text.encode("ascii") + _PADDINGS[spare]
            return pybase64.b64decode(encoded, _ALTERNATIVE_CHARS, validate=True)
    except (UnicodeEncodeError, binascii.Error):
        pass
    raise DecodeError("not base64url without padding (RFC 4648 section 5)")


def _refuse_number(_text: str) -> NoReturn:
    raise ValueError("only whole numbers are allowed")
