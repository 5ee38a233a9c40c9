"""The holder's browser at an issuer's page, and the way back (RFC 8252 section 7.3)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Final, Self
from urllib.parse import parse_qs, urlsplit

import click

from client_sdk.errors import OfferError
from client_sdk.openid4vci.authorization_client import Browser

PATH: Final = "/callback"
PATIENCE_S: Final = 600.0
"""How long the holder has at the issuer's page: as long as our issuer keeps a request."""
_PASTED: Final = f"http://127.0.0.1:1{PATH}"
"""Where nothing listens: the browser shows an error, and the address."""
_PAGE: Final = """<!DOCTYPE html>
<html lang="ja"><head><meta charset="utf-8"><title>Tegata</title></head>
<body><p>このウィンドウを閉じて、ウォレットに戻ってください。</p>
<p lang="en">Close this window and go back to your wallet.</p></body></html>
""".encode()


@contextmanager
def opened_browser(how: str | None) -> Iterator[Browser | None]:
    """Give the holder's browser: `open` on this machine, `paste` elsewhere; None for none."""
    match how:
        case "open":
            with LoopbackBrowser() as browser:
                yield browser
        case "paste":
            yield PastedAddress()
        case _:
            yield None


class LoopbackBrowser:
    """Opens a browser on this machine, and listens for it to come back. A context."""

    def __init__(self, *, patience_s: float = PATIENCE_S) -> None:
        """Listen on a free port.

        Args:
            patience_s: How long the holder has at the page, in seconds.
        """
        self._patience_s = patience_s
        self._came_to: str | None = None
        self._server = HTTPServer(("127.0.0.1", 0), self._handler())
        self.redirect_uri: str = f"http://127.0.0.1:{self._server.server_port}{PATH}"

    def visit(self, url: str) -> str:
        """Show the holder a page; return where the browser came back to, with its query.

        Raises:
            OfferError: It did not come back in time.
        """
        click.echo(f"Go on in your browser: {url}", err=True)
        click.launch(url)
        deadline = time.monotonic() + self._patience_s
        while self._came_to is None:
            self._server.timeout = deadline - time.monotonic()
            if self._server.timeout <= 0:
                raise OfferError("the browser did not come back from the issuer's page")
            self._server.handle_request()
        return self._came_to

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        browser = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                # Other pages can send the browser here too: the way back has a state.
                is_back = parts.path == PATH and "state" in parse_qs(parts.query)
                self.send_response(200 if is_back else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Security-Policy", "default-src 'none'")
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                if is_back:
                    self.wfile.write(_PAGE)
                    browser._came_to = f"{browser.redirect_uri}?{parts.query}"

            def log_message(self, format: str, *_values: object) -> None:  # noqa: A002
                """Say nothing: the query holds a code."""

            def setup(self) -> None:
                super().setup()
                # Whoever connects and sends nothing must not keep the holder waiting.
                self.connection.settimeout(5)

        return Handler


class PastedAddress:
    """A browser elsewhere: the holder opens the page there, and pastes where it came back to."""

    redirect_uri: str = _PASTED

    def visit(self, url: str) -> str:
        """Show the holder a link; return what was pasted."""
        click.echo(f"Open this page in a browser: {url}", err=True)
        pasted: str = click.prompt(
            "It ends at an address that cannot be shown. Paste that address", err=True
        )
        return pasted.strip()
