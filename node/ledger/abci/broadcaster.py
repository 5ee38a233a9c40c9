"""Hands batches to CometBFT's pool: what arrives while it answers goes in the next request."""

import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Final

from node.errors import (
    BatchRefusedError,
    PeerUnreachableError,
    PoolFullError,
    StoppingError,
)
from node.ledger.abci.comet_rpc import CometRpc

_MAX_CALLS: Final = 500
_MAX_BYTES: Final = 8 * 1024 * 1024
_MAX_QUEUED: Final = 50_000
_START_S: Final = 15.0
_PAUSE_S: Final = 0.1
_KNOWN: Final = "already exists in cache"
_FULL: Final = "mempool is full"


class Broadcaster:
    """One thread with one connection. Any thread may use it."""

    def __init__(self, rpc: CometRpc) -> None:
        """Prepare the thread; `start` runs it. The connection is its own from then on."""
        self._rpc = rpc
        self._changed = threading.Condition()
        self._queue: deque[tuple[bytes, Future[None]]] = deque()
        self._stopping = False
        self._has_answered = False
        self._patient_until = 0.0
        self._thread = threading.Thread(target=self._run, name="broadcaster")

    def start(self) -> None:
        """Begin to send."""
        self._patient_until = time.monotonic() + _START_S
        self._thread.start()

    def stop(self) -> None:
        """Send what waits, then stop."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()
        self._rpc.close()

    def send(self, batches: Sequence[bytes]) -> None:
        """Return when CometBFT's pool has taken batches, or had them before.

        Raises:
            PoolFullError: Too many wait for a block.
            BatchRefusedError: CometBFT takes one for no transaction; the others were taken.
            PeerUnreachableError: CometBFT does not answer.
            StoppingError: The node stops.
        """
        futures = [Future[None]() for _ in batches]
        with self._changed:
            if self._stopping:
                raise StoppingError("the node is stopping; send the transactions again in a moment")
            if len(self._queue) + len(batches) > _MAX_QUEUED:
                raise PoolFullError("too many transactions are on their way; send again later")
            self._queue.extend(zip(batches, futures, strict=True))
            self._changed.notify()
        failures = [failure for future in futures if (failure := future.exception()) is not None]
        if failures:
            raise failures[0]

    def _run(self) -> None:
        while taken := self._next():
            try:
                problems = self._broadcast([data for data, _ in taken])
            except PeerUnreachableError as error:
                for _, future in taken:
                    future.set_exception(error)
                continue
            for (_, future), problem in zip(taken, problems, strict=True):
                _settle(future, problem)

    def _broadcast(self, batches: Sequence[bytes]) -> list[str]:
        """Send batches; a CometBFT that has just been started is given time to answer."""
        while True:
            try:
                problems = self._rpc.broadcast(batches)
            except PeerUnreachableError:
                if self._has_answered or time.monotonic() > self._patient_until:
                    raise
                with self._changed:
                    if self._stopping:
                        raise
                    self._changed.wait(_PAUSE_S)
            else:
                self._has_answered = True
                return problems

    def _next(self) -> list[tuple[bytes, Future[None]]]:
        """Wait for something to send; return nothing at the end."""
        with self._changed:
            while not self._queue and not self._stopping:
                self._changed.wait()
            taken: list[tuple[bytes, Future[None]]] = []
            size_bytes = 0
            while self._queue and len(taken) < _MAX_CALLS:
                size_bytes += len(self._queue[0][0])
                if taken and size_bytes > _MAX_BYTES:
                    break
                taken.append(self._queue.popleft())
            return taken


def _settle(future: Future[None], problem: str) -> None:
    if not problem or _KNOWN in problem:
        future.set_result(None)
    elif _FULL in problem:
        future.set_exception(PoolFullError("too many transactions wait for a block; send later"))
    else:
        future.set_exception(BatchRefusedError(f"CometBFT refuses the batch: {problem}"))
