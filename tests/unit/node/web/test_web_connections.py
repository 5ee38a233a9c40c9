"""Clients that wait, are slow, or send too much: whoever asks properly is answered all the same."""

import queue
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection
from typing import Any

import pytest
from flask import Flask, Response, request

from node.web.connections import Connection
from node.web.server import WebServer

HALF_A_HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "
WHOLE = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def app() -> Flask:
    app = Flask("connections")
    app.config["MAX_CONTENT_LENGTH"] = 1 << 16

    @app.get("/")
    def hello() -> str:
        return "hello"

    @app.post("/")
    def count() -> str:
        return str(len(request.get_data()))

    return app


@contextmanager
def served(app: Flask, **options: Any) -> Iterator[tuple[str, int]]:
    server = WebServer(app, "127.0.0.1:0", **{"threads": 1, **options})
    loop = threading.Thread(target=server.run, name="loop")
    loop.start()
    host, _, port = server.address.rpartition(":")
    try:
        yield host, int(port)
    finally:
        server.stop()
        loop.join(60)


@contextmanager
def connections(address: tuple[str, int], count: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection(address, timeout=60)) for _ in range(count)
        ]


def is_answered(connection: socket.socket, request: bytes = WHOLE) -> bool:
    connection.sendall(request)
    answer = b""
    while not answer.endswith(b"hello"):
        more = connection.recv(4096)
        if not more:
            return False
        answer += more
    return answer.startswith(b"HTTP/1.1 200 OK")


def is_closed(connection: socket.socket) -> bool:
    """Wait until the server says something, which is that it has closed the connection."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_idle_connections_make_room_for_new_ones(app: Flask) -> None:
    with served(app, connections=49) as address, connections(address, 50) as idle:
        assert is_answered(idle[0])
        with connections(address, 10) as callers:
            assert all(map(is_answered, callers))
            # Ten were too many: those that had waited longest are gone, and no others.
            assert all(map(is_closed, idle[1:11]))
            assert is_answered(idle[0])
            assert all(map(is_answered, idle[11:]))


def test_who_has_asked_before_stays_longer_than_strangers(app: Flask) -> None:
    with served(app, connections=9) as address, connections(address, 5) as callers:
        assert all(map(is_answered, callers))
        for _ in range(5):
            with connections(address, 8) as strangers:
                # As many come as there are places, and the last one is served.
                assert is_answered(strangers[-1])
        assert all(map(is_answered, callers))
        with ExitStack() as others:
            for _ in range(10):
                (other,) = others.enter_context(connections(address, 1))
                assert is_answered(other)
            assert all(map(is_closed, callers))


def test_a_request_that_comes_drop_by_drop_makes_room_too(app: Flask) -> None:
    with served(app, connections=19) as address, connections(address, 20) as slow:
        for connection in slow:
            connection.sendall(HALF_A_HEAD)
        with connections(address, 1) as (caller,):
            assert is_answered(caller)
            for connection in slow:
                connection.sendall(b"x")
            assert is_closed(slow[0])
            assert is_answered(slow[1], b"\r\n\r\n")


def test_a_request_must_come_whole_in_time_however_busily_it_drips(app: Flask) -> None:
    with served(app, patience_s=1) as address, connections(address, 2) as (slow, caller):
        slow.settimeout(0.02)
        slow.sendall(HALF_A_HEAD)
        for _ in range(500):
            try:
                assert slow.recv(1) == b""
            except TimeoutError:
                slow.sendall(b"x")
            except ConnectionError:
                break
            else:
                break
        else:
            pytest.fail("it was never closed")
        assert is_closed(caller)
        with connections(address, 1) as (late,):
            assert is_answered(late)


def test_unfinished_bodies_are_bounded_together(app: Flask) -> None:
    """Half of a body each, of 8 MiB bodies: the server keeps 64 MiB of all."""
    half = b"x" * (5 << 20)
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6000000\r\n\r\n"
    with served(app) as address, connections(address, 14) as slow:
        for connection in slow:
            with suppress(ConnectionError):
                connection.sendall(head + half)
        assert is_closed(slow[0])
        with connections(address, 1) as (caller,):
            assert is_answered(caller)
        slow[-1].sendall(b"x" * (6_000_000 - len(half)))
        assert slow[-1].recv(12) == b"HTTP/1.1 413"


@pytest.mark.parametrize("is_told", [True, False])
def test_a_body_that_is_too_long_is_refused(app: Flask, is_told: bool) -> None:
    body = b"x" * (9 << 20)
    with served(app) as address:
        line = HTTPConnection(*address, timeout=60)
        try:
            line.request("POST", "/", body if is_told else iter([body]), encode_chunked=True)
        except ConnectionError:
            # It need not read what it will not take.
            assert is_told
        else:
            assert line.getresponse().status == 413
        line.close()
        with connections(address, 1) as (caller,):
            assert is_answered(caller)


def test_a_connection_serves_one_request_after_another(app: Flask) -> None:
    post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
    with (
        served(app) as address,
        connections(address, 1) as (caller,),
        caller.makefile("rb") as lines,
    ):
        # Two at once, with half of a third.
        caller.sendall(WHOLE + WHOLE + post + b"Expect: 100-continue\r\n\r\n")
        for body in (b"hello", b"hello"):
            assert read_answer(lines) == (200, body)
        assert lines.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert lines.readline() == b"\r\n"
        caller.sendall(b"12345" + WHOLE)
        assert read_answer(lines) == (200, b"5")
        assert read_answer(lines) == (200, b"hello")


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads take turns as often as they can, so that those which race meet."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_threads")
def test_who_asks_to_continue_is_told_once(app: Flask) -> None:
    """Once the request before is answered two threads may want to say it."""
    post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    with served(app) as address:
        for _ in range(1000):
            with connections(address, 1) as (caller,), caller.makefile("rb") as lines:
                caller.sendall(WHOLE + post)
                assert read_answer(lines) == (200, b"hello")
                assert read_answer(lines) == (100, b"")
                caller.sendall(b"12345")
                assert read_answer(lines) == (200, b"5")


def test_who_answers_closes_no_connection(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its client left before it was told to continue: the server's own thread closes."""
    has_left = threading.Event()
    closing: queue.SimpleQueue[str] = queue.SimpleQueue()
    close = Connection.handle_close

    def note_and_close(connection: Connection) -> None:
        closing.put(threading.current_thread().name)
        close(connection)

    @app.get("/answered")
    def answered() -> Response:
        response = Response("hello")
        # Called once the answer is sent, before the next request is looked at.
        response.call_on_close(lambda: has_left.wait(10))
        return response

    monkeypatch.setattr(Connection, "handle_close", note_and_close)
    both = b"GET /answered HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\n"
    with served(app) as address, connections(address, 1) as (caller,):
        caller.sendall(both + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        with caller.makefile("rb") as lines:
            assert read_answer(lines) == (200, b"hello")
        # Closed so, the system refuses at once what is sent from then on.
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        caller.close()
        has_left.set()
        assert closing.get(timeout=10) == "loop"


def read_answer(lines: Any) -> tuple[int, bytes]:
    status, length = int(lines.readline().split()[1]), 0
    while (line := lines.readline()) != b"\r\n":
        name, _, value = line.partition(b": ")
        if name == b"Content-Length":
            length = int(value)
    return status, lines.read(length)


def test_streams_take_no_place_of_work(app: Flask) -> None:
    """One thread works; streams are open, one too many waits, and the work goes on."""
    opened, goes_on = threading.Semaphore(0), threading.Event()

    @app.get("/events")
    def events() -> Iterator[str]:
        opened.release()
        assert goes_on.wait(60)
        yield "end"

    # Two more have a thread, in which an application refuses them.
    options = {"streams": 1, "is_stream": lambda path: path == "/events"}
    with served(app, **options) as address, connections(address, 4) as streams:
        for stream in streams:
            stream.sendall(b"GET /events HTTP/1.0\r\n\r\n")
        assert all(opened.acquire(timeout=60) for _ in range(3))
        with connections(address, 1) as (caller,):
            assert is_answered(caller)
        assert not opened.acquire(blocking=False)
        goes_on.set()
        for stream in streams:
            assert stream.makefile("rb").read().endswith(b"end")
