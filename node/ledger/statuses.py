"""The statuses of transactions: what was last said of each, and who waits for more."""

import threading
from collections import OrderedDict
from collections.abc import Container, Iterable
from queue import SimpleQueue
from types import MappingProxyType
from typing import Final, NamedTuple

from chaincode.protocol.endpoint_pb2 import ToriiResponse, TxStatus

# A status is replaced only by a later one, as in irohad; but there a stateless failure stands above
# success, so that anybody who knows a hash could spoil its status with an unsigned copy.
_ORDER: Final = MappingProxyType(
    {
        TxStatus.NOT_RECEIVED: 0,
        TxStatus.STATELESS_VALIDATION_FAILED: 1,
        TxStatus.STATELESS_VALIDATION_SUCCESS: 2,
        TxStatus.MST_PENDING: 3,
        TxStatus.ENOUGH_SIGNATURES_COLLECTED: 4,
        TxStatus.STATEFUL_VALIDATION_SUCCESS: 5,
        TxStatus.STATEFUL_VALIDATION_FAILED: 6,
        TxStatus.MST_EXPIRED: 6,
        TxStatus.REJECTED: 7,
        TxStatus.COMMITTED: 7,
    }
)
# Protobuf looks names up each time, and these are asked for often.
_FAILED: Final = TxStatus.STATEFUL_VALIDATION_FAILED
_REFUSED: Final = TxStatus.STATELESS_VALIDATION_FAILED
_EXPIRED: Final = TxStatus.MST_EXPIRED
FINAL: Final = frozenset(
    {TxStatus.STATELESS_VALIDATION_FAILED, TxStatus.REJECTED, TxStatus.COMMITTED}
)
"""After one of these a status stream ends."""

_REMEMBERED: Final = 100_000
_REMEMBERED_REASONS: Final = 64 * 1024 * 1024
"""How long the reasons of all remembered statuses may be, in characters.

As many are remembered again, apart, of what was refused for its form: anybody can send that, and
must not have the node forget what it has taken.
"""


class Status(NamedTuple):
    """What is said of a transaction.

    Attributes:
        tx_hash: 32 bytes.
        status: What became of it so far.
        reason: The stateless failure, or the name of the command that failed.
        command_index: The place of that command in the transaction, from 0.
        code: Its result code.
    """

    tx_hash: bytes
    status: TxStatus
    reason: str = ""
    command_index: int = 0
    code: int = 0

    def response(self) -> ToriiResponse:
        """Return it as Torii tells it."""
        return ToriiResponse(
            tx_status=self.status,
            tx_hash=self.tx_hash.hex(),
            err_or_cmd_name=self.reason,
            failed_cmd_index=self.command_index,
            error_code=self.code,
        )


class StatusStream:
    """The statuses of one transaction that are published while it is open."""

    def __init__(self, tx_hash: bytes, wanted: Container[int] | None = None) -> None:
        self.tx_hash = tx_hash
        self._wanted = wanted
        self._queue: SimpleQueue[Status | None] = SimpleQueue()

    def put(self, status: Status | None) -> None:
        """Hand over a status, where it is wanted; None ends the stream."""
        if status is None or self._wanted is None or status.status in self._wanted:
            self._queue.put(status)

    def get(self, timeout_s: float) -> Status | None:
        """Return the next status, or None where the stream was ended.

        Raises:
            queue.Empty: None came within `timeout_s` seconds.
        """
        return self._queue.get(timeout=timeout_s)


class _Told:
    """What was last said of each transaction; the oldest is forgotten where it gets too much."""

    def __init__(self) -> None:
        self._told: OrderedDict[bytes, tuple[Status, ...]] = OrderedDict()
        self._reasons = 0

    def get(self, tx_hash: bytes) -> tuple[Status, ...]:
        """Return what was said; nothing where it is not remembered."""
        return self._told.get(tx_hash, ())

    def put(self, tx_hash: bytes, told: tuple[Status, ...]) -> None:
        """Remember what was said in place of what was said before."""
        self.remove(tx_hash)
        self._told[tx_hash] = told
        self._reasons += _reasons(told)
        while len(self._told) > _REMEMBERED or self._reasons > _REMEMBERED_REASONS:
            self.remove(next(iter(self._told)))

    def remove(self, tx_hash: bytes) -> None:
        """Forget what was said of a transaction, if anything was."""
        self._reasons -= _reasons(self._told.pop(tx_hash, ()))


class StatusBoard:
    """Remembers the newest statuses and hands each to the streams that are open for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = _Told()
        self._refused = _Told()
        self._streams: dict[bytes, set[StatusStream]] = {}

    def publish(self, statuses: Iterable[Status]) -> None:
        """Say something new of transactions. What is older than the last word is dropped."""
        with self._lock:
            for status in statuses:
                told = self._recall(status.tx_hash)
                if _follows(status, told):
                    self._remember(status, told)
                elif not _is_resent(status, told):
                    continue
                for stream in self._streams.get(status.tx_hash, ()):
                    stream.put(status)

    def newest(self, tx_hash: bytes) -> Status | None:
        """Return the last word on a transaction, or None where it is not remembered."""
        with self._lock:
            told = self._recall(tx_hash)
            return told[-1] if told else None

    def failure(self, tx_hash: bytes) -> Status | None:
        """Return why a transaction failed, or None where that is not remembered."""
        with self._lock:
            for status in self._taken.get(tx_hash):
                if status.status == TxStatus.STATEFUL_VALIDATION_FAILED:
                    return status
        return None

    def open_stream(
        self, otherwise: Status, *, wanted: Container[int] | None = None
    ) -> StatusStream:
        """Return a stream that begins with what is remembered; nothing is lost on the way.

        Args:
            otherwise: The transaction's status as the ledger has it: the stream begins with it
                where nothing is remembered.
            wanted: Which statuses it has; all where it is left out.
        """
        stream = StatusStream(otherwise.tx_hash, wanted)
        with self._lock:
            for status in self._recall(stream.tx_hash) or (otherwise,):
                stream.put(status)
            self._streams.setdefault(stream.tx_hash, set()).add(stream)
        return stream

    def close_stream(self, stream: StatusStream) -> None:
        """Forget a stream."""
        with self._lock:
            streams = self._streams.get(stream.tx_hash, set())
            streams.discard(stream)
            if not streams:
                self._streams.pop(stream.tx_hash, None)

    def end_streams(self) -> None:
        """End all open streams: the node stops."""
        with self._lock:
            for streams in self._streams.values():
                for stream in streams:
                    stream.put(None)

    def _recall(self, tx_hash: bytes) -> tuple[Status, ...]:
        return self._taken.get(tx_hash) or self._refused.get(tx_hash)

    def _remember(self, status: Status, told: tuple[Status, ...]) -> None:
        if status.status == _REFUSED:
            self._refused.put(status.tx_hash, (status,))
            return
        self._refused.remove(status.tx_hash)
        # The reason of a rejection is told before it: it stays, the rest gives way.
        kept = [each for each in told if each.status == _FAILED]
        self._taken.put(status.tx_hash, (*kept, status))


def _follows(status: Status, told: tuple[Status, ...]) -> bool:
    """Tell whether a status is later than the last word."""
    if not told:
        return True
    last = told[-1].status
    if last == _EXPIRED:
        # What expired can be sent again, and begins anew.
        last = _REFUSED
    return _ORDER[status.status] > _ORDER[last]


def _is_resent(status: Status, told: tuple[Status, ...]) -> bool:
    """Tell whether a status says that more signatures came for what waits for them."""
    return (
        status.status == TxStatus.STATELESS_VALIDATION_SUCCESS
        and told[-1].status == TxStatus.MST_PENDING
    )


def _reasons(statuses: tuple[Status, ...]) -> int:
    length = 0
    for status in statuses:
        length += len(status.reason)
    return length
