"""The languages of the pages: English in the source, the others in gettext catalogues (`.po`)."""

import io
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final, cast

from babel.dates import format_date, format_datetime
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import Translations
from flask import Flask, Response, current_app, g, request

LANGUAGES: Final = {"ja": "日本語", "en": "English"}
"""The languages by their codes, each by its own name."""
SOURCE_LANGUAGE: Final = "en"
"""What the texts in code and templates are written in."""
_COOKIE: Final = "tegata-language"
_COOKIE_S: Final = 365 * 86_400
_EXTENSION: Final = "tegata-languages"


class Languages:
    """The catalogues of one application."""

    def __init__(self, app: Flask, *, is_secure: bool) -> None:
        """Let the templates of an application translate.

        Args:
            app: The application.
            is_secure: Whether the language is kept in a cookie that travels over TLS only.
        """
        self._is_secure = is_secure
        self._catalogues = {code: Translations() for code in LANGUAGES}
        app.extensions[_EXTENSION] = self
        environment = app.jinja_env
        environment.add_extension("jinja2.ext.i18n")
        environment.policies["ext.i18n.trimmed"] = True
        # The extension adds the method.
        environment.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
        environment.filters |= {"number": show_number, "moment": show_moment, "day": show_day}
        app.after_request(self._keep_choice)

    def add(self, folder: Path) -> None:
        """Add the catalogues in a folder: one file `<language>.po` for each but the source's."""
        for code in LANGUAGES.keys() - {SOURCE_LANGUAGE}:
            path = folder / f"{code}.po"
            if path.exists():
                self._catalogues[code].merge(load_catalogue(path))

    def catalogue(self, code: str) -> Translations:
        """Return the texts of a language."""
        return self._catalogues[code]

    def _keep_choice(self, response: Response) -> Response:
        if request.args.get("lang") in LANGUAGES:
            response.set_cookie(
                _COOKIE,
                request.args["lang"],
                max_age=_COOKIE_S,
                secure=self._is_secure,
                httponly=True,
                samesite="Lax",
            )
        return response


@cache
def load_catalogue(path: Path) -> Translations:
    """Read a catalogue of gettext's text form."""
    with path.open("rb") as file:
        catalogue = read_po(file)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(fp=compiled)


def language() -> str:
    """Return the language of the current request: asked for, chosen before, or the browser's."""
    if "language" not in g:
        g.language = _first_known((request.args.get("lang"), request.cookies.get(_COOKIE))) or (
            request.accept_languages.best_match(LANGUAGES, default=SOURCE_LANGUAGE)
        )
    return cast(str, g.language)


def gettext(text: str) -> str:
    """Return a text in the language of the current request."""
    return _current().gettext(text)


def ngettext(one: str, many: str, count: int) -> str:
    """Return the text for a number of things in the language of the current request."""
    return _current().ngettext(one, many, count)


def gettext_noop(text: str) -> str:
    """Mark a text for the catalogues; `gettext` translates it when it is shown."""
    return text


def show_number(value: float) -> str:
    """Return a number as the language of the request writes it."""
    return format_decimal(value, locale=language())


def show_moment(time_ms: int) -> str:
    """Return a time, in milliseconds since 1970, in this machine's time zone."""
    moment = datetime.fromtimestamp(time_ms / 1000, tz=UTC).astimezone()
    return format_datetime(moment, "medium", locale=language())


def show_day(time_ms: int) -> str:
    """Return the day of a time, in milliseconds since 1970, in this machine's time zone."""
    moment = datetime.fromtimestamp(time_ms / 1000, tz=UTC).astimezone()
    return format_date(moment.date(), "medium", locale=language())


def _current() -> Translations:
    languages: Languages = current_app.extensions[_EXTENSION]
    return languages.catalogue(language())


def _first_known(codes: Iterable[str | None]) -> str | None:
    return next((code for code in codes if code in LANGUAGES), None)
