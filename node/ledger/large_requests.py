"""How much is decoded at a time: a message of many empty entries takes 24 times its bytes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from node.errors import PoolFullError

LARGE_BYTES: Final = 256 * 1024
"""Smaller requests are not counted: as many as there are workers do no harm."""
MAX_BYTES_AT_A_TIME: Final = 64 * 1024 * 1024
MAX_WAIT_S: Final = 10.0


class LargeRequests:
    """Lets large requests be worked on as long as they are not too many bytes together."""

    def __init__(self) -> None:
        self._bytes = 0
        self._freed = threading.Condition()

    @contextmanager
    def hold(self, size_bytes: int) -> Iterator[None]:
        """Wait until there is room for a request, and keep it for the body of the `with`.

        Raises:
            PoolFullError: There is still none after `MAX_WAIT_S`.
        """
        if size_bytes < LARGE_BYTES:
            yield
            return
        with self._freed:
            if not self._freed.wait_for(
                lambda: self._bytes + size_bytes <= MAX_BYTES_AT_A_TIME, MAX_WAIT_S
            ):
                raise PoolFullError("many large requests are worked on; send this one again later")
            self._bytes += size_bytes
        try:
            yield
        finally:
            with self._freed:
                self._bytes -= size_bytes
                self._freed.notify_all()
