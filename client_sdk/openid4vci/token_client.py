"""The wallet's way to an access token (OpenID4VCI 1.0 sections 4 and 6): offers, codes, cards."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.card.card_proof import CardProof
from client_sdk.credentials.jose import Key
from client_sdk.errors import OfferError, TransportError
from client_sdk.http.client import HttpClient
from client_sdk.openid4vci.card_grant import MY_NUMBER_CARD, card_parameters
from client_sdk.openid4vci.credential_offer import (
    PRE_AUTHORIZED_CODE,
    REFRESH_TOKEN,
    CredentialOffer,
    parse_offer,
    parse_offer_link,
)
from client_sdk.openid4vci.issuer_answers import accept_answer, fetch_metadata, host_of
from client_sdk.openid4vci.issuer_channel import NO_PROOFS, WalletProofs, post_to_server
from client_sdk.openid4vci.issuer_metadata import (
    KEY_METADATA,
    CredentialConfiguration,
    IssuerMetadata,
    ProofType,
    jwt_alone,
    well_known_url,
)
from client_sdk.openid4vci.server_metadata import SERVER_METADATA, ServerMetadata

CardProver: TypeAlias = Callable[[str, str], CardProof]
"""Lets the holder's card sign for an issuer (its identifier) and its nonce."""
_MAX_TOKEN_CHARS: Final = 16_384
_MAX_NONCE_CHARS: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedOffer:
    """An offer whose code was redeemed. Its repr does not show the token.

    Attributes:
        metadata: The issuer's.
        credential_format: The format that is asked for.
        credential_type: The type that was offered.
        issuer_keys: The issuer's `jwt-vc-issuer` document.
        token: The access token; short-lived, and good for this one credential.
        wanted: How the credential request names the credential.
        dpop_key: The private key that the token is bound to; None for none.
        configuration_id: The credential in the issuer's metadata; None where that is not known.
        refresh_token: What the same credentials are asked for by again; None for nothing.
        server_url: Who takes it: the authorization server's identifier.
    """

    metadata: IssuerMetadata
    credential_format: str
    credential_type: str
    issuer_keys: JsonObject
    token: str = field(repr=False)
    wanted: JsonObject
    dpop_key: Key | None = field(default=None, repr=False)
    configuration_id: str | None = None
    refresh_token: str | None = field(default=None, repr=False)
    server_url: str = ""

    @property
    def proof_types(self) -> Mapping[str, ProofType]:
        """How the issuer wants the holder's keys to be proven."""
        found = self.metadata.configurations.get(self.configuration_id or "")
        return jwt_alone() if found is None else found.proof_types


def fetch_offer(offer_link: str, *, http: HttpClient) -> CredentialOffer:
    """Return the offer of a link, fetched where the link only points to it (section 4.1.3).

    It tells who offers what, and whether a transaction code is needed, before anything is sent.

    Raises:
        OfferError: The link or the offer is not acceptable, or the offer is no longer there.
        TransportError: The issuer cannot be reached.
    """
    offer = parse_offer_link(offer_link)
    if isinstance(offer, CredentialOffer):
        return offer
    answer = http.get(offer.uri)
    accept_answer(answer, f"{host_of(offer.uri)}: credential offer")
    return parse_offer(answer.body)


def redeem_offer(
    offer: CredentialOffer,
    *,
    tx_code: str | None,
    credential_format: str | None = None,
    card: CardProver | None = None,
    proofs: WalletProofs = NO_PROOFS,
    http: HttpClient,
) -> AcceptedOffer:
    """Exchange an offer's code for a token; what is needed to check the credential comes first.

    Args:
        offer: The offer.
        tx_code: What the person typed; None where the offer asks for nothing.
        credential_format: The format that is wanted; None for the first that is offered.
        card: Lets the holder's My Number card sign, where the issuer wants to see it.
        proofs: What the wallet proves itself by.
        http: The session.

    Raises:
        OfferError: The offer cannot be used, or the issuer refused it.
        CardError: The card does not sign.
        TransportError: The issuer cannot be reached.
    """
    if offer.pre_authorized_code is None:
        raise OfferError("offer: the issuer wants to see you at its page first; authorize there")
    if offer.transaction_code is not None and not tx_code:
        raise OfferError("offer: it asks for a transaction code; type the one that came with it")
    metadata = fetch_metadata(offer.credential_issuer, http=http, trust=proofs.trust)
    server_url = find_server(metadata, offer.authorization_server)
    form = {"grant_type": PRE_AUTHORIZED_CODE, "pre-authorized_code": offer.pre_authorized_code}
    if offer.transaction_code is not None and tx_code:
        form["tx_code"] = tx_code
    if card is not None:
        form |= prove_to(card, metadata, http)
    return redeem_grant(
        form,
        metadata=metadata,
        server_url=server_url,
        configuration_ids=offer.configuration_ids,
        credential_format=credential_format,
        proofs=proofs,
        http=http,
    )


def redeem_card(
    issuer_url: str,
    card: CardProver,
    *,
    proofs: WalletProofs = NO_PROOFS,
    http: HttpClient,
) -> AcceptedOffer:
    """Ask an issuer for a credential by a My Number card alone, where it takes one so.

    Raises:
        OfferError: The issuer takes no card by itself, or refused this one.
        CardError: The card does not sign.
        TransportError: The issuer cannot be reached.
    """
    metadata = fetch_metadata(issuer_url, http=http, trust=proofs.trust)
    return redeem_grant(
        {"grant_type": MY_NUMBER_CARD, **prove_to(card, metadata, http)},
        metadata=metadata,
        server_url=find_server(metadata, None),
        configuration_ids=tuple(metadata.configurations),
        credential_format=None,
        proofs=proofs,
        http=http,
    )


def redeem_grant(
    form: dict[str, str],
    *,
    metadata: IssuerMetadata,
    server_url: str,
    configuration_ids: tuple[str, ...],
    credential_format: str | None,
    proofs: WalletProofs,
    http: HttpClient,
) -> AcceptedOffer:
    """Exchange a grant for a token; what is needed to check the credential comes first.

    Args:
        form: The token request.
        metadata: The issuer's.
        server_url: The authorization server's identifier.
        configuration_ids: What may be asked for; the first that this wallet holds is.
        credential_format: The format that is wanted; None for any.
        proofs: What the wallet proves itself by.
        http: The session.

    Raises:
        OfferError: Nothing of it is in a format that is known here, or the server refused.
        TransportError: Issuer or server cannot be reached.
    """
    name, configuration = choose_configuration(configuration_ids, metadata, credential_format)
    keys = fetch_issuer_keys(metadata.credential_issuer, http)
    server = fetch_server(server_url, http)
    where = f"{host_of(server.token_endpoint)}: token"
    answer = post_to_server(http, server, server.token_endpoint, form, proofs)
    fields = accept_answer(answer, where)
    is_bound = server.binds_tokens and proofs.dpop_key is not None
    return AcceptedOffer(
        metadata=metadata,
        credential_format=configuration.format,
        credential_type=configuration.credential_type,
        issuer_keys=keys,
        token=accept_token(fields, where, kind="DPoP" if is_bound else "Bearer"),
        wanted=_wanted(fields.get("authorization_details"), name),
        dpop_key=proofs.dpop_key if is_bound else None,
        configuration_id=name,
        refresh_token=_refresh_token(fields, where),
        server_url=server_url,
    )


def redeem_refresh_token(
    refresh_token: str,
    *,
    issuer_url: str,
    server_url: str,
    configuration_id: str,
    proofs: WalletProofs = NO_PROOFS,
    http: HttpClient,
) -> AcceptedOffer:
    """Exchange a refresh token for an access token (RFC 6749 section 6).

    Args:
        refresh_token: It, as the server gave it last.
        issuer_url: The issuer's identifier.
        server_url: The authorization server's, which gave it.
        configuration_id: What it is for, in the issuer's metadata.
        proofs: What the wallet proves itself by: the key that the token is bound to, if to any.
        http: The session.

    Returns:
        What can be asked for. Its `refresh_token` takes the place of the old one; where it is None
        the old one stays.

    Raises:
        OfferError: The server refused, or the issuer has no such credential any more.
        TransportError: Issuer or server cannot be reached.
    """
    return redeem_grant(
        {"grant_type": REFRESH_TOKEN, "refresh_token": refresh_token},
        metadata=fetch_metadata(issuer_url, http=http, trust=proofs.trust),
        server_url=server_url,
        configuration_ids=(configuration_id,),
        credential_format=None,
        proofs=proofs,
        http=http,
    )


def prove_to(card: CardProver, metadata: IssuerMetadata, http: HttpClient) -> dict[str, str]:
    """Let a card sign an issuer's nonce; return the parameters of a token request.

    Raises:
        OfferError: The issuer has no nonces, or refused.
        CardError: The card does not sign.
        TransportError: The issuer cannot be reached.
    """
    nonce = fetch_nonce(metadata, http)
    if nonce is None:
        raise OfferError("issuer metadata: without a nonce endpoint a card proves nothing")
    return card_parameters(card(metadata.credential_issuer, nonce), nonce)


def accept_token(fields: JsonObject, where: str, *, kind: str = "Bearer") -> str:
    """Return the access token of a token answer.

    Raises:
        OfferError: It is of another type than `kind`.
        TransportError: The answer holds none.
    """
    token, found = fields.get("access_token"), fields.get("token_type")
    if not isinstance(token, str) or not _is_header_text(token, _MAX_TOKEN_CHARS):
        raise TransportError(f"{where}: the answer holds no access token")
    if not isinstance(found, str) or found.lower() != kind.lower():
        raise OfferError(f"{where}: the token is not of the type {kind}")
    return token


def fetch_nonce(metadata: IssuerMetadata, http: HttpClient) -> str | None:
    """Return a nonce of the issuer's (section 7); None where it has no nonce endpoint.

    Raises:
        OfferError: The issuer refused.
        TransportError: It cannot be reached, or answers with none.
    """
    if metadata.nonce_endpoint is None:
        return None
    where = f"{host_of(metadata.nonce_endpoint)}: nonce"
    nonce = accept_answer(http.post_form(metadata.nonce_endpoint, {}), where).get("c_nonce")
    if not isinstance(nonce, str) or not _is_header_text(nonce, _MAX_NONCE_CHARS):
        raise TransportError(f"{where}: the answer holds no nonce")
    return nonce


def choose_configuration(
    names: tuple[str, ...], metadata: IssuerMetadata, wanted_format: str | None
) -> tuple[str, CredentialConfiguration]:
    """Return the first credential of those that are named which this wallet can hold.

    Raises:
        OfferError: There is none.
    """
    for name in names:
        found = metadata.configurations.get(name)
        if found is not None and wanted_format in (None, found.format):
            return name, found
    if wanted_format is None:
        raise OfferError("offer: no credential of it is in a format that this wallet holds")
    known = metadata.configurations
    offered = ", ".join(dict.fromkeys(known[name].format for name in names if name in known))
    raise OfferError(
        f"offer: no credential of it is of the format {wanted_format}; "
        f"it has: {offered or 'none that this wallet holds'}"
    )


def find_server(metadata: IssuerMetadata, named: str | None) -> str:
    """Return the identifier of the authorization server to go to.

    Raises:
        OfferError: The offer names one that is not the issuer's.
    """
    servers = metadata.authorization_servers or (metadata.credential_issuer,)
    if named is not None and named not in servers:
        raise OfferError("offer: authorization_server is none of the issuer's")
    return named or servers[0]


def fetch_server(server_url: str, http: HttpClient) -> ServerMetadata:
    """Return what an authorization server publishes of itself.

    Raises:
        OfferError: It has no acceptable metadata.
        TransportError: It cannot be reached.
    """
    answer = http.get(well_known_url(server_url, SERVER_METADATA))
    fields = accept_answer(answer, f"{host_of(server_url)}: authorization server metadata")
    return ServerMetadata.from_fields(fields, expected_issuer=server_url)


def fetch_issuer_keys(issuer_url: str, http: HttpClient) -> JsonObject:
    """Return the document of the keys that an issuer signs with.

    Raises:
        OfferError: The issuer has none.
        TransportError: It cannot be reached.
    """
    answer = http.get(well_known_url(issuer_url, KEY_METADATA))
    return accept_answer(answer, f"{host_of(issuer_url)}: issuer keys")


def _wanted(details: JsonValue, configuration_id: str) -> JsonObject:
    """Return how a request must name the credential (section 3.3.4)."""
    for detail in details if isinstance(details, list) else []:
        match detail:
            case {
                "type": "openid_credential",
                "credential_configuration_id": name,
                "credential_identifiers": [str() as identifier, *_],
            } if name == configuration_id:
                return {"credential_identifier": identifier}
    return {"credential_configuration_id": configuration_id}


def _refresh_token(fields: JsonObject, where: str) -> str | None:
    token = fields.get("refresh_token")
    if token is not None and not (
        isinstance(token, str) and _is_header_text(token, _MAX_TOKEN_CHARS)
    ):
        raise TransportError(f"{where}: the answer's refresh token is none")
    return token


def _is_header_text(text: str, most: int) -> bool:
    return 1 <= len(text) <= most and text.isascii() and text.isprintable() and " " not in text
