"""Credentials to and from the reference implementation, PyPI `sd-jwt`, which signs by jwcrypto."""

import json
from typing import Any

import pytest
from jwcrypto.jwk import JWK
from sd_jwt.common import SDObj
from sd_jwt.holder import SDJWTHolder
from sd_jwt.issuer import SDJWTIssuer
from sd_jwt.verifier import SDJWTVerifier
from support.sd_jwt_peer import (
    ALGORITHMS,
    AUDIENCE,
    CLAIMS,
    EXPIRES_AT,
    ISSUED_AT,
    NONCE,
    VCT,
    issue,
    verify,
)

from client_sdk.credentials import jose
from client_sdk.credentials import sd_jwt_vc as vc


def jwk_of(key: jose.Key, *, private: bool = False) -> JWK:
    members = jose.export_private_jwk(key) if private else jose.export_public_jwk(key)
    return JWK(**members)


def their_claims(presentation: str, issuer_key: jose.Key, **expected: str) -> dict[str, Any]:
    verifier = SDJWTVerifier(
        presentation, lambda _issuer, _header=None: jwk_of(issuer_key), **expected
    )
    claims: dict[str, Any] = verifier.get_verified_payload()
    return claims


def their_presentation(
    credential: str, holder_key: jose.Key, claims: dict[str, Any]
) -> tuple[str, int]:
    """Return their presentation, and the time that they put into it."""
    holder = SDJWTHolder(credential)
    holder.create_presentation(
        claims,
        NONCE,
        AUDIENCE,
        jwk_of(holder_key, private=True),
        jose.algorithm_of(holder_key),
    )
    return holder.sd_jwt_presentation, holder.key_binding_jwt_payload["iat"]


@ALGORITHMS
def test_they_verify_what_we_issue(algorithm: str) -> None:
    issuer_key, holder_key = jose.generate_key(algorithm), jose.generate_key(algorithm)
    credential = issue(issuer_key, holder_key)
    assert CLAIMS.items() <= their_claims(credential, issuer_key).items()


# Their verifier checks key bindings by ES256 alone; the issuer may use either.
@ALGORITHMS
def test_they_verify_what_we_present(algorithm: str) -> None:
    issuer_key, holder_key = jose.generate_key(algorithm), jose.generate_key("ES256")
    presentation = vc.present_credential(
        issue(issuer_key, holder_key),
        paths=[("address", "locality"), ("nationalities", 1)],
        holder_key=holder_key,
        audience=AUDIENCE,
        nonce=NONCE,
        issued_at=ISSUED_AT,
    )
    claims = their_claims(presentation, issuer_key, expected_aud=AUDIENCE, expected_nonce=NONCE)
    assert claims == verify(presentation, issuer_key, ISSUED_AT).claims
    assert claims["address"] == {"locality": "港区"}
    assert claims["nationalities"] == ["DE"]
    with pytest.raises(ValueError, match="nonce"):
        their_claims(presentation, issuer_key, expected_aud=AUDIENCE, expected_nonce="another")


@ALGORITHMS
def test_they_present_what_we_issue_and_we_verify(algorithm: str) -> None:
    issuer_key, holder_key = jose.generate_key(algorithm), jose.generate_key(algorithm)
    presentation, now_s = their_presentation(
        issue(issuer_key, holder_key),
        holder_key,
        {"address": {"locality": True}, "nationalities": [True, False]},
    )
    shown = verify(presentation, issuer_key, now_s)
    assert set(shown.disclosed_paths) == {
        ("address",),
        ("address", "locality"),
        ("nationalities", 0),
    }


@ALGORITHMS
def test_we_take_and_present_what_they_issue(algorithm: str) -> None:
    issuer_key, holder_key = jose.generate_key(algorithm), jose.generate_key(algorithm)
    issued = SDJWTIssuer(
        {
            "iss": "https://city.example",
            "iat": ISSUED_AT,
            "exp": EXPIRES_AT,
            "vct": VCT,
            SDObj("given_name"): CLAIMS["given_name"],
            SDObj("address"): {
                SDObj("locality"): "港区",
                SDObj("street_address"): "芝公園4-2-8",
            },
            "nationalities": [SDObj("JP"), SDObj("DE")],
        },
        jwk_of(issuer_key, private=True),
        jwk_of(holder_key),
        sign_alg=algorithm,
        add_decoy_claims=True,
        extra_header_parameters={"typ": "dc+sd-jwt"},
    )
    received = vc.verify_credential(
        issued.sd_jwt_issuance,
        issuer_key=issuer_key,
        expected_vct=VCT,
        now_s=ISSUED_AT,
        leeway_s=0,
    )
    assert CLAIMS.items() <= received.claims.items()
    presentation = vc.present_credential(
        issued.sd_jwt_issuance,
        paths=[("nationalities", 1)],
        holder_key=holder_key,
        audience=AUDIENCE,
        nonce=NONCE,
        issued_at=ISSUED_AT,
    )
    shown = verify(presentation, issuer_key, ISSUED_AT)
    assert shown.claims["nationalities"] == ["DE"]
    assert json.dumps(shown.claims, ensure_ascii=False).count("太郎") == 0
