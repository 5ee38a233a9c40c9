"""Who may work at a service's pages: named in its configuration, known by a password.

A session is a signed cookie. It ends when nothing comes for a while, after a working day at the
latest, and when the person's password changes. What a login answers is the same whether the name
or the password is wrong, and takes as long.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from flask import Blueprint, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from limits import RateLimitItem
from pydantic import BaseModel, ConfigDict, Field
from werkzeug.exceptions import TooManyRequests

from node.web.caller_address import caller_address
from node.web.passwords import PasswordHash, matches_password
from node.web.rate_limit import RateLimiter, parse_rate

ABSOLUTE_S: Final = 10 * 3600
"""How long a session lasts at the most."""
NAME_PATTERN: Final = r"^[a-z0-9._-]{1,64}$"
_PER_ADDRESS: Final[RateLimitItem] = parse_rate("10/minute")
# Strangers who try a name from many addresses can shut its owner out for a while, not guess.
_PER_NAME: Final[RateLimitItem] = parse_rate("60/hour")
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.web")


class LoginConfig(BaseModel):
    """`[[logins]]`: one person who may work at the pages.

    Attributes:
        name: The name to log in with.
        password_hash: The password's Argon2id hash; `add-login` of the service's command makes it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=NAME_PATTERN)
    password_hash: PasswordHash = Field(repr=False)


def check_logins(logins: Sequence[LoginConfig]) -> None:
    """Look for a name that two logins have.

    Raises:
        ValueError: There is one.
    """
    if len({login.name for login in logins}) != len(logins):
        raise ValueError("logins: two have the same name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who is logged in.

    Attributes:
        name: The name that the person logged in with.
    """

    name: str


class Logins:
    """Lets people in, and knows them again."""

    def __init__(
        self,
        configured: Sequence[LoginConfig],
        *,
        home: str,
        limiter: RateLimiter | None = None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """Take those who may log in.

        Args:
            configured: They.
            home: The path of the page that is shown after a login.
            limiter: Counts the tries; in the memory of this process where it is left out.
            now_s: The clock: seconds since 1970.
        """
        self._configured = {login.name: login for login in configured}
        self._home = home
        self._now_s = now_s
        self._limiter = limiter or RateLimiter()

    def person(self) -> Person | None:
        """Return who is logged in with the current request's session; None where nobody is."""
        login = self._configured.get(session.get("name", ""))
        since_s = session.get("since_s", 0)
        if login is None or session.get("password") != _mark(login):
            return None
        if not since_s <= self._now_s() < since_s + ABSOLUTE_S:
            return None
        return Person(name=login.name)

    def add_routes(self, blueprint: Blueprint) -> None:
        """Add the page to log in, and what logs out."""

        @blueprint.get("/login")
        def log_in() -> ResponseReturnValue:
            if self.person() is not None:
                return redirect(_local(request.args.get("then")) or self._home)
            return render_template("web/login.html", is_refused=False)

        @blueprint.post("/login")
        def take_login() -> ResponseReturnValue:
            name = request.form.get("name", "")
            login = self._configured.get(name)
            self._count_try(name)
            is_known = matches_password(
                request.form.get("password", ""), None if login is None else login.password_hash
            )
            if login is None or not is_known:
                _log.warning("login_refused", address=request.remote_addr)
                return render_template("web/login.html", is_refused=True), 403
            session.clear()
            session.permanent = True
            session.update(name=login.name, since_s=int(self._now_s()), password=_mark(login))
            _log.info("logged_in", name=login.name)
            return redirect(_local(request.args.get("then")) or self._home, 303)

        @blueprint.post("/logout")
        def log_out() -> ResponseReturnValue:
            session.clear()
            return redirect("/login", 303)

    def _count_try(self, name: str) -> None:
        """Count a try to log in.

        Raises:
            TooManyRequests: There were too many, from here or with this name.
        """
        self._limiter.count(_PER_ADDRESS, "login", caller_address())
        try:
            self._limiter.count(_PER_NAME, "login-name", name[:64])
        except TooManyRequests:
            _log.warning("login_name_tried_too_often")
            raise


def _mark(login: LoginConfig) -> str:
    """Return what a session knows a password by: once it is another one, the session is over."""
    return hashlib.sha256(login.password_hash.encode()).hexdigest()[:32]


def _local(target: str | None) -> str | None:
    """Return a path of this service; None for anything that a browser could take elsewhere."""
    if not target or not target.startswith("/") or target[1:2] in ("/", "\\"):
        return None
    return target if target.isprintable() and "\\" not in target else None
