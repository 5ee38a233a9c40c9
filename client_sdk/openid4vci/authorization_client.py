"""The wallet's side of the authorization code flow (OpenID4VCI 1.0 section 5).

The holder's browser goes to the issuer's page between the two steps.
"""

import secrets
from dataclasses import dataclass, field
from typing import Final, Protocol

from client_sdk.errors import OfferError, TransportError
from client_sdk.http.client import HttpClient
from client_sdk.openid4vci.authorization import (
    PendingAuthorization,
    build_authorization_url,
)
from client_sdk.openid4vci.credential_offer import AUTHORIZATION_CODE, CredentialOffer
from client_sdk.openid4vci.issuer_answers import accept_answer, fetch_metadata, host_of
from client_sdk.openid4vci.issuer_channel import WalletProofs, post_to_server
from client_sdk.openid4vci.token_client import (
    AcceptedOffer,
    choose_configuration,
    fetch_server,
    find_server,
    redeem_grant,
)

CLIENT_ID: Final = "tegata-wallet"
"""How our wallet is known to issuers that it shows no attestation to."""
_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedAuthorization:
    """What the wallet remembers while the holder is at the issuer's page.

    Attributes:
        url: Where the browser goes.
        issuer_url: The issuer's identifier.
        configuration_id: The credential in the issuer's metadata.
        client_id: The wallet.
        pending: What the answer is checked by.
    """

    url: str = field(repr=False)
    issuer_url: str
    configuration_id: str
    client_id: str
    pending: PendingAuthorization


class Browser(Protocol):
    """The holder's browser, as far as a wallet uses it."""

    @property
    def redirect_uri(self) -> str:
        """Where it comes back to."""

    def visit(self, url: str) -> str:
        """Show the holder a page; return where the browser came back to, with its query.

        Raises:
            OfferError: It did not come back.
        """


def authorize(
    offer: CredentialOffer | str,
    *,
    browser: Browser,
    credential_format: str | None = None,
    proofs: WalletProofs,
    http: HttpClient,
) -> AcceptedOffer:
    """Let the holder authenticate at the issuer's page, and return what was authorized there.

    Args:
        offer: The issuer's offer; or only its identifier, where the wallet begins.
        browser: The holder's.
        credential_format: The format that is wanted; None for the first that there is.
        proofs: What the wallet proves itself by.
        http: The session.

    Raises:
        OfferError: The issuer has no such page or credential, or refused; or the holder declined.
        TransportError: The issuer cannot be reached.
    """
    started = begin_authorization(
        offer,
        redirect_uri=browser.redirect_uri,
        credential_format=credential_format,
        proofs=proofs,
        http=http,
    )
    return finish_authorization(started, browser.visit(started.url), proofs=proofs, http=http)


def begin_authorization(
    offer: CredentialOffer | str,
    *,
    redirect_uri: str,
    credential_format: str | None = None,
    by_scope: bool = True,
    proofs: WalletProofs,
    http: HttpClient,
) -> StartedAuthorization:
    """Push an authorization request, and return where the holder's browser goes.

    Args:
        offer: The issuer's offer; or only its identifier, where the wallet begins.
        redirect_uri: Where the browser comes back to.
        credential_format: The format that is wanted; None for the first that there is.
        by_scope: Whether the credential is named by its scope, as HAIP 1.0 demands, where it has
            one; otherwise in `authorization_details`.
        proofs: What the wallet proves itself by.
        http: The session.

    Raises:
        OfferError: The issuer has no such page or credential, or refused.
        TransportError: The issuer cannot be reached.
    """
    issuer_url = offer if isinstance(offer, str) else offer.credential_issuer
    grant = None if isinstance(offer, str) else offer.authorization_code
    if grant is None and not isinstance(offer, str):
        raise OfferError("offer: it has no authorization code grant; redeem its code")
    metadata = fetch_metadata(issuer_url, http=http, trust=proofs.trust)
    names = tuple(metadata.configurations) if isinstance(offer, str) else offer.configuration_ids
    name, configuration = choose_configuration(names, metadata, credential_format)
    server = fetch_server(
        find_server(metadata, None if grant is None else grant.authorization_server), http
    )
    if server.authorization_endpoint is None:
        raise OfferError(f"{host_of(issuer_url)}: this issuer has no page to authorize at")
    attestation = proofs.attestation_for(server)
    client_id = CLIENT_ID if attestation is None else attestation.client_id
    pending = PendingAuthorization(
        issuer=server.issuer,
        redirect_uri=redirect_uri,
        state=secrets.token_urlsafe(_SECRET_BYTES),
        verifier=secrets.token_urlsafe(_SECRET_BYTES),
    )
    request = pending.to_request(
        client_id=client_id,
        scope=configuration.scope if by_scope else None,
        configuration_id=name,
        issuer_state=None if grant is None else grant.issuer_state,
    )
    if server.push_endpoint is not None:
        where = f"{host_of(server.push_endpoint)}: pushed request"
        answer = post_to_server(http, server, server.push_endpoint, request, proofs)
        request_uri = accept_answer(answer, where).get("request_uri")
        if not isinstance(request_uri, str):
            raise TransportError(f"{where}: the answer holds no request_uri")
        request = {"client_id": client_id, "request_uri": request_uri}
    return StartedAuthorization(
        url=build_authorization_url(server.authorization_endpoint, request),
        issuer_url=issuer_url,
        configuration_id=name,
        client_id=client_id,
        pending=pending,
    )


def finish_authorization(
    started: StartedAuthorization, answer_url: str, *, proofs: WalletProofs, http: HttpClient
) -> AcceptedOffer:
    """Exchange the code that the browser came back with for a token.

    Args:
        started: What was begun.
        answer_url: Where the browser came to, with its query.
        proofs: What the wallet proves itself by, with the same key as before.
        http: The session.

    Raises:
        OfferError: The answer is another's or a refusal, or the server refused the code.
        TransportError: The issuer cannot be reached.
    """
    server = fetch_server(started.pending.issuer, http)
    code = started.pending.read_answer(answer_url, iss_expected=server.names_itself)
    form = {
        "grant_type": AUTHORIZATION_CODE,
        "code": code,
        "redirect_uri": started.pending.redirect_uri,
        "code_verifier": started.pending.verifier,
        "client_id": started.client_id,
    }
    return redeem_grant(
        form,
        metadata=fetch_metadata(started.issuer_url, http=http, trust=proofs.trust),
        server_url=server.issuer,
        configuration_ids=(started.configuration_id,),
        credential_format=None,
        proofs=proofs,
        http=http,
    )
