"""The addresses of the wallet's page: this machine's, and over TLS a phone's where it is asked for.

A wallet is served to its holder alone. To anybody else it would be custody: who runs the process
has the keys. So it listens on loopback, and on nothing else unless a phone is to be paired.
"""

import ssl
import threading
from typing import TYPE_CHECKING, Final, Self

from client_sdk.http.endpoint_url import is_loopback
from node.errors import ConfigError
from node.wallet.pairing import PhoneAccess
from node.web.server import WebServer, bind, parse_address
from node.web.tls_front import TlsFront

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

MAX_BODY_BYTES: Final = 2 << 20
"""The largest is a picture of the camera, in which a QR code is looked for."""
_CONNECTIONS: Final = 64
_PATIENCE_S: Final = 20


def require_loopback(listen: str) -> tuple[str, int]:
    """Return host and port of an address that only this machine reaches.

    Raises:
        ConfigError: Others reach it; the text says what is meant instead.
    """
    host, port = parse_address(listen)
    if not is_loopback(host):
        raise ConfigError(
            f"--listen {listen}: others reach this address. A wallet that is hosted for others is "
            "custody, and is refused; to use yours on your phone, give --phone HOST:PORT instead"
        )
    return host, port


class PhoneServer:
    """The page over TLS, for paired phones. Use it as a context."""

    def __init__(
        self,
        app: "WSGIApplication",
        phone: PhoneAccess,
        *,
        listen: str,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        """Bind the address.

        Args:
            app: The application for this address.
            phone: The certificate.
            listen: `host:port` of this machine.
            patience_s: How long a client may take to shake hands, and then for each request.

        Raises:
            ConfigError: It is in use, or not this machine's.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(phone.certificate, phone.private_key)
        try:
            listener = bind(listen)
        except ConfigError as error:
            raise ConfigError(f"--phone: {error}") from None
        self._server = WebServer(
            app,
            "127.0.0.1:0",
            connections=_CONNECTIONS,
            memory_body_bytes=MAX_BODY_BYTES,
            patience_s=patience_s,
            is_behind_tls=True,
        )
        self._front = TlsFront(
            listener, context, behind=parse_address(self._server.address), patience_s=patience_s
        )
        self._thread = threading.Thread(target=self._server.run, name="phone")

    def __enter__(self) -> Self:
        self._thread.start()
        self._front.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._front.__exit__()
        self._server.stop()
        self._thread.join()
