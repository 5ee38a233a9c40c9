"""The frame of pages: headers, languages, sessions, logins, forms that nobody else can send."""

import re
from collections.abc import Callable

import itsdangerous.timed
import pytest
from flask import render_template_string
from flask.testing import FlaskClient
from structlog.testing import capture_logs
from support.logins import PASSWORD, PASSWORD_HASH, token_of
from support.logins import log_in as send_login
from werkzeug.test import TestResponse

from node.errors import ApiError
from node.web.app import create_api
from node.web.charts import LineChart
from node.web.logins import ABSOLUTE_S, LoginConfig, Logins
from node.web.pages import IDLE_S, NavigationItem, Pages, derive_session_key, page_policy
from node.web.passwords import hash_password, matches_password
from node.web.qr import qr_picture

HASH = PASSWORD_HASH
PAGE = """{% extends "web/base.html" %}
{% from "web/parts.html" import token, progress, line_chart, check_list with context %}
{% block heading %}{{ gettext("Name") }}{% endblock %}
{% block content %}
{{ person.name }}<form method="post">{{ token() }}</form>
{{ progress([{"name": "a", "label": "A"}, {"name": "b", "label": "B"}], "a", "/events", ["b"]) }}
{{ line_chart(chart) }}
{{ check_list(checks) }}
{% endblock %}"""


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


def make_client(
    *, is_secure: bool = False, now_s: Callable[[], float] | None = None, password_hash: str = HASH
) -> FlaskClient:
    app = create_api("sample", "1", title="Sample")
    logins = Logins(
        [LoginConfig(name="aiko", password_hash=password_hash)],
        home="/",
        **({} if now_s is None else {"now_s": now_s}),
    )
    pages = Pages(
        app,
        service="sample",
        title="Sample",
        session_key=bytes(32),
        is_secure=is_secure,
        logins=logins,
    )
    blueprint = pages.blueprint(
        "sample", "node.web", navigation=[NavigationItem(endpoint="sample.show", label="Pages")]
    )

    @blueprint.get("/")
    def show() -> str:
        return render_template_string(
            PAGE,
            chart=LineChart(title="T", labels=["1", "2"], series=[("n", [1, 3])]),
            checks=[
                {"label": "A", "passed": True, "detail": ""},
                {"label": "B", "passed": False, "detail": "why"},
                {"label": "C", "passed": None, "detail": ""},
            ],
        )

    @blueprint.post("/")
    def take() -> str:
        return "taken"

    @blueprint.get("/refused")
    def refuse() -> str:
        raise ApiError(409, "taken", "Taken", "Choose another.")

    @blueprint.get("/broken")
    def fail() -> str:
        raise RuntimeError("the database holds Tanaka")

    app.register_blueprint(blueprint)
    client = app.test_client()
    client.environ_base["HTTP_ACCEPT"] = "text/html"
    return client


def log_in(client: FlaskClient, *, name: str = "aiko", password: str = PASSWORD) -> TestResponse:
    return send_login(client, name, password=password)


def test_nothing_is_shown_to_who_is_not_logged_in() -> None:
    client = make_client()
    page = client.get("/?x=1")
    assert page.status_code == 302
    assert page.headers["Location"] == "/login?then=/?x%3D1"
    assert client.post("/").status_code == 400
    assert log_in(client).status_code == 303
    assert "aiko" in client.get("/").text


def test_a_login_leads_back_to_where_it_was_asked_for_and_nowhere_else() -> None:
    for then, expected in (
        ("/refused", "/refused"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/a\nb", "/"),
    ):
        client = make_client()
        form = {"csrf_token": token_of(client.get("/login")), "name": "aiko", "password": PASSWORD}
        answer = client.post("/login", data=form, query_string={"then": then})
        assert answer.headers["Location"] == expected


def test_a_wrong_name_and_a_wrong_password_are_answered_alike() -> None:
    client = make_client()
    with capture_logs() as logs:
        wrong_name = log_in(client, name="nobody")
        wrong_password = log_in(client, password="another long password here")
    assert wrong_name.status_code == wrong_password.status_code == 403
    assert re.sub(r'value="[^"]+"', "", wrong_name.text) == re.sub(
        r'value="[^"]+"', "", wrong_password.text
    )
    assert "nobody" not in str(logs)
    assert "another long" not in str(logs)


def test_logins_are_counted() -> None:
    client = make_client()
    answers = [log_in(client, password="wrong").status_code for _ in range(11)]
    assert answers == [403] * 10 + [429]
    assert log_in(client).status_code == 429


@pytest.mark.parametrize(
    ("addresses", "other"),
    [
        # Whoever has a network of IPv6 has as many addresses as he likes.
        ([f"2001:db8:1:2::{at:x}" for at in range(1, 12)], "2001:db8:1:3::1"),
        (["203.0.113.7", "::ffff:203.0.113.7"] * 6, "203.0.113.8"),
    ],
)
def test_logins_are_counted_by_who_calls(addresses: list[str], other: str) -> None:
    client = make_client()

    def try_from(address: str) -> int:
        client.environ_base["REMOTE_ADDR"] = address
        return log_in(client, password="wrong").status_code

    assert [try_from(address) for address in addresses[:11]] == [403] * 10 + [429]
    assert try_from(other) == 403


def test_a_session_ends_by_itself() -> None:
    clock = Clock()
    client = make_client(now_s=clock)
    log_in(client)
    clock.now_s += ABSOLUTE_S - 1
    assert client.get("/").status_code == 200
    clock.now_s += 1
    assert client.get("/").status_code == 302
    clock.now_s -= ABSOLUTE_S + 10
    assert client.get("/").status_code == 302


def test_a_session_is_idle_for_so_long_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    client = make_client()
    log_in(client)
    assert client.get("/").status_code == 200
    now = itsdangerous.timed.time.time()
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: now + IDLE_S + 2)
    assert client.get("/").status_code == 302


def test_logging_out_and_a_new_password_end_a_session() -> None:
    client = make_client()
    log_in(client)
    assert client.post("/logout", data={"csrf_token": token_of(client.get("/"))}).status_code == 303
    assert client.get("/").status_code == 302
    log_in(client)
    cookie = client.get_cookie("tegata-sample")
    assert cookie is not None
    changed = make_client(password_hash=hash_password("another horse battery staple"))
    changed.set_cookie("tegata-sample", cookie.value)
    assert changed.get("/").status_code == 302


def test_a_form_from_elsewhere_does_nothing() -> None:
    client = make_client()
    log_in(client)
    assert client.post("/").status_code == 400
    assert client.post("/", data={"csrf_token": "made up"}).status_code == 400
    stranger = make_client()
    token = token_of(stranger.get("/login"))
    assert client.post("/", data={"csrf_token": token}).status_code == 400
    assert client.post("/", data={"csrf_token": token_of(client.get("/"))}).text == "taken"


@pytest.mark.parametrize("is_secure", [True, False])
def test_headers_and_cookies(is_secure: bool) -> None:
    page = make_client(is_secure=is_secure).get("/login")
    policy = page.headers["Content-Security-Policy"]
    assert policy == page_policy()
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert "camera=()" in page.headers["Permissions-Policy"]
    assert ("Strict-Transport-Security" in page.headers) is is_secure
    (cookie,) = page.headers.getlist("Set-Cookie")
    assert cookie.startswith("__Host-tegata-sample=" if is_secure else "tegata-sample=")
    assert ("Secure" in cookie) is is_secure
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie


def test_pages_load_nothing_inline_and_nothing_from_elsewhere() -> None:
    client = make_client()
    log_in(client)
    page = client.get("/").text
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", page)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
    for asset in re.findall(r'(?:src|href)="(/assets/[^"]+)"', page):
        with client.get(asset) as answer:
            assert answer.status_code == 200
            assert answer.headers["Cache-Control"] == "max-age=300"
    assert client.get("/assets/web/..%2fpages.py").status_code == 404


def test_languages() -> None:
    client = make_client()
    japanese = client.get("/login", headers={"Accept-Language": "ja-JP,ja;q=0.9,en;q=0.5"})
    assert '<html lang="ja">' in japanese.text
    assert "パスワード" in japanese.text
    for header in ("en-GB", "fr", ""):
        page = client.get("/login", headers={"Accept-Language": header})
        assert '<html lang="en">' in page.text
    # Who chooses a language keeps it.
    chosen = client.get("/login?lang=ja", headers={"Accept-Language": "en"})
    assert "パスワード" in chosen.text
    assert "パスワード" in client.get("/login", headers={"Accept-Language": "en"}).text
    # Another one is none.
    assert "パスワード" in client.get("/login?lang=xx").text
    assert "Password" in client.get("/login?lang=en").text


def test_people_read_a_page_and_programs_a_problem() -> None:
    client = make_client()
    log_in(client)
    page = client.get("/refused")
    assert page.status_code == 409
    assert page.mimetype == "text/html"
    assert "Choose another." in page.text
    assert "Content-Security-Policy" in page.headers
    assert client.get("/refused", headers={"Accept": "*/*"}).mimetype == "application/problem+json"
    assert client.get("/nowhere").mimetype == "text/html"
    failed = client.get("/broken")
    assert failed.status_code == 500
    assert "Tanaka" not in failed.text


def test_passwords() -> None:
    made = hash_password(PASSWORD)
    assert made.startswith("$argon2id$v=19$m=65536,t=2,p=1$")
    assert hash_password(PASSWORD) != made
    assert matches_password(PASSWORD, made)
    assert not matches_password(PASSWORD + "x", made)
    assert not matches_password(PASSWORD, None)
    assert not matches_password("a" * 5000, HASH)
    assert not matches_password("\ud800", HASH)
    for weak in ("password1", "a" * 2000, ""):
        with pytest.raises(ValueError, match="password"):
            hash_password(weak)
    with pytest.raises(ValueError, match="pattern"):
        LoginConfig(name="a", password_hash="$2b$12$abcdefghijklmnopqrstuv")
    assert HASH not in repr(LoginConfig(name="a", password_hash=HASH))


def test_session_keys_are_of_one_service() -> None:
    assert derive_session_key(bytes(32), service="a") != derive_session_key(bytes(32), service="b")
    assert len(derive_session_key(bytes(32), service="a")) == 32


def test_charts() -> None:
    chart = LineChart(
        title="T", labels=["a", "b", "c"], series=[("x", [0, 5, 10]), ("y", [1, 1, 1])]
    )
    assert [tick.value for tick in chart.value_ticks] == [0, 2.5, 5, 7.5, 10]
    assert [tick.value for tick in chart.label_ticks] == ["a", "b", "c"]
    assert chart.lines[0].points == "64.0,212.0 346.0,112.0 628.0,12.0"
    assert chart.lines[0].last == 10
    assert chart.rows() == [("a", 0, 1), ("b", 5, 1), ("c", 10, 1)]
    assert LineChart(title="T", labels=[], series=[]).is_empty
    flat = LineChart(title="T", labels=["a"], series=[("x", [0])])
    assert flat.lines[0].points == "64.0,212.0"


def test_qr_codes_are_labelled() -> None:
    svg = qr_picture("openid4vp://?a=1&b=2", label='Scan "this"')
    assert svg.startswith('<svg role="img" aria-label="Scan &#34;this&#34;" ')
    assert "style=" not in svg
