"""How many streams may be open: each holds a worker until it ends."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import grpc

from node.ledger.calls import CallContext, abort

MAX_STREAMS: Final = 192
"""Streams in all. Torii has more workers than that, for the calls that are short."""
MAX_HOST_STREAMS: Final = 64
"""Streams of one host, so that no single one can take all places."""


class StreamPlaces:
    """Counts the open streams, in all and of each host: each holds a worker."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    @contextmanager
    def hold(self, context: CallContext) -> Iterator[None]:
        """Hold a place for the caller; where there is none, the call ends."""
        host = context.peer().rpartition(":")[0]
        if refusal := self._take(host):
            abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, refusal)
        try:
            yield
        finally:
            self._give_back(host)

    def _take(self, host: str) -> str | None:
        """Take a place for a host; return None, or why there is none."""
        with self._lock:
            if self._taken.total() >= MAX_STREAMS:
                return f"{MAX_STREAMS} streams are open; ask for the status instead"
            if self._taken[host] >= MAX_HOST_STREAMS:
                return (
                    f"{MAX_HOST_STREAMS} streams of this host are open; ask for the status instead"
                )
            self._taken[host] += 1
            return None

    def _give_back(self, host: str) -> None:
        """Give a taken place back; a host without any is forgotten."""
        with self._lock:
            self._taken[host] -= 1
            if not self._taken[host]:
                del self._taken[host]
