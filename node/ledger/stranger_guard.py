"""Bounds how fast those without an account can make the chain grow.

As in irohad, a transaction that is complete, but signed by no signatory, is rejected in a block,
which names its hash. It costs its sender nothing. So only so many are taken in an hour; then, until
the hour is over, their senders are refused before.
"""

import threading
from typing import Final

MAX_FOREIGN: Final = 1_000
HOUR_MS: Final = 60 * 60 * 1000


class StrangerGuard:
    """Counts transactions that were rejected for their signatures. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._began_ms = 0

    def count(self, foreign: int, now_ms: int) -> None:
        """Count transactions that were rejected for their signatures."""
        with self._lock:
            if now_ms - self._began_ms >= HOUR_MS:
                self._began_ms, self._count = now_ms, 0
            self._count += foreign

    def is_strict(self, now_ms: int) -> bool:
        """Tell whether there were too many of them in this hour."""
        with self._lock:
            return self._count > MAX_FOREIGN and now_ms - self._began_ms < HOUR_MS
