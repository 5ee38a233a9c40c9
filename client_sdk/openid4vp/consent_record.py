"""The record of a consent, signed by the holder, for both sides to keep (ISO/IEC TS 27560:2023).

Its members are the standard's; roles, basis and state are terms of the W3C Data Privacy Vocabulary.
It names attributes, never values. The verifier's half is its signed request: the record holds the
hash of the terms that the request carries, so the two belong together.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, cast

from chaincode.encoding import JsonObject, JsonValue, decode_base64url
from chaincode.signatures import KeyAlgorithm, PublicKey
from client_sdk.credentials.jose import (
    Key,
    export_public_jwk,
    parse_compact,
    parse_public_jwk,
    sign_compact,
)
from client_sdk.errors import (
    ConsentError,
    CredentialFormatError,
    KeyFormatError,
    RequestError,
    SignatureError,
)
from client_sdk.ledger.grants import ClaimPath
from client_sdk.openid4vp.claims_path import name_path
from client_sdk.openid4vp.grant_offer import GrantOffer, hash_transaction_data, parse_grant_offer
from client_sdk.purposes import VOCABULARY
from client_sdk.strict_json import JsonFields

CONSENT_TYP: Final = "consent-record+jwt"
SCHEMA: Final = "ISO/IEC TS 27560:2023"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRecord:
    """A consent that a holder signed.

    Attributes:
        grant: The grant's record id; also the record's own.
        ledger: The ledger's id.
        account: The holder's account.
        signatory: The key that signed, as the ledger names signatories.
        attributes: The claims that are granted, sorted.
        given_at_s: When, in seconds since 1970, UTC.
        claims: The whole record, as it was signed.
        token: The same with its signature, a JWT.
    """

    grant: str
    ledger: str
    account: str
    signatory: str
    attributes: tuple[ClaimPath, ...]
    given_at_s: int
    claims: JsonObject = field(repr=False)
    token: str = field(repr=False)


def sign_consent(
    terms: str,
    *,
    grant: str,
    account: str,
    attributes: tuple[ClaimPath, ...],
    holder_key: Key,
    given_at_s: int,
) -> str:
    """Return the holder's signed record of a consent.

    Args:
        terms: The grant offer, as the request carries it (an element of `transaction_data`).
        grant: The grant's record id.
        account: The holder's account.
        attributes: The claims that are granted, sorted.
        holder_key: The key that the presentation is signed with.
        given_at_s: Seconds since 1970, UTC.

    Raises:
        RequestError: The terms are no grant offer.
    """
    claims = _claims(terms, grant, account, attributes, given_at_s)
    header: JsonObject = {"typ": CONSENT_TYP, "jwk": export_public_jwk(holder_key)}
    return sign_compact(header, claims, holder_key)


def verify_consent(token: str, *, terms: str) -> ConsentRecord:
    """Return a consent, known to be signed by the key that it names, and for these terms.

    Whether that key was one of the account's is for the caller to see on the ledger.

    Args:
        token: What `sign_consent` returned.
        terms: The grant offer, as the request carried it.

    Raises:
        ConsentError: It is not signed, not well formed, or for other terms.
    """
    try:
        unverified = parse_compact(token)
        key = parse_public_jwk(unverified.unverified_header.get("jwk"))
        _, claims = unverified.verify(key=key, expected_typ=CONSENT_TYP)
        fields = JsonFields(claims, what="the consent record", error=ConsentError)
        grant, account = fields.text("record_id"), fields.text("pii_principal_id")
        tegata = fields.member("tegata")
        given_at_s = fields.whole("iat")
        expected = _claims(terms, grant, account, tegata.paths("attributes"), given_at_s)
    except (CredentialFormatError, KeyFormatError, SignatureError, RequestError) as error:
        raise ConsentError(f"the consent record: {error}") from None
    except (OverflowError, ValueError, OSError):
        raise ConsentError("the consent record: its time is none") from None
    if claims != expected:
        raise ConsentError("the consent record: for other terms than the request's")
    return ConsentRecord(
        grant=grant,
        ledger=tegata.text("ledger"),
        account=account,
        signatory=_signatory(key),
        attributes=tegata.paths("attributes"),
        given_at_s=given_at_s,
        claims=claims,
        token=token,
    )


def _claims(
    terms: str, grant: str, account: str, attributes: tuple[ClaimPath, ...], given_at_s: int
) -> JsonObject:
    offer = parse_grant_offer(terms)
    if not set(attributes) <= set(offer.attributes):
        raise ConsentError("the consent record: it grants more than was asked for")
    return {
        "schema_version": SCHEMA,
        "record_id": grant,
        "pii_principal_id": account,
        "iat": given_at_s,
        "pii_processing": {
            "privacy_notice": f"urn:sha256:{hash_transaction_data(terms)}",
            "purposes": [_purpose(offer, grant, attributes)],
        },
        "party_identification": [
            {
                "party_id": offer.verifier,
                "party_name": offer.verifier_name,
                "party_role": f"{VOCABULARY}DataController",
            },
            {"party_id": offer.gateway, "party_role": f"{VOCABULARY}DataProcessor"},
        ],
        "event": [
            {
                "event_time": _time(given_at_s),
                "validity_duration": _time(offer.expires_at_ms // 1000),
                "entity_id": account,
                "event_type": f"{VOCABULARY}ExpressedConsent",
                "event_state": f"{VOCABULARY}ConsentGiven",
            }
        ],
        "tegata": {
            "ledger": offer.ledger,
            "attributes": [cast(JsonValue, list(path)) for path in attributes],
            "uses": offer.uses,
            "expires_at_ms": offer.expires_at_ms,
        },
    }


def _purpose(offer: GrantOffer, grant: str, attributes: tuple[ClaimPath, ...]) -> JsonObject:
    return {
        "purpose": offer.purpose,
        "purpose_type": offer.purpose_term.iri,
        "lawful_basis": f"{VOCABULARY}Consent",
        "pii_information": [
            {"pii_type": name_path(path), "pii_optional": False} for path in attributes
        ],
        "pii_controllers": [offer.verifier],
        "collection_method": "OpenID4VP 1.0",
        "withdrawal_method": f"tg_grant_{grant} on the ledger {offer.ledger}: revoked",
    }


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat()


def _signatory(key: Key) -> str:
    jwk = export_public_jwk(key)
    if jwk["crv"] != "Ed25519":
        raise ConsentError("the consent record: not signed by a key of a ledger account")
    return PublicKey(KeyAlgorithm.ED25519_SHA2, decode_base64url(cast(str, jwk["x"]))).encode()
