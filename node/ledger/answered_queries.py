"""The queries that were answered of late: as in irohad, the same one is not answered twice."""

import threading
from collections import OrderedDict
from typing import Final

REMEMBERED: Final = 2_000


class AnsweredQueries:
    """Remembers the newest queries by the hash of their payload and the key that signed them.

    irohad remembers the hash alone: there, whoever sees a query can have it refused by signing the
    same payload with a key of its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: OrderedDict[tuple[bytes, str], None] = OrderedDict()

    def is_known(self, payload_hash: bytes, public_key: str) -> bool:
        """Tell whether this query was answered before."""
        with self._lock:
            return (payload_hash, public_key.lower()) in self._seen

    def remember(self, payload_hash: bytes, public_key: str) -> None:
        """Remember that a query was answered."""
        with self._lock:
            self._seen[payload_hash, public_key.lower()] = None
            if len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
