"""The token endpoint (OpenID4VCI 1.0 section 6). Errors are JSON with an error code."""

from typing import Any, Final, TypeAlias

from flask import Response, jsonify, request
from flask_openapi.models.tag import Tag
from flask_openapi.openapi import OpenAPI
from flask_openapi.types import ResponseDict

from chaincode.encoding import JsonObject
from client_sdk.openid4vci.account_assertion import JWT_BEARER, REPLACED_CREDENTIAL
from client_sdk.openid4vci.authorization import details_of
from client_sdk.openid4vci.card_grant import MY_NUMBER_CARD, REVIEW_CODE
from client_sdk.openid4vci.credential_offer import (
    AUTHORIZATION_CODE,
    MAX_CODE_CHARS,
    PRE_AUTHORIZED_CODE,
    REFRESH_TOKEN,
)
from client_sdk.openid4vci.dpop import HEADER
from node.issuer.access_tokens import AccessToken, TokenTerms
from node.issuer.authorizations import Authorizations, named_configuration
from node.issuer.clients import Clients
from node.issuer.configurations import configuration_of
from node.issuer.dpop_proofs import DpopProofs
from node.issuer.errors import ProtocolError
from node.issuer.forms import read_form
from node.issuer.offers import Offers
from node.issuer.refresh_tokens import MAX_TOKEN_CHARS, RefreshTokens
from node.issuer.renewals import Renewals
from node.web.problems import OAuthError

_Tags: TypeAlias = "list[Tag | dict[str, Any]]"
_TAGS: Final[_Tags] = [{"name": "wallet"}]
_OBJECT: Final[ResponseDict] = {
    200: {"content": {"application/json": {"schema": {}}}},
    400: OAuthError,
    401: OAuthError,
    500: OAuthError,
    503: OAuthError,
}
_MAX_TX_CODE_CHARS: Final = 128


class Tokens:
    """Gives tokens for each kind of grant."""

    def __init__(
        self,
        *,
        offers: Offers,
        authorizations: Authorizations,
        renewals: Renewals,
        refresh_tokens: RefreshTokens | None,
        clients: Clients,
        dpop: DpopProofs,
    ) -> None:
        """Make the desk.

        Args:
            offers: The issuer's offers.
            authorizations: Requests that holders approved.
            renewals: Says to whom a credential is owed anew.
            refresh_tokens: Takes refresh tokens; None where none are given.
            clients: The wallets.
            dpop: Checks proofs of keys.
        """
        self._offers = offers
        self._authorizations = authorizations
        self._renewals = renewals
        self._refresh_tokens = refresh_tokens
        self._clients = clients
        self._dpop = dpop

    def give(self, form: dict[str, str]) -> AccessToken:
        """Return the token that the current request is to have.

        Raises:
            ProtocolError: The request is refused; the code says why.
        """
        client = self._clients.authenticate(request.headers, form.get("client_id"))
        proofs = request.headers.getlist(HEADER)
        jkt = self._dpop.check_request(proofs, path="/token", is_optional=False)
        if "tx_code" in form and form.get("grant_type") != PRE_AUTHORIZED_CODE:
            raise ProtocolError("invalid_request", "tx_code: only with a pre-authorized code")
        terms = TokenTerms(
            # A name that nobody vouches for is none: proofs do not repeat it.
            client_id=client.client_id if client.is_attested else None,
            dpop_jkt=jkt,
            instance_jkt=client.instance_jkt,
            named=named_configuration(form, self._offers.configuration_ids),
            card=self._offers.presented_card(form),
            is_refreshable=True,
        )
        match form.get("grant_type"):
            case None:
                raise ProtocolError("invalid_request", "grant_type is missing")
            case kind if kind == PRE_AUTHORIZED_CODE:
                return self._offers.redeem(*_read_code(form), terms)
            case kind if kind == AUTHORIZATION_CODE:
                return self._authorizations.redeem(form, client, jkt)
            case kind if kind == MY_NUMBER_CARD:
                return self._offers.redeem_card(terms)
            case kind if kind == REFRESH_TOKEN and self._refresh_tokens is not None:
                return self._refresh_tokens.redeem(_read_refresh_token(form), client, terms)
            case kind if kind == JWT_BEARER:
                return self._renewals.redeem(*_read_assertion(form), terms)
            case _:
                raise ProtocolError("unsupported_grant_type", "grant_type: unknown")


def add_token_routes(app: OpenAPI, tokens: Tokens) -> None:
    """Add the token endpoint.

    Args:
        app: The application.
        tokens: Gives tokens.
    """

    # The body is read here, not by the frame, whose refusals are problems that no wallet expects.
    @app.post("/token", responses=_OBJECT, tags=_TAGS)
    def create_token() -> Response:
        """Exchange a code for a token (OpenID4VCI 1.0 section 6).

        Or a refresh token (RFC 6749 section 6), a card's proof (section 4.5), or an account's
        assertion with a credential to issue anew (RFC 7523 section 2.1).
        """
        token = tokens.give(read_form())
        answer: JsonObject = {
            "access_token": token.token,
            "token_type": "DPoP" if token.is_bound else "Bearer",
            "expires_in": token.lifetime_s,
        }
        if token.identifier is not None:
            name = configuration_of(token.identifier)
            answer["authorization_details"] = [details_of(name, token.identifier)]
        if token.refresh_token is not None:
            answer["refresh_token"] = token.refresh_token
        if token.review_code is not None:
            answer[REVIEW_CODE] = token.review_code
        return jsonify(answer)


def _read_code(form: dict[str, str]) -> tuple[str, str]:
    """Return the pre-authorized code and the transaction code of a token request."""
    code, tx_code = form.get("pre-authorized_code"), form.get("tx_code")
    if not code or len(code) > MAX_CODE_CHARS:
        raise ProtocolError("invalid_request", "pre-authorized_code is missing or too long")
    if not tx_code or len(tx_code) > _MAX_TX_CODE_CHARS:
        raise ProtocolError("invalid_request", "tx_code is missing or too long")
    return code, tx_code


def _read_refresh_token(form: dict[str, str]) -> str:
    token = form.get("refresh_token")
    if not token or len(token) > MAX_TOKEN_CHARS:
        raise ProtocolError("invalid_request", "refresh_token is missing or too long")
    return token


def _read_assertion(form: dict[str, str]) -> tuple[str, str]:
    """Return the assertion and the credential to issue anew of a token request."""
    assertion, credential = form.get("assertion"), form.get(REPLACED_CREDENTIAL)
    if not assertion or not credential:
        raise ProtocolError("invalid_request", f"assertion or {REPLACED_CREDENTIAL} is missing")
    return assertion, credential
