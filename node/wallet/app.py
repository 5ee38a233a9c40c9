"""The wallet's page as an application: who may use it, and what every answer has in common."""

from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from client_sdk.errors import ClientError
from node.errors import WalletLockedError
from node.wallet.consent_pages import add_consent_pages, add_history_pages
from node.wallet.credential_pages import (
    add_card_pages,
    add_credential_pages,
    add_link_pages,
    add_offer_pages,
)
from node.wallet.desk import Desk
from node.wallet.device_pages import add_device_pages
from node.wallet.entry_pages import (
    add_account_pages,
    add_pairing_pages,
    add_unlock_pages,
    add_welcome_pages,
)
from node.wallet.explanations import detail_of, explain
from node.wallet.job_pages import add_job_pages
from node.wallet.jobs import is_passing
from node.wallet.paper_pages import add_paper_pages, add_paper_recovery
from node.wallet.part_pages import add_part_pages
from node.wallet.recovery_pages import add_protection_pages, add_recovery_pages
from node.wallet.serving import MAX_BODY_BYTES
from node.wallet.shell import add_shell
from node.web.languages import gettext_noop
from node.web.pages import NavigationItem, Pages, page_policy
from node.web.problems import register_problems
from node.web.request_tracing import trace_requests

PAIRED: Final = timedelta(days=90)
"""How long a browser stays paired that does not come."""
RETRY_S: Final = 3
_NAVIGATION: Final = (
    NavigationItem(endpoint="wallet.home", label=gettext_noop("Credentials")),
    NavigationItem(endpoint="wallet.scan", label=gettext_noop("Scan")),
    NavigationItem(endpoint="wallet.history", label=gettext_noop("History")),
    NavigationItem(endpoint="wallet.grants", label=gettext_noop("Permissions")),
    NavigationItem(endpoint="wallet.protection", label=gettext_noop("Protection")),
    NavigationItem(endpoint="wallet.settings", label=gettext_noop("Settings")),
)
# What a browser may fetch before it is paired. None of it tells anything of the wallet.
_UNPAIRED: Final = frozenset(
    f"wallet.{name}" for name in ("pair", "take_pairing", "manifest", "service_worker", "offline")
)
# What a script asks for by itself: it is no sign that the holder is here.
_UNATTENDED: Final = frozenset({"wallet.job_state"})
_WITH_CAMERA: Final = frozenset(
    f"wallet.{name}"
    for name in ("scan", "part", "recovery", "recover", "paper_recovery", "recover_from_sheets")
)
_POLICY: Final = page_policy(manifest_src="'self'", worker_src="'self'", media_src="'self' blob:")


def create_app(desk: Desk, *, origin: str) -> Flask:
    """Make the application for one address.

    Args:
        desk: The wallet, and what is under way.
        origin: Where browsers reach it, such as `http://name.localhost:8460`. Requests for another
            host are refused: a page of elsewhere could have its own name lead here (DNS rebinding).
    """
    place = urlsplit(origin)
    app = Flask("tegata-wallet", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY_BYTES
    app.config["TRUSTED_HOSTS"] = [place.hostname]
    trace_requests(app)
    register_problems(app)
    pages = Pages(
        app,
        service="wallet",
        title=gettext_noop("Tegata wallet"),
        session_key=desk.devices.session_key,
        is_secure=place.scheme == "https",
    )
    # No other site opens a page of the wallet with its cookie, nor does an idle half hour lose it.
    app.config.update(SESSION_COOKIE_SAMESITE="Strict", PERMANENT_SESSION_LIFETIME=PAIRED)
    wallet = pages.blueprint("wallet", "node.wallet", navigation=_NAVIGATION, is_open=True)
    wallet.before_request(lambda: _require_pairing(desk))
    wallet.after_request(_set_page_headers)
    _explain_errors(wallet, desk)
    for add in (
        add_shell,
        add_pairing_pages,
        add_welcome_pages,
        add_unlock_pages,
        add_account_pages,
        add_credential_pages,
        add_link_pages,
        add_offer_pages,
        add_card_pages,
        add_consent_pages,
        add_part_pages,
        add_history_pages,
        add_protection_pages,
        add_recovery_pages,
        add_paper_pages,
        add_paper_recovery,
        add_device_pages,
        add_job_pages,
    ):
        add(wallet, desk)
    app.register_blueprint(wallet)
    return app


def _require_pairing(desk: Desk) -> ResponseReturnValue | None:
    """Let in whose browser was paired; another user of this computer has no such session."""
    if request.endpoint in _UNPAIRED:
        return None
    if desk.devices.find(session.get("device", "")) is None:
        return render_template("wallet/unpaired.html"), 403
    if request.endpoint not in _UNATTENDED:
        desk.keeper.touch()
    return None


def _set_page_headers(response: Response) -> Response:
    if response.mimetype == "text/html":
        response.headers["Content-Security-Policy"] = _POLICY
        if request.endpoint in _WITH_CAMERA:
            response.headers["Permissions-Policy"] = "camera=(self)"
    return response


def _explain_errors(wallet: Blueprint, desk: Desk) -> None:
    @wallet.errorhandler(WalletLockedError)
    def unlock_first(_error: WalletLockedError) -> ResponseReturnValue:
        if not desk.keeper.is_made:
            return redirect(url_for("wallet.welcome"), 303)
        then = request.path if request.method == "GET" else "/"
        return redirect(url_for("wallet.unlock", then=then), 303)

    @wallet.errorhandler(ClientError)
    def refuse(error: ClientError) -> ResponseReturnValue:
        if is_passing(error) and request.method == "GET":
            page = render_template("wallet/waiting.html", detail=detail_of(error))
            return page, 503, {"Retry-After": str(RETRY_S)}
        page = render_template(
            "wallet/refused.html", text=explain(error), detail=detail_of(error), back="/"
        )
        return page, 400
