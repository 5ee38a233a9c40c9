"""The statuses of transactions: nothing is lost, the order holds, reasons are kept."""

import threading
from queue import Empty

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.protocol.endpoint_pb2 import ToriiResponse, TxStatus
from node.ledger.statuses import FINAL, StatusBoard, StatusStream

HASH = "ab" * 32
HAPPY = (
    TxStatus.STATELESS_VALIDATION_SUCCESS,
    TxStatus.ENOUGH_SIGNATURES_COLLECTED,
    TxStatus.STATEFUL_VALIDATION_SUCCESS,
    TxStatus.COMMITTED,
)
UNHAPPY = (
    TxStatus.STATELESS_VALIDATION_SUCCESS,
    TxStatus.ENOUGH_SIGNATURES_COLLECTED,
    TxStatus.STATEFUL_VALIDATION_FAILED,
    TxStatus.REJECTED,
)


def said(status: TxStatus, tx_hash: str = HASH, **fields: object) -> ToriiResponse:
    return ToriiResponse(tx_status=status, tx_hash=tx_hash, **fields)


def unknown(tx_hash: str = HASH) -> ToriiResponse:
    return said(TxStatus.NOT_RECEIVED, tx_hash)


def taken(stream: StatusStream) -> list[TxStatus]:
    """Return what the stream holds now."""
    statuses = []
    while True:
        try:
            response = stream.get(0)
        except Empty:
            return statuses
        assert response is not None
        statuses.append(response.tx_status)


def test_an_unknown_transaction_has_no_newest_status() -> None:
    assert StatusBoard().newest(HASH) is None


def test_a_stream_begins_with_the_ledgers_word_and_then_has_all_that_follows() -> None:
    board = StatusBoard()
    stream = board.open_stream(unknown())
    board.publish(*(said(status) for status in HAPPY))
    assert taken(stream) == [TxStatus.NOT_RECEIVED, *HAPPY]
    assert board.newest(HASH) == said(TxStatus.COMMITTED)


def test_a_stream_opened_late_begins_with_the_newest_status() -> None:
    board = StatusBoard()
    board.publish(*(said(status) for status in HAPPY[:3]))
    stream = board.open_stream(unknown())
    board.publish(said(TxStatus.COMMITTED))
    assert taken(stream) == list(HAPPY[2:])


def test_a_stream_opened_after_a_rejection_is_told_its_reason_first() -> None:
    board = StatusBoard()
    reason = said(
        TxStatus.STATEFUL_VALIDATION_FAILED,
        err_or_cmd_name="CreateAccount",
        failed_cmd_index=3,
        error_code=4,
    )
    board.publish(said(TxStatus.ENOUGH_SIGNATURES_COLLECTED), reason, said(TxStatus.REJECTED))
    stream = board.open_stream(unknown())
    assert stream.get(0) == reason
    assert stream.get(0) == said(TxStatus.REJECTED)
    assert taken(stream) == []


@pytest.mark.parametrize("pending", HAPPY[:3])
def test_a_stateless_failure_cannot_spoil_what_is_pending(pending: TxStatus) -> None:
    """Anybody who knows a hash can send an unsigned copy of the transaction."""
    board = StatusBoard()
    board.publish(said(pending))
    stream = board.open_stream(unknown())
    board.publish(said(TxStatus.STATELESS_VALIDATION_FAILED, err_or_cmd_name="no signature"))
    assert board.newest(HASH) == said(pending)
    board.publish(said(TxStatus.COMMITTED))
    assert taken(stream) == [pending, TxStatus.COMMITTED]


def test_a_transaction_that_was_mended_leaves_its_stateless_failure() -> None:
    board = StatusBoard()
    board.publish(said(TxStatus.STATELESS_VALIDATION_FAILED), *(said(status) for status in HAPPY))
    assert board.newest(HASH) == said(TxStatus.COMMITTED)


@pytest.mark.parametrize("final", [TxStatus.COMMITTED, TxStatus.REJECTED])
@given(later=st.sampled_from(TxStatus.values()))
def test_nothing_follows_a_final_status(final: TxStatus, later: TxStatus) -> None:
    board = StatusBoard()
    board.publish(said(final))
    stream = board.open_stream(unknown())
    board.publish(said(later))
    assert board.newest(HASH) == said(final)
    assert taken(stream) == [final]


@given(statuses=st.lists(st.sampled_from(TxStatus.values())))
def test_a_stream_never_goes_back_and_never_repeats(statuses: list[TxStatus]) -> None:
    board = StatusBoard()
    stream = board.open_stream(unknown())
    board.publish(*(said(status) for status in statuses))
    seen = taken(stream)[1:]
    assert len(seen) == len(set(seen))
    assert len(set(seen) & {TxStatus.COMMITTED, TxStatus.REJECTED}) <= 1
    if seen and seen[-1] in FINAL - {TxStatus.STATELESS_VALIDATION_FAILED}:
        newest = board.newest(HASH)
        assert newest is not None
        assert newest.tx_status == seen[-1]


def test_streams_are_told_of_their_own_transaction_only() -> None:
    board = StatusBoard()
    mine, other = board.open_stream(unknown()), board.open_stream(unknown("cd" * 32))
    board.publish(said(TxStatus.COMMITTED))
    assert taken(mine) == [TxStatus.NOT_RECEIVED, TxStatus.COMMITTED]
    assert taken(other) == [TxStatus.NOT_RECEIVED]


def test_a_closed_stream_is_told_nothing_more_and_others_still_are() -> None:
    board = StatusBoard()
    first, second = board.open_stream(unknown()), board.open_stream(unknown())
    board.close_stream(first)
    board.close_stream(first)
    board.publish(said(TxStatus.COMMITTED))
    assert taken(first) == [TxStatus.NOT_RECEIVED]
    assert taken(second) == [TxStatus.NOT_RECEIVED, TxStatus.COMMITTED]


def test_the_end_ends_every_stream() -> None:
    board = StatusBoard()
    streams = [board.open_stream(unknown(name * 32)) for name in ("ab", "cd")]
    board.end_streams()
    assert [(stream.get(0), stream.get(0)) for stream in streams] == [
        (unknown("ab" * 32), None),
        (unknown("cd" * 32), None),
    ]


def test_what_was_said_long_ago_is_forgotten() -> None:
    board = StatusBoard()
    board.publish(said(TxStatus.COMMITTED))
    for first in range(0, 100_001, 1000):
        board.publish(*(said(TxStatus.COMMITTED, f"{n:064x}") for n in range(first, first + 1000)))
    assert board.newest(HASH) is None
    assert board.newest(f"{100_000:064x}") is not None
    # The ledger still knows.
    assert taken(board.open_stream(said(TxStatus.COMMITTED))) == [TxStatus.COMMITTED]


def test_a_stream_opened_at_any_moment_ends_with_the_final_status() -> None:
    """Opening and publishing race; whoever wins, nothing is lost."""
    board = StatusBoard()
    hashes = [f"{n:064x}" for n in range(2000)]
    ends: list[TxStatus] = []

    def follow() -> None:
        for tx_hash in hashes:
            stream = board.open_stream(unknown(tx_hash))
            while (response := stream.get(10)) is not None:
                if response.tx_status in FINAL:
                    ends.append(response.tx_status)
                    break
            board.close_stream(stream)

    follower = threading.Thread(target=follow)
    follower.start()
    for tx_hash in hashes:
        board.publish(*(said(status, tx_hash) for status in HAPPY))
    follower.join()
    assert ends == [TxStatus.COMMITTED] * len(hashes)
