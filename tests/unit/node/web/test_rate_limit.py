"""Calls are counted by who calls, in one process or in all that share a database."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from sqlalchemy import func, select
from werkzeug.exceptions import TooManyRequests

from node.gateway.gateway_store import GatewayStore
from node.gateway.tables import RATE_COUNT
from node.web.rate_limit import LocalCounts, RateLimiter, parse_rate

RATE = parse_rate("2/minute")
WIDE = parse_rate("100/minute")
START_S = 1_800_000_000.0


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = START_S

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stores(database_url: str) -> Iterator[list[GatewayStore]]:
    with closing(GatewayStore(database_url)) as one, closing(GatewayStore(database_url)) as other:
        yield [one, other]


def passes(limiter: RateLimiter, caller: str, rate: str = "2/minute") -> bool:
    try:
        limiter.count(parse_rate(rate), caller)
    except TooManyRequests:
        return False
    return True


def retry_after_s(limiter: RateLimiter, caller: str, rate: str = "2/minute") -> int:
    with pytest.raises(TooManyRequests) as refusal:
        limiter.count(parse_rate(rate), caller)
    assert isinstance(refusal.value.retry_after, int)
    return refusal.value.retry_after


def test_each_caller_has_a_count_of_its_own(clock: Clock) -> None:
    limiter = RateLimiter(now_s=clock)
    for caller in ("one", "two"):
        assert [passes(limiter, caller) for _ in range(3)] == [True, True, False]
    clock.now_s += 121
    assert passes(limiter, "one")


def test_a_refusal_says_when_to_come_again(clock: Clock) -> None:
    limiter = RateLimiter(now_s=clock)
    assert [passes(limiter, "one") for _ in range(2)] == [True, True]
    # In this window no call comes free; in the next one the first does after half of it.
    assert retry_after_s(limiter, "one") == 61
    clock.now_s += 60
    assert retry_after_s(limiter, "one") == 1
    clock.now_s += 1
    assert passes(limiter, "one")
    assert retry_after_s(limiter, "one") == 30
    clock.now_s += 30
    assert passes(limiter, "one")


def test_counting_starts_no_thread(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = RateLimiter(now_s=clock)
    started: list[threading.Thread] = []
    monkeypatch.setattr(threading.Thread, "start", started.append)
    for number in range(20):
        limiter.count(RATE, f"caller {number}")
    assert started == []


def test_counts_whose_time_is_over_take_no_memory(clock: Clock) -> None:
    counts = LocalCounts(now_s=clock)
    limiter = RateLimiter(counts, now_s=clock)
    for number in range(20):
        limiter.count(RATE, f"caller {number}")
    clock.now_s += 181
    limiter.count(RATE, "another")
    assert len(counts._taken) == len(limiter._lots) == 1


def test_who_is_refused_costs_the_count_nothing(clock: Clock) -> None:
    counts = LocalCounts(now_s=clock)
    asked: list[object] = []
    take: Callable[..., tuple[int, int, int]] = counts.take

    def noting(*arguments: object) -> tuple[int, int, int]:
        asked.append(arguments)
        return take(*arguments)

    counts.take = noting  # type: ignore[method-assign]
    limiter = RateLimiter(counts, now_s=clock)
    assert sum(passes(limiter, "one", "100/minute") for _ in range(1000)) == 100
    # Twenty lots, and the word that there is no other.
    assert len(asked) == 21


def test_instances_count_together(stores: list[GatewayStore], clock: Clock) -> None:
    limiters = [RateLimiter(store.counts, now_s=clock) for store in stores]
    assert [passes(limiters[number % 2], "one") for number in range(4)] == [
        True,
        True,
        False,
        False,
    ]
    assert passes(limiters[1], "two")
    clock.now_s += 121
    assert passes(limiters[1], "one")


def test_no_more_calls_pass_than_the_rate(stores: list[GatewayStore], clock: Clock) -> None:
    limiters = [RateLimiter(store.counts, now_s=clock) for store in stores]
    with ThreadPoolExecutor(8) as pool:
        passed = sum(pool.map(lambda n: passes(limiters[n % 2], "one", "100/minute"), range(400)))
    assert passed == 100


def test_one_instance_alone_gets_the_rest_of_the_rate(
    stores: list[GatewayStore], clock: Clock
) -> None:
    """What an instance holds back of a lot is all that a caller loses by leaving it."""
    limiters = [RateLimiter(store.counts, now_s=clock) for store in stores]
    assert passes(limiters[0], "one", "100/minute")
    assert sum(passes(limiters[1], "one", "100/minute") for _ in range(200)) == 95
    assert sum(passes(limiters[0], "one", "100/minute") for _ in range(200)) == 4


def test_counts_that_are_over_are_deleted(stores: list[GatewayStore], clock: Clock) -> None:
    limiter = RateLimiter(stores[0].counts, now_s=clock)
    limiter.count(RATE, "one")
    number = select(func.count()).select_from(RATE_COUNT)
    for passed_s, left in ((119, 1), (1, 0)):
        clock.now_s += passed_s
        stores[1].counts.purge(int(clock.now_s))
        assert stores[0]._database.find_one(number) == left


def test_no_address_stands_in_the_database(stores: list[GatewayStore], clock: Clock) -> None:
    RateLimiter(stores[0].counts, now_s=clock).count(RATE, "wallet", "192.0.2.77")
    with stores[0]._database.reading() as session:
        assert "192.0.2.77" not in str(session.execute(select(RATE_COUNT)).all())
