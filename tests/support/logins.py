"""Logging in at the pages of a service, without a browser."""

import re
from typing import Final

from flask.testing import FlaskClient
from nacl.pwhash import argon2id
from werkzeug.test import TestResponse

PASSWORD: Final = "correct horse battery staple"
# As cheap to check as libsodium allows: each login of a test would take a tenth of a second.
PASSWORD_HASH: Final = argon2id.str(
    PASSWORD.encode(), opslimit=argon2id.OPSLIMIT_MIN, memlimit=argon2id.MEMLIMIT_MIN
).decode()


def token_of(page: TestResponse) -> str:
    """Return the token in the first form of a page."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


def log_in(client: FlaskClient, name: str, *, password: str = PASSWORD) -> TestResponse:
    """Send the form of the login page."""
    form = {"csrf_token": token_of(client.get("/login")), "name": name, "password": password}
    return client.post("/login", data=form)


def browser_of(client: FlaskClient) -> FlaskClient:
    """Return a client that asks as a browser does, with cookies of its own."""
    browser = client.application.test_client()
    browser.environ_base["HTTP_ACCEPT"] = "text/html"
    browser.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"
    return browser
