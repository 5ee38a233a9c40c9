"""Events of requests as they happen, for many listeners, with one look at the database for all.

Another process of the gateway may write an event: so the database is asked, some times a second,
and only while somebody listens.
"""

import queue
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from node.errors import ApiError, StorageError
from node.gateway.event_store import EventStore, RequestEvent

_LOOK_S: Final = 0.2
_LATE: Final = 64
"""How many numbers are looked at again: on PostgreSQL a lower one may be committed later."""
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.gateway")
Listener = queue.SimpleQueue[RequestEvent | None]
"""Events of one request; None when the process stops."""


class EventFeed:
    """Hands new events to whoever listens to their requests. Safe to share between threads."""

    def __init__(self, store: EventStore, *, most: int) -> None:
        """Make a feed; it looks at the database from the first listener on.

        Args:
            store: The events.
            most: How many may listen at the same time.
        """
        self._store = store
        self._most = most
        self._lock = threading.Lock()
        self._listeners: dict[str, list[Listener]] = defaultdict(list)
        self._count = 0
        self._stopped = threading.Event()
        self._looker: threading.Thread | None = None

    @contextmanager
    def listen(self, request_id: str) -> Iterator[Listener]:
        """Yield a queue of the events that come from now on.

        Raises:
            ApiError: Too many listen already.
        """
        listener: Listener = queue.SimpleQueue()
        with self._lock:
            if self._count >= self._most or self._stopped.is_set():
                raise ApiError(
                    503,
                    "too_many_streams",
                    "Too many streams are open",
                    "Read the request's state instead, or try again in a moment.",
                )
            if self._looker is None:
                # First: where the database fails, nobody listens.
                last = self._store.last_event()
                told = {event.seq for event in self._store.events(after=last - _LATE)}
                self._looker = threading.Thread(
                    target=self._look, args=(last, told), name="events", daemon=True
                )
                self._looker.start()
            self._count += 1
            self._listeners[request_id].append(listener)
        try:
            yield listener
        finally:
            with self._lock:
                self._count -= 1
                self._listeners[request_id].remove(listener)
                if not self._listeners[request_id]:
                    del self._listeners[request_id]

    def stop(self) -> None:
        """Let every listener end."""
        self._stopped.set()
        with self._lock:
            for listeners in self._listeners.values():
                for listener in listeners:
                    listener.put(None)

    def _look(self, seen: int, told: set[int]) -> None:
        while not self._stopped.wait(_LOOK_S):
            with self._lock:
                if not self._listeners:
                    self._looker = None
                    return
            try:
                events = self._store.events(after=seen - _LATE)
            except (SQLAlchemyError, StorageError) as error:
                _log.error("events_failed", error=type(error).__name__)
                continue
            with self._lock:
                for event in events:
                    if event.seq not in told:
                        for listener in self._listeners.get(event.request_id, ()):
                            listener.put(event)
            told = {event.seq for event in events}
            seen = max(told, default=seen)
