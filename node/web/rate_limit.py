"""How often one caller may call: `limits` counts, a problem with `Retry-After` answers (429)."""

import math
import time
from typing import Annotated

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from pydantic import AfterValidator
from werkzeug.exceptions import TooManyRequests


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


class RateLimiter:
    """Counts the calls of each caller in this process. Safe to share between threads."""

    def __init__(self) -> None:
        """Begin with no calls counted."""
        self._strategy = SlidingWindowCounterRateLimiter(MemoryStorage())

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
