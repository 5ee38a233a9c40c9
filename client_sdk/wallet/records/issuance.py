"""What a wallet keeps of an offer that it accepted, until it has the credential."""

from dataclasses import dataclass, field
from typing import Self

from chaincode.encoding import JsonObject, encode_base64url
from client_sdk.credentials.jose import export_private_jwk, parse_private_jwk
from client_sdk.errors import KeyFormatError, VaultFormatError
from client_sdk.http.client import HttpClient
from client_sdk.ledger.account_key import SEED_BYTES
from client_sdk.openid4vci.issuer_answers import fetch_metadata
from client_sdk.openid4vci.signed_metadata import MetadataTrust
from client_sdk.openid4vci.token_client import AcceptedOffer, fetch_issuer_keys
from client_sdk.strict_json import JsonFields


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredIssuance:
    """An accepted offer. Its repr shows neither token nor key.

    Attributes:
        issuance_id: The SHA-256 of the offer's link, 64 hex digits.
        issuer_url: The issuer's identifier.
        credential_format: The format that was asked for.
        credential_type: The type that was offered.
        trusted_issuer: The issuer account that the holder named; None for the account's own.
        transaction_id: What a deferred credential is collected by; None where nothing is deferred.
        token: The access token.
        wanted: How requests name the credential.
        dpop_jwk: The private key that the token is bound to; None for none.
        configuration_id: The credential in the issuer's metadata; None where that is not known.
        seeds: The keys of one-time credentials, 32 secret bytes each; empty for one credential that
            is bound to the account's key.
        refresh_token: What is kept once the credentials are here; None for nothing.
        server_url: Who takes it.
    """

    issuance_id: str
    issuer_url: str
    credential_format: str
    credential_type: str
    trusted_issuer: str | None
    transaction_id: str | None = field(default=None, repr=False)
    token: str = field(repr=False)
    wanted: JsonObject
    dpop_jwk: JsonObject | None = field(default=None, repr=False)
    configuration_id: str | None = None
    seeds: tuple[bytes, ...] = field(default=(), repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    server_url: str = ""

    @classmethod
    def of(
        cls,
        accepted: AcceptedOffer,
        *,
        issuance_id: str,
        trusted_issuer: str | None,
        seeds: tuple[bytes, ...] = (),
    ) -> Self:
        """Return an accepted offer in the form in which it is kept."""
        key = accepted.dpop_key
        return cls(
            issuance_id=issuance_id,
            issuer_url=accepted.metadata.credential_issuer,
            credential_format=accepted.credential_format,
            credential_type=accepted.credential_type,
            trusted_issuer=trusted_issuer,
            token=accepted.token,
            wanted=accepted.wanted,
            dpop_jwk=None if key is None else export_private_jwk(key),
            configuration_id=accepted.configuration_id,
            seeds=seeds,
            refresh_token=accepted.refresh_token,
            server_url=accepted.server_url,
        )

    def accepted(self, http: HttpClient, trust: MetadataTrust | None = None) -> AcceptedOffer:
        """Return the accepted offer, with what its issuer publishes now.

        Args:
            http: The session.
            trust: Who must vouch for that; None for nobody.

        Raises:
            OfferError: The issuer publishes nothing acceptable.
            TransportError: The issuer cannot be reached.
        """
        return AcceptedOffer(
            metadata=fetch_metadata(self.issuer_url, http=http, trust=trust),
            credential_format=self.credential_format,
            credential_type=self.credential_type,
            issuer_keys=fetch_issuer_keys(self.issuer_url, http),
            token=self.token,
            wanted=self.wanted,
            dpop_key=None if self.dpop_jwk is None else parse_private_jwk(self.dpop_jwk),
            configuration_id=self.configuration_id,
        )

    def to_fields(self) -> JsonObject:
        """Return the issuance as a JSON object."""
        return {
            "issuance_id": self.issuance_id,
            "issuer_url": self.issuer_url,
            "credential_format": self.credential_format,
            "credential_type": self.credential_type,
            "trusted_issuer": self.trusted_issuer,
            "transaction_id": self.transaction_id,
            "token": self.token,
            "wanted": self.wanted,
            "dpop_jwk": self.dpop_jwk,
            "configuration_id": self.configuration_id,
            "seeds": [encode_base64url(seed) for seed in self.seeds],
            "refresh_token": self.refresh_token,
            "server_url": self.server_url,
        }

    @classmethod
    def from_fields(cls, fields: JsonFields) -> Self:
        """Return the issuance that a JSON object stands for.

        Raises:
            VaultFormatError: Something is missing or of the wrong kind.
        """
        dpop_jwk = fields.optional_object("dpop_jwk")
        try:
            if dpop_jwk is not None:
                parse_private_jwk(dpop_jwk)
        except KeyFormatError as error:
            raise VaultFormatError(f"the wallet's contents: an accepted offer: {error}") from None
        return cls(
            issuance_id=fields.text("issuance_id"),
            issuer_url=fields.text("issuer_url"),
            credential_format=fields.text("credential_format"),
            credential_type=fields.text("credential_type"),
            trusted_issuer=fields.optional_text("trusted_issuer"),
            transaction_id=fields.optional_text("transaction_id"),
            token=fields.text("token"),
            wanted=fields.object("wanted"),
            dpop_jwk=dpop_jwk,
            configuration_id=fields.optional_text("configuration_id"),
            seeds=fields.secrets("seeds", SEED_BYTES),
            refresh_token=fields.optional_text("refresh_token"),
            server_url=fields.text("server_url"),
        )
