"""How often one caller may call: `limits` counts, a problem with `Retry-After` answers (429)."""

import math
import time
from typing import Annotated, Final

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from pydantic import AfterValidator
from werkzeug.exceptions import TooManyRequests

_SWEEP_S: Final = 60.0


def parse_rate(text: str) -> RateLimitItem:
    """Return the limit that a text such as `600/minute` stands for.

    Raises:
        ValueError: It is none.
    """
    return parse(text)


def _rate(text: str) -> str:
    try:
        parse_rate(text)
    except ValueError:
        raise ValueError("a rate such as 600/minute is expected") from None
    return text


Rate = Annotated[str, AfterValidator(_rate)]
"""A rate in a configuration file, such as `600/minute`."""


class SweptCounters(MemoryStorage):
    """Counters that are swept now and then by who counts.

    The library's own starts a thread for it at nearly every call.
    """

    def __init__(self) -> None:
        super().__init__()
        self._sweep_at_s = time.time() + _SWEEP_S

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Add to a counter that lasts for `expiry` seconds, and return it."""
        now_s = time.time()
        if self._sweep_at_s <= now_s:
            self._sweep_at_s = now_s + _SWEEP_S
            for known in list(self.expirations):
                self.get(known)
        self.get(key)
        with self.locks[key]:
            self.storage[key] += amount
            self.expirations.setdefault(key, now_s + expiry)
            return self.storage[key]


class RateLimiter:
    """Counts the calls of each caller in this process. Safe to share between threads."""

    def __init__(self) -> None:
        """Begin with no calls counted."""
        self._strategy = SlidingWindowCounterRateLimiter(SweptCounters())

    def count(self, limit: RateLimitItem, *caller: str) -> None:
        """Count one call.

        Args:
            limit: How many calls there may be.
            caller: Who calls, and what for.

        Raises:
            TooManyRequests: There were too many; the call is not counted.
        """
        if self._strategy.hit(limit, *caller):
            return
        reset_at_s = self._strategy.get_window_stats(limit, *caller).reset_time
        raise TooManyRequests(retry_after=max(1, math.ceil(reset_at_s - time.time())))
