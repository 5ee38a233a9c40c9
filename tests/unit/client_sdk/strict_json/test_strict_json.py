"""Strict JSON: the fast way reads exactly what the standard library's decoder reads strictly."""

import json
import math
from typing import Any, NoReturn

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from client_sdk.errors import CredentialFormatError
from client_sdk.strict_json import MAX_DEPTH, encode_json, parse_strict_json

TEXTS = st.text(st.sampled_from('ab":, \\\t\n手😀{}[]/'), max_size=6)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
)
ODD_TEXTS = st.text(st.sampled_from('{}[]:,"\\ab1.-eE+ \t\nntrue手u0d8'), max_size=24)


def slow(data: bytes) -> Any:
    """Return what the standard library reads, or None where it is not strict JSON."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            raise ValueError
        return members

    def refuse(_text: str) -> NoReturn:
        raise ValueError

    def finite(text: str) -> float:
        if math.isinf(float(text)):
            raise ValueError
        return float(text)

    try:
        value = json.loads(
            data.decode(), object_pairs_hook=unique, parse_constant=refuse, parse_float=finite
        )
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return ...
    return value


def read(data: bytes) -> Any:
    try:
        return parse_strict_json(data)
    except CredentialFormatError:
        return ...


@given(data=ODD_TEXTS.map(str.encode) | st.binary(max_size=24))
@example(data=b'{"a":1,"a":2}')
@example(data=b'{"a" :1,"a":2}')
@example(data=b'{"a"\t:1,"a":2}')
@example(data=b'{"a"\n:1,"b":{"a"\r:1,"a":2}}')
@example(data=b'{"a":1,"\\u0061":2}')
@example(data=b'{"a":1,"b":":","a":":"}')
@example(data=b'["\\ud800"]')
@example(data=b"[1e999]")
@example(data=b"[NaN]")
@example(data=b"\xef\xbb\xbf{}")
@example(data=b"[" * 100_000)
@example(data=b"1" * 5000)
@example(data=b"[123456789012345678901234567890]")
def test_bytes_are_read_as_the_standard_library_reads_them(data: bytes) -> None:
    assert repr(read(data)) == repr(slow(data))


@given(value=VALUES, indent=st.sampled_from([None, 1]), is_ascii=st.booleans())
def test_values_are_read_back(value: Any, indent: int | None, is_ascii: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=is_ascii)
    assert repr(parse_strict_json(text.encode())) == repr(value)
    assert json.loads(encode_json(value)) == value


@pytest.mark.parametrize(
    "value", [math.nan, [math.inf], {"a": b"bytes"}, {1: 2}, object(), {"a": {1, 2}}, "\ud800"]
)
def test_what_is_not_json_is_not_written(value: Any) -> None:
    with pytest.raises(CredentialFormatError):
        encode_json(value)


def test_a_cycle_is_not_written() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(CredentialFormatError):
        encode_json(value)


def test_nesting_is_bounded() -> None:
    assert parse_strict_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    with pytest.raises(CredentialFormatError, match="deeper"):
        parse_strict_json(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))
