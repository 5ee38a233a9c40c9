"""The addresses of the wallet's page: this machine's, and over TLS a phone's where it is asked for.

A wallet is served to its holder alone. To anybody else it would be custody: who runs the process
has the keys. So it listens on loopback, and on nothing else unless a phone is to be paired.
"""

import threading
from typing import TYPE_CHECKING, Final, Self

import structlog
from cheroot.ssl.builtin import BuiltinSSLAdapter
from cheroot.wsgi import Server

from client_sdk.http.endpoint_url import is_loopback
from node.errors import ConfigError
from node.wallet.pairing import PhoneAccess
from node.web.server import parse_address

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.wallet")
_THREADS: Final = 8
_TIMEOUT_S: Final = 20


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


class _TlsServer(Server):
    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:  # noqa: ARG002
        """Log that a connection failed; the server's own text may hold what a stranger sent."""
        _log.info("phone_connection_failed")


class PhoneServer:
    """The page over TLS, for paired phones. Use it as a context."""

    def __init__(self, app: "WSGIApplication", phone: PhoneAccess, *, listen: str) -> None:
        """Bind the address.

        Args:
            app: The application for this address.
            phone: The certificate.
            listen: `host:port` of this machine.

        Raises:
            ConfigError: It is in use, or not this machine's.
        """
        host, port = parse_address(listen)
        self._server = _TlsServer((host, port), app, numthreads=_THREADS, timeout=_TIMEOUT_S)
        self._server.ssl_adapter = BuiltinSSLAdapter(str(phone.certificate), str(phone.private_key))
        try:
            self._server.prepare()
        except OSError as error:
            raise ConfigError(f"--phone {listen} cannot be used: {error.strerror}") from None
        self._thread = threading.Thread(target=self._server.serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._thread.join()
