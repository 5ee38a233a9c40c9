"""Canonical JSON and base64url: one text for each value, and every other text refused."""

import pytest

from chaincode.encoding import (
    JsonObject,
    JsonValue,
    decode_base64url,
    decode_canonical_json,
    encode_base64url,
    encode_canonical_json,
)
from chaincode.errors import DecodeError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({}, "{}"),
        ({"b": 1, "a": [True, False, None, ""]}, '{"a":[true,false,null,""],"b":1}'),
        ({"a": 2**53 - 1, "b": -(2**53) + 1}, '{"a":9007199254740991,"b":-9007199254740991}'),
        ({"é": '\u20ac$\n"\\/\x0f'}, '{"é":"€$\\n\\"\\\\/\\u000f"}'),
        # RFC 8785 section 3.2.3: names in the order of their UTF-16 units
        (
            {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\xf6": 7},
            '{"\\r":2,"1":4,"\x80":6,"\xf6":7,"\u20ac":1,"\U0001f600":5,"\ufb33":3}',
        ),
    ],
    ids=["empty", "order", "numbers", "escapes", "RFC 8785 3.2.3"],
)
def test_each_object_has_one_form(value: JsonObject, text: str) -> None:
    assert encode_canonical_json(value) == text.encode()
    assert decode_canonical_json(text.encode()) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"1",
        b'"{}"',
        b"null",
        b"{} ",
        b'{"a": 1}',
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b'{"a":1.0}',
        b'{"a":1e2}',
        b'{"a":-0}',
        b'{"a":01}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":9007199254740992}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":"\\u0041"}',
        b'{"a":"\\/"}',
        b'{"a":"\\ud800"}',
        b'{"\\ud800":1}',
        b'{"a":"\xff"}',
        b'{"a":"\x00"}',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b'{"a":' * 100_000,
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=lambda data: repr(data[:24]),
)
def test_every_other_form_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_canonical_json(data)


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), 2**53, {"a": "\udcff"}, {"\ud800": 1}, ["\ud800"]],
    ids=["nan", "infinity", "too large", "surrogate", "surrogate in a name", "in a list"],
)
def test_a_value_without_canonical_form_is_refused(value: JsonValue) -> None:
    with pytest.raises(DecodeError, match="no canonical JSON form"):
        encode_canonical_json(value)


def test_nesting_past_the_interpreter_is_refused() -> None:
    value: JsonValue = 1
    for _ in range(100_000):
        value = [value]
    with pytest.raises(DecodeError, match="RecursionError"):
        encode_canonical_json(value)


# RFC 4648 section 10, without padding; the last two need the alphabet of section 5
@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"f", "Zg"),
        (b"fo", "Zm8"),
        (b"foo", "Zm9v"),
        (b"foob", "Zm9vYg"),
        (b"fooba", "Zm9vYmE"),
        (b"foobar", "Zm9vYmFy"),
        (b"\xfb\xff", "-_8"),
        (b"\xff\xff\xff", "____"),
    ],
)
def test_base64url(data: bytes, text: str) -> None:
    assert encode_base64url(data) == text
    assert decode_base64url(text) == data


@pytest.mark.parametrize(
    "text",
    ["Zg==", "Zg=", "Zh", "Zm9", "Z", "Zg\n", " Zg", "Z g", "+/8", "é", "Zg\x00", "=", "\ud800"],
)
def test_other_base64_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        decode_base64url(text)
