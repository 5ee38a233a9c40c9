"""Logging in at the pages of a service, without a browser."""

import re
from typing import Final

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from node.web.passwords import hash_password

PASSWORD: Final = "correct horse battery staple"
PASSWORD_HASH: Final = hash_password(PASSWORD)


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
