"""What an authorization server publishes of itself (RFC 8414, OpenID4VCI 1.0 section 12.3)."""

from dataclasses import dataclass
from typing import Final, Self

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.credentials.jose import ALGORITHMS
from client_sdk.errors import OfferError
from client_sdk.openid4vci.account_assertion import JWT_BEARER
from client_sdk.openid4vci.authorization import CHALLENGE_METHOD, OPENID_CREDENTIAL
from client_sdk.openid4vci.card_grant import MY_NUMBER_CARD
from client_sdk.openid4vci.client_attestation import AUTH_METHOD
from client_sdk.openid4vci.credential_offer import (
    AUTHORIZATION_CODE,
    PRE_AUTHORIZED_CODE,
    REFRESH_TOKEN,
    parse_url,
)
from client_sdk.strict_json import text_list

SERVER_METADATA: Final = "oauth-authorization-server"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerMetadata:
    """An authorization server, as far as wallets need it.

    Attributes:
        issuer: Its identifier.
        token_endpoint: Where a code becomes a token.
        authorization_endpoint: Where the holder's browser goes; None for nowhere.
        push_endpoint: Where requests are pushed (RFC 9126); None for nowhere.
        challenge_endpoint: Where challenges for wallet attestations are had; None for nowhere.
        scopes: What can be asked for; for publishing only.
        takes_cards: Whether a card's proof is a grant; for publishing only.
        gives_refresh_tokens: Whether refresh tokens are a grant; for publishing only.
        is_push_required: Whether every authorization request must be pushed.
        takes_attestations: Whether a wallet may show an attestation.
        is_attestation_required: Whether every wallet shows one (HAIP 1.0).
        binds_tokens: Whether tokens can be bound to a key of ours (RFC 9449).
        names_itself: Whether its authorization answers hold `iss` (RFC 9207).
    """

    issuer: str
    token_endpoint: str
    authorization_endpoint: str | None = None
    push_endpoint: str | None = None
    challenge_endpoint: str | None = None
    scopes: tuple[str, ...] = ()
    takes_cards: bool = False
    gives_refresh_tokens: bool = False
    is_push_required: bool = False
    takes_attestations: bool = False
    is_attestation_required: bool = False
    binds_tokens: bool = False
    names_itself: bool = False

    def to_fields(self) -> JsonObject:
        """Return the metadata as a JSON object."""
        grants = [PRE_AUTHORIZED_CODE, JWT_BEARER]
        if self.authorization_endpoint is not None:
            grants.append(AUTHORIZATION_CODE)
        if self.takes_cards:
            grants.append(MY_NUMBER_CARD)
        if self.gives_refresh_tokens:
            grants.append(REFRESH_TOKEN)
        methods: list[JsonValue] = [AUTH_METHOD] if self.takes_attestations else []
        if not self.is_attestation_required:
            methods.append("none")
        grant_types: list[JsonValue] = [*grants]
        fields: JsonObject = {
            "issuer": self.issuer,
            "token_endpoint": self.token_endpoint,
            "grant_types_supported": grant_types,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "code_challenge_methods_supported": [CHALLENGE_METHOD],
            "scopes_supported": [*self.scopes],
            "authorization_details_types_supported": [OPENID_CREDENTIAL],
            "authorization_response_iss_parameter_supported": self.names_itself,
            "require_pushed_authorization_requests": self.is_push_required,
            "token_endpoint_auth_methods_supported": methods,
            "client_attestation_signing_alg_values_supported": ["ES256"],
            "client_attestation_pop_signing_alg_values_supported": [*ALGORITHMS],
            "pre-authorized_grant_anonymous_access_supported": not self.is_attestation_required,
        }
        if self.binds_tokens:
            fields["dpop_signing_alg_values_supported"] = [*ALGORITHMS]
        for name, url in (
            ("authorization_endpoint", self.authorization_endpoint),
            ("pushed_authorization_request_endpoint", self.push_endpoint),
            ("challenge_endpoint", self.challenge_endpoint),
        ):
            if url is not None:
                fields[name] = url
        return fields

    @classmethod
    def from_fields(cls, fields: JsonObject, *, expected_issuer: str) -> Self:
        """Return what a server published; members that are not known are ignored.

        Raises:
            OfferError: Of another server, or without a token endpoint.
        """
        if fields.get("issuer") != expected_issuer:
            raise OfferError("authorization server metadata: it is another server's (issuer)")
        methods = text_list(fields.get("token_endpoint_auth_methods_supported"))
        return cls(
            issuer=expected_issuer,
            token_endpoint=parse_url(fields.get("token_endpoint"), "token_endpoint"),
            authorization_endpoint=_optional_url(fields, "authorization_endpoint"),
            push_endpoint=_optional_url(fields, "pushed_authorization_request_endpoint"),
            challenge_endpoint=_optional_url(fields, "challenge_endpoint"),
            is_push_required=fields.get("require_pushed_authorization_requests") is True,
            takes_attestations=AUTH_METHOD in methods,
            is_attestation_required=bool(methods) and "none" not in methods,
            binds_tokens="ES256" in text_list(fields.get("dpop_signing_alg_values_supported")),
            names_itself=fields.get("authorization_response_iss_parameter_supported") is True,
        )


def _optional_url(fields: JsonObject, name: str) -> str | None:
    value = fields.get(name)
    return None if value is None else parse_url(value, name)
