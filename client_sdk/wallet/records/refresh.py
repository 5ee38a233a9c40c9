"""What a wallet keeps so that it can ask for the same credentials again, without a new offer."""

from dataclasses import dataclass, field
from typing import Self

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import Key, parse_private_jwk
from client_sdk.errors import KeyFormatError, VaultFormatError
from client_sdk.strict_json import JsonFields
from client_sdk.wallet.records.issuance import StoredIssuance


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRefresh:
    """A refresh token. Its repr shows neither token nor key.

    Attributes:
        refresh_id: The id of the issuance that it came with.
        issuer_url: The issuer's identifier.
        server_url: The authorization server's, which takes it.
        configuration_id: What it is for, in the issuer's metadata.
        trusted_issuer: The issuer account that the holder named; None for the account's own.
        is_one_time: Whether it was given with one-time credentials, and so gives more of them.
        token: The token.
        dpop_jwk: The private key that it is bound to; None for none.
    """

    refresh_id: str
    issuer_url: str
    server_url: str
    configuration_id: str
    trusted_issuer: str | None
    is_one_time: bool
    token: str = field(repr=False)
    dpop_jwk: JsonObject | None = field(default=None, repr=False)

    @classmethod
    def of(cls, issuance: StoredIssuance) -> Self | None:
        """Return what is kept of an issuance that came to its end; None where that is nothing."""
        if issuance.refresh_token is None or issuance.configuration_id is None:
            return None
        return cls(
            refresh_id=issuance.issuance_id,
            issuer_url=issuance.issuer_url,
            server_url=issuance.server_url,
            configuration_id=issuance.configuration_id,
            trusted_issuer=issuance.trusted_issuer,
            is_one_time=bool(issuance.seeds),
            token=issuance.refresh_token,
            dpop_jwk=issuance.dpop_jwk,
        )

    @property
    def dpop_key(self) -> Key | None:
        """The private key that the token is bound to."""
        return None if self.dpop_jwk is None else parse_private_jwk(self.dpop_jwk)

    def to_fields(self) -> JsonObject:
        """Return it as a JSON object."""
        return {
            "refresh_id": self.refresh_id,
            "issuer_url": self.issuer_url,
            "server_url": self.server_url,
            "configuration_id": self.configuration_id,
            "trusted_issuer": self.trusted_issuer,
            "is_one_time": self.is_one_time,
            "token": self.token,
            "dpop_jwk": self.dpop_jwk,
        }

    @classmethod
    def from_fields(cls, fields: JsonFields) -> Self:
        """Return what a JSON object stands for.

        Raises:
            VaultFormatError: Something is missing or of the wrong kind.
        """
        kept = cls(
            refresh_id=fields.text("refresh_id"),
            issuer_url=fields.text("issuer_url"),
            server_url=fields.text("server_url"),
            configuration_id=fields.text("configuration_id"),
            trusted_issuer=fields.optional_text("trusted_issuer"),
            is_one_time=fields.flag("is_one_time"),
            token=fields.text("token"),
            dpop_jwk=fields.optional_object("dpop_jwk"),
        )
        try:
            _ = kept.dpop_key
        except KeyFormatError as error:
            raise VaultFormatError(f"the wallet's contents: {error}") from None
        return kept
