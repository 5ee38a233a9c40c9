"""Something that a wallet showed."""

from dataclasses import dataclass
from typing import Self

from chaincode.encoding import JsonObject, encode_base64url
from client_sdk.ledger.grants import ClaimPath
from client_sdk.strict_json import JsonFields


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPresentation:
    """Something that the wallet showed.

    Attributes:
        verifier: The verifier's client identifier.
        verifier_name: Who asked, as the holder was shown.
        attributes: The claims that were asked for.
        purpose: What for; None where the verifier said nothing.
        grant: The grant that it was shown under; None where none was asked for.
        sent_at_ms: Milliseconds since 1970, UTC.
        shown: What it is known by in receipts, 32 bytes.
        is_taken: Whether the verifier took it, as far as the wallet heard.
        is_deposit: Whether it was left at the gateway, sealed: receipts tell when it is seen.
    """

    verifier: str
    verifier_name: str
    attributes: tuple[ClaimPath, ...]
    purpose: str | None
    grant: str | None
    sent_at_ms: int
    shown: bytes
    is_taken: bool
    is_deposit: bool

    def to_fields(self) -> JsonObject:
        """Return the presentation as a JSON object."""
        return {
            "verifier": self.verifier,
            "verifier_name": self.verifier_name,
            "attributes": [list(path) for path in self.attributes],
            "purpose": self.purpose,
            "grant": self.grant,
            "sent_at_ms": self.sent_at_ms,
            "shown": encode_base64url(self.shown),
            "is_taken": self.is_taken,
            "is_deposit": self.is_deposit,
        }

    @classmethod
    def from_fields(cls, fields: JsonFields) -> Self:
        """Return the presentation that a JSON object stands for.

        Raises:
            VaultFormatError: Something is missing or of the wrong kind.
        """
        return cls(
            verifier=fields.text("verifier"),
            verifier_name=fields.text("verifier_name"),
            attributes=fields.paths("attributes"),
            purpose=fields.optional_text("purpose"),
            grant=fields.optional_text("grant"),
            sent_at_ms=fields.whole("sent_at_ms"),
            shown=fields.data("shown"),
            is_taken=fields.flag("is_taken"),
            is_deposit=fields.flag("is_deposit"),
        )
