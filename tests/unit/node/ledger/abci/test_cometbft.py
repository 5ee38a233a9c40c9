"""What the node does with CometBFT itself: the socket, the process, and the pool."""

import fcntl
import io
import json
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.proto import parse_length_prefixed, serialize_length_prefixed
from support.http_stand import HttpStand, Received, json_reply

from node.errors import (
    BatchRefusedError,
    ConfigError,
    DivergenceError,
    PeerUnreachableError,
    PoolFullError,
    ReplicationError,
    StoppingError,
)
from node.ledger.abci import comet_process
from node.ledger.abci.abci_pb2 import Request, Response
from node.ledger.abci.broadcaster import Broadcaster
from node.ledger.abci.comet_process import CometProcess
from node.ledger.abci.comet_rpc import CometRpc
from node.ledger.abci.server import AbciServer

DEADLINE_S = 30


def message(name: str, text: str = "") -> bytes:
    """Return a request as CometBFT writes it."""
    request = Request()
    getattr(request, name).SetInParent()
    if name == "echo":
        request.echo.message = text
    data = io.BytesIO()
    serialize_length_prefixed(request, data)
    return data.getvalue()


# The socket


def answer(request: Request) -> Response:
    response = Response()
    if request.HasField("flush"):
        response.flush.SetInParent()
    elif request.HasField("echo"):
        response.echo.message = request.echo.message
    else:
        raise ReplicationError("this one cannot be answered")
    return response


@pytest.fixture
def failures() -> list[Exception]:
    return []


@pytest.fixture
def server(tmp_path: Path, failures: list[Exception]) -> Iterator[AbciServer]:
    server = AbciServer(answer, failures.append, tmp_path / "abci.sock")
    server.start()
    yield server
    server.stop()


def connect(server: AbciServer) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(DEADLINE_S)
    connection.connect(server.address.removeprefix("unix://"))
    return connection


def test_many_requests_are_answered_in_their_order(server: AbciServer) -> None:
    texts = [f"{number}" * 200 for number in range(300)]
    with connect(server) as connection, connection.makefile("rb") as answers:
        connection.sendall(b"".join(message("echo", text) for text in texts) + message("flush"))
        for text in texts:
            response = parse_length_prefixed(Response, answers)  # type: ignore[arg-type]
            assert response is not None
            assert response.echo.message == text


def test_connections_are_served_beside_each_other(server: AbciServer) -> None:
    with connect(server) as first, connect(server) as second:
        for connection in (second, first):
            connection.sendall(message("echo", "x") + message("flush"))
            assert connection.recv(1)


def test_what_cannot_be_answered_ends_the_node_and_cometbft(
    server: AbciServer, failures: list[Exception]
) -> None:
    with connect(server) as connection, connection.makefile("rb") as answers:
        connection.sendall(message("commit"))
        response = parse_length_prefixed(Response, answers)  # type: ignore[arg-type]
    assert response is not None
    assert "this one cannot be answered" in response.exception.error
    assert [str(failure) for failure in failures] == ["this one cannot be answered"]


@pytest.mark.parametrize("data", [b"\x05\x0a", b"\x02\xff\xff", b"\x80"])
def test_a_connection_that_breaks_off_harms_nobody(server: AbciServer, data: bytes) -> None:
    with connect(server) as connection:
        connection.sendall(data)
    with connect(server) as connection:
        connection.sendall(message("echo", "x") + message("flush"))
        assert connection.recv(1)


def test_only_the_nodes_user_may_write_to_the_socket(server: AbciServer) -> None:
    mode = Path(server.address.removeprefix("unix://")).stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_it_listens_on_tcp_where_cometbft_is_elsewhere(failures: list[Exception]) -> None:
    server = AbciServer(answer, failures.append, "127.0.0.1:0")
    server.start()
    host, _, port = server.address.removeprefix("tcp://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=DEADLINE_S) as connection:
        connection.sendall(message("echo", "x") + message("flush"))
        assert connection.recv(1)
        with pytest.raises(ConfigError, match="cannot be bound"):
            AbciServer(answer, failures.append, f"127.0.0.1:{port}")
    server.stop()


def test_a_path_that_is_no_name_of_a_socket_is_refused(
    tmp_path: Path, failures: list[Exception]
) -> None:
    with pytest.raises(ConfigError, match="too long for the name of a socket"):
        AbciServer(answer, failures.append, tmp_path / ("x" * 108))
    with pytest.raises(ConfigError, match="cannot be bound"):
        AbciServer(answer, failures.append, tmp_path / "no folder" / "abci.sock")


# The process


class Child:
    """A program that stands where CometBFT does, and what the node is told of it."""

    def __init__(self, folder: Path, script: str) -> None:
        program = folder / "cometbft"
        program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        program.chmod(0o700)
        self.told = threading.Event()
        self.failures: list[Exception] = []
        self.process = CometProcess(
            str(program), folder, proxy_app="unix://x", rpc="127.0.0.1:1", on_failure=self.fail
        )

    def fail(self, failure: Exception) -> None:
        self.failures.append(failure)
        self.told.set()


def line(text: str, level: str = "error", **fields: str) -> str:
    return f"echo '{json.dumps({'level': level, '_msg': text, 'ts': 'now', **fields})}'"


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        ("exit 3", ReplicationError, "has ended with code 3: no reason"),
        ("echo ERROR: no genesis; exit 1", ReplicationError, "code 1: ERROR: no genesis"),
        (
            line("CONSENSUS FAILURE!!!", err="wrong Block.Header.AppHash", stack="s")
            + "; exec sleep 60",
            DivergenceError,
            "this peer computed another state than the others",
        ),
        (
            line("CONSENSUS FAILURE!!!", err="disk") + "; exec sleep 60",
            ReplicationError,
            "can decide no more: CONSENSUS FAILURE!!! disk",
        ),
        (
            line("CONSENSUS FAILURE!!!", err="wrong Block.Header.Version. Expected 1, got 2")
            + "; exec sleep 60",
            DivergenceError,
            "by rules of another version than the others",
        ),
        (
            line("Error in validation", err="invalid commit -- wrong set size")
            + "; "
            + line("Error in validation", err="wrong Block.Header.AppHash. Expected 1, got 2")
            + "; exec sleep 60",
            DivergenceError,
            "CometBFT cannot catch up: Error in validation wrong Block.Header.AppHash",
        ),
        (
            "echo 'panic: state.AppHash does not match AppHash after replay'; exit 2",
            DivergenceError,
            "AppHash does not match",
        ),
    ],
)
def test_an_end_of_cometbft_is_told_with_its_reason(
    tmp_path: Path, script: str, kind: type[Exception], words: str
) -> None:
    child = Child(tmp_path, script)
    child.process.start()
    assert child.told.wait(DEADLINE_S)
    child.process.stop()
    assert type(child.failures[0]) is kind
    assert words in str(child.failures[0])


def test_a_stop_is_no_failure(tmp_path: Path) -> None:
    child = Child(tmp_path, line("started", "info", event="x") + "; exec sleep 60")
    child.process.start()
    child.process.stop()
    assert child.failures == []


def test_one_that_a_killed_node_has_left_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "data" / "blockstore.db" / "LOCK"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        monkeypatch.setattr(comet_process, "_STOP_S", 0)
        child = Child(tmp_path, f"touch {tmp_path / 'ran'}; exec sleep 60")
        with pytest.raises(ConfigError, match="another CometBFT runs in this folder"):
            child.process.start()
        assert not (tmp_path / "ran").exists()
        monkeypatch.setattr(comet_process, "_STOP_S", 30)
        monkeypatch.setattr(
            comet_process.time, "sleep", lambda _s: fcntl.flock(held, fcntl.LOCK_UN)
        )
        child.process.start()
        child.process.stop()
    assert child.failures == []


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no-such-program: there is no such program"):
        CometProcess("no-such-program", tmp_path, proxy_app="x", rpc="x", on_failure=lambda _: None)
    child = Child(tmp_path, "")
    (tmp_path / "cometbft").write_text("#!/no/such/shell\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be run"):
        child.process.start()
    child.process.stop()


# The pool


class Pool:
    """A JSON-RPC that answers each call as a test says, and a broadcaster before it."""

    def __init__(self, reply: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self.stand = HttpStand(lambda received: json_reply(self._answer(received)))
        self._reply = reply
        self.sizes: list[int] = []

    def _answer(self, received: Received) -> Any:
        calls = json.loads(received.body)
        self.sizes.append(len(calls))
        answers = [{"id": call["id"], **self._reply(call)} for call in calls]
        # As CometBFT does: a list of one is answered by one.
        return answers if len(answers) > 1 else answers[0]


@pytest.fixture
def broadcaster_of() -> Iterator[Callable[[str], Broadcaster]]:
    begun: list[Broadcaster] = []

    def begin(address: str) -> Broadcaster:
        begun.append(Broadcaster(CometRpc(address)))
        begun[-1].start()
        return begun[-1]

    yield begin
    for broadcaster in begun:
        broadcaster.stop()


def error(text: str) -> dict[str, Any]:
    return {"error": {"code": -32603, "message": "Internal error", "data": text}}


def test_each_batch_has_its_own_answer(
    broadcaster_of: Callable[[str], Broadcaster],
) -> None:
    words = {
        "Zm9v": {"result": {}},  # foo
        "a25vd24=": error("tx already exists in cache"),  # known
        "ZnVsbA==": error("mempool is full: number of txs 5000"),  # full
        "bG9uZw==": error("Tx too large. Max size is 1"),  # long
        "b2Rk": {"error": "nothing we know"},  # odd
    }
    pool = Pool(lambda call: words[call["params"]["tx"]])
    with pool.stand:
        broadcaster = broadcaster_of(pool.stand.address)
        broadcaster.send([b"foo", b"known", b"odd"])
        with pytest.raises(PoolFullError):
            broadcaster.send([b"foo", b"full"])
        with pytest.raises(BatchRefusedError, match="Tx too large"):
            broadcaster.send([b"long"])
        broadcaster.send([b"x"][:0])


def test_what_arrives_meanwhile_goes_together(
    broadcaster_of: Callable[[str], Broadcaster],
) -> None:
    pool = Pool(lambda _call: {"result": {}})
    with pool.stand:
        broadcaster = broadcaster_of(pool.stand.address)
        broadcaster.send([b"x%d" % number for number in range(1200)])
    assert pool.sizes == [500, 500, 200]


def test_a_cometbft_that_is_gone_is_told_and_a_stop_too(
    broadcaster_of: Callable[[str], Broadcaster],
) -> None:
    pool = Pool(lambda _call: {"result": {}})
    with pool.stand:
        broadcaster = broadcaster_of(pool.stand.address)
        broadcaster.send([b"foo"])
    with pytest.raises(PeerUnreachableError, match="CometBFT does not answer"):
        broadcaster.send([b"foo"])
    broadcaster.stop()
    with pytest.raises(StoppingError):
        broadcaster.send([b"foo"])


@pytest.mark.parametrize("answer", ["words", ["words"], None, 5])
def test_what_is_no_answer_of_cometbft_is_told_and_the_next_one_is_read(
    broadcaster_of: Callable[[str], Broadcaster], answer: Any
) -> None:
    pool = Pool(lambda _call: {"result": {}})
    with pool.stand:
        right, pool.stand.answer = pool.stand.answer, lambda _received: json_reply(answer)
        broadcaster = broadcaster_of(pool.stand.address)
        broadcaster._has_answered = True
        with pytest.raises(PeerUnreachableError, match="does not answer as CometBFT does"):
            broadcaster.send([b"foo"])
        pool.stand.answer = right
        broadcaster.send([b"foo"])


def test_an_answer_that_is_none_is_an_error() -> None:
    pool = Pool(lambda _call: error("not now"))
    with pool.stand, CometRpc(pool.stand.address) as rpc:
        with pytest.raises(PeerUnreachableError, match="status: not now"):
            rpc.status()
        pool.stand.answer = lambda _received: json_reply({"result": {"total": "7"}})
        assert rpc.count_waiting() == 7
