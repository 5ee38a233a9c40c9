"""Credentials to and from the JavaScript library `@sd-jwt/sd-jwt-vc`.

`npm ci --prefix tests/interop/js` installs it; the Makefile does so before the tests.
"""

from typing import Any

import pytest
from support.node_scripts import run_script

from chaincode.encoding import JsonObject
from client_sdk.credentials import jose
from client_sdk.credentials import sd_jwt_vc as vc

VCT = "https://city.example/residence"
AUDIENCE = "x509_san_dns:bank.example"
NONCE = "n-0S6_WzA2Mj"
ISSUED_AT, NOW_S, EXPIRES_AT = 1_700_000_000, 1_700_000_100, 1_700_001_000
CLAIMS: JsonObject = {
    "given_name": "太郎",
    "address": {"locality": "港区", "street_address": "芝公園4-2-8"},
    "nationalities": ["JP", "DE"],
}
ALGORITHMS = pytest.mark.parametrize("algorithm", jose.ALGORITHMS)


def run_node(**task: Any) -> dict[str, Any]:
    result: dict[str, Any] = run_script("sd_jwt_vc.mjs", task)
    return result


def verify(presentation: str, issuer_key: jose.Key) -> vc.VerifiedPresentation:
    return vc.verify_presentation(
        presentation,
        find_issuer_key=lambda _header, _payload: issuer_key,
        expected_vcts=[VCT],
        expected_audience=AUDIENCE,
        expected_nonce=NONCE,
        now_s=NOW_S,
        max_age_s=60,
        leeway_s=0,
    )


def issue(issuer_key: jose.Key, holder_key: jose.Key) -> str:
    return vc.issue_credential(
        claims=CLAIMS,
        concealed=[
            ("given_name",),
            ("address",),
            ("address", "locality"),
            ("address", "street_address"),
            ("nationalities", 0),
            ("nationalities", 1),
        ],
        vct=VCT,
        issuer="https://city.example",
        issuer_key=issuer_key,
        issued_at=ISSUED_AT,
        expires_at=EXPIRES_AT,
        holder_key=jose.export_public_jwk(holder_key),
        decoy_count=1,
    )


@ALGORITHMS
def test_they_verify_what_we_present(algorithm: str) -> None:
    issuer_key, holder_key = jose.generate_key(algorithm), jose.generate_key(algorithm)
    presentation = vc.present_credential(
        issue(issuer_key, holder_key),
        paths=[("address", "locality"), ("nationalities", 1)],
        holder_key=holder_key,
        audience=AUDIENCE,
        nonce=NONCE,
        issued_at=NOW_S,
    )
    task = {
        "action": "verify",
        "presentation": presentation,
        "issuerKey": jose.export_public_jwk(issuer_key),
        "now": NOW_S,
    }
    result = run_node(**task, nonce=NONCE)
    ours = verify(presentation, issuer_key)
    assert result["claims"] == ours.claims
    assert result["claims"]["address"] == {"locality": "港区"}
    assert result["claims"]["nationalities"] == ["DE"]
    assert "given_name" not in result["claims"]
    assert result["keyBinding"] == ours.key_binding
    assert result["header"] == {"alg": algorithm, "typ": "dc+sd-jwt"}
    assert "error" in run_node(**task, nonce="another")


@ALGORITHMS
def test_they_verify_what_we_issue(algorithm: str) -> None:
    issuer_key, holder_key = jose.generate_key(algorithm), jose.generate_key(algorithm)
    task = {
        "action": "verify",
        "presentation": issue(issuer_key, holder_key),
        "issuerKey": jose.export_public_jwk(issuer_key),
    }
    result = run_node(**task, now=NOW_S)
    assert CLAIMS.items() <= result["claims"].items()
    assert "error" in run_node(**task, now=EXPIRES_AT + 1)


@ALGORITHMS
def test_they_present_what_we_issue_and_we_verify(algorithm: str) -> None:
    issuer_key, holder_key = jose.generate_key(algorithm), jose.generate_key(algorithm)
    result = run_node(
        action="present",
        credential=issue(issuer_key, holder_key),
        holderKey=jose.export_private_jwk(holder_key),
        frame={"address": {"locality": True}, "nationalities": {"0": True}},
        keyBinding={"iat": NOW_S, "aud": AUDIENCE, "nonce": NONCE},
    )
    shown = verify(result["presentation"], issuer_key)
    assert set(shown.disclosed_paths) == {
        ("address",),
        ("address", "locality"),
        ("nationalities", 0),
    }
    assert shown.claims["address"] == {"locality": "港区"}


@ALGORITHMS
def test_we_take_and_present_what_they_issue(algorithm: str) -> None:
    issuer_key, holder_key = jose.generate_key(algorithm), jose.generate_key(algorithm)
    credential = run_node(
        action="issue",
        issuerKey=jose.export_private_jwk(issuer_key),
        claims={
            **CLAIMS,
            "iss": "https://city.example",
            "iat": ISSUED_AT,
            "exp": EXPIRES_AT,
            "vct": VCT,
            "cnf": {"jwk": jose.export_public_jwk(holder_key)},
        },
        frame={
            "_sd": ["given_name", "address"],
            "address": {"_sd": ["locality", "street_address"], "_sd_decoy": 2},
            "nationalities": {"_sd": [0, 1]},
        },
    )["credential"]
    received = vc.verify_credential(
        credential, issuer_key=issuer_key, expected_vct=VCT, now_s=NOW_S, leeway_s=0
    )
    assert CLAIMS.items() <= received.claims.items()
    assert received.holder_key == jose.export_public_jwk(holder_key)
    presentation = vc.present_credential(
        credential,
        paths=[("address", "street_address")],
        holder_key=holder_key,
        audience=AUDIENCE,
        nonce=NONCE,
        issued_at=NOW_S,
    )
    shown = verify(presentation, issuer_key)
    assert shown.disclosed_paths == (("address",), ("address", "street_address"))
