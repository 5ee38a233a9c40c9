"""The phone's server: neighbours that say nothing, drip or shout keep no phone out."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request

from node.cli.demo.free_ports import free_addresses
from node.errors import ConfigError
from node.wallet.pairing import PhoneAccess, prepare_phone
from node.wallet.serving import MAX_BODY_BYTES, PhoneServer
from node.web.tls_front import TlsFront

CROWD = 200
"""More than may shake hands, or be connected, at the same time."""
HALF_A_HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "
LONG = "x" * (1 << 20)


@pytest.fixture(scope="module")
def app() -> Flask:
    app = Flask("phone")

    @app.get("/")
    def scheme() -> str:
        return request.scheme

    @app.get("/long")
    def much() -> str:
        return LONG

    @app.post("/")
    def count() -> str:
        return str(len(request.get_data()))

    return app


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory) -> PhoneAccess:
    return prepare_phone(tmp_path_factory.mktemp("phone") / "wallet", "127.0.0.1", 1)


class Phones:
    """Clients of one phone server."""

    def __init__(self, address: str, certificate: Path) -> None:
        host, _, port = address.rpartition(":")
        self._place = host, int(port)
        self._context = ssl.create_default_context(cafile=str(certificate))
        self._stack = ExitStack()

    def connect(self) -> socket.socket:
        """Return a connection that has not shaken hands."""
        return self._stack.enter_context(socket.create_connection(self._place, timeout=30))

    def shake_hands(self) -> ssl.SSLSocket:
        """Return a connection over TLS."""
        wrapped = self._context.wrap_socket(self.connect(), server_hostname="127.0.0.1")
        return self._stack.enter_context(wrapped)

    def ask(self, path: str = "/") -> bytes:
        """Return the body of an answer, on a connection of its own."""
        connection = self.shake_hands()
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while more := connection.recv(1 << 16):
            answer += more
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK")
        return body

    def close(self) -> None:
        self._stack.close()


@contextmanager
def served(app: Flask, phone: PhoneAccess, **options: Any) -> Iterator[Phones]:
    (address,) = free_addresses(1)
    with PhoneServer(app, phone, listen=address, **options):
        phones = Phones(address, phone.certificate)
        try:
            yield phones
        finally:
            phones.close()


def wait_until_closed(connection: socket.socket) -> None:
    """Wait until the server has closed a connection, whatever it said before."""
    with suppress(ConnectionError, ssl.SSLError):
        while connection.recv(1 << 16):
            pass


def test_the_application_knows_that_it_is_reached_over_tls(app: Flask, phone: PhoneAccess) -> None:
    with served(app, phone) as phones:
        assert phones.ask() == b"https"


def test_a_long_answer_comes_whole(app: Flask, phone: PhoneAccess) -> None:
    with served(app, phone) as phones:
        assert phones.ask("/long") == LONG.encode()


def test_a_crowd_that_does_not_shake_hands_keeps_nobody_out(app: Flask, phone: PhoneAccess) -> None:
    with served(app, phone) as phones:
        silent = [phones.connect() for _ in range(CROWD)]
        assert phones.ask() == b"https"
        wait_until_closed(silent[0])


def test_a_crowd_that_asks_for_nothing_or_drop_by_drop_keeps_nobody_out(
    app: Flask, phone: PhoneAccess
) -> None:
    with served(app, phone) as phones:
        slow = [phones.shake_hands() for _ in range(CROWD)]
        for connection in slow[::2]:
            with suppress(ConnectionError, ssl.SSLError):
                connection.sendall(HALF_A_HEAD)
        assert phones.ask() == b"https"
        wait_until_closed(slow[0])


def test_who_is_slower_than_patience_is_closed(app: Flask, phone: PhoneAccess) -> None:
    with served(app, phone, patience_s=1.5) as phones:
        silent, slow = phones.connect(), phones.shake_hands()
        slow.sendall(HALF_A_HEAD)
        wait_until_closed(silent)
        wait_until_closed(slow)


def test_who_reads_nothing_is_closed(phone: PhoneAccess) -> None:
    """The server behind may have closed long ago: nobody would tell."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(phone.certificate, phone.private_key)
    with ExitStack() as stack:
        listener, behind = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
        stack.enter_context(behind)
        place = behind.getsockname()
        stack.enter_context(TlsFront(listener, context, behind=place, patience_s=1.5))
        phones = Phones(f"127.0.0.1:{listener.getsockname()[1]}", phone.certificate)
        stack.callback(phones.close)
        phones.shake_hands()
        behind.settimeout(30)
        answering = stack.enter_context(behind.accept()[0])
        answering.settimeout(30)
        with pytest.raises(ConnectionError):
            answering.sendall(bytes(1 << 26))


def test_what_is_no_tls_and_a_body_that_is_too_long_are_refused(
    app: Flask, phone: PhoneAccess
) -> None:
    with served(app, phone) as phones:
        plain, shouting = phones.connect(), phones.shake_hands()
        plain.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until_closed(plain)
        shouting.sendall(
            f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n\r\n".encode()
        )
        assert shouting.recv(12) == b"HTTP/1.1 413"
        assert phones.ask() == b"https"


def test_the_server_stops_while_clients_are_connected(app: Flask, phone: PhoneAccess) -> None:
    (address,) = free_addresses(1)
    phones = Phones(address, phone.certificate)
    with PhoneServer(app, phone, listen=address):
        silent, quiet = phones.connect(), phones.shake_hands()
        assert phones.ask() == b"https"
    wait_until_closed(silent)
    wait_until_closed(quiet)
    with pytest.raises(ConnectionRefusedError):
        phones.connect()
    phones.close()


def test_an_address_that_is_in_use_is_refused(app: Flask, phone: PhoneAccess) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigError, match="--phone"):
            PhoneServer(app, phone, listen=listen)
