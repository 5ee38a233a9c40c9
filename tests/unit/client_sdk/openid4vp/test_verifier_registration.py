"""Registration certificates: what a verifier may ask, by the word of an access authority."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.presentation_world import NOW_MS, RESIDENT, make_identity

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.credentials.jose import generate_key, parse_compact, sign_compact
from client_sdk.errors import KeyFormatError, RegistrationError
from client_sdk.openid4vp.access_certificate import create_access_authority
from client_sdk.openid4vp.dcql import parse_query
from client_sdk.openid4vp.verifier_registration import (
    AskedClaim,
    RegisteredCredential,
    Registration,
    asked_claims,
    find_exceeding,
    sign_registration,
    verify_registration,
)
from client_sdk.purposes import find_term

NOW_S = NOW_MS // 1000
W3C = "https://www.w3.org/2018/credentials#"
AUTHORITY, SHOP = make_identity("Sake Shop")
REGISTRATION = Registration(
    client_id=SHOP.client_id,
    name="Sake Shop",
    purpose=find_term("AgeVerification"),
    words="お酒の販売",
    credentials=(
        RegisteredCredential(types=(RESIDENT,), paths=(("birth_date",), ("address", "country"))),
    ),
    issued_at=NOW_S,
    expires_at=NOW_S + 86_400,
)
TOKEN = sign_registration(REGISTRATION, AUTHORITY)
SD_JWT: JsonObject = {"format": "dc+sd-jwt"}


def verify(token: str, *, client_id: str = SHOP.client_id, now_s: int = NOW_S) -> Registration:
    anchors = AUTHORITY.chain
    return verify_registration(token, client_id=client_id, trust_anchors=anchors, now_s=now_s)


def asked(*paths: tuple[str, ...], credential_type: str = RESIDENT) -> tuple[AskedClaim, ...]:
    return tuple(AskedClaim(credential_type=credential_type, path=path) for path in paths)


def test_what_was_registered_is_read_back() -> None:
    assert verify(TOKEN) == replace(REGISTRATION, authority="Access Authority")
    header = parse_compact(TOKEN).unverified_header
    assert header["typ"] == "rc-wrp+jwt"


def sign_for(meta: JsonObject) -> Registration:
    """Sign a registration for the birth date in `ldp_vc`, of the types that `meta` names."""
    payload = parse_compact(TOKEN).unverified_payload
    claims: list[JsonValue] = [{"path": ["credentialSubject", "birth_date"]}]
    payload["credentials"] = [{"format": "ldp_vc", "meta": meta, "claims": claims}]
    header = parse_compact(TOKEN).unverified_header
    return verify(sign_compact(header, payload, AUTHORITY.signing_key))


def test_a_w3c_credential_is_written_as_dcql_writes_it() -> None:
    path = ("credentialSubject", "birth_date")
    registered = RegisteredCredential(format="ldp_vc", types=(RESIDENT, "urn:b"), paths=(path,))
    registration = replace(REGISTRATION, credentials=(registered,))
    token = sign_registration(registration, AUTHORITY)
    assert verify(token) == replace(registration, authority="Access Authority")
    (written,) = parse_compact(token).unverified_payload["credentials"]  # type: ignore[misc,union-attr]
    assert written == {
        "format": "ldp_vc",
        "meta": {"type_values": [[RESIDENT], ["urn:b"]]},
        "claims": [{"path": [*path]}],
    }


@pytest.mark.parametrize(
    ("types", "is_covered"),
    [
        ([[RESIDENT]], True),
        ([["VerifiableCredential", RESIDENT]], True),
        ([[W3C + "VerifiableCredential", RESIDENT], ["urn:b", "urn:c"]], True),
        # Only for credentials that are both.
        ([[RESIDENT, "urn:b"]], False),
        ([["VerifiableCredential"]], False),
        ([[]], False),
        ([RESIDENT], False),
    ],
)
def test_which_w3c_types_are_registered(types: list[JsonValue], is_covered: bool) -> None:
    found = sign_for({"type_values": types})
    birth_date = ("credentialSubject", "birth_date")
    assert found.covers(RESIDENT, birth_date, "ldp_vc") is is_covered
    assert not found.covers("urn:b", birth_date, "ldp_vc")
    # What may be asked of one format may not be of another.
    assert not found.covers(RESIDENT, birth_date, "dc+sd-jwt")


@pytest.mark.parametrize("meta", [{}, {"vct_values": [RESIDENT]}, {"type_values": RESIDENT}])
def test_w3c_types_of_another_form_are_refused(meta: JsonObject) -> None:
    with pytest.raises(RegistrationError, match="type_values"):
        sign_for(meta)


@pytest.mark.parametrize(
    ("claims", "purpose", "expected"),
    [
        (asked(("birth_date",)), "AgeVerification", ()),
        (asked(("birth_date",), ("name",)), "AgeVerification", asked(("name",))),
        # A narrower claim is within a wider one, and not the other way round.
        (asked(("address", "country")), "AgeVerification", ()),
        (asked(("address", "country", "code")), "AgeVerification", ()),
        (asked(("address",)), "AgeVerification", asked(("address",))),
        # For another purpose nothing was registered, also not for a wider one.
        (asked(("birth_date",)), "Marketing", asked(("birth_date",))),
        (asked(("birth_date",)), "Verification", asked(("birth_date",))),
        (asked(("birth_date",)), None, ()),
        (
            asked(("birth_date",), credential_type="urn:other"),
            "AgeVerification",
            asked(("birth_date",), credential_type="urn:other"),
        ),
    ],
)
def test_what_exceeds_a_registration(
    claims: tuple[AskedClaim, ...], purpose: str | None, expected: tuple[AskedClaim, ...]
) -> None:
    term = None if purpose is None else find_term(purpose)
    assert find_exceeding(claims, [REGISTRATION], purpose=term) == expected
    assert find_exceeding(claims, [], purpose=term) == claims


def test_a_registered_purpose_covers_those_within_it() -> None:
    wide = replace(REGISTRATION, purpose=find_term("Verification"))
    claims = asked(("birth_date",))
    assert find_exceeding(claims, [wide], purpose=find_term("AgeVerification")) == ()


def test_two_registrations_add_up() -> None:
    other = replace(
        REGISTRATION, credentials=(RegisteredCredential(types=(RESIDENT,), paths=(("name",),)),)
    )
    claims = asked(("birth_date",), ("name",), ("sex",))
    purpose = REGISTRATION.purpose
    assert find_exceeding(claims, [REGISTRATION, other], purpose=purpose) == asked(("sex",))


@pytest.mark.parametrize(
    ("credential", "expected"),
    [
        ({"meta": {"type_values": [["VerifiableCredential", RESIDENT]]}}, ()),
        ({"meta": {"type_values": [[f"{W3C}VerifiableCredential", RESIDENT]]}}, ()),
        # These are answered by any credential, so also by one of a type that is not registered.
        ({"meta": {"type_values": [["VerifiableCredential"]]}}, ("VerifiableCredential",)),
        (
            {"meta": {"type_values": [[RESIDENT], [f"{W3C}VerifiableCredential"]]}},
            (f"{W3C}VerifiableCredential",),
        ),
        ({"meta": {"type_values": [[RESIDENT]]}, "claims": []}, ()),
        ({"meta": {"type_values": [["urn:other"]]}, "claims": []}, ("urn:other",)),
        (
            {"format": "dc+sd-jwt", "meta": {"vct_values": ["urn:other"]}, "claims": []},
            ("urn:other",),
        ),
    ],
)
def test_a_credential_of_no_registered_type_exceeds(
    credential: JsonObject, expected: tuple[str, ...]
) -> None:
    item: JsonObject = {
        "id": "a",
        "format": "jwt_vc_json",
        "claims": [{"path": ["birth_date"]}],
        **credential,
    }
    if not item["claims"]:
        del item["claims"]
    w3c = RegisteredCredential(format="jwt_vc_json", types=(RESIDENT,), paths=(("birth_date",),))
    registration = replace(REGISTRATION, credentials=(*REGISTRATION.credentials, w3c))
    beyond = find_exceeding(
        asked_claims(parse_query({"credentials": [item]})),
        [registration],
        purpose=REGISTRATION.purpose,
    )
    assert tuple(claim.credential_type for claim in beyond) == expected
    assert all(claim.name for claim in beyond)


def test_another_verifier_s_registration_counts_for_nothing() -> None:
    with pytest.raises(RegistrationError, match="another verifier's"):
        verify(TOKEN, client_id=make_identity()[1].client_id)


def test_a_stranger_cannot_register_anybody() -> None:
    stranger, _ = make_identity()
    with pytest.raises(RegistrationError, match="no authority that is trusted"):
        verify(sign_registration(REGISTRATION, stranger))
    header = parse_compact(TOKEN).unverified_header
    forged = sign_compact(
        {"typ": header["typ"], "x5t#S256": header["x5t#S256"]},
        parse_compact(TOKEN).unverified_payload,
        generate_key("ES256"),
    )
    with pytest.raises(RegistrationError, match="does not verify"):
        verify(forged)


def test_a_verifier_cannot_register_itself() -> None:
    with pytest.raises(KeyFormatError, match="not an authority's"):
        sign_registration(REGISTRATION, SHOP)


@pytest.mark.parametrize("now_s", [NOW_S - 120, NOW_S + 86_400 + 3600])
def test_a_registration_counts_in_its_time_only(now_s: int) -> None:
    with pytest.raises(RegistrationError, match=r"expired|future"):
        verify(TOKEN, now_s=now_s)


def test_an_authority_counts_in_its_time_only() -> None:
    later = datetime.fromtimestamp(NOW_S + 7200, tz=UTC)
    late = create_access_authority(name="Late", now=later)
    token = sign_registration(REGISTRATION, late)
    with pytest.raises(RegistrationError, match="certificate is not valid now"):
        verify_registration(token, client_id=SHOP.client_id, trust_anchors=late.chain, now_s=NOW_S)


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": None},
        {"sub": 1},
        {"name": "two\nlines"},
        {"purpose": []},
        {"purpose": [{"value": "right\u202eleft"}]},
        {"intended_use": "AgeVerification"},
        {"intended_use": "https://w3id.org/dpv#Nothing"},
        {"credentials": None},
        {"credentials": [{}]},
        {"credentials": [{**SD_JWT, "meta": {"vct_values": ["a"]}, "claims": [{"path": []}]}]},
        {"credentials": [{**SD_JWT, "meta": {"vct_values": ["a"]}, "claims": [{"path": [True]}]}]},
        {"credentials": [{**SD_JWT, "meta": {"vct_values": ["a"]}, "claims": [{"path": "name"}]}]},
        {"exp": None},
        {"exp": "tomorrow"},
    ],
)
def test_malformed_registrations_are_refused(changes: JsonObject) -> None:
    token = parse_compact(TOKEN)
    header = {
        name: value
        for name, value in token.unverified_header.items()
        if name in ("typ", "x5t#S256")
    }
    payload = {**token.unverified_payload, **changes}
    with pytest.raises(RegistrationError):
        verify(sign_compact(header, payload, AUTHORITY.signing_key))


@given(st.text(max_size=200))
def test_any_text_is_refused_with_our_own_error(text: str) -> None:
    with pytest.raises(RegistrationError):
        verify(text)
