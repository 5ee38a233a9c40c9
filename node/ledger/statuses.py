"""The statuses of transactions: what was last said of each, and who waits for more."""

import threading
from collections import OrderedDict
from queue import SimpleQueue
from types import MappingProxyType
from typing import Final

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
FINAL: Final = frozenset(
    {TxStatus.STATELESS_VALIDATION_FAILED, TxStatus.REJECTED, TxStatus.COMMITTED}
)
"""After one of these a status stream ends."""

_REMEMBERED: Final = 100_000


class StatusStream:
    """The statuses of one transaction that are published while it is open."""

    def __init__(self, tx_hash: str) -> None:
        self.tx_hash = tx_hash
        self._queue: SimpleQueue[ToriiResponse | None] = SimpleQueue()

    def put(self, response: ToriiResponse | None) -> None:
        """Hand over a status; None ends the stream."""
        self._queue.put(response)

    def get(self, timeout_s: float) -> ToriiResponse | None:
        """Return the next status, or None where the stream was ended.

        Raises:
            queue.Empty: None came within `timeout_s` seconds.
        """
        return self._queue.get(timeout=timeout_s)


class StatusBoard:
    """Remembers the newest statuses and hands each to the streams that are open for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: OrderedDict[str, tuple[ToriiResponse, ...]] = OrderedDict()
        self._streams: dict[str, set[StatusStream]] = {}

    def publish(self, *responses: ToriiResponse) -> None:
        """Say something new of transactions. What is older than the last word is dropped."""
        with self._lock:
            for response in responses:
                tx_hash = response.tx_hash
                told = self._told.get(tx_hash, ())
                if told and _ORDER[response.tx_status] <= _ORDER[told[-1].tx_status]:
                    continue
                # The reason of a rejection is told before it: it stays, the rest gives way.
                reasons = [r for r in told if r.tx_status == TxStatus.STATEFUL_VALIDATION_FAILED]
                self._told[tx_hash] = (*reasons, response)
                self._told.move_to_end(tx_hash)
                for stream in self._streams.get(tx_hash, ()):
                    stream.put(response)
            while len(self._told) > _REMEMBERED:
                self._told.popitem(last=False)

    def newest(self, tx_hash: str) -> ToriiResponse | None:
        """Return the last word on a transaction, or None where it is not remembered."""
        with self._lock:
            told = self._told.get(tx_hash)
            return told[-1] if told else None

    def open_stream(self, otherwise: ToriiResponse) -> StatusStream:
        """Return a stream that begins with what is remembered; nothing is lost on the way.

        Args:
            otherwise: The transaction's status as the ledger has it: the stream begins with it
                where nothing is remembered.
        """
        stream = StatusStream(otherwise.tx_hash)
        with self._lock:
            for response in self._told.get(stream.tx_hash, (otherwise,)):
                stream.put(response)
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
