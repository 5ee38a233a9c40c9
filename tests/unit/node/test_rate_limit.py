"""Calls are counted by who calls, without a thread each, and forgotten when their time is over."""

import threading
import time

import pytest
from werkzeug.exceptions import TooManyRequests

from node.web.rate_limit import RateLimiter, SweptCounters, parse_rate

RATE = parse_rate("2/minute")


class Clock:
    """A clock that a test sets, in the place of the machine's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1_800_000_000.0
        monkeypatch.setattr(time, "time", lambda: self.now_s)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_each_caller_has_a_count_of_its_own(clock: Clock) -> None:
    limiter = RateLimiter()
    for caller in ("one", "two"):
        limiter.count(RATE, caller)
        limiter.count(RATE, caller)
        with pytest.raises(TooManyRequests) as refusal:
            limiter.count(RATE, caller)
        assert refusal.value.retry_after is not None
    clock.now_s += 121
    limiter.count(RATE, "one")


def test_counting_starts_no_thread(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = RateLimiter()
    started = []
    monkeypatch.setattr(threading.Thread, "start", started.append)
    for number in range(20):
        limiter.count(RATE, f"caller {number}")
    assert started == []


def test_counters_whose_time_is_over_take_no_memory(clock: Clock) -> None:
    counters = SweptCounters()
    for number in range(20):
        counters.incr(f"caller {number}", expiry=60)
    clock.now_s += 61
    assert counters.incr("another", expiry=60) == 1
    assert list(counters.storage) == ["another"]
    assert counters.incr("another", expiry=60) == 2
    clock.now_s += 61
    assert counters.incr("another", expiry=60) == 1
