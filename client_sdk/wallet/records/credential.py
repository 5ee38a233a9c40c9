"""A credential in a wallet."""

from dataclasses import dataclass, field
from typing import Self

from chaincode.encoding import JsonObject, encode_base64url
from client_sdk.errors import CredentialFormatError, VaultFormatError
from client_sdk.formats import ReadCredential, find_format
from client_sdk.formats.dc_sd_jwt import DcSdJwt
from client_sdk.ledger.account_key import SEED_BYTES
from client_sdk.ledger.batches import Inclusion
from client_sdk.strict_json import JsonFields


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCredential:
    """A credential in the wallet.

    Attributes:
        record_id: Its id on the ledger, 32 hex digits.
        credential_type: Its `vct`, or its type beside `VerifiableCredential`.
        issuer: The issuer's account.
        expires_at_ms: Milliseconds since 1970, UTC.
        inclusion: Where in which batch it is anchored; None where it is anchored alone.
        format: The identifier of its format.
        is_used: Of a one-time credential: that it was shown, and is not shown again.
        issuer_url: The identifier of the issuer's service; empty where that was not kept.
        text: The credential, with all disclosures that it may have.
        seed: Of a one-time credential: the 32 secret bytes of its own key; None for one that is
            bound to the account's key.
    """

    record_id: str
    credential_type: str
    issuer: str
    expires_at_ms: int
    inclusion: Inclusion | None = None
    format: str = DcSdJwt.identifier
    is_used: bool = False
    issuer_url: str = ""
    text: str = field(repr=False)
    seed: bytes | None = field(default=None, repr=False)

    @property
    def is_one_time(self) -> bool:
        """Whether it has a key of its own, and is shown once."""
        return self.seed is not None

    def read(self) -> ReadCredential:
        """Return what it says.

        Raises:
            CredentialFormatError: It is not of its format.
            DisclosureError: A disclosure does not belong to it.
        """
        return find_format(self.format).read(self.text)

    def to_fields(self) -> JsonObject:
        """Return the credential as a JSON object."""
        fields: JsonObject = {
            "record_id": self.record_id,
            "credential_type": self.credential_type,
            "issuer": self.issuer,
            "expires_at_ms": self.expires_at_ms,
            "format": self.format,
            "issuer_url": self.issuer_url,
            "text": self.text,
        }
        if self.inclusion is not None:
            fields["inclusion"] = self.inclusion.to_json()
        if self.seed is not None:
            fields["seed"] = encode_base64url(self.seed)
            fields["is_used"] = self.is_used
        return fields

    @classmethod
    def from_fields(cls, fields: JsonFields) -> Self:
        """Return the credential that a JSON object stands for.

        Raises:
            VaultFormatError: Something is missing or of the wrong kind.
        """
        is_one_time = "seed" in fields.names
        return cls(
            record_id=fields.text("record_id"),
            credential_type=fields.text("credential_type"),
            issuer=fields.text("issuer"),
            expires_at_ms=fields.whole("expires_at_ms"),
            inclusion=_inclusion(fields) if "inclusion" in fields.names else None,
            format=fields.text("format"),
            is_used=fields.flag("is_used") if is_one_time else False,
            issuer_url=fields.text("issuer_url"),
            text=fields.text("text"),
            seed=fields.secret("seed", SEED_BYTES) if is_one_time else None,
        )


def _inclusion(fields: JsonFields) -> Inclusion:
    try:
        return Inclusion.from_json(fields.object("inclusion"))
    except CredentialFormatError as error:
        raise VaultFormatError(f"the wallet's contents: {error}") from None
