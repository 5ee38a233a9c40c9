"""Pushed requests, the authorization page, and the challenges of wallets' proofs."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from flask import Response, jsonify, redirect, request
from flask_openapi.models.tag import Tag
from flask_openapi.openapi import OpenAPI
from flask_openapi.types import ResponseDict
from werkzeug.wrappers import Response as AnyResponse

from client_sdk.openid4vci.dpop import HEADER
from node.issuer.authorization_page import STYLE, ask_page, error_page
from node.issuer.authorizations import REQUEST_SECONDS, Authorizations
from node.issuer.clients import Client, Clients
from node.issuer.dpop_proofs import DpopProofs
from node.issuer.errors import ProtocolError, log_refusal
from node.issuer.forms import one_of_each, read_form
from node.web.problems import OAuthError

_Tags: TypeAlias = "list[Tag | dict[str, Any]]"
_TAGS: Final[_Tags] = [{"name": "wallet"}]
_PUSHED: Final[ResponseDict] = {
    201: {"content": {"application/json": {"schema": {}}}},
    400: OAuthError,
}
_CHALLENGE: Final[ResponseDict] = {200: {"content": {"application/json": {"schema": {}}}}}
_PAGE: Final[ResponseDict] = {
    200: {"content": {"text/html": {"schema": {}}}},
    302: {"description": "Back to the wallet."},
    400: {"content": {"text/html": {"schema": {}}}},
}


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


def add_page_routes(
    app: OpenAPI, *, authorizations: Authorizations, name: str, is_push_required: bool
) -> None:
    """Add the page where the holder decides.

    Args:
        app: The application.
        authorizations: The requests.
        name: The credential's.
        is_push_required: Whether every request must be pushed first (HAIP 1.0).
    """

    @app.get("/authorize/style.css", doc_ui=False)
    def style() -> Response:
        return Response(STYLE, content_type="text/css; charset=utf-8")

    @app.get("/authorize", responses=_PAGE, tags=_TAGS)
    def show_page() -> AnyResponse:
        """Ask the holder (RFC 6749 section 4.1.1)."""

        def show() -> AnyResponse:
            query = one_of_each(request.args)
            request_uri, client_id = query.get("request_uri"), query.get("client_id", "")
            if request_uri is None:
                if is_push_required:
                    raise ProtocolError("invalid_request", "the request was not pushed")
                client = Client(client_id=client_id, is_attested=False)
                request_uri = authorizations.push(query, client, None)
            found = authorizations.find(request_uri, client_id)
            return ask_page(found, request_uri=request_uri, name=name, is_refused=False)

        return _shown(show, name)

    @app.post("/authorize", responses=_PAGE, tags=_TAGS)
    def decide() -> AnyResponse:
        """Take the holder's decision."""

        def take() -> AnyResponse:
            form = read_form()
            request_uri = form.get("request_uri", "")
            found = authorizations.find(request_uri, form.get("client_id", ""))
            if form.get("decision") != "approve":
                return redirect(authorizations.deny(request_uri, found))
            target = authorizations.approve(request_uri, found, form)
            if target is None:
                return ask_page(found, request_uri=request_uri, name=name, is_refused=True)
            return redirect(target)

        return _shown(take, name)


def _shown(answer: Callable[[], AnyResponse], name: str) -> AnyResponse:
    """Show a person a page also where the request is refused: nobody else reads the answer."""
    try:
        return answer()
    except ProtocolError as error:
        log_refusal(error)
        return error_page(name)
