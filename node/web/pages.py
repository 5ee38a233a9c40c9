"""What the pages of all services share: templates, languages, headers, sessions, unforgeable forms.

Each service has its pages in a blueprint, beside its own templates, scripts and catalogue; the
frame around them is `templates/web/base.html`. docs/pages.md says how to make one.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask import (
    Blueprint,
    Flask,
    Response,
    g,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFProtect  # type: ignore[import-untyped]
from jinja2 import StrictUndefined

from node.web.languages import LANGUAGES, Languages, gettext_noop, language
from node.web.logins import Logins, Person
from node.web.problems import PROBLEM_TYPE

SESSION_KEY_BYTES: Final = 32
IDLE_S: Final = 30 * 60
"""After how long without a request a session ends."""
_POLICY: Final[Mapping[str, str]] = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
_NO_DEVICES: Final = "camera=(), display-capture=(), geolocation=(), microphone=(), usb=()"
_YEAR_S: Final = 365 * 86_400
# What a person reads where a page cannot be shown, by the status's class.
_REFUSALS: Final = {
    400: gettext_noop("This cannot be done. Go back, load the page again, and try once more."),
    401: gettext_noop("Log in first."),
    403: gettext_noop("You may not do this."),
    404: gettext_noop("There is no such page, or what it showed is no longer kept."),
    409: gettext_noop("Somebody else was faster. Load the page again to see how things are now."),
    422: gettext_noop("Something that you entered is not acceptable."),
    429: gettext_noop("Too many tries. Wait a minute, then try again."),
    503: gettext_noop("The service is waiting for another one. Try again in a moment."),
}
_FAILURE: Final = gettext_noop("The service failed. Try again later, or tell its operator.")


@dataclass(frozen=True, slots=True, kw_only=True)
class NavigationItem:
    """One entry of a service's navigation.

    Attributes:
        endpoint: Of the page, as Flask names it.
        label: The text, marked by `gettext_noop`.
    """

    endpoint: str
    label: str


def derive_session_key(seed: bytes, *, service: str) -> bytes:
    """Return the key that a service's sessions are signed with: the same in all its instances.

    Args:
        seed: A secret that the instances share, such as that of the ledger account's key.
        service: The service's name.
    """
    info = f"tegata {service} page sessions v1".encode()
    return HKDF(algorithm=SHA256(), length=SESSION_KEY_BYTES, salt=None, info=info).derive(seed)


def page_policy(**changes: str) -> str:
    """Return a page's Content-Security-Policy: nothing inline, nothing from elsewhere.

    Args:
        changes: Directives to set, such as `media_src="'self' blob:"`.
    """
    directives = {**_POLICY, **{name.replace("_", "-"): text for name, text in changes.items()}}
    return "; ".join(f"{name} {text}" for name, text in directives.items())


class Pages:
    """The frame of one service's pages.

    Attributes:
        logins: Who may log in; None where the pages are open to whoever reaches them.
    """

    def __init__(
        self,
        app: Flask,
        *,
        service: str,
        title: str,
        session_key: bytes,
        is_secure: bool,
        logins: Logins | None = None,
    ) -> None:
        """Give an application its frame.

        Args:
            app: The application.
            service: The service's name, such as `gateway`; cookies are named after it.
            title: What stands above every page, marked by `gettext_noop`.
            session_key: The key that cookies are signed with; `derive_session_key` makes it.
            is_secure: Whether the service is reached over TLS; only loopback may be without.
            logins: Who may log in.
        """
        self.logins = logins
        self._app = app
        self._is_secure = is_secure
        self._title = title
        self._blueprints: set[str] = set()
        self._languages = Languages(app, is_secure=is_secure)
        app.secret_key = session_key
        app.config.update(
            # Cookies know no port: on one machine the services must not take each other's.
            SESSION_COOKIE_NAME=f"__Host-tegata-{service}" if is_secure else f"tegata-{service}",
            SESSION_COOKIE_SECURE=is_secure,
            SESSION_COOKIE_HTTPONLY=True,
            SESSION_COOKIE_SAMESITE="Lax",
            PERMANENT_SESSION_LIFETIME=timedelta(seconds=IDLE_S),
            WTF_CSRF_CHECK_DEFAULT=False,
            WTF_CSRF_TIME_LIMIT=None,
        )
        self._csrf = CSRFProtect(app)
        app.jinja_env.undefined = StrictUndefined
        # The one that is added last is called first.
        app.after_request(self._set_headers)
        app.after_request(self._show_refusal)
        web = self.blueprint("web", "node.web", is_open=True)
        if logins is not None:
            logins.add_routes(web)
        app.register_blueprint(web)

    def blueprint(
        self,
        name: str,
        package: str,
        *,
        url_prefix: str | None = None,
        navigation: Sequence[NavigationItem] = (),
        is_open: bool = False,
        title: str | None = None,
    ) -> Blueprint:
        """Return a blueprint for pages; the caller adds the routes, then registers it.

        The package may have the folders `templates`, `static` (served at `/assets/<name>/`) and
        `translations`.

        Args:
            name: The blueprint's name; its templates stand in `templates/<name>/`.
            package: The package whose folders they are.
            url_prefix: What its pages' addresses begin with.
            navigation: What leads from page to page.
            is_open: Whether nobody needs to log in for them.
            title: What stands above them, marked by `gettext_noop`; as above all others by default.
        """
        folder = Path(str(files(package)))
        self._languages.add(folder / "translations")
        blueprint = Blueprint(
            name,
            package,
            root_path=str(folder),
            url_prefix=url_prefix,
            template_folder="templates",
        )
        self._blueprints.add(name)
        self._add_assets(name, folder / "static")
        blueprint.before_request(self._begin)
        if not is_open:
            blueprint.before_request(self._require_person)
        blueprint.context_processor(lambda: self._context(navigation, title))
        return blueprint

    def _add_assets(self, name: str, folder: Path) -> None:
        assets = Blueprint(
            f"{name}_assets",
            __name__,
            static_folder=folder,
            static_url_path=f"/assets/{name}",
        )
        assets.after_request(_let_assets_be_kept)
        self._app.register_blueprint(assets)

    def _begin(self) -> None:
        session.permanent = True
        self._csrf.protect()

    def _require_person(self) -> ResponseReturnValue | None:
        if self.logins is None:
            return None
        person = self.logins.person()
        if person is None:
            if request.method not in ("GET", "HEAD"):
                return redirect(url_for("web.log_in"), 303)
            return redirect(url_for("web.log_in", then=request.full_path.rstrip("?")))
        g.person = person
        return None

    def _context(
        self, navigation: Sequence[NavigationItem], title: str | None = None
    ) -> dict[str, object]:
        person: Person | None = g.get("person")
        return {
            "languages": LANGUAGES,
            "language": language(),
            # A page that answers a form cannot be loaded again in another language.
            "language_url": _language_url if request.method == "GET" else None,
            "navigation": navigation,
            "person": person,
            "service_title": title or self._title,
        }

    def _show_refusal(self, response: Response) -> Response:
        """Show a person a page where a program would get a problem document."""
        offered = (PROBLEM_TYPE, "application/json", "text/html")
        if response.mimetype != PROBLEM_TYPE:
            return response
        if request.accept_mimetypes.best_match(offered) != "text/html":
            return response
        status = response.status_code
        detail = json.loads(response.get_data(as_text=True))["detail"] if status < 500 else None
        text = _REFUSALS.get(status, _REFUSALS[400] if status < 500 else _FAILURE)
        response.set_data(
            render_template("web/refusal.html", text=text, detail=detail, **self._context(()))
        )
        response.content_type = "text/html; charset=utf-8"
        return response

    def _set_headers(self, response: Response) -> Response:
        headers = response.headers
        if response.mimetype == "text/html":
            headers.setdefault("Content-Security-Policy", page_policy())
            headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
            headers.setdefault("Permissions-Policy", _NO_DEVICES)
            # Not `no-referrer`: a browser would send the origin of a form as `null`.
            headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("Cache-Control", "no-store")
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        headers.setdefault("X-Content-Type-Options", "nosniff")
        if self._is_secure:
            headers.setdefault("Strict-Transport-Security", f"max-age={_YEAR_S}")
        return response


def _language_url(code: str) -> str:
    """Return the address of the page that is shown, in another language."""
    query = {**request.args.to_dict(), "lang": code}
    return f"{request.path}?{urlencode(query)}"


def _let_assets_be_kept(response: Response) -> Response:
    if response.status_code == 200:
        response.headers["Cache-Control"] = "max-age=300"
    return response
