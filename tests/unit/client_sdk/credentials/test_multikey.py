"""Multikeys. The first two are examples of Controlled Identifiers 1.0 and of did:key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_sdk.credentials.jose import export_public_jwk, generate_key
from client_sdk.credentials.multikey import (
    decode_base58btc,
    decode_multikey,
    encode_base58btc,
    encode_multikey,
)
from client_sdk.errors import KeyFormatError

KNOWN = [
    "z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2",
    "zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169",
]


@pytest.mark.parametrize("text", KNOWN)
def test_published_keys_are_read_and_written_alike(text: str) -> None:
    assert encode_multikey(decode_multikey(text)) == text


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256"])
def test_our_keys_survive_the_round_trip(algorithm: str) -> None:
    for _ in range(8):
        key = generate_key(algorithm)
        assert export_public_jwk(decode_multikey(encode_multikey(key))) == export_public_jwk(key)


@given(st.binary(max_size=80))
def test_base58_carries_all_bytes(data: bytes) -> None:
    assert decode_base58btc(encode_base58btc(data)) == data


@pytest.mark.parametrize(
    "text",
    [
        "",
        "u6Mk",
        "z0OIl",
        "zé",
        "z" * 5000,
        encode_base58btc(b"\xed\x01" + bytes(31)),
        encode_base58btc(b"\x80\x24" + b"\x02" + bytes(31)),
        encode_base58btc(b"\x80\x24" + b"\x05" + bytes(32)),
        encode_base58btc(b"\x80\x24" + b"\x02" + b"\xff" * 32),
        encode_base58btc(b"\x12\x00" + bytes(32)),
    ],
)
def test_what_is_no_multikey_is_refused(text: str) -> None:
    with pytest.raises(KeyFormatError):
        decode_multikey(text)
