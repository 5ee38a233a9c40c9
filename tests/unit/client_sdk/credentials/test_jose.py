"""Signed JWTs and JWKs: what is signed verifies, and everything else is refused."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey

from client_sdk.credentials import jose
from client_sdk.errors import (
    ClientError,
    CredentialFormatError,
    ExpiredError,
    KeyFormatError,
    SignatureError,
)

EDDSA_KEY = jose.generate_key("EdDSA")
ES256_KEY = jose.generate_key("ES256")
KEYS = pytest.mark.parametrize("key", [EDDSA_KEY, ES256_KEY], ids=["EdDSA", "ES256"])

# RFC 8037 appendix A.1 and A.3
RFC8037_PRIVATE = {
    "kty": "OKP",
    "crv": "Ed25519",
    "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}
RFC8037_THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
# RFC 8037 appendix A.4
RFC8037_JWS = (
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)


def encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def forge(header: str, payload: str, key: jose.Key = EDDSA_KEY) -> str:
    """Sign texts that `sign_compact` would never make."""
    signing_input = f"{encode(header)}.{encode(payload)}"
    assert isinstance(key, OKPKey)
    signature = key.private_key.sign(signing_input.encode())  # type: ignore[union-attr]
    return f"{signing_input}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


@KEYS
def test_what_is_signed_verifies(key: jose.Key) -> None:
    token = jose.sign_compact({"typ": "a+jwt", "kid": "1"}, {"name": "Möbius 東京"}, key)
    public = jose.parse_public_jwk(jose.export_public_jwk(key))
    header, payload = jose.verify_compact(token, public, "a+jwt")
    assert header == {"alg": jose.algorithm_of(key), "typ": "a+jwt", "kid": "1"}
    assert payload == {"name": "Möbius 東京"}


def test_eddsa_is_that_of_rfc_8037() -> None:
    key = jose.parse_private_jwk(RFC8037_PRIVATE)
    assert jose.thumbprint(key) == RFC8037_THUMBPRINT
    signing_input, _, signature = RFC8037_JWS.rpartition(".")
    token = jose.UnverifiedToken(
        unverified_header={"alg": "EdDSA", "typ": "x"},
        unverified_payload={},
        _signing_input=signing_input.encode(),
        _signature=signature,
    )
    assert token.verify(key=key, expected_typ="x")


@KEYS
def test_another_key_of_the_same_kind_is_refused(key: jose.Key) -> None:
    token = jose.sign_compact({"typ": "a"}, {}, key)
    with pytest.raises(SignatureError):
        jose.verify_compact(token, jose.generate_key(jose.algorithm_of(key)), "a")


@KEYS
def test_every_changed_part_is_refused(key: jose.Key) -> None:
    header, payload, signature = jose.sign_compact({"typ": "a"}, {"b": 1}, key).split(".")
    other_header, other_payload, other = jose.sign_compact(
        {"typ": "a", "kid": "c"}, {"b": 2}, key
    ).split(".")
    for token in (
        f"{other_header}.{payload}.{signature}",
        f"{header}.{other_payload}.{signature}",
        f"{header}.{payload}.{other}",
        f"{header}.{payload}.{signature[:-4]}",
        f"{header}.{payload}.{signature}AA",
        f"{header}.{payload}.!",
    ):
        with pytest.raises(SignatureError):
            jose.verify_compact(token, key, "a")


def test_the_key_decides_the_algorithm() -> None:
    token = jose.sign_compact({"typ": "a"}, {}, EDDSA_KEY)
    with pytest.raises(SignatureError, match="ES256"):
        jose.verify_compact(token, ES256_KEY, "a")


@pytest.mark.parametrize("alg", ["none", "HS256", "Ed25519", "ES384", "eddsa", 1, None])
def test_7_1_2_a_other_algorithms_are_refused(alg: object) -> None:
    token = forge(json.dumps({"alg": alg, "typ": "a"}), "{}")
    with pytest.raises(SignatureError, match="alg"):
        jose.verify_compact(token, EDDSA_KEY, "a")


def test_a_header_member_of_another_type_is_refused() -> None:
    token = forge('{"alg":"EdDSA","typ":"a","kid":42}', "{}")
    with pytest.raises(SignatureError, match="kid"):
        jose.verify_compact(token, EDDSA_KEY, "a")


def test_a_symmetric_token_under_the_public_key_is_refused() -> None:
    public = json.dumps(jose.export_public_jwk(EDDSA_KEY)).encode()
    token = jws.serialize_compact(
        {"alg": "HS256", "typ": "a"}, b"{}", OctKey.import_key(public), ["HS256"]
    )
    with pytest.raises(SignatureError):
        jose.verify_compact(token, EDDSA_KEY, "a")


def test_a_key_of_small_order_signs_nothing() -> None:
    # The neutral point: under RFC 8032's equation alone, R = B and S = 1 would verify any message.
    weak = jose.parse_public_jwk(
        {"kty": "OKP", "crv": "Ed25519", "x": "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}
    )
    base_point = bytes.fromhex("58" + "66" * 31)
    signature = base_point + (1).to_bytes(32, "little")
    token = encode('{"alg":"EdDSA","typ":"a"}') + "." + encode("{}") + "."
    token += base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
    with pytest.raises(SignatureError):
        jose.verify_compact(token, weak, "a")


def test_another_typ_is_refused() -> None:
    token = jose.sign_compact({"typ": "a"}, {}, EDDSA_KEY)
    with pytest.raises(CredentialFormatError, match="typ"):
        jose.verify_compact(token, EDDSA_KEY, "b")
    with pytest.raises(CredentialFormatError, match="typ"):
        jose.verify_compact(jose.sign_compact({}, {}, EDDSA_KEY), EDDSA_KEY, "b")


@pytest.mark.parametrize(
    ("header", "payload"),
    [
        ('{"alg":"EdDSA","typ":"a","typ":"a"}', "{}"),
        ('{"alg":"EdDSA","typ":"a","crit":["exp"],"exp":1}', "{}"),
        ('{"alg":"EdDSA","typ":"a","b64":true}', "{}"),
        ('["EdDSA"]', "{}"),
        ('{"alg":"EdDSA","typ":"a"}', '{"b":1,"b":1}'),
        ('{"alg":"EdDSA","typ":"a"}', '{"b":{"c":1,"c":2}}'),
        ('{"alg":"EdDSA","typ":"a"}', '{"b":NaN}'),
        ('{"alg":"EdDSA","typ":"a"}', '{"b":-Infinity}'),
        ('{"alg":"EdDSA","typ":"a"}', '{"b":1e999}'),
        ('{"alg":"EdDSA","typ":"a"}', '{"b":"\\ud800"}'),
        ('{"alg":"EdDSA","typ":"a"}', "[]"),
        ('{"alg":"EdDSA","typ":"a"}', '"text"'),
        ('{"alg":"EdDSA","typ":"a"}', "{} {}"),
        ('{"alg":"EdDSA","typ":"a"}', '\ufeff{"b":1}'),
        ('{"alg":"EdDSA","typ":"a"}', '{"b":' + "[" * 32 + "]" * 32 + "}"),
        ('{"alg":"EdDSA","typ":"a"}', '{"b":' + "[" * 60_000 + "]" * 60_000 + "}"),
        ('{"alg":"EdDSA","typ":"a"}', '{"b":' + "9" * 5000 + "}"),
    ],
)
def test_signed_json_that_parsers_may_read_differently_is_refused(
    header: str, payload: str
) -> None:
    with pytest.raises(CredentialFormatError):
        jose.verify_compact(forge(header, payload), EDDSA_KEY, "a")


def test_json_may_nest_up_to_the_limit() -> None:
    payload = '{"b":' + "[" * 31 + "]" * 31 + "}"
    assert jose.verify_compact(forge('{"alg":"EdDSA","typ":"a"}', payload), EDDSA_KEY, "a")


def test_json_may_be_wide_and_hold_fractions() -> None:
    payload = {"a": [[] for _ in range(100)], "b": [{"c": 1.5} for _ in range(100)]}
    token = jose.sign_compact({"typ": "a"}, payload, EDDSA_KEY)
    assert jose.verify_compact(token, EDDSA_KEY, "a")[1] == payload


@pytest.mark.parametrize(
    "token",
    [
        "",
        "..",
        "a.b",
        "a.b.c.d",
        "e30.e30.",
        "e30=.e30.e30",
        "e31.e30.e30",
        "e30.e30.é",
        "é.e30.e30",
    ],
)
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(CredentialFormatError):
        jose.parse_compact(token)


@pytest.mark.parametrize("token", [None, b"e30.e30.e30", 7])
def test_another_type_is_refused(token: object) -> None:
    with pytest.raises(CredentialFormatError):
        jose.parse_compact(token)  # type: ignore[arg-type]


def test_a_token_that_is_too_long_is_refused_on_both_sides() -> None:
    payload = {"a": "x" * jose.MAX_TOKEN_CHARS}
    with pytest.raises(CredentialFormatError, match="characters"):
        jose.sign_compact({"typ": "a"}, payload, EDDSA_KEY)
    with pytest.raises(CredentialFormatError, match="characters"):
        jose.parse_compact(forge("{}", json.dumps(payload)))


@given(
    st.one_of(
        st.text(max_size=60), st.from_regex(r"e[A-Za-z0-9_-]{3,20}(\.[A-Za-z0-9_-]{4,20}){2}")
    )
)
def test_any_text_raises_only_our_errors(token: str) -> None:
    with pytest.raises(ClientError):
        jose.verify_compact(token, EDDSA_KEY, "a")


def test_signing_needs_the_private_half() -> None:
    public = jose.parse_public_jwk(jose.export_public_jwk(ES256_KEY))
    with pytest.raises(KeyFormatError, match="public half"):
        jose.sign_compact({}, {}, public)


@pytest.mark.parametrize(
    ("header", "payload"),
    [
        ({"alg": "ES256"}, {}),
        ({"crit": ["b64"], "b64": False}, {}),
        ({"kid": 42}, {}),
        ({"x5c": "text"}, {}),
        ({"a": {1, 2}}, {}),
        ({}, {"a": float("nan")}),
        ({}, {"a": "\ud800"}),
        ({}, {"a": object()}),
    ],
)
def test_what_cannot_be_signed_is_refused(header: dict, payload: dict) -> None:
    with pytest.raises(CredentialFormatError):
        jose.sign_compact(header, payload, EDDSA_KEY)


@KEYS
def test_jwks_round_trip(key: jose.Key) -> None:
    public = jose.export_public_jwk(key)
    assert "d" not in public
    assert jose.export_public_jwk(jose.parse_public_jwk({**public, "kid": "1"})) == public
    private = jose.export_private_jwk(key)
    again = jose.parse_private_jwk(private)
    assert jose.export_private_jwk(again) == private
    assert jose.thumbprint(again) == jose.thumbprint(jose.parse_public_jwk(public))
    assert str(private["d"]) not in repr(again)


EC_PUBLIC = jose.export_public_jwk(ES256_KEY)
OKP_PUBLIC = jose.export_public_jwk(EDDSA_KEY)


@pytest.mark.parametrize(
    "jwk",
    [
        None,
        [],
        "text",
        {},
        {"kty": ["OKP"], "crv": {}},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {**OKP_PUBLIC, "crv": "Ed448"},
        {**OKP_PUBLIC, "crv": "X25519"},
        {**EC_PUBLIC, "crv": "P-384"},
        {**EC_PUBLIC, "crv": "secp256k1"},
        {**OKP_PUBLIC, "x": 7},
        {**OKP_PUBLIC, "x": "AAAA"},
        {**OKP_PUBLIC, "x": str(OKP_PUBLIC["x"]) + "="},
        {"kty": "OKP", "crv": "Ed25519"},
        {**EC_PUBLIC, "y": EC_PUBLIC["x"]},
        {**EC_PUBLIC, "x": "A" + str(EC_PUBLIC["x"])},
        {**OKP_PUBLIC, "d": "AAAA"},
    ],
)
def test_what_is_no_public_jwk_is_refused(jwk: object) -> None:
    with pytest.raises(KeyFormatError):
        jose.parse_public_jwk(jwk)  # type: ignore[arg-type]


@KEYS
def test_a_private_jwk_needs_its_own_private_half(key: jose.Key) -> None:
    private = jose.export_private_jwk(key)
    other = jose.export_private_jwk(jose.generate_key(jose.algorithm_of(key)))
    for jwk in (jose.export_public_jwk(key), {**private, "d": other["d"]}, {**private, "d": "AA"}):
        with pytest.raises(KeyFormatError) as caught:
            jose.parse_private_jwk(jwk)
        assert str(private["d"]) not in str(caught.value)
    with pytest.raises(KeyFormatError):
        jose.export_private_jwk(jose.parse_public_jwk(jose.export_public_jwk(key)))


def test_keys_of_other_curves_are_refused() -> None:
    for key in (OKPKey.generate_key("Ed448"), ECKey.generate_key("P-384")):
        with pytest.raises(KeyFormatError):
            jose.sign_compact({}, {}, key)
    with pytest.raises(KeyFormatError):
        jose.generate_key("RS256")


def test_times_are_valid_within_the_leeway() -> None:
    claims = {"exp": 200, "nbf": 100, "iat": 100}
    for now_s in (95, 100, 199, 204):
        jose.validate_times(claims, now_s=now_s, leeway_s=5)
    jose.validate_times({}, now_s=0, leeway_s=0)
    jose.validate_times({"exp": 200.5}, now_s=200, leeway_s=0)


@pytest.mark.parametrize(
    ("claims", "now_s", "word"),
    [
        ({"exp": 200}, 205, "expired"),
        ({"nbf": 100}, 94, "not valid yet"),
        ({"iat": 100}, 94, "future"),
    ],
)
def test_times_past_the_leeway_are_refused(claims: dict, now_s: int, word: str) -> None:
    with pytest.raises(ExpiredError, match=word):
        jose.validate_times(claims, now_s=now_s, leeway_s=5)


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", ["200", None, True, [200]])
def test_times_must_be_numbers(name: str, value: object) -> None:
    with pytest.raises(CredentialFormatError, match=name):
        jose.validate_times({name: value}, now_s=100, leeway_s=0)  # type: ignore[dict-item]
