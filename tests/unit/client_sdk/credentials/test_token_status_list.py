"""Token Status List. The two encoded lists are the examples of the draft's section 4.1."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.encoding import JsonObject, encode_base64url
from client_sdk.credentials.jose import generate_key, sign_compact
from client_sdk.credentials.token_status_list import (
    BITS,
    MAX_LIST_BYTES,
    Status,
    StatusList,
    StatusReference,
    sign_status_list,
    verify_status_list,
)
from client_sdk.errors import (
    CredentialFormatError,
    ExpiredError,
    SignatureError,
    StatusListError,
)

KEY = generate_key("ES256")
URI = "https://issuer.example/status/1"
ONE_BIT = ([1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1], "eNrbuRgAAhcBXQ")
TWO_BITS = ([1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3], "eNo76fITAAPfAgc")


def verify(token: str, now_s: int = 1000):  # type: ignore[no-untyped-def]
    return verify_status_list(token, issuer_key=KEY, expected_uri=URI, now_s=now_s, leeway_s=0)


def signed(payload: JsonObject, typ: str = "statuslist+jwt") -> str:
    claims: JsonObject = {
        "sub": URI,
        "iat": 1000,
        "status_list": {"bits": 1, "lst": ONE_BIT[1]},
        **payload,
    }
    return sign_compact({"typ": typ}, claims, KEY)


@pytest.mark.parametrize(("bits", "example"), [(1, ONE_BIT), (2, TWO_BITS)])
def test_the_drafts_examples(bits: int, example: tuple[list[int], str]) -> None:
    values, encoded = example
    decoded = StatusList.decode(encoded, bits=bits)
    assert [decoded[index] for index in range(len(decoded))] == values
    made = StatusList.of_size(len(values), bits=bits)
    for index, value in enumerate(values):
        made[index] = value
    assert made.encode() == encoded
    assert made.digest() == decoded.digest()


@given(bits=st.sampled_from(BITS), data=st.data())
def test_each_entry_stands_for_itself(bits: int, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.integers(0, 2**bits - 1), min_size=1, max_size=64))
    statuses = StatusList.of_size(len(values), bits=bits)
    for index in data.draw(st.permutations(range(len(values)))):
        statuses[index] = values[index]
    again = StatusList.decode(statuses.encode(), bits=bits)
    assert [again[index] for index in range(len(values))] == values


@pytest.mark.parametrize("index", [-1, 16, 10**30])
def test_an_index_outside_is_refused(index: int) -> None:
    with pytest.raises(StatusListError, match="16 entries"):
        StatusList.decode(ONE_BIT[1], bits=1)[index]


def test_a_status_that_does_not_fit_changes_nothing() -> None:
    statuses = StatusList.of_size(8, bits=1)
    with pytest.raises(StatusListError, match="does not fit"):
        statuses[0] = Status.SUSPENDED
    assert statuses.digest() == StatusList.of_size(8, bits=1).digest()


@pytest.mark.parametrize(
    "text",
    [
        "%",
        "AAAA",
        encode_base64url(zlib.compress(b"x") + b"more"),
        encode_base64url(zlib.compress(b"xyz")[:-2]),
        encode_base64url(zlib.compress(bytes(MAX_LIST_BYTES + 1))),
    ],
)
def test_what_is_not_one_bounded_stream_is_refused(text: str) -> None:
    with pytest.raises(StatusListError, match="lst"):
        StatusList.decode(text, bits=1)


def test_a_token_that_was_signed_is_read_back() -> None:
    statuses = StatusList.of_size(2**17, bits=2)
    statuses[70_000] = Status.SUSPENDED
    token = sign_status_list(
        statuses,
        uri=URI,
        issuer_key=KEY,
        issued_at=1000,
        expires_at=5000,
        ttl_s=600,
        header={"kid": "1"},
    )
    found = verify(token)
    assert found.statuses[70_000] == Status.SUSPENDED
    assert found.statuses[70_001] == Status.VALID
    assert (found.uri, found.issued_at) == (URI, 1000)
    assert found.fresh_until(1000) == 1600
    assert found.fresh_until(4900) == 5000


def test_a_token_without_an_end_is_fresh_for_ever() -> None:
    statuses = StatusList.of_size(8, bits=1)
    token = sign_status_list(statuses, uri=URI, issuer_key=KEY, issued_at=1000)
    assert verify(token).fresh_until(1000) is None


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"sub": "https://other.example"}, "another URI"),
        ({"status_list": {"bits": 3, "lst": ONE_BIT[1]}}, "bits"),
        ({"status_list": {"lst": ONE_BIT[1]}}, "bits and lst"),
        ({"status_list": "none"}, "bits and lst"),
        ({"ttl": 0}, "ttl"),
        ({"ttl": True}, "ttl"),
        ({"ttl": "600"}, "ttl"),
    ],
)
def test_a_malformed_token_is_refused(payload: JsonObject, words: str) -> None:
    with pytest.raises(StatusListError, match=words):
        verify(signed(payload))


def test_the_time_of_issue_is_required() -> None:
    claims: JsonObject = {"sub": URI, "status_list": {"bits": 1, "lst": ONE_BIT[1]}}
    with pytest.raises(StatusListError, match="iat"):
        verify(sign_compact({"typ": "statuslist+jwt"}, claims, KEY))


def test_another_type_key_or_time_is_refused() -> None:
    with pytest.raises(CredentialFormatError, match="typ"):
        verify(signed({}, typ="JWT"))
    with pytest.raises(ExpiredError):
        verify(signed({"exp": 1000}))
    token = sign_compact({"typ": "statuslist+jwt"}, {"sub": URI}, generate_key("ES256"))
    with pytest.raises(SignatureError):
        verify(token)


def test_a_reference_is_read_from_the_claim_that_it_writes() -> None:
    reference = StatusReference(index=7, uri=URI)
    assert StatusReference.from_claim(reference.to_claim()) == reference
    assert StatusReference.from_claim({"other": {}}) is None


@pytest.mark.parametrize(
    "claim",
    [
        None,
        {"status_list": None},
        {"status_list": {"idx": -1, "uri": URI}},
        {"status_list": {"idx": True, "uri": URI}},
        {"status_list": {"idx": 1.0, "uri": URI}},
        {"status_list": {"idx": 1, "uri": ""}},
        {"status_list": {"idx": 1}},
    ],
)
def test_a_malformed_reference_is_refused(claim: JsonObject) -> None:
    with pytest.raises(CredentialFormatError, match="status"):
        StatusReference.from_claim(claim)
