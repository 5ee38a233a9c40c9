"""Every format: what an issuer says is held, presented and verified; each tampering is refused."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from chaincode.encoding import JsonObject, decode_base64url, encode_base64url
from client_sdk.credentials import jose
from client_sdk.did.ledger_did import ledger_did
from client_sdk.errors import (
    ClientError,
    CredentialFormatError,
    DisclosureError,
    ExpiredError,
    HolderBindingError,
    KeyFormatError,
    NonceMismatchError,
    RequestError,
    RequestMismatchError,
    SignatureError,
)
from client_sdk.formats import (
    FORMATS,
    CredentialTerms,
    ExpectedBinding,
    HolderBinding,
    ReadCredential,
    VerifiedPresentation,
    find_format,
)

NOW_S = 1_800_000_000
TYPE = "urn:tegata:credential:resident:1"
AUDIENCE, NONCE = "x509_san_dns:bank.example", "vGAmmyQwxTJV2LlEIvFIxQ"
ISSUER_DID = ledger_did("ab" * 32, "city@tegata")
ISSUER_KEY, HOLDER_KEY, OTHER_KEY = (jose.generate_key("EdDSA") for _ in range(3))
ATTRIBUTES: JsonObject = {"name": "手形 花子", "address": "青葉県青葉市緑町3", "age_over_18": True}
SELECTIVE = ("dc+sd-jwt", "vc+sd-jwt")
WHOLE = ("jwt_vc_json", "ldp_vc")
W3C_TYPES = {
    TYPE,
    "VerifiableCredential",
    "https://www.w3.org/2018/credentials#VerifiableCredential",
}

every_format = pytest.mark.parametrize("name", FORMATS)


def terms(**changes: Any) -> CredentialTerms:
    arguments: dict[str, Any] = {
        "credential_type": TYPE,
        "attributes": ATTRIBUTES,
        "concealed": [(claim,) for claim in ATTRIBUTES],
        "more": {"tegata": {"record": "00" * 16}},
        "issuer_url": "https://city.example",
        "issuer_did": ISSUER_DID,
        "key_id": jose.thumbprint(ISSUER_KEY),
        "holder_key": jose.export_public_jwk(HOLDER_KEY),
        "issued_at": NOW_S - 100,
        "expires_at": NOW_S + 1000,
        **changes,
    }
    return CredentialTerms(**arguments)


def issue(name: str, key: jose.Key = ISSUER_KEY, **changes: Any) -> str:
    return find_format(name).issue(terms(**changes), key)


def present(name: str, credential: str, *, key: jose.Key = HOLDER_KEY, **changes: Any) -> str:
    arguments: dict[str, Any] = {
        "audience": AUDIENCE,
        "nonce": NONCE,
        "issued_at": NOW_S - 10,
        "extra_claims": {"tegata": {"grant": "11" * 16}},
        **changes,
    }
    kind = find_format(name)
    return kind.present(
        credential,
        paths=[(*kind.attribute_prefix, "address")],
        holder_key=key,
        binding=HolderBinding(**arguments),
    )


def verify(name: str, presentation: str, **changes: Any) -> VerifiedPresentation:
    arguments: dict[str, Any] = {
        "find_issuer_key": lambda _read: ISSUER_KEY,
        "expected_types": [[TYPE]],
        "binding": ExpectedBinding(audience=AUDIENCE, nonce=NONCE, max_age_s=300),
        "now_s": NOW_S,
        "leeway_s": 5,
        **changes,
    }
    return find_format(name).verify(presentation, **arguments)


def attributes_of(name: str, read: ReadCredential) -> JsonObject:
    claims: Any = read.claims
    for step in find_format(name).attribute_prefix:
        claims = claims[step]
    return {claim: claims[claim] for claim in ATTRIBUTES if claim in claims}


@every_format
def test_what_was_issued_is_read_presented_and_verified(name: str) -> None:
    kind, credential = find_format(name), issue(name)
    held = kind.read(credential)
    assert attributes_of(name, held) == ATTRIBUTES
    assert held.holder_key == jose.export_public_jwk(HOLDER_KEY)
    assert held.key_id == jose.thumbprint(ISSUER_KEY)
    assert held.expires_at == NOW_S + 1000
    assert held.anchored_hash == kind.anchored_hash(credential)
    wire = json.loads(json.dumps(kind.to_wire(present(name, credential))))
    asked: list[ReadCredential] = []

    def find_key(read: ReadCredential) -> jose.Key:
        asked.append(read)
        return ISSUER_KEY

    shown = verify(name, kind.from_wire(wire), find_issuer_key=find_key)
    assert [read.key_id for read in asked] == [jose.thumbprint(ISSUER_KEY)]
    assert attributes_of(name, shown) == (
        {"address": ATTRIBUTES["address"]} if name in SELECTIVE else ATTRIBUTES
    )
    assert shown.types == ({TYPE} if name == "dc+sd-jwt" else W3C_TYPES)
    assert shown.anchored_hash == held.anchored_hash
    assert shown.claims["tegata"] == {"record": "00" * 16}
    assert shown.binding["tegata"] == {"grant": "11" * 16}
    assert shown.holder_key == held.holder_key
    assert shown.disclosed_paths == (
        ((*kind.attribute_prefix, "address"),) if name in SELECTIVE else ()
    )


@every_format
def test_a_credential_itself_is_verified_where_no_holder_is_asked_for(name: str) -> None:
    kind, credential = find_format(name), issue(name)
    shown = kind.disclose(credential, paths=[(*kind.attribute_prefix, "address")])
    assert verify(name, shown, binding=None).binding == {}
    assert attributes_of(name, kind.read(shown))["address"] == ATTRIBUTES["address"]


@pytest.mark.parametrize("name", ["dc+sd-jwt", "vc+sd-jwt", "jwt_vc_json"])
def test_issuers_and_holders_sign_with_es256_too(name: str) -> None:
    issuer_key, holder_key = jose.generate_key("ES256"), jose.generate_key("ES256")
    credential = issue(name, issuer_key, holder_key=jose.export_public_jwk(holder_key))
    presentation = present(name, credential, key=holder_key)
    assert verify(name, presentation, find_issuer_key=lambda _read: issuer_key).holder_key


def test_eddsa_jcs_2022_signs_by_no_other_curve() -> None:
    with pytest.raises(KeyFormatError):
        issue("ldp_vc", jose.generate_key("ES256"))


@every_format
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"find_issuer_key": lambda _read: OTHER_KEY}, SignatureError),
        ({"expected_types": [["urn:other"]]}, RequestMismatchError),
        ({"expected_types": []}, RequestMismatchError),
        ({"now_s": NOW_S + 2000}, ExpiredError),
        ({"now_s": NOW_S - 200}, ExpiredError),
        ({"now_s": NOW_S + 500}, ExpiredError),
        (
            {"binding": ExpectedBinding(audience="x509_san_dns:a", nonce=NONCE, max_age_s=300)},
            HolderBindingError,
        ),
        (
            {"binding": ExpectedBinding(audience=AUDIENCE, nonce="other", max_age_s=300)},
            NonceMismatchError,
        ),
    ],
)
def test_what_is_not_as_expected_is_refused(
    name: str, changes: dict[str, Any], error: type[ClientError]
) -> None:
    presentation = present(name, issue(name))
    with pytest.raises(error):
        verify(name, presentation, **changes)


@every_format
def test_a_credential_without_its_holder_is_refused_where_one_is_asked_for(name: str) -> None:
    with pytest.raises((HolderBindingError, CredentialFormatError)):
        verify(name, issue(name))


@every_format
def test_a_presentation_is_refused_where_a_credential_is_expected(name: str) -> None:
    with pytest.raises((HolderBindingError, CredentialFormatError)):
        verify(name, present(name, issue(name)), binding=None)


@every_format
def test_anothers_credential_is_not_presented(name: str) -> None:
    with pytest.raises(HolderBindingError):
        present(name, issue(name), key=OTHER_KEY)


@every_format
def test_anothers_signature_binds_nothing(name: str) -> None:
    """A thief has the credential, and signs with a key of its own."""
    stolen = issue(name)
    own = issue(name, holder_key=jose.export_public_jwk(OTHER_KEY))
    forged = present(name, own, key=OTHER_KEY)
    with pytest.raises((HolderBindingError, SignatureError, DisclosureError)):
        verify(name, GRAFTS[name](forged, own, stolen))


def graft_sd_jwt(forged: str, _own: str, stolen: str) -> str:
    binding = forged.rpartition("~")[2]
    return stolen.rpartition("~")[0] + "~" + binding


def graft_vp_jwt(forged: str, own: str, stolen: str) -> str:
    header, payload, signature = forged.split(".")
    changed = decode_base64url(payload).replace(own.encode(), stolen.encode())
    assert changed != decode_base64url(payload)
    token = jose.parse_compact(f"{header}.{encode_base64url(changed)}.{signature}")
    return jose.sign_compact(token.unverified_header, token.unverified_payload, OTHER_KEY)


def graft_ldp(forged: str, _own: str, stolen: str) -> str:
    kind = find_format("ldp_vc")
    presentation: Any = kind.to_wire(forged)
    presentation["verifiableCredential"] = [kind.to_wire(stolen)]
    return kind.from_wire(presentation)


GRAFTS: dict[str, Callable[[str, str, str], str]] = {
    "dc+sd-jwt": graft_sd_jwt,
    "vc+sd-jwt": graft_sd_jwt,
    "jwt_vc_json": graft_vp_jwt,
    "ldp_vc": graft_ldp,
}


@every_format
def test_a_claim_that_is_not_there_is_not_presented(name: str) -> None:
    kind = find_format(name)
    with pytest.raises(RequestError):
        kind.disclose(issue(name), paths=[(*kind.attribute_prefix, "salary")])


@every_format
def test_other_claims_than_ours_are_not_signed_by_holders(name: str) -> None:
    with pytest.raises(CredentialFormatError):
        present(name, issue(name), extra_claims={"admin": True})


@pytest.mark.parametrize("name", ["vc+sd-jwt", "jwt_vc_json", "ldp_vc"])
@pytest.mark.parametrize("attribute", ["id", "@type"])
def test_an_attribute_does_not_take_the_place_of_a_vcs_own(name: str, attribute: str) -> None:
    with pytest.raises(CredentialFormatError):
        issue(name, attributes={attribute: "x"}, concealed=[])


@pytest.mark.parametrize("name", ["vc+sd-jwt", "jwt_vc_json", "ldp_vc"])
def test_authorities_sign_no_other_format(name: str) -> None:
    class Authorities:
        public_key = ISSUER_KEY

        def sign(self, signing_input: bytes, disclosures: tuple[str, ...]) -> bytes:
            raise AssertionError(signing_input, disclosures)

    with pytest.raises(KeyFormatError, match="dc\\+sd-jwt"):
        find_format(name).issue(terms(), Authorities())


def test_the_key_of_a_data_integrity_proof_is_one_of_the_issuer() -> None:
    with pytest.raises(SignatureError, match="issuer"):
        verify("ldp_vc", relabel_proof(issue("ldp_vc")), binding=None)


def relabel_proof(credential: str) -> str:
    kind = find_format("ldp_vc")
    document: Any = kind.to_wire(credential)
    document["proof"]["verificationMethod"] = "did:key:zOther#zOther"
    return kind.from_wire(document)


@every_format
@pytest.mark.parametrize("value", [None, 1, [], "", "x", {}, {"proof": 1}])
def test_what_is_no_credential_is_refused(name: str, value: Any) -> None:
    with pytest.raises((CredentialFormatError, DisclosureError)):
        find_format(name).read(find_format(name).from_wire(value))


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(CredentialFormatError, match="mso_mdoc"):
        find_format("mso_mdoc")
