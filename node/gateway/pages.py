"""The pages of the gateway, for the people of its verifiers."""

from collections.abc import Callable
from typing import Final

from flask import Flask, redirect
from werkzeug.wrappers import Response

from node.gateway.api_keys import ApiKeyStore
from node.gateway.config import GatewayConfig
from node.gateway.event_routes import Events
from node.gateway.history_page import add_history
from node.gateway.key_page import add_keys
from node.gateway.presentations import Presentations
from node.gateway.verifier_page import VerifierDesk, add_asking
from node.web.languages import gettext_noop
from node.web.logins import Logins
from node.web.pages import NavigationItem, Pages
from node.web.rate_limit import RateLimiter

HOME: Final = "/verifier/"


def add_pages(
    app: Flask,
    config: GatewayConfig,
    presentations: Presentations,
    keys: ApiKeyStore,
    *,
    events: Events | None,
    session_key: bytes,
    limiter: RateLimiter,
    now_ms: Callable[[], int],
) -> None:
    """Add the verifier's pages to an application.

    Args:
        app: The application.
        config: The configuration; it says who may log in.
        presentations: The requests and their answers.
        keys: The verifiers' API keys.
        events: What tells of events; None where nothing does.
        session_key: What sessions are signed with.
        limiter: Counts the tries to log in.
        now_ms: The clock: milliseconds since 1970, UTC.
    """
    pages = Pages(
        app,
        service="gateway",
        title=gettext_noop("Tegata verifier desk"),
        session_key=session_key,
        is_secure=config.public_url.startswith("https:"),
        logins=Logins(config.logins, home=HOME, limiter=limiter, now_s=lambda: now_ms() / 1000),
    )
    blueprint = pages.blueprint(
        "verifier",
        "node.gateway",
        url_prefix="/verifier",
        navigation=(
            NavigationItem(endpoint="verifier.ask", label=gettext_noop("Ask")),
            NavigationItem(endpoint="verifier.history", label=gettext_noop("History")),
            NavigationItem(endpoint="verifier.list_keys", label=gettext_noop("API keys")),
        ),
    )
    desk = VerifierDesk(
        presentations=presentations,
        events=events,
        has_face_tests=bool(config.face_services),
        verifier_of={login.name: login.verifier for login in config.logins},
        now_ms=now_ms,
    )
    add_asking(blueprint, desk)
    add_history(blueprint, desk)
    add_keys(blueprint, desk, keys)
    app.register_blueprint(blueprint)

    @app.route("/")
    def first_page() -> Response:
        return redirect(HOME)
