"""The face service's word that the person of a portrait made one request, as a signed JWT.

| claim | meaning |
| --- | --- |
| `iss` | the face service |
| `aud` | who may take it: a service, or the id of an agent set |
| `jti` | taken once |
| `iat`, `exp` | seconds since 1970, UTC |
| `purpose` | what the test was for |
| `account` | the holder's ledger account |
| `request_hash` | the one request that it is for |
| `portrait_commitment` | the portrait that was registered at enrolment, and no other |
| `checks`, `thresholds` | what was tested, and how strictly |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.credentials.jose import Key, sign_compact
from client_sdk.errors import AttestationError
from client_sdk.escrow.voucher import verify_voucher
from client_sdk.json_fields import JsonFields

ATTESTATION_TYP: Final = "tegata-face+jwt"
MAX_SECONDS: Final = 300
_WHAT: Final = "the face attestation"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceAttestation:
    """What a face service attests.

    Attributes:
        issuer: The face service's name.
        audience: Who may take it.
        id: Single use; 128 random bits or more.
        issued_at: Seconds since 1970, UTC.
        expires_at: Seconds since 1970, UTC.
        purpose: What the test was for.
        account: The holder's ledger account.
        request_hash: The request that it is for.
        portrait_commitment: The registered portrait.
        checks: What was tested.
        thresholds: How strictly, by the name of the check.
    """

    issuer: str
    audience: str
    id: str
    issued_at: int
    expires_at: int
    purpose: str
    account: str
    request_hash: str
    portrait_commitment: str
    checks: tuple[str, ...]
    thresholds: Mapping[str, float]

    def sign(self, key: Key) -> str:
        """Return the attestation as a JWT."""
        thresholds: dict[str, JsonValue] = dict(self.thresholds)
        claims: JsonObject = {
            "iss": self.issuer,
            "aud": self.audience,
            "jti": self.id,
            "iat": self.issued_at,
            "exp": self.expires_at,
            "purpose": self.purpose,
            "account": self.account,
            "request_hash": self.request_hash,
            "portrait_commitment": self.portrait_commitment,
            "checks": list(self.checks),
            "thresholds": thresholds,
        }
        return sign_compact({"typ": ATTESTATION_TYP}, claims, key)


def verify_attestation(
    token: str,
    *,
    keys: Mapping[str, Key],
    expected_audience: str,
    expected_purpose: str,
    expected_account: str,
    expected_request_hash: str,
    expected_portrait: str,
    now_s: int,
) -> FaceAttestation:
    """Return an attestation, now known to be for this request; the caller makes sure of one use.

    Args:
        token: The JWT.
        keys: The keys of the face services that are trusted, by name.
        expected_audience: Who takes it.
        expected_purpose: What for.
        expected_account: Whose request it is.
        expected_request_hash: The request.
        expected_portrait: The commitment that was registered at enrolment.
        now_s: Seconds since 1970, UTC.

    Raises:
        AttestationError: It is not signed by a trusted service, has expired, or is for something
            else; the text says what.
    """
    claims = verify_voucher(
        token, keys, typ=ATTESTATION_TYP, what=_WHAT, most_s=MAX_SECONDS, now_s=now_s
    )
    fields = JsonFields(claims, what=_WHAT, error=AttestationError)
    expected = {
        "aud": expected_audience,
        "purpose": expected_purpose,
        "account": expected_account,
        "request_hash": expected_request_hash,
        "portrait_commitment": expected_portrait,
    }
    for name, value in expected.items():
        if fields.text(name) != value:
            raise AttestationError(f"{_WHAT} is of another {name}")
    thresholds = claims.get("thresholds")
    return FaceAttestation(
        issuer=fields.text("iss"),
        audience=expected_audience,
        id=fields.text("jti"),
        issued_at=fields.whole("iat"),
        expires_at=fields.whole("exp"),
        purpose=expected_purpose,
        account=expected_account,
        request_hash=expected_request_hash,
        portrait_commitment=expected_portrait,
        checks=fields.texts("checks"),
        thresholds={
            name: value
            for name, value in (thresholds.items() if isinstance(thresholds, dict) else ())
            if isinstance(value, int | float)
        },
    )
