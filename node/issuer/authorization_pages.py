"""The page where a resident lets a wallet have the credential (RFC 6749 section 4.1)."""

from collections.abc import Callable
from urllib.parse import urlsplit

from flask import Flask, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from node.issuer.authorizations import AuthorizationRequest, Authorizations
from node.issuer.clients import Client
from node.issuer.errors import ProtocolError, log_refusal
from node.issuer.forms import one_of_each, read_form
from node.web.languages import gettext_noop
from node.web.pages import Pages, page_policy


def add_authorization_pages(
    app: Flask, pages: Pages, authorizations: Authorizations, *, name: str, is_push_required: bool
) -> None:
    """Add the page where the holder decides. Nobody logs in: a code from the city authenticates.

    Args:
        app: The application.
        pages: The frame of its pages.
        authorizations: The requests.
        name: The credential's.
        is_push_required: Whether every request must be pushed first (HAIP 1.0).
    """
    blueprint = pages.blueprint(
        "authorize", "node.issuer", is_open=True, title=gettext_noop("Tegata issuer")
    )

    def ask_page(
        found: AuthorizationRequest, request_uri: str, *, is_refused: bool = False
    ) -> ResponseReturnValue:
        page = render_template(
            "authorize/ask.html",
            name=name,
            client_id=found.client_id,
            request_uri=request_uri,
            has_offer=found.issuer_state is not None,
            is_refused=is_refused,
        )
        response = make_response(page, 400 if is_refused else 200)
        # A browser applies form-action to where the form's answer redirects to as well.
        policy = page_policy(form_action=f"'self' {_origin_of(found.redirect_uri)}")
        response.headers["Content-Security-Policy"] = policy
        return response

    @blueprint.get("/authorize")
    def ask() -> ResponseReturnValue:
        """Ask the holder (RFC 6749 section 4.1.1)."""

        def show() -> ResponseReturnValue:
            query = one_of_each(request.args)
            request_uri, client_id = query.get("request_uri"), query.get("client_id", "")
            if request_uri is None:
                if is_push_required:
                    raise ProtocolError("invalid_request", "the request was not pushed")
                client = Client(client_id=client_id, is_attested=False)
                request_uri = authorizations.push(query, client, None)
            return ask_page(authorizations.find(request_uri, client_id), request_uri)

        return _shown(show)

    @blueprint.post("/authorize")
    def decide() -> ResponseReturnValue:
        """Take the holder's decision."""

        def take() -> ResponseReturnValue:
            form = read_form()
            request_uri = form.get("request_uri", "")
            found = authorizations.find(request_uri, form.get("client_id", ""))
            if form.get("decision") != "approve":
                return redirect(authorizations.deny(request_uri, found))
            target = authorizations.approve(request_uri, found, form)
            if target is None:
                return ask_page(found, request_uri, is_refused=True)
            return redirect(target)

        return _shown(take)

    app.register_blueprint(blueprint)


def _origin_of(redirect_uri: str) -> str:
    back = urlsplit(redirect_uri)
    return f"{back.scheme}://{back.netloc}" if back.scheme.startswith("http") else f"{back.scheme}:"


def _shown(answer: Callable[[], ResponseReturnValue]) -> ResponseReturnValue:
    """Show a person a page also where the request is refused: nobody else reads the answer."""
    try:
        return answer()
    except ProtocolError as error:
        log_refusal(error)
        return render_template("authorize/over.html"), 400
