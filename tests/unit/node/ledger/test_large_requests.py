"""Large requests: as many at a time as fit, the others after them, and none for ever."""

import threading
from contextlib import ExitStack

import pytest

from node.errors import PoolFullError
from node.ledger import large_requests
from node.ledger.large_requests import LARGE_BYTES, MAX_BYTES_AT_A_TIME, LargeRequests


def test_what_does_not_fit_waits_until_something_ends() -> None:
    requests = LargeRequests()
    held = ExitStack()
    held.enter_context(requests.hold(MAX_BYTES_AT_A_TIME - LARGE_BYTES))
    begun = threading.Event()

    def work() -> None:
        with requests.hold(LARGE_BYTES + 1):
            begun.set()

    thread = threading.Thread(target=work)
    thread.start()
    with requests.hold(LARGE_BYTES), requests.hold(LARGE_BYTES - 1):
        assert not begun.is_set()
    held.close()
    assert begun.wait(60)
    thread.join()
    with requests.hold(MAX_BYTES_AT_A_TIME):
        pass


def test_what_finds_no_room_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_requests, "MAX_WAIT_S", 0.01)
    requests = LargeRequests()
    with requests.hold(MAX_BYTES_AT_A_TIME):
        with (
            pytest.raises(PoolFullError, match="send this one again later"),
            requests.hold(LARGE_BYTES),
        ):
            pass
        with requests.hold(LARGE_BYTES - 1):
            pass
    with requests.hold(LARGE_BYTES):
        pass


def test_room_is_given_back_after_an_error() -> None:
    requests = LargeRequests()
    for _ in range(2):
        with pytest.raises(KeyError), requests.hold(MAX_BYTES_AT_A_TIME):
            raise KeyError
