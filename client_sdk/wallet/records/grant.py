"""A grant that a wallet made."""

from dataclasses import dataclass, field
from typing import Self

from chaincode.encoding import JsonObject
from client_sdk.ledger.grants import GrantTerms
from client_sdk.strict_json import JsonFields


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredGrant:
    """A grant that the wallet made.

    Attributes:
        grant_id: Its id on the ledger, 32 hex digits.
        verifier_name: Who was allowed, as the holder was shown.
        terms: What was granted.
        gateway: The account of the gateway that serves it.
        granted_at_ms: Milliseconds since 1970, UTC.
        expires_at_ms: Milliseconds since 1970, UTC.
        uses: How often it may be used.
        opening: The salt of its commitment.
        consent: The holder's signed record of the consent, a JWT.
        request_object: What the verifier asked, as it signed it: its half of the consent.
    """

    grant_id: str
    verifier_name: str
    terms: GrantTerms
    gateway: str
    granted_at_ms: int
    expires_at_ms: int
    uses: int
    opening: str = field(repr=False)
    consent: str = field(repr=False)
    request_object: str = field(repr=False)

    def to_fields(self) -> JsonObject:
        """Return the grant as a JSON object."""
        return {
            "grant_id": self.grant_id,
            "verifier_name": self.verifier_name,
            "verifier": self.terms.verifier,
            "credential": self.terms.credential,
            "attributes": [list(path) for path in self.terms.attributes],
            "purpose": self.terms.purpose,
            "purpose_term": self.terms.purpose_term,
            "gateway": self.gateway,
            "granted_at_ms": self.granted_at_ms,
            "expires_at_ms": self.expires_at_ms,
            "uses": self.uses,
            "opening": self.opening,
            "consent": self.consent,
            "request_object": self.request_object,
        }

    @classmethod
    def from_fields(cls, fields: JsonFields) -> Self:
        """Return the grant that a JSON object stands for.

        Raises:
            VaultFormatError: Something is missing or of the wrong kind.
        """
        terms = GrantTerms(
            verifier=fields.text("verifier"),
            credential=fields.text("credential"),
            attributes=fields.paths("attributes"),
            purpose=fields.text("purpose"),
            purpose_term=fields.text("purpose_term"),
        )
        return cls(
            grant_id=fields.text("grant_id"),
            verifier_name=fields.text("verifier_name"),
            terms=terms,
            gateway=fields.text("gateway"),
            granted_at_ms=fields.whole("granted_at_ms"),
            expires_at_ms=fields.whole("expires_at_ms"),
            uses=fields.whole("uses"),
            opening=fields.text("opening"),
            consent=fields.text("consent"),
            request_object=fields.text("request_object"),
        )
