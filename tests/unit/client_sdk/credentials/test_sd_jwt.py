"""The text form of an SD-JWT, against RFC 9901 and against hostile text."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.encoding import encode_base64url
from client_sdk.credentials.jose import parse_compact, parse_public_jwk, verify_compact
from client_sdk.credentials.sd_jwt import MAX_DISCLOSURES, MAX_SD_JWT_CHARS, parse_sd_jwt
from client_sdk.credentials.sd_jwt_key_binding import verify_key_binding
from client_sdk.credentials.selective_disclosure import reveal
from client_sdk.errors import ClientError, CredentialFormatError, DisclosureError

VECTORS = json.loads(
    (Path(__file__).parents[3] / "vectors/sd_jwt/rfc9901.json").read_text(encoding="utf-8")
)
CASES = pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["section"])
JWT = "e30.e30.e30"


@CASES
def test_examples_of_rfc_9901(case: dict) -> None:
    sd_jwt = parse_sd_jwt(case["sd_jwt"])
    assert sd_jwt.encode() == case["sd_jwt"]
    typ = parse_compact(sd_jwt.issuer_jwt).unverified_header["typ"]
    assert isinstance(typ, str)
    issuer_key = parse_public_jwk(VECTORS["issuer_key"])
    _, payload = verify_compact(sd_jwt.issuer_jwt, issuer_key, typ)
    assert reveal(payload, sd_jwt.disclosures).claims == case["claims"]


@pytest.mark.parametrize(
    "case", [case for case in VECTORS["cases"] if "key_binding" in case], ids=lambda c: c["section"]
)
def test_key_bindings_of_rfc_9901(case: dict) -> None:
    claims = verify_key_binding(
        parse_sd_jwt(case["sd_jwt"]),
        hash_algorithm="sha-256",
        holder_key=parse_public_jwk(case["claims"]["cnf"]["jwk"]),
        expected_audience=VECTORS["audience"],
        expected_nonce=VECTORS["nonce"],
        now_s=case["key_binding"]["iat"],
        max_age_s=0,
        leeway_s=0,
    )
    assert claims == case["key_binding"]


@pytest.mark.parametrize("kind", ["object_member", "array_element"])
def test_disclosures_of_rfc_9901(kind: str) -> None:
    expected = VECTORS["disclosures"][kind]
    (disclosure,) = parse_sd_jwt(f"{JWT}~{expected['encoded']}~").disclosures
    assert disclosure.salt == expected["salt"]
    assert disclosure.name == expected["name"]
    assert disclosure.value == expected["value"]
    assert disclosure.digest() == expected["digest"]


@pytest.mark.parametrize("encoded", VECTORS["disclosures"]["same_claim_otherwise_written"])
def test_another_spelling_is_the_same_claim_under_another_digest(encoded: str) -> None:
    expected = VECTORS["disclosures"]["object_member"]
    (disclosure,) = parse_sd_jwt(f"{JWT}~{encoded}~").disclosures
    assert (disclosure.name, disclosure.value) == (expected["name"], expected["value"])
    assert disclosure.digest() != expected["digest"]


def test_the_parts_and_what_a_key_binding_covers() -> None:
    encoded = VECTORS["disclosures"]["object_member"]["encoded"]
    plain = parse_sd_jwt(f"{JWT}~{encoded}~")
    assert plain.key_binding_jwt is None
    bound = parse_sd_jwt(f"{JWT}~{encoded}~{JWT}")
    assert bound.key_binding_jwt == JWT
    assert bound.hashed_part == plain.hashed_part == f"{JWT}~{encoded}~"
    assert parse_sd_jwt(f"{JWT}~").hashed_part == f"{JWT}~"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "~",
        JWT,
        f"~{JWT}",
        "e30.e30~",
        f"{JWT}~WyJhIiwxXQ",
        f"{JWT}~e30.e30",
        f" {JWT}~",
        f"{JWT}~\n",
        f"{JWT}.e30~",
        "é30.e30.e30~",
        f"{JWT}~" + "A" * MAX_SD_JWT_CHARS,
    ],
)
def test_4_text_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(CredentialFormatError):
        parse_sd_jwt(text)


@pytest.mark.parametrize("text", [None, b"e30.e30.e30~", 1, [JWT]])
def test_another_type_is_refused(text: object) -> None:
    with pytest.raises(CredentialFormatError):
        parse_sd_jwt(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "!!!!",
        "WyJhIiwxXQ==",
        "WyJhIiwxXR",
        "WyJhIiwx XQ",
        "é",
        *(
            encode_base64url(contents.encode())
            for contents in (
                "{}",
                '"a"',
                "[]",
                '["a"]',
                '["a","b",1,2]',
                "[1,2]",
                '[1,"b",2]',
                '["a",2,3]',
                '["a",null,3]',
                '["a",{"b":1,"b":2}]',
                '["a",NaN]',
                '["a","b",1',
                '["a",' + "[" * 40 + "]" * 40 + "]",
                '["a",' + "[" * 100_000,
            )
        ),
        encode_base64url(b'["a","\xff"]'),
    ],
)
def test_7_1_3_c_malformed_disclosures_are_refused(encoded: str) -> None:
    with pytest.raises(DisclosureError):
        parse_sd_jwt(f"{JWT}~{encoded}~")


def test_the_same_disclosure_twice_is_refused() -> None:
    with pytest.raises(DisclosureError, match="twice"):
        parse_sd_jwt(f"{JWT}~WyJhIiwxXQ~WyJhIiwxXQ~")


def test_too_many_disclosures_are_refused() -> None:
    encoded = [encode_base64url(f'["a",{n}]'.encode()) for n in range(MAX_DISCLOSURES + 1)]
    assert parse_sd_jwt("~".join([JWT, *encoded[1:], ""]))
    with pytest.raises(DisclosureError, match="more than"):
        parse_sd_jwt("~".join([JWT, *encoded, ""]))


def test_no_repr_shows_a_salt_or_a_value() -> None:
    sd_jwt = parse_sd_jwt(f"{JWT}~{VECTORS['disclosures']['object_member']['encoded']}~")
    for secret in ("Möbius", "_26bc4LT", "WyJfMjZi"):
        assert secret not in repr(sd_jwt)


@given(
    st.one_of(
        st.text(),
        st.lists(st.sampled_from([JWT, "", "~", "WyJhIiwxXQ", "W10", "."]), max_size=8).map(
            "~".join
        ),
        st.lists(st.binary(max_size=20).map(encode_base64url), max_size=4).map(
            lambda parts: "~".join([JWT, *parts, ""])
        ),
    )
)
def test_any_text_parses_and_encodes_back_or_raises_our_error(text: str) -> None:
    try:
        sd_jwt = parse_sd_jwt(text)
    except ClientError:
        return
    assert sd_jwt.encode() == text
