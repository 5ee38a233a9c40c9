"""Questions of many threads, asked together."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from client_sdk.gathering import Gathering


class Counter:
    """Answers each question by itself; the first call waits until it is let go."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.is_out = threading.Event()
        self.may_answer = threading.Event()

    def __call__(self, questions: Sequence[int]) -> list[int | BaseException]:
        self.calls.append(list(questions))
        if len(self.calls) == 1:
            self.is_out.set()
            assert self.may_answer.wait(60)
        return [ValueError(number) if number < 0 else number * 10 for number in questions]


def ask(gathering: Gathering[int, int], number: int) -> int:
    return gathering.ask(number, patience_s=30)


def test_a_lone_question_is_asked_at_once() -> None:
    counter = Counter()
    counter.may_answer.set()
    gathering = Gathering(counter, most=4)
    assert [gathering.ask(1, patience_s=1), gathering.ask(2, patience_s=1)] == [10, 20]
    assert counter.calls == [[1], [2]]


def test_what_comes_while_a_call_is_out_is_asked_together() -> None:
    counter = Counter()
    gathering = Gathering(counter, most=4)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(ask, gathering, 1)
        assert counter.is_out.wait(60)
        others = []
        for number in range(2, 8):
            others.append(pool.submit(ask, gathering, number))
            while len(gathering._waiting) < len(others):
                pass
        assert not any(other.done() for other in others)
        counter.may_answer.set()
        assert first.result(60) == 10
        assert [other.result(60) for other in others] == [number * 10 for number in range(2, 8)]
    assert counter.calls == [[1], [2, 3, 4, 5], [6, 7]]
    # Whoever comes later leads again.
    assert ask(gathering, 9) == 90


def test_each_thread_is_told_of_its_own_error() -> None:
    counter = Counter()
    counter.may_answer.set()
    gathering = Gathering(counter, most=4)
    with pytest.raises(ValueError, match="-1"):
        ask(gathering, -1)
    assert ask(gathering, 1) == 10


def test_what_fails_for_all_is_raised_for_all_and_ends_nothing() -> None:
    fails = [True]

    def ask_all(questions: Sequence[int]) -> list[int | BaseException]:
        if fails[0]:
            raise OSError("away")
        return [*questions]

    gathering = Gathering(ask_all, most=4)
    with pytest.raises(OSError, match="away"):
        ask(gathering, 1)
    fails[0] = False
    assert ask(gathering, 2) == 2


def test_no_question_is_lost_between_many_threads() -> None:
    def ask_all(questions: Sequence[int]) -> list[int | BaseException]:
        assert 1 <= len(questions) <= 3
        return [number + 1 for number in questions]

    for at_once in (1, 2):
        gathering = Gathering(ask_all, most=3, at_once=at_once)
        with ThreadPoolExecutor(16) as pool:
            assert list(pool.map(partial(ask, gathering), range(2000))) == list(range(1, 2001))
        assert gathering._free == at_once


def test_nobody_waits_for_his_turn_longer_than_he_will() -> None:
    counter = Counter()
    gathering = Gathering(counter, most=4)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask, gathering, 1)
        assert counter.is_out.wait(60)
        with pytest.raises(TimeoutError):
            gathering.ask(2, patience_s=0.05)
        counter.may_answer.set()
        assert first.result(60) == 10
    # It was not asked, and the next one is.
    assert ask(gathering, 3) == 30
    assert counter.calls == [[1], [3]]
