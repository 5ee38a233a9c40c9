"""HTTP for wallets against a real server that does what it should not."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from support.http_stand import HttpStand, Received, Reply, json_reply

from client_sdk.errors import TransportError
from client_sdk.http.client import MAX_BODY_BYTES, HttpAnswer, HttpClient

SECRET = "s3cr3t-c0de"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def http() -> Iterator[HttpClient]:
    client = HttpClient(timeout_s=5)
    yield client
    client.close()


def always(reply: Reply) -> Callable[[Received], Reply]:
    return lambda _request: reply


@contextmanager
def raw_server(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """Accept connections one after the other and let `serve` write what it likes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    try:
                        connection.recv(65_536)
                        serve(connection)
                    except OSError:
                        pass  # The client has gone, as it should.

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_an_answer(http: HttpClient) -> None:
    reply = Reply(
        status=404, body=b'{"a": 1}', headers={"Content-Type": "Application/JSON; charset=utf-8"}
    )
    with HttpStand(always(reply)) as server:
        answer = http.get(f"{server.url}/path?x=1", bearer="token")
    assert (answer.status, answer.media_type) == (404, "application/json")
    assert answer.body == b'{"a": 1}'
    assert answer.headers["content-type"] == "Application/JSON; charset=utf-8"
    assert answer.json() == {"a": 1}
    (request,) = server.received
    assert (request.method, request.path) == ("GET", "/path?x=1")
    assert request.headers["authorization"] == "Bearer token"


def test_a_form_and_json(http: HttpClient) -> None:
    with HttpStand(always(Reply())) as server:
        http.post_form(f"{server.url}/form", {"name": "手形 花子", "empty": ""})
        http.post_json(f"{server.url}/json", {"name": "手形"}, bearer="t")
    form, json = server.received
    assert form.form == {"name": "手形 花子", "empty": ""}
    assert "authorization" not in form.headers
    assert json.body == b'{"name": "\\u624b\\u5f62"}'
    assert json.headers["content-type"] == "application/json"
    assert json.headers["authorization"] == "Bearer t"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(http: HttpClient, status: int) -> None:
    with HttpStand(always(Reply())) as other:
        reply = Reply(status=status, headers={"Location": f"{other.url}/{SECRET}"})
        with HttpStand(always(reply)) as server:
            for send in (
                lambda: http.get(f"{server.url}/{SECRET}", bearer=SECRET),
                lambda: http.post_form(f"{server.url}/{SECRET}", {"code": SECRET}),
            ):
                with pytest.raises(TransportError, match="redirects") as raised:
                    send()
                assert SECRET not in str(raised.value)
    assert other.received == []


@pytest.mark.parametrize("extra", [0, 1])
def test_the_length_of_an_answer_is_bounded(http: HttpClient, extra: int) -> None:
    with HttpStand(always(Reply(body=b"x" * (MAX_BODY_BYTES + extra)))) as server:
        if extra == 0:
            assert len(http.get(server.url).body) == MAX_BODY_BYTES
        else:
            with pytest.raises(TransportError, match="longer than 4194304 bytes"):
                http.get(server.url)


def test_an_answer_without_end_is_cut_off(http: HttpClient) -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")

    with raw_server(serve) as url, pytest.raises(TransportError, match="longer than"):
        http.get(url)


def test_a_compressed_answer_is_not_unpacked(http: HttpClient) -> None:
    bomb = gzip.compress(b" " * (3 * MAX_BODY_BYTES))
    headers = {**JSON, "Content-Encoding": "gzip"}
    with HttpStand(always(Reply(body=bomb, headers=headers))) as server:
        answer = http.get(server.url)
        assert server.received[0].headers["accept-encoding"] == "identity"
    assert answer.body == bomb
    with pytest.raises(TransportError, match="no JSON object"):
        answer.json()


def test_a_server_that_does_not_answer() -> None:
    done = threading.Event()

    def serve(_connection: socket.socket) -> None:
        done.wait(60)

    http = HttpClient(timeout_s=0.2)
    with raw_server(serve) as url:
        with pytest.raises(TransportError, match="cannot be reached"):
            http.post_form(f"{url}/{SECRET}", {"code": SECRET})
        done.set()
        http.close()


def test_a_server_that_answers_drop_by_drop() -> None:
    done = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not done.wait(0.05):
            connection.sendall(b"x")

    http = HttpClient(timeout_s=1)
    started = time.monotonic()
    with raw_server(serve) as url:
        with pytest.raises(TransportError, match=r"took longer than 1 s"):
            http.get(url)
        done.set()
        http.close()
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nX-Long: "])
def test_a_server_whose_headers_come_drop_by_drop(begun: bytes) -> None:
    done = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.sendall(begun)
        while not done.wait(0.05):
            connection.sendall(b"x")

    http = HttpClient(timeout_s=0.4)
    started = time.monotonic()
    with raw_server(serve) as url:
        with pytest.raises(TransportError, match="cannot be reached"):
            http.post_form(url, {})
        done.set()
        http.close()
    assert time.monotonic() - started < 60


def test_a_server_cannot_make_a_wallet_wait(http: HttpClient) -> None:
    headers = {**JSON, "Retry-After": "3600"}
    with HttpStand(always(Reply(status=503, headers=headers))) as server:
        assert http.get(server.url).status == 503
        assert len(server.received) == 4  # It was asked again, but soon.
        assert http.post_form(server.url, {}).status == 503
        assert len(server.received) == 5  # What may have had an effect is not sent again.


def test_a_server_cannot_know_a_holder_again(http: HttpClient) -> None:
    headers = {**JSON, "Set-Cookie": "holder=known; Path=/"}
    with HttpStand(always(Reply(headers=headers))) as server:
        http.get(server.url)
        http.get(server.url)
    assert all("cookie" not in request.headers for request in server.received)
    assert len(server.received) == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"no HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ntoo short",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
    ],
    ids=["nothing", "no HTTP", "cut off", "bad chunk", "many headers"],
)
def test_what_is_no_http(http: HttpClient, answer: bytes) -> None:
    with raw_server(lambda connection: connection.sendall(answer)) as url:
        with pytest.raises(TransportError, match=r"127\.0\.0\.1:\d+: cannot be reached") as raised:
            http.post_form(f"{url}/{SECRET}?token={SECRET}", {"code": SECRET})
        assert SECRET not in str(raised.value)
        assert raised.value.__suppress_context__
        http.close()


def test_nobody_listens(http: HttpClient) -> None:
    # Not a port for connections: one of them could have it, even the one that is made here.
    address = "127.0.0.1:1"
    with pytest.raises(TransportError, match=f"{address}: cannot be reached") as raised:
        http.post_form(f"http://user:{SECRET}@{address}/{SECRET}", {"a": SECRET})
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "http://",
        "http://[::1",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:x/",
        "http://.invalid./",
        f"http://{'a' * 70}.invalid/",
        "http://\ud800/",
    ],
)
def test_what_is_no_address(http: HttpClient, url: str) -> None:
    with pytest.raises(TransportError):
        http.get(url)


@pytest.mark.parametrize("token", ["two\r\nlines", "手形", "\ud800"])
def test_a_token_that_is_no_header(http: HttpClient, token: str) -> None:
    with HttpStand(always(Reply())) as server:
        with pytest.raises(TransportError) as raised:
            http.get(server.url, bearer=token)
        assert server.received == []
    assert token not in str(raised.value)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xff", b'{"a":1,"a":2}', b"[" * 100_000])
def test_what_is_no_json_object(body: bytes) -> None:
    answer = HttpAnswer(status=200, media_type="application/json", body=body)
    with pytest.raises(TransportError, match="no JSON object"):
        answer.json()


def test_a_repr_does_not_show_the_body() -> None:
    answer = HttpAnswer(status=200, media_type="text/plain", body=SECRET.encode())
    assert SECRET not in repr(answer)


def test_the_environment_is_not_asked(http: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    with HttpStand(always(json_reply({"direct": True}))) as server:
        assert http.get(server.url).json() == {"direct": True}
