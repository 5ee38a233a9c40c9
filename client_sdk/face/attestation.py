"""A face service's word that the person of a portrait was there, as a signed JWT of two kinds.

| claim | meaning |
| --- | --- |
| `iss` | the face service |
| `aud` | who may take it: a service, a verifier, or the id of an agent set |
| `jti` | single use |
| `iat`, `exp` | seconds since 1970, UTC |
| `purpose` | what the test was for |
| `account` | the holder's ledger account |
| `portrait_commitment` | the portrait that was registered at enrolment, and no other |
| `checks`, `thresholds` | what was tested, and how strictly |
| `request_hash` | of the kind `tegata-face+jwt`: the one request that it is for |
| `cnf.jkt` | of the kind `tegata-face-recent+jwt`: the key (RFC 7800) whose holder was tested |

The first kind is good for one request. The second is for policies that take a recent test: it is
good until it expires, for one verifier, and only with a signature of that key.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.credentials.jose import Key, sign_compact
from client_sdk.credentials.voucher import verify_voucher
from client_sdk.errors import AttestationError
from client_sdk.strict_json import JsonFields

ATTESTATION_TYP: Final = "tegata-face+jwt"
RECENT_TYP: Final = "tegata-face-recent+jwt"
MAX_SECONDS: Final = 300
MAX_RECENT_SECONDS: Final = 86_400
_WHAT: Final = "the face attestation"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceAttestation:
    """What a face service attests, of either kind.

    Attributes:
        issuer: The face service's name.
        audience: Who may take it.
        id: 128 random bits or more.
        issued_at: Seconds since 1970, UTC.
        expires_at: Seconds since 1970, UTC.
        purpose: What the test was for.
        account: The holder's ledger account.
        portrait_commitment: The registered portrait (`PortraitOpening.commitment`).
        checks: What was tested.
        thresholds: How strictly, by the name of the check.
        request_hash: The one request that it is for; None for the kind of recent tests.
        holder_key: Thumbprint of the key whose holder was tested; None for the other kind.
    """

    issuer: str
    audience: str
    id: str
    issued_at: int
    expires_at: int
    purpose: str
    account: str
    portrait_commitment: str
    checks: tuple[str, ...]
    thresholds: Mapping[str, float]
    request_hash: str | None = None
    holder_key: str | None = None

    def __post_init__(self) -> None:
        if (self.request_hash is None) is (self.holder_key is None):
            raise AttestationError(f"{_WHAT} is for one request, or else for one key")

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
            "portrait_commitment": self.portrait_commitment,
            "checks": list(self.checks),
            "thresholds": thresholds,
        }
        if self.holder_key is not None:
            return sign_compact(
                {"typ": RECENT_TYP}, {**claims, "cnf": {"jkt": self.holder_key}}, key
            )
        return sign_compact(
            {"typ": ATTESTATION_TYP}, {**claims, "request_hash": self.request_hash}, key
        )


def verify_attestation(
    token: str,
    *,
    keys: Mapping[str, Key],
    expected_audience: str,
    expected_purpose: str,
    expected_account: str,
    expected_request_hash: str,
    expected_portraits: Collection[str],
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
        expected_portraits: The commitments of which one was registered at enrolment.
        now_s: Seconds since 1970, UTC.

    Raises:
        AttestationError: It is not signed by a trusted service, has expired, or is for something
            else; the text says what.
    """
    claims = verify_voucher(
        token, keys, typ=ATTESTATION_TYP, what=_WHAT, most_s=MAX_SECONDS, now_s=now_s
    )
    fields = JsonFields(claims, what=_WHAT, error=AttestationError)
    _expect(fields, "aud", expected_audience)
    _expect(fields, "purpose", expected_purpose)
    _expect(fields, "account", expected_account)
    _expect(fields, "request_hash", expected_request_hash)
    _expect(fields, "portrait_commitment", *expected_portraits)
    return _read(fields, claims, request_hash=expected_request_hash)


def verify_recent_attestation(
    token: str,
    *,
    keys: Mapping[str, Key],
    expected_audience: str,
    expected_purpose: str,
    expected_account: str,
    expected_holder_key: str,
    expected_portraits: Collection[str],
    max_age_s: int,
    now_s: int,
) -> FaceAttestation:
    """Return an attestation of a recent test, now known to be of this key's holder.

    Args:
        token: The JWT.
        keys: The keys of the face services that are trusted, by name.
        expected_audience: The verifier.
        expected_purpose: What for.
        expected_account: Whose account it is.
        expected_holder_key: Thumbprint of the key that the holder proves.
        expected_portraits: The commitments of which one was registered at enrolment.
        max_age_s: How many seconds the test may be old.
        now_s: Seconds since 1970, UTC.

    Raises:
        AttestationError: As `verify_attestation`, or the test is older.
    """
    claims = verify_voucher(
        token, keys, typ=RECENT_TYP, what=_WHAT, most_s=MAX_RECENT_SECONDS, now_s=now_s
    )
    fields = JsonFields(claims, what=_WHAT, error=AttestationError)
    _expect(fields, "aud", expected_audience)
    _expect(fields, "purpose", expected_purpose)
    _expect(fields, "account", expected_account)
    _expect(fields.member("cnf"), "jkt", expected_holder_key)
    _expect(fields, "portrait_commitment", *expected_portraits)
    if now_s - fields.whole("iat") > max_age_s:
        raise AttestationError(f"{_WHAT} is older than {max_age_s} s: make a new test")
    return _read(fields, claims, holder_key=expected_holder_key)


def _expect(fields: JsonFields, name: str, *expected: str) -> None:
    if fields.text(name) not in expected:
        raise AttestationError(f"{_WHAT} is of another {name}")


def _read(
    fields: JsonFields,
    claims: JsonObject,
    *,
    request_hash: str | None = None,
    holder_key: str | None = None,
) -> FaceAttestation:
    thresholds = claims.get("thresholds")
    return FaceAttestation(
        issuer=fields.text("iss"),
        audience=fields.text("aud"),
        id=fields.text("jti"),
        issued_at=fields.whole("iat"),
        expires_at=fields.whole("exp"),
        purpose=fields.text("purpose"),
        account=fields.text("account"),
        portrait_commitment=fields.text("portrait_commitment"),
        checks=fields.texts("checks"),
        thresholds={
            name: value
            for name, value in (thresholds.items() if isinstance(thresholds, dict) else ())
            if isinstance(value, int | float)
        },
        request_hash=request_hash,
        holder_key=holder_key,
    )
