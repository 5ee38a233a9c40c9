"""How often one caller may call: a sliding window, in this process or in all that share a database.

Calls are counted in windows of a rate's length. What the window before holds counts by as much of
it as is still within that length (as `limits` and others do it). A limiter takes calls from the
count in lots and hands them out by itself, so that a shared count costs a transaction now and then,
not with each call. No more calls than the rate are let through, by however many instances; an
instance that a caller leaves keeps what is left of one lot until the window ends.
"""

import hashlib
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final, Protocol

from limits import RateLimitItem, parse
from pydantic import AfterValidator
from werkzeug.exceptions import TooManyRequests

_LOTS: Final = 20
"""In how many lots a rate is taken; each is one call at least."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The calls of one caller within one window.

    Attributes:
        key: Caller and rate, as a hash: no address stands in a database.
        number: Which window it is, counted from 1970 in windows of its length.
        ends_at_s: When what is counted in it counts no more: at the end of the window that follows.
    """

    key: str
    number: int
    ends_at_s: int


class Counts(Protocol):
    """Where calls are counted."""

    def take(self, window: Window, free: Callable[[int, int], int]) -> tuple[int, int, int]:
        """Take calls from a window, in one step.

        Args:
            window: The window.
            free: Returns how many are to be taken, given the counts of the window before and of
                this one.

        Returns:
            How many were taken, and both counts as they were.
        """


class LocalCounts:
    """Counts in the memory of this process. Safe to share between threads."""

    def __init__(self, *, now_s: Callable[[], float] = time.time) -> None:
        """Begin with no calls counted."""
        self._now_s = now_s
        self._lock = threading.Lock()
        self._taken: dict[tuple[str, int], tuple[int, int]] = {}
        self._sweep_at_s = 0.0

    def take(self, window: Window, free: Callable[[int, int], int]) -> tuple[int, int, int]:
        """Take calls from a window, in one step."""
        with self._lock:
            self._sweep()
            previous, _ = self._taken.get((window.key, window.number - 1), (0, 0))
            taken, _ = self._taken.get((window.key, window.number), (0, 0))
            more = free(previous, taken)
            if more:
                self._taken[window.key, window.number] = (taken + more, window.ends_at_s)
            return more, previous, taken

    def _sweep(self) -> None:
        now_s = self._now_s()
        if self._sweep_at_s <= now_s:
            self._sweep_at_s = now_s + _SWEEP_S
            self._taken = {place: count for place, count in self._taken.items() if count[1] > now_s}


@dataclass(slots=True)
class _Lot:
    """What a limiter holds of a caller's window: calls to hand out, or the word that none are."""

    window: Window
    left: int
    refused_until_s: float


class RateLimiter:
    """Counts the calls of each caller. Safe to share between threads."""

    def __init__(
        self, counts: Counts | None = None, *, now_s: Callable[[], float] = time.time
    ) -> None:
        """Begin to count.

        Args:
            counts: Where; in the memory of this process where it is left out.
            now_s: The clock: seconds since 1970, UTC.
        """
        self._counts = counts or LocalCounts(now_s=now_s)
        self._now_s = now_s
        self._lock = threading.Lock()
        self._lots: dict[str, _Lot] = {}
        self._sweep_at_s = 0.0

    def count(self, limit: RateLimitItem, *caller: str) -> None:
        """Count one call.

        Args:
            limit: How many calls there may be.
            caller: Who calls, and what for.

        Raises:
            TooManyRequests: There were too many; the call is not counted.
        """
        now_s, length_s = self._now_s(), limit.get_expiry()
        window = _window_of(limit.key_for(*caller), now_s=now_s, length_s=length_s)
        if self._take_from_lot(window, now_s):
            return
        passed = now_s / length_s - window.number

        def free(previous: int, taken: int) -> int:
            left = limit.amount - taken - math.floor(previous * (1 - passed))
            return max(0, min(left, limit.amount // _LOTS or 1))

        granted, previous, taken = self._counts.take(window, free)
        wait_s = 0.0
        if not granted:
            # The calls of the window before cease to count one after the other.
            left = limit.amount - taken
            free_at = 1 - left / previous if left > 0 and previous else 1.0
            wait_s = (free_at - passed) * length_s
        self._keep(window, max(0, granted - 1), refused_until_s=now_s + wait_s)
        if not granted:
            raise _too_many(wait_s)

    def _take_from_lot(self, window: Window, now_s: float) -> bool:
        """Hand out a call that is held already; tell whether one was.

        Raises:
            TooManyRequests: It is known that there is none.
        """
        with self._lock:
            lot = self._lots.get(window.key)
            if lot is None or lot.window.number != window.number:
                return False
            if lot.left == 0:
                if lot.refused_until_s > now_s:
                    raise _too_many(lot.refused_until_s - now_s)
                return False
            lot.left -= 1
            return True

    def _keep(self, window: Window, left: int, *, refused_until_s: float) -> None:
        with self._lock:
            now_s = self._now_s()
            if self._sweep_at_s <= now_s:
                self._sweep_at_s = now_s + _SWEEP_S
                self._lots = {
                    key: lot for key, lot in self._lots.items() if lot.window.ends_at_s > now_s
                }
            lot = self._lots.get(window.key)
            if lot is not None and lot.window.number == window.number:
                # Another thread took a lot meanwhile.
                left += lot.left
            self._lots[window.key] = _Lot(window, left, refused_until_s)


def _window_of(caller: str, *, now_s: float, length_s: int) -> Window:
    number = int(now_s // length_s)
    return Window(
        key=hashlib.sha256(caller.encode("utf-8", "surrogateescape")).hexdigest()[:32],
        number=number,
        ends_at_s=(number + 2) * length_s,
    )


def _too_many(wait_s: float) -> TooManyRequests:
    return TooManyRequests(retry_after=math.floor(wait_s) + 1)
