"""Credentials to and from the JavaScript library `@sd-jwt/sd-jwt-vc`.

`npm ci --prefix tests/interop/js` installs it; the Makefile does so before the tests.
"""

from typing import Any

from support.node_scripts import run_script
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

NOW_S = ISSUED_AT + 100


def run_node(**task: Any) -> dict[str, Any]:
    result: dict[str, Any] = run_script("sd_jwt_vc.mjs", task)
    return result


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
    ours = verify(presentation, issuer_key, NOW_S)
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
    shown = verify(result["presentation"], issuer_key, NOW_S)
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
    shown = verify(presentation, issuer_key, NOW_S)
    assert shown.disclosed_paths == (("address",), ("address", "street_address"))
