"""The form of W3C credentials, and their two JOSE securings."""

import pytest

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import Key, generate_key, sign_compact
from client_sdk.credentials.sd_jwt import parse_sd_jwt
from client_sdk.credentials.selective_disclosure import Path
from client_sdk.credentials.vc_jose import (
    VerifiedW3cCredential,
    sign_vc_jwt,
    sign_vc_sd_jwt,
    verify_vc_jwt,
    verify_vc_sd_jwt,
)
from client_sdk.credentials.w3c_vc import (
    CONTEXT,
    issuer_of,
    validate_credential,
    validate_period,
    validate_types,
)
from client_sdk.errors import (
    CredentialFormatError,
    DisclosureError,
    ExpiredError,
    RequestMismatchError,
    SignatureError,
)

KEY = generate_key("ES256")
NOW_S = 1_800_000_000
CREDENTIAL: JsonObject = {
    "@context": [CONTEXT],
    "type": ["VerifiableCredential", "ResidentCredential"],
    "issuer": {"id": "did:web:city.example", "name": "Aoba City"},
    "validFrom": "2026-01-01T00:00:00Z",
    "validUntil": "2036-01-01T00:00:00+09:00",
    "credentialSubject": {"address": "Sendai", "birthdate": "1980-01-01"},
}


def find_key(_header: JsonObject, _payload: JsonObject) -> Key:
    return KEY


def verify_jwt(text: str) -> VerifiedW3cCredential:
    return verify_vc_jwt(text, find_issuer_key=find_key, now_s=NOW_S, leeway_s=0)


def verify_sd_jwt(text: str) -> VerifiedW3cCredential:
    return verify_vc_sd_jwt(text, find_issuer_key=find_key, now_s=NOW_S, leeway_s=0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"@context": CONTEXT}, "@context"),
        ({"@context": []}, "@context"),
        ({"@context": ["https://www.w3.org/2018/credentials/v1"]}, "@context"),
        ({"type": "ResidentCredential"}, "type"),
        ({"type": ["VerifiableCredential", 1]}, "type"),
        ({"issuer": None}, "issuer"),
        ({"issuer": {"name": "x"}}, "issuer"),
        ({"issuer": "no url"}, "issuer"),
        ({"credentialSubject": {}}, "credentialSubject"),
        ({"credentialSubject": []}, "credentialSubject"),
        ({"credentialSubject": "x"}, "credentialSubject"),
        ({"validFrom": "2026-01-01T00:00:00"}, "validFrom"),
        ({"validUntil": 1}, "validUntil"),
        ({"validUntil": "9" * 100}, "validUntil"),
    ],
)
def test_a_malformed_credential_is_refused(changes: JsonObject, words: str) -> None:
    with pytest.raises(CredentialFormatError, match=words):
        validate_credential({**CREDENTIAL, **changes})


def test_both_forms_of_issuer_and_type_are_read() -> None:
    validate_credential({**CREDENTIAL, "type": "VerifiableCredential"})
    assert issuer_of(CREDENTIAL) == issuer_of({"issuer": "did:web:city.example"})
    validate_types(CREDENTIAL, ["ResidentCredential"])
    with pytest.raises(RequestMismatchError):
        validate_types(CREDENTIAL, ["DrivingLicence"])


def test_the_validity_period_is_held_to() -> None:
    validate_period({}, now_s=NOW_S, leeway_s=0)
    with pytest.raises(ExpiredError, match="not valid yet"):
        validate_period(CREDENTIAL, now_s=1, leeway_s=0)
    with pytest.raises(ExpiredError, match="expired"):
        validate_period(CREDENTIAL, now_s=4_000_000_000, leeway_s=0)


def test_a_jwt_carries_the_credential_itself() -> None:
    text = sign_vc_jwt(CREDENTIAL, issuer_key=KEY, header={"kid": "did:web:city.example#1"})
    found = verify_jwt(text)
    assert found.credential == CREDENTIAL
    assert found.header == {
        "alg": "ES256",
        "kid": "did:web:city.example#1",
        "typ": "vc+jwt",
        "cty": "vc",
    }
    assert found.issuer_jwt == text


def test_an_sd_jwt_discloses_one_claim_of_the_subject() -> None:
    concealed: list[Path] = [("credentialSubject", "address"), ("credentialSubject", "birthdate")]
    text = sign_vc_sd_jwt(CREDENTIAL, concealed=concealed, issuer_key=KEY, decoy_count=2)
    assert verify_sd_jwt(text).credential == CREDENTIAL
    jwt, *disclosures, _ = text.split("~")
    names = [item.name for item in parse_sd_jwt(text).disclosures]
    shown = verify_sd_jwt(f"{jwt}~{disclosures[names.index('address')]}~")
    assert shown.credential["credentialSubject"] == {"address": "Sendai"}
    assert shown.disclosed_paths == (("credentialSubject", "address"),)


def test_what_must_stay_open_is_not_concealed() -> None:
    with pytest.raises(CredentialFormatError, match="never concealed"):
        sign_vc_sd_jwt(CREDENTIAL, concealed=[("issuer", "name")], issuer_key=KEY)


def test_a_credential_without_any_disclosure_may_show_an_empty_subject_to_nobody() -> None:
    text = sign_vc_sd_jwt(CREDENTIAL, concealed=[("credentialSubject",)], issuer_key=KEY)
    with pytest.raises(CredentialFormatError, match="credentialSubject"):
        verify_sd_jwt(text.split("~")[0] + "~")


@pytest.mark.parametrize("name", ["vc", "vp"])
def test_the_claims_of_older_drafts_are_refused(name: str) -> None:
    with pytest.raises(CredentialFormatError, match="may not stand there"):
        sign_vc_jwt({**CREDENTIAL, name: {}}, issuer_key=KEY)
    header: JsonObject = {"typ": "vc+jwt", "cty": "vc"}
    with pytest.raises(CredentialFormatError, match="may not stand there"):
        verify_jwt(sign_compact(header, {**CREDENTIAL, name: {}}, KEY))


def test_iss_must_be_the_credentials_issuer() -> None:
    good = {**CREDENTIAL, "iss": "did:web:city.example"}
    assert verify_jwt(sign_vc_jwt(good, issuer_key=KEY)).credential == good
    with pytest.raises(SignatureError, match="iss"):
        verify_jwt(sign_vc_jwt({**CREDENTIAL, "iss": "did:web:other"}, issuer_key=KEY))


def test_exp_counts_beside_the_validity_period() -> None:
    with pytest.raises(ExpiredError):
        verify_jwt(sign_vc_jwt({**CREDENTIAL, "exp": NOW_S - 1}, issuer_key=KEY))


def test_types_of_other_securings_are_refused() -> None:
    jwt = sign_vc_jwt(CREDENTIAL, issuer_key=KEY)
    with pytest.raises(CredentialFormatError, match="typ"):
        verify_sd_jwt(jwt + "~")
    with pytest.raises(CredentialFormatError, match="cty"):
        verify_jwt(sign_compact({"typ": "vc+jwt", "cty": "vp"}, CREDENTIAL, KEY))
    with pytest.raises(CredentialFormatError, match="typ"):
        sign_vc_jwt(CREDENTIAL, issuer_key=KEY, header={"typ": "JWT"})
    with pytest.raises(CredentialFormatError, match="key binding"):
        verify_sd_jwt(f"{jwt}~{jwt}")


def test_a_foreign_disclosure_is_refused() -> None:
    text = sign_vc_sd_jwt(CREDENTIAL, concealed=[("credentialSubject", "address")], issuer_key=KEY)
    other = sign_vc_sd_jwt(CREDENTIAL, concealed=[("credentialSubject", "address")], issuer_key=KEY)
    with pytest.raises(DisclosureError):
        verify_sd_jwt(text.split("~")[0] + "~" + other.split("~")[1] + "~")
