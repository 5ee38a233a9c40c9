"""The page with a camera: it makes one face test, in Japanese and English, on any phone."""

from typing import Final

from flask import Flask, Response, make_response, render_template

from chaincode.encoding import decode_base64url
from client_sdk.credentials.jose import Key, export_private_jwk
from client_sdk.face.prompts import WORDS
from node.web.languages import gettext_noop
from node.web.pages import Pages, derive_session_key

_CAMERA: Final = "camera=(self), display-capture=(), geolocation=(), microphone=(), usb=()"


def add_pages(app: Flask, *, operator: str, public_url: str, signing_key: Key) -> None:
    """Add the page.

    Args:
        app: The service's application.
        operator: Who runs it, as the person is told before consenting.
        public_url: Where browsers reach it.
        signing_key: The service's private key, from which that of cookies follows.
    """
    seed = decode_base64url(str(export_private_jwk(signing_key)["d"]))
    pages = Pages(
        app,
        service="face",
        title=gettext_noop("Face test"),
        session_key=derive_session_key(seed, service="face"),
        is_secure=public_url.startswith("https://"),
    )
    blueprint = pages.blueprint("face", "node.face", is_open=True)

    @blueprint.get("/test")
    def show_test() -> Response:
        """Show the page; which test it is, its address says behind the number sign."""
        response = make_response(
            render_template("face/test.html", operator=operator, prompts=WORDS)
        )
        response.headers["Permissions-Policy"] = _CAMERA
        return response

    app.register_blueprint(blueprint)
