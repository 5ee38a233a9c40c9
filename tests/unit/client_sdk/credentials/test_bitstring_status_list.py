"""Bitstring Status List: the list of the specification's example, and refusals."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.encoding import JsonObject, decode_base64url, encode_base64url
from client_sdk.credentials.bitstring_status_list import (
    MAX_ENTRIES,
    MIN_ENTRIES,
    Bitstring,
    StatusEntry,
    build_list_credential,
    read_list_credential,
)
from client_sdk.credentials.w3c_vc import validate_credential
from client_sdk.errors import CredentialFormatError, ExpiredError, StatusListError

URL = "https://issuer.example/status/3"
ENTRY = StatusEntry(purpose="revocation", index=94_567, list_url=URL)
# Example 4 of Bitstring Status List 1.0: all 131,072 entries clear.
EXAMPLE = "uH4sIAAAAAAAAA-3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAAAAAAAAAIC3AYbSVKsAQAAA"


def credential(bits: Bitstring) -> JsonObject:
    return build_list_credential(
        bits,
        url=URL,
        issuer="did:web:issuer.example",
        purpose="revocation",
        valid_from="2026-01-01T00:00:00Z",
        valid_until="2026-02-01T00:00:00Z",
    )


def read(document: JsonObject, now_s: int = 1_768_000_000) -> Bitstring:
    return read_list_credential(document, entry=ENTRY, now_s=now_s, leeway_s=0)


def test_the_specifications_example_is_clear() -> None:
    bits = Bitstring.decode(EXAMPLE)
    assert len(bits) == MIN_ENTRIES
    assert bits.digest() == Bitstring().digest()


@given(st.sets(st.integers(0, MIN_ENTRIES - 1), max_size=20))
def test_exactly_the_set_bits_are_read_back(indices: set[int]) -> None:
    bits = Bitstring()
    for index in indices:
        bits[index] = True
    encoded = bits.encode()
    expected = bytearray(MIN_ENTRIES // 8)
    for index in indices:
        expected[index // 8] |= 0x80 >> index % 8
    assert gzip.decompress(decode_base64url(encoded.removeprefix("u"))) == expected
    again = Bitstring.decode(encoded)
    assert again.digest() == bits.digest()
    near = {index + step for index in indices for step in (-1, 0, 1)} & {*range(MIN_ENTRIES)}
    assert {index for index in near if again[index]} == indices
    for index in indices:
        again[index] = False
    assert again.digest() == Bitstring().digest()


def test_index_zero_is_the_left_most_bit() -> None:
    bits = Bitstring()
    bits[0] = True
    assert bits.encode() == "u" + encode_base64url(
        gzip.compress(b"\x80" + bytes(MIN_ENTRIES // 8 - 1), mtime=0)
    )


def test_a_list_credential_is_a_credential_and_is_read_back() -> None:
    bits = Bitstring()
    bits[ENTRY.index] = True
    document = credential(bits)
    validate_credential(document)
    assert read(document)[ENTRY.index]
    assert not read(document)[ENTRY.index + 1]


@pytest.mark.parametrize("index", [-1, MIN_ENTRIES])
def test_an_index_outside_is_refused(index: int) -> None:
    with pytest.raises(StatusListError, match="entries"):
        Bitstring()[index]


@pytest.mark.parametrize(
    "text",
    [
        EXAMPLE[1:],
        "u%",
        "uAAAA",
        "u" + encode_base64url(gzip.compress(bytes(MIN_ENTRIES // 8 - 1), mtime=0)),
        "u" + encode_base64url(gzip.compress(bytes(MAX_ENTRIES // 8 + 1), mtime=0)),
        "u" + encode_base64url(gzip.compress(bytes(MIN_ENTRIES // 8), mtime=0) * 2),
    ],
)
def test_what_is_not_one_bounded_stream_is_refused(text: str) -> None:
    with pytest.raises(StatusListError, match="encodedList"):
        Bitstring.decode(text)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"type": ["VerifiableCredential"]}, "BitstringStatusListCredential"),
        ({"id": "https://other.example"}, "another URL"),
        ({"credentialSubject": []}, "BitstringStatusListCredential"),
        ({"credentialSubject": {"statusPurpose": "suspension"}}, "not about revocation"),
        ({"credentialSubject": {"statusPurpose": "revocation"}}, "BitstringStatusList"),
    ],
)
def test_another_list_is_refused(changes: JsonObject, words: str) -> None:
    with pytest.raises(StatusListError, match=words):
        read({**credential(Bitstring()), **changes})


def test_a_list_may_serve_several_purposes() -> None:
    document = credential(Bitstring())
    subject = document["credentialSubject"]
    assert isinstance(subject, dict)
    subject["statusPurpose"] = ["suspension", "revocation"]
    assert len(read(document)) == MIN_ENTRIES


def test_a_list_out_of_its_time_is_refused() -> None:
    with pytest.raises(ExpiredError):
        read(credential(Bitstring()), now_s=1_800_000_000)


def test_an_entry_is_read_from_what_it_writes() -> None:
    assert StatusEntry.from_json(ENTRY.to_json()) == ENTRY


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "StatusList2021Entry"},
        {"statusListIndex": 5},
        {"statusListIndex": "-5"},
        {"statusListIndex": "٣"},
        {"statusSize": 2},
        {"statusListCredential": None},
    ],
)
def test_a_malformed_entry_is_refused(changes: JsonObject) -> None:
    with pytest.raises(CredentialFormatError, match="credentialStatus"):
        StatusEntry.from_json({**ENTRY.to_json(), **changes})


def test_no_entry_at_all_is_refused() -> None:
    with pytest.raises(CredentialFormatError, match="credentialStatus"):
        StatusEntry.from_json(None)
