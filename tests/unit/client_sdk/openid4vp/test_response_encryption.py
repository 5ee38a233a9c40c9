"""Encrypted responses. The published one is the example of OpenID4VP 1.0 section 8.3."""

from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import ECKey

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.credentials.jwe import generate_encryption_key
from client_sdk.errors import CredentialFormatError, RequestError
from client_sdk.openid4vp.response_encryption import (
    MAX_RESPONSE_CHARS,
    ResponseEncryption,
    decrypt_response,
    encrypt_response,
)

EXAMPLE_JWK = {
    "kty": "EC",
    "kid": "ac",
    "use": "enc",
    "crv": "P-256",
    "alg": "ECDH-ES",
    "x": "YO4epjifD-KWeq1sL2tNmm36BhXnkJ0He-WqMYrp9Fk",
    "y": "Hekpm0zfK7C-YccH5iBjcIXgf6YdUvNUac_0At55Okk",
}
EXAMPLE_PRIVATE = "Et-3ce0omz8_TuZ96Df9lp0GAaaDoUnDe6X-CRO7Aww"
EXAMPLE_RESPONSE = (
    "eyJhbGciOiJFQ0RILUVTIiwiZW5jIjoiQTEyOEdDTSIsImtpZCI6ImFjIiwiZXBrIjp7Imt"
    "0eSI6IkVDIiwieCI6Im5ubVZwbTNWM2piaGNhZlFhUkJrU1ZOSGx3Wkh3dC05ck9wSnVmeVlJdWsiLCJ5I"
    "joicjRmakRxd0p5czlxVU9QLV9iM21SNVNaRy0tQ3dPMm1pYzVWU05UWU45ZyIsImNydiI6IlAtMjU2In1"
    "9..uAYcHRUSSn2X0WPX.yVzlGSYG4qbg0bq18JcUiDRw56yVnbKR8E7S7YlEtzT00RqE3Pw5oTpUG3hdLN"
    "4taHZ9gC1kwak8JOnJgQ.1wR024_3-qtAlx1oFIUpQQ"
)
KEY = generate_encryption_key()
ENCRYPTION = ResponseEncryption.for_key(KEY)


def test_the_published_response_is_decrypted() -> None:
    key = ECKey.import_key({**EXAMPLE_JWK, "d": EXAMPLE_PRIVATE})
    assert decrypt_response(EXAMPLE_RESPONSE, key) == {
        "vp_token": {"example_credential_id": ["eyJhb...YMetA"]}
    }


def test_the_published_metadata_leads_to_the_first_key_that_we_know() -> None:
    metadata: JsonObject = {
        "jwks": {
            "keys": [
                {"kty": "OKP", "kid": "jc", "use": "enc", "crv": "X25519", "alg": "ECDH-ES"},
                {**EXAMPLE_JWK, "use": "sig"},
                {**EXAMPLE_JWK, "alg": "ECDH-ES+A128KW"},
                {**EXAMPLE_JWK},
            ]
        },
        "encrypted_response_enc_values_supported": ["A128GCM", "A128CBC-HS256"],
    }
    found = ResponseEncryption.from_metadata(metadata)
    assert found.key.kid == "ac"
    assert found.key.jwk["x"] == EXAMPLE_JWK["x"]
    assert found.content_algorithms == ("A128GCM",)


def test_a_response_goes_to_the_request_s_key_and_no_other() -> None:
    token = encrypt_response({"vp_token": {"id": ["text"]}, "state": "s"}, ENCRYPTION)
    assert decrypt_response(token, KEY) == {"vp_token": {"id": ["text"]}, "state": "s"}
    with pytest.raises(CredentialFormatError, match="cannot be decrypted"):
        decrypt_response(token, generate_encryption_key())


def test_the_header_repeats_the_key_s_name_and_prefers_the_stronger_content_encryption() -> None:
    header = jwe.decrypt_compact(
        encrypt_response({}, ENCRYPTION), KEY, algorithms=["ECDH-ES", "A256GCM"]
    ).headers()
    assert (header["kid"], header["alg"], header["enc"]) == (KEY.thumbprint(), "ECDH-ES", "A256GCM")


def test_metadata_is_read_from_what_it_writes() -> None:
    assert ResponseEncryption.from_metadata(ENCRYPTION.to_metadata()) == ENCRYPTION
    nameless = replace(ENCRYPTION, key=replace(ENCRYPTION.key, kid=None))
    assert ResponseEncryption.from_metadata(nameless.to_metadata()) == nameless
    assert decrypt_response(encrypt_response({"a": 1}, nameless), KEY) == {"a": 1}


def test_the_default_content_encryption_is_a128gcm() -> None:
    metadata = ENCRYPTION.to_metadata()
    del metadata["encrypted_response_enc_values_supported"]
    assert ResponseEncryption.from_metadata(metadata).content_algorithms == ("A128GCM",)


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {},
        {"jwks": []},
        {"jwks": {"keys": "none"}},
        {"jwks": {"keys": [5]}},
        {"jwks": {"keys": [{**EXAMPLE_JWK, "x": "AA"}]}},
        {"jwks": {"keys": [{**EXAMPLE_JWK, "kid": 5}]}},
        {"jwks": {"keys": [{**EXAMPLE_JWK}]}, "encrypted_response_enc_values_supported": []},
        {
            "jwks": {"keys": [{**EXAMPLE_JWK}]},
            "encrypted_response_enc_values_supported": ["A128CBC-HS256"],
        },
    ],
)
def test_a_request_without_a_key_that_we_know_is_refused(metadata: JsonValue) -> None:
    with pytest.raises(RequestError, match="client_metadata"):
        ResponseEncryption.from_metadata(metadata)


def test_a_portrait_fits_and_more_does_not() -> None:
    portrait = "A" * 700_000
    assert decrypt_response(encrypt_response({"p": portrait}, ENCRYPTION), KEY)["p"] == portrait
    with pytest.raises(CredentialFormatError, match="at most"):
        encrypt_response({"p": "A" * MAX_RESPONSE_CHARS}, ENCRYPTION)
    with pytest.raises(CredentialFormatError, match="at most"):
        decrypt_response("A" * (MAX_RESPONSE_CHARS + 1), KEY)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "....",
        "é",
        EXAMPLE_RESPONSE,
        encrypt_response({}, ENCRYPTION)[:-4] + "AAAA",
        jwe.encrypt_compact({"alg": "ECDH-ES", "enc": "A128GCM"}, b"[]", KEY),
        jwe.encrypt_compact({"alg": "ECDH-ES", "enc": "A128GCM"}, b"", KEY),
        jwe.encrypt_compact(
            {"alg": "ECDH-ES", "enc": "A128CBC-HS256"},
            b"{}",
            KEY,
            algorithms=["ECDH-ES", "A128CBC-HS256"],
        ),
    ],
    ids=count(),
)
def test_what_is_no_response_to_this_request_is_refused(token: str) -> None:
    with pytest.raises(CredentialFormatError):
        decrypt_response(token, KEY)


@given(st.text(alphabet="AB.=e{}", max_size=60))
def test_any_text_is_refused_in_our_own_words(text: str) -> None:
    with pytest.raises(CredentialFormatError):
        decrypt_response(text, KEY)
