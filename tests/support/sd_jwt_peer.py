"""An SD-JWT VC of ours for other implementations to read, and our look at what they present."""

from typing import Final

import pytest

from chaincode.encoding import JsonObject
from client_sdk.credentials import jose
from client_sdk.credentials import sd_jwt_vc as vc

VCT: Final = "https://city.example/residence"
AUDIENCE: Final = "x509_san_dns:bank.example"
NONCE: Final = "n-0S6_WzA2Mj"
ISSUED_AT: Final = 1_700_000_000
EXPIRES_AT: Final = 4_000_000_000
"""Later than the clock of those that look at it."""
CLAIMS: Final[JsonObject] = {
    "given_name": "太郎",
    "address": {"locality": "港区", "street_address": "芝公園4-2-8"},
    "nationalities": ["JP", "DE"],
}
ALGORITHMS: Final = pytest.mark.parametrize("algorithm", jose.ALGORITHMS)


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


def verify(presentation: str, issuer_key: jose.Key, now_s: int) -> vc.VerifiedPresentation:
    return vc.verify_presentation(
        presentation,
        find_issuer_key=lambda _header, _payload: issuer_key,
        expected_vcts=[VCT],
        expected_audience=AUDIENCE,
        expected_nonce=NONCE,
        now_s=now_s,
        max_age_s=0,
        leeway_s=0,
    )
