"""JSON that two parsers cannot read differently (RFC 8259, with the limits of RFC 7493)."""

import json
import math
from typing import Final, NoReturn

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.errors import CredentialFormatError

MAX_DEPTH: Final = 32
"""How deep objects and arrays may nest; the outermost counts as one."""


def parse_strict_json(data: bytes) -> JsonValue:
    """Return the value of a JSON text.

    Raises:
        CredentialFormatError: Not JSON in UTF-8; a name twice in one object; NaN or an infinity; a
            lone surrogate; nested deeper than `MAX_DEPTH`.
    """
    try:
        text = data.decode("utf-8")
        value: JsonValue = _DECODER.decode(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise CredentialFormatError(f"not strict JSON: {type(error).__name__}") from None
    if text.count("[") + text.count("{") > MAX_DEPTH and not _is_within_depth(value):
        raise CredentialFormatError(f"JSON nested deeper than {MAX_DEPTH} levels")
    return value


def parse_strict_json_object(data: bytes) -> JsonObject:
    """Return the members of a JSON object.

    Raises:
        CredentialFormatError: As `parse_strict_json`, or not an object.
    """
    value = parse_strict_json(data)
    if not isinstance(value, dict):
        raise CredentialFormatError("JSON: an object is expected")
    return value


def encode_json(value: JsonValue) -> bytes:
    """Return compact JSON in UTF-8; members keep their order.

    Raises:
        CredentialFormatError: The value is not JSON: another type, NaN, a lone surrogate, a cycle.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise CredentialFormatError(f"the value is not JSON: {type(error).__name__}") from None


def _object_of_unique_names(pairs: list[tuple[str, JsonValue]]) -> JsonObject:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return members


def _finite_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number too large for a double")
    return number


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and infinities are not JSON")


def _is_within_depth(value: JsonValue) -> bool:
    level: list[JsonValue] = [value]
    for _ in range(MAX_DEPTH):
        inner: list[JsonValue] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        if not inner:
            return True
        level = inner
    return not any(isinstance(item, dict | list) for item in level)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object_of_unique_names,
    parse_float=_finite_float,
    parse_constant=_refuse_constant,
)


def text_list(value: JsonValue) -> tuple[str, ...]:
    """Return a list's texts, or nothing where it is not a list of texts."""
    texts = [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
    return tuple(texts) if texts == value else ()
