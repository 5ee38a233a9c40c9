"""Replays what was recorded at irohad against a node of ours: one exchange after another, by gRPC.

The node has the recording's genesis block, its peer's key, its clock and its largest block, so that
its blocks are equal to the recorded ones byte for byte. Only these are hidden in a comparison:

- the node's clock where an error text quotes it (`now: 1795385229173`);
- the spaces and the order of names in the JSON text of account details.
"""

import base64
import gzip
import json
import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import grpc
import requests
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from chaincode.protocol.endpoint_pb2 import ToriiResponse, TxStatus, TxStatusRequest
from chaincode.protocol.qry_responses_pb2 import BlockQueryResponse, HealthcheckData, QueryResponse

VECTORS: Final = Path(__file__).parents[1] / "vectors" / "iroha1"
COMMANDS: Final = "/iroha.protocol.CommandService_v1/"
QUERIES: Final = "/iroha.protocol.QueryService_v1/"
PATHS: Final = {
    "Torii": COMMANDS,
    "ListTorii": COMMANDS,
    "Status": COMMANDS,
    "StatusStream": COMMANDS,
    "Find": QUERIES,
    "FetchCommits": QUERIES,
    "Healthcheck": QUERIES,
}
ANSWERS: Final[dict[str, type[Message]]] = {
    "Status": ToriiResponse,
    "StatusStream": ToriiResponse,
    "Find": QueryResponse,
    "FetchCommits": BlockQueryResponse,
    "Healthcheck": HealthcheckData,
}
STREAMS: Final = ("StatusStream", "FetchCommits")
DECIDED: Final = frozenset({TxStatus.REJECTED, TxStatus.COMMITTED})
LOST: Final = frozenset(
    {
        "STATELESS_VALIDATION_SUCCESS",
        "ENOUGH_SIGNATURES_COLLECTED",
        "STATEFUL_VALIDATION_SUCCESS",
        "STATEFUL_VALIDATION_FAILED",
        "MST_PENDING",
        "STATELESS_VALIDATION_FAILED",
    }
)
"""What irohad's stream loses when it comes between its first read and its subscription."""
DEADLINE_S: Final = 30.0
PATIENCE_S: Final = 3.0
"""How long an expected status is waited for before its absence counts as a difference."""


def load_exchanges() -> list[dict[str, Any]]:
    """Return the recorded exchanges in their order."""
    return list(_read_lines("exchanges.jsonl.gz"))


def load_blocks() -> dict[int, bytes]:
    """Return each recorded block by its height."""
    return {
        line["height"]: base64.b64decode(line["block"]) for line in _read_lines("blocks.jsonl.gz")
    }


def _read_lines(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(VECTORS / name, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


class ReplayClock:
    """The recording's clock: it says when the present exchange was sent."""

    def __init__(self) -> None:
        self.now_ms = 0

    def __call__(self) -> int:
        return self.now_ms


@dataclass(frozen=True, slots=True)
class Difference:
    """Where an answer is not the recorded one; both in readable form."""

    what: str
    recorded: Any
    ours: Any

    def __str__(self) -> str:
        return f"{self.what}:\n  irohad: {self.recorded}\n  ours:   {self.ours}"


@dataclass(slots=True)
class StatusWatch:
    """A status stream that was opened before its transaction was sent.

    Attributes:
        expected: The status that it should come to.
        count: How many statuses it should tell at least.
    """

    expected: int
    count: int
    call: "grpc.CallIterator[bytes]"
    statuses: list[ToriiResponse] = field(default_factory=list)
    begun: threading.Event = field(default_factory=threading.Event)
    settled: threading.Event = field(default_factory=threading.Event)

    def follow(self) -> None:
        """Collect statuses until the stream ends."""
        try:
            for raw in self.call:
                status = ToriiResponse.FromString(raw)
                self.statuses.append(status)
                self.begun.set()
                told = {status.tx_status for status in self.statuses}
                has_come = self.expected in told and len(self.statuses) >= self.count
                if has_come or status.tx_status in DECIDED:
                    self.settled.set()
        except grpc.RpcError:
            pass  # The reader left, or the node refused the stream: what came is compared.
        finally:
            self.begun.set()
            self.settled.set()


class ReplayClient:
    """Sends the recorded requests, and says where the answers differ."""

    def __init__(self, address: str, clock: ReplayClock, health_address: str = "") -> None:
        self._clock = clock
        self._health_address = health_address
        self._channel = grpc.insecure_channel(
            address,
            options=[
                ("grpc.max_send_message_length", -1),
                ("grpc.max_receive_message_length", -1),
                ("grpc.use_local_subchannel_pool", 1),
            ],
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def replay(self, exchange: dict[str, Any]) -> list[Difference]:
        """Send an exchange's request; return the differences of its answers."""
        if exchange["method"] not in PATHS:
            path = exchange["method"].removeprefix("GET ")
            answer = requests.get(f"http://{self._health_address}{path}", timeout=DEADLINE_S)
            return _compare("body", json.loads(exchange["body"]), answer.json())
        self._clock.now_ms = exchange["sent_at_ms"]
        if "during" in exchange:
            return self._replay_during_stream(exchange)
        if "transactions" in exchange:
            return self._replay_transactions(exchange)
        return self._compare_answers(exchange, *self._ask(exchange))

    def _replay_transactions(self, exchange: dict[str, Any]) -> list[Difference]:
        last: dict[str, ToriiResponse] = {
            tx_hash: _decode(ToriiResponse, recorded["last"])
            for tx_hash, recorded in exchange["transactions"].items()
        }
        watches = {
            tx_hash: self._watch(
                tx_hash, status.tx_status, len(exchange["transactions"][tx_hash]["stream"])
            )
            for tx_hash, status in last.items()
        }
        threads = [threading.Thread(target=watch.follow) for watch in watches.values()]
        for thread in threads:
            thread.start()
        for watch in watches.values():
            watch.begun.wait(DEADLINE_S)
        differences = self._compare_answers(exchange, *self._ask(exchange))
        for tx_hash, watch in watches.items():
            watch.settled.wait(PATIENCE_S)
            differences += _compare(
                f"last status of {tx_hash[:8]}",
                _readable(last[tx_hash]),
                _readable(self._status(tx_hash)),
            )
            watch.call.cancel()
        for thread in threads:
            thread.join()
        for tx_hash, watch in watches.items():
            stream = exchange["transactions"][tx_hash]["stream"]
            recorded = [_decode(ToriiResponse, raw) for raw in stream]
            differences += _compare_streams(tx_hash, recorded, watch.statuses)
        return differences

    def _replay_during_stream(self, exchange: dict[str, Any]) -> list[Difference]:
        """Open a block stream, replay what was sent while it was open, then compare both."""
        call = self._stream(exchange["method"], base64.b64decode(exchange["request"]))
        answers: list[bytes] = []
        enough = threading.Event()

        def collect() -> None:
            try:
                for raw in call:
                    answers.append(raw)
                    if len(answers) == len(exchange["answers"]):
                        enough.set()
            except grpc.RpcError:
                pass  # The reader left.
            finally:
                enough.set()

        thread = threading.Thread(target=collect)
        thread.start()
        # The node sends its headers when it has subscribed.
        call.initial_metadata()
        differences: list[Difference] = []
        for inner in exchange["during"]:
            differences += self.replay(inner)
        enough.wait(PATIENCE_S)
        call.cancel()
        thread.join()
        return differences + self._compare_answers(exchange, answers, 0)

    def _compare_answers(
        self, exchange: dict[str, Any], answers: list[bytes], code: int
    ) -> list[Difference]:
        kind = ANSWERS.get(exchange["method"])
        found = _compare("gRPC status", exchange["grpc_code"], code)
        if kind is not None:
            found += _compare(
                "answer",
                [_readable(_decode(kind, raw)) for raw in exchange["answers"]],
                [_readable(kind.FromString(raw)) for raw in answers],
            )
        return found

    def _ask(self, exchange: dict[str, Any]) -> tuple[list[bytes], int]:
        """Send a request; return the answers, as many as were recorded, and the gRPC status."""
        method, request = exchange["method"], base64.b64decode(exchange["request"])
        try:
            if method not in STREAMS:
                return [self._unary(method, request)], 0
            call = self._stream(method, request)
            answers = [raw for _, raw in zip(exchange["answers"], call, strict=False)]
            call.cancel()
        except grpc.RpcError as error:
            return [], error.code().value[0]
        return answers, 0

    def _watch(self, tx_hash: str, expected: int, count: int) -> StatusWatch:
        request = TxStatusRequest(tx_hash=tx_hash).SerializeToString()
        return StatusWatch(expected, count, self._stream("StatusStream", request))

    def _status(self, tx_hash: str) -> ToriiResponse:
        request = TxStatusRequest(tx_hash=tx_hash).SerializeToString()
        return ToriiResponse.FromString(self._unary("Status", request))

    def _unary(self, method: str, request: bytes) -> bytes:
        call = self._channel.unary_unary(PATHS[method] + method)
        answer: bytes = call(request, timeout=DEADLINE_S)
        return answer

    def _stream(self, method: str, request: bytes) -> "grpc.CallIterator[bytes]":
        return self._channel.unary_stream(PATHS[method] + method)(request, timeout=DEADLINE_S)


def _compare(what: str, recorded: Any, ours: Any) -> list[Difference]:
    return [] if recorded == ours else [Difference(what, recorded, ours)]


def _compare_streams(
    tx_hash: str, recorded: Iterable[ToriiResponse], ours: Iterable[ToriiResponse]
) -> list[Difference]:
    """Compare two status streams; ours may hold what irohad's has lost, in its place."""
    theirs = [_readable(status) for status in recorded]
    mine = [_readable(status) for status in ours]
    rest = iter(mine)
    in_order = all(any(status == found for found in rest) for status in theirs)
    surplus = [status for status in mine if status not in theirs]
    if in_order and all(status.get("tx_status", "") in LOST for status in surplus):
        return []
    return [Difference(f"status stream of {tx_hash[:8]}", theirs, mine)]


def _decode(kind: type[Message], raw: str) -> Any:
    return kind.FromString(base64.b64decode(raw))


def _readable(message: Message) -> dict[str, Any]:
    """Return a message as plain values, with what may differ hidden."""
    return {
        name: _without_hidden(name, value)
        for name, value in MessageToDict(
            message, preserving_proto_field_name=True, always_print_fields_with_no_presence=False
        ).items()
    } | (
        {"tx_status": TxStatus.Name(message.tx_status)}
        if isinstance(message, ToriiResponse)
        else {}
    )


def _without_hidden(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {inner: _without_hidden(inner, item) for inner, item in value.items()}
    if isinstance(value, list):
        return [_without_hidden(name, item) for item in value]
    if name in {"message", "err_or_cmd_name"}:
        return re.sub(r"now: \d+", "now: (the node's clock)", value)
    if name in {"detail", "json_data"}:
        return json.loads(value)
    return value
