"""Pushed requests, and the challenges of wallets' proofs."""

from typing import Any, Final, TypeAlias

from flask import Response, jsonify, request
from flask_openapi.models.tag import Tag
from flask_openapi.openapi import OpenAPI
from flask_openapi.types import ResponseDict

from client_sdk.openid4vci.dpop import HEADER
from node.issuer.authorizations import REQUEST_SECONDS, Authorizations
from node.issuer.clients import Clients
from node.issuer.dpop_proofs import DpopProofs
from node.issuer.forms import read_form
from node.web.problems import OAuthError

_Tags: TypeAlias = "list[Tag | dict[str, Any]]"
_TAGS: Final[_Tags] = [{"name": "wallet"}]
_PUSHED: Final[ResponseDict] = {
    201: {"content": {"application/json": {"schema": {}}}},
    400: OAuthError,
}
_CHALLENGE: Final[ResponseDict] = {200: {"content": {"application/json": {"schema": {}}}}}


def add_push_routes(
    app: OpenAPI, *, authorizations: Authorizations, clients: Clients, dpop: DpopProofs
) -> None:
    """Add what wallets ask for before the holder's browser goes to the page.

    Args:
        app: The application.
        authorizations: The requests.
        clients: The wallets.
        dpop: Checks proofs of keys.
    """

    @app.post("/par", responses=_PUSHED, tags=_TAGS)
    def push_request() -> tuple[Response, int]:
        """Push an authorization request (RFC 9126)."""
        form = read_form()
        client = clients.authenticate(request.headers, form.get("client_id"))
        jkt = dpop.check_request(request.headers.getlist(HEADER), path="/par", is_optional=True)
        request_uri = authorizations.push(form, client, jkt)
        return jsonify(request_uri=request_uri, expires_in=REQUEST_SECONDS), 201

    @app.post("/challenge", responses=_CHALLENGE, tags=_TAGS)
    def create_challenge() -> Response:
        """Get a challenge for the proof of a wallet attestation."""
        return jsonify(attestation_challenge=clients.new_challenge())
