"""JSON that two parsers cannot read differently (RFC 8259, with the limits of RFC 7493)."""

import json
import math
from typing import Final, NoReturn

import msgspec

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.errors import CredentialFormatError

_PLAIN: Final = frozenset({str, int, bool, type(None)})
"""What is JSON whatever its value; a lone surrogate is found where it is written."""
MAX_DEPTH: Final = 32
"""How deep objects and arrays may nest; the outermost counts as one."""


def parse_strict_json(data: bytes) -> JsonValue:
    """Return the value of a JSON text.

    Raises:
        CredentialFormatError: Not JSON in UTF-8; a name twice in one object; NaN or an infinity; a
            lone surrogate; nested deeper than `MAX_DEPTH`.
    """
    try:
        # Fast, and as strict but for one thing: of a name that stands twice it keeps the last.
        value: JsonValue = msgspec.json.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _parse_with_standard_library(data)
    if _shows_each_name_once(data, _count_members(value, 1)):
        return value
    return _parse_with_standard_library(data)


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
    validate_json(value)
    return encode_validated_json(value)


def validate_json(value: JsonValue) -> None:
    """Refuse what is not JSON.

    Raises:
        CredentialFormatError: Of another type, NaN, an infinity, a cycle.
    """
    try:
        _validate_plain(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise CredentialFormatError(f"the value is not JSON: {type(error).__name__}") from None


def encode_validated_json(value: JsonValue) -> bytes:
    """Return what `encode_json` does of a value that `validate_json` has passed.

    Raises:
        CredentialFormatError: A lone surrogate.
    """
    try:
        return msgspec.json.encode(value)
    except (ValueError, RecursionError) as error:
        raise CredentialFormatError(f"the value is not JSON: {type(error).__name__}") from None


def _validate_plain(value: JsonValue) -> None:
    """Refuse what msgspec would write as something else."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if type(name) is not str:
                raise TypeError("a name that is no text")
            if type(inner) not in _PLAIN:
                _validate_plain(inner)
    elif isinstance(value, list | tuple):
        for element in value:
            if type(element) not in _PLAIN:
                _validate_plain(element)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("no number")
    elif value is not None and not isinstance(value, str | int | float):
        raise TypeError("of another type")


def _shows_each_name_once(data: bytes, members: int) -> bool:
    """Tell whether a text has exactly the members that were read of it; False where in doubt.

    Without escapes, and without white space behind a text, `":` ends a name wherever it stands but
    at the beginning of a text, and that one counts as a member too many.
    """
    if not members:
        return True
    if b"\\" in data or b'" ' in data or b"\n" in data or b"\t" in data or b"\r" in data:
        return False
    return data.count(b'":') == members


def _count_members(value: JsonValue, depth: int) -> int:
    """Return how many members all objects have together, and refuse what is nested too deep."""
    if type(value) is dict:
        count, inner = len(value), [*value.values()]
    elif type(value) is list:
        count, inner = 0, value
    else:
        return 0
    if depth > MAX_DEPTH:
        raise CredentialFormatError(f"JSON nested deeper than {MAX_DEPTH} levels")
    for item in inner:
        if type(item) is dict or type(item) is list:
            count += _count_members(item, depth + 1)
    return count


def _parse_with_standard_library(data: bytes) -> JsonValue:
    try:
        text = data.decode("utf-8")
        value: JsonValue = _DECODER.decode(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise CredentialFormatError(f"not strict JSON: {type(error).__name__}") from None
    _count_members(value, 1)
    return value


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


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object_of_unique_names,
    parse_float=_finite_float,
    parse_constant=_refuse_constant,
)


def text_list(value: JsonValue) -> tuple[str, ...]:
    """Return a list's texts, or nothing where it is not a list of texts."""
    texts = [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
    return tuple(texts) if texts == value else ()
