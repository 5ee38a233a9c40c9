"""SD-JWT VCs to and from `vouchkit`, a toolkit for relying parties of the EUDI wallet (ES256)."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from vouchkit.sdjwt import SdJwtError, VerifiedCredential, verify_sd_jwt_vc
from vouchkit.testkit import TestHolder, TestIssuer

from chaincode.encoding import JsonObject, encode_base64url
from client_sdk.credentials import jose
from client_sdk.credentials import sd_jwt_vc as vc
from client_sdk.credentials.selective_disclosure import Path
from client_sdk.errors import ClientError, DisclosureError

VCT = "urn:tegata:credential:resident:1"
AUDIENCE, NONCE = "x509_san_dns:bank.example", "vGAmmyQwxTJV2LlEIvFIxQ"
NOW_S = 1_800_000_000
CLAIMS: JsonObject = {
    "name": "手形 花子",
    "address": {"locality": "青葉市", "street_address": "緑町3"},
    "nationalities": ["JP", "DE"],
}
CONCEALED: list[Path] = [
    ("name",),
    ("address",),
    ("address", "locality"),
    ("address", "street_address"),
    ("nationalities", 0),
    ("nationalities", 1),
]


@pytest.fixture(scope="module")
def our_issuer() -> jose.Key:
    return jose.generate_key("ES256")


@pytest.fixture(scope="module")
def our_holder() -> jose.Key:
    return jose.generate_key("ES256")


def our_presentation(issuer: jose.Key, holder: jose.Key) -> str:
    credential = vc.issue_credential(
        claims=CLAIMS,
        concealed=CONCEALED,
        vct=VCT,
        issuer="https://city.example",
        issuer_key=issuer,
        issued_at=NOW_S,
        expires_at=NOW_S + 1000,
        holder_key=jose.export_public_jwk(holder),
        decoy_count=2,
    )
    return vc.present_credential(
        credential,
        paths=[("address", "locality"), ("nationalities", 1)],
        holder_key=holder,
        audience=AUDIENCE,
        nonce=NONCE,
        issued_at=NOW_S,
    )


def they_verify(presentation: str, issuer: jose.Key, **changes: Any) -> VerifiedCredential:
    arguments: dict[str, Any] = {
        "expected_aud": AUDIENCE,
        "expected_nonce": NONCE,
        "now": NOW_S,
        **changes,
    }
    return verify_sd_jwt_vc(presentation, jose.export_public_jwk(issuer), **arguments)


def we_verify(presentation: str, issuer: jose.Key) -> vc.VerifiedPresentation:
    return vc.verify_presentation(
        presentation,
        find_issuer_key=lambda _header, _payload: issuer,
        expected_vcts=[VCT],
        expected_audience=AUDIENCE,
        expected_nonce=NONCE,
        now_s=NOW_S,
        max_age_s=60,
        leeway_s=0,
    )


def test_they_accept_our_presentation(our_issuer: jose.Key, our_holder: jose.Key) -> None:
    verified = they_verify(our_presentation(our_issuer, our_holder), our_issuer)
    assert verified.key_binding_verified
    assert (verified.vct, verified.issuer) == (VCT, "https://city.example")
    assert verified.claims["address"] == {"locality": "青葉市"}
    assert verified.claims["nationalities"] == ["DE"]
    assert "name" not in verified.claims


@pytest.mark.parametrize(
    "changes", [{"expected_nonce": "another"}, {"expected_aud": "other"}, {"now": NOW_S + 2000}]
)
def test_they_refuse_our_presentation_elsewhere(
    our_issuer: jose.Key, our_holder: jose.Key, changes: dict[str, Any]
) -> None:
    with pytest.raises(SdJwtError):
        they_verify(our_presentation(our_issuer, our_holder), our_issuer, **changes)


def key_of(key: EllipticCurvePrivateKey) -> jose.Key:
    numbers = key.private_numbers()
    parts = {
        "x": numbers.public_numbers.x,
        "y": numbers.public_numbers.y,
        "d": numbers.private_value,
    }
    coordinates = {name: encode_base64url(n.to_bytes(32, "big")) for name, n in parts.items()}
    return jose.parse_private_jwk({"kty": "EC", "crv": "P-256", **coordinates})


def test_we_accept_their_presentation() -> None:
    issuer, holder = TestIssuer(), TestHolder()
    issuer_jwt, disclosures = issuer.issue(CLAIMS, vct=VCT, holder_jwk=holder.public_jwk, now=NOW_S)
    presentation = holder.present(
        issuer_jwt, disclosures, ["address"], aud=AUDIENCE, nonce=NONCE, now=NOW_S
    )
    verified = we_verify(presentation, key_of(issuer.key))
    assert verified.claims["address"] == CLAIMS["address"]
    assert verified.disclosed_paths == (("address",),)
    with pytest.raises(DisclosureError):
        we_verify(
            presentation.replace(disclosures["address"], "WyJhIiwiYiIsMV0"), key_of(issuer.key)
        )
    with pytest.raises(ClientError):
        we_verify(presentation, key_of(TestIssuer().key))


def test_our_wallet_presents_their_credential_to_them() -> None:
    issuer, holder = TestIssuer(), TestHolder()
    issuer_jwt, disclosures = issuer.issue(CLAIMS, vct=VCT, holder_jwk=holder.public_jwk, now=NOW_S)
    presentation = vc.present_credential(
        "~".join([issuer_jwt, *disclosures.values(), ""]),
        paths=[("name",)],
        holder_key=key_of(holder.key),
        audience=AUDIENCE,
        nonce=NONCE,
        issued_at=NOW_S,
    )
    shown = they_verify(presentation, key_of(issuer.key))
    assert shown.claims["name"] == CLAIMS["name"]
    assert "address" not in shown.claims
