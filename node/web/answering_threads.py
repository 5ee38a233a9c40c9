"""Threads that answer: few for work, and others, as they are needed, for what only waits.

More threads than a few at work would only fight for the processor; a stream needs one to itself,
and sleeps.
"""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from waitress.task import ThreadedTaskDispatcher  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from node.web.connections import Connection

_CLOSING_S: Final = 5.0
_MORE: Final = 2
"""Threads that tell those of too many streams that they are."""


class AnsweringThreads:
    """What waitress hands requests to."""

    def __init__(
        self, threads: int, *, streams: int = 0, is_stream: Callable[[str], bool] = lambda _: False
    ) -> None:
        """Start the threads for work.

        Args:
            threads: How many requests are worked on at the same time.
            streams: How many more may be open that only wait; the application refuses the rest.
            is_stream: Tells by a request's path whether it is one of these.
        """
        self._work = ThreadedTaskDispatcher()
        self._work.set_thread_count(threads)
        self._waiting = ThreadedTaskDispatcher()
        self._starting = threading.Lock()
        self._streams = streams + _MORE
        self._is_stream = is_stream

    def add_task(self, connection: "Connection") -> None:
        """Have the next request of a connection answered."""
        # What could not be read as a request has no path.
        if not self._is_stream(getattr(connection.requests[0], "path", "")):
            self._work.add_task(connection)
            return
        waiting = self._waiting
        # Both the server's thread and one that has answered come here; and what a thread takes out
        # of the queue between two looks would be counted in neither place.
        with self._starting:
            with waiting.lock:
                taken, started = waiting.active_count + len(waiting.queue), len(waiting.threads)
            if taken >= started and started < self._streams:
                waiting.set_thread_count(started + 1)
            waiting.add_task(connection)

    def shutdown(self) -> None:
        """Wait for what is being answered, not for long; end the threads."""
        self._work.shutdown(timeout=_CLOSING_S)
        self._waiting.shutdown(timeout=_CLOSING_S)
