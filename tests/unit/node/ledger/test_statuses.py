"""The statuses of transactions: nothing is lost, the order holds, reasons are kept."""

import threading
from queue import Empty
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.protocol.endpoint_pb2 import TxStatus
from node.ledger.statuses import FINAL, Status, StatusBoard, StatusStream

HASH = b"\xab" * 32
DECIDED = {TxStatus.COMMITTED, TxStatus.REJECTED}
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


def said(status: TxStatus, tx_hash: bytes = HASH, **fields: Any) -> Status:
    return Status(tx_hash, status, **fields)


def unknown(tx_hash: bytes = HASH) -> Status:
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
        statuses.append(response.status)


def test_an_unknown_transaction_has_no_newest_status() -> None:
    assert StatusBoard().newest(HASH) is None


def test_a_stream_begins_with_the_ledgers_word_and_then_has_all_that_follows() -> None:
    board = StatusBoard()
    stream = board.open_stream(unknown())
    board.publish(said(status) for status in HAPPY)
    assert taken(stream) == [TxStatus.NOT_RECEIVED, *HAPPY]
    assert board.newest(HASH) == said(TxStatus.COMMITTED)


def test_a_stream_opened_late_begins_with_the_newest_status() -> None:
    board = StatusBoard()
    board.publish(said(status) for status in HAPPY[:3])
    stream = board.open_stream(unknown())
    board.publish([said(TxStatus.COMMITTED)])
    assert taken(stream) == list(HAPPY[2:])


def test_a_stream_of_decisions_has_no_other_statuses() -> None:
    board = StatusBoard()
    board.publish([said(HAPPY[0])])
    stream = board.open_stream(unknown(), wanted=DECIDED)
    assert taken(stream) == []
    board.publish(said(status) for status in HAPPY[1:])
    assert taken(stream) == [TxStatus.COMMITTED]
    assert taken(board.open_stream(unknown(), wanted=DECIDED)) == [TxStatus.COMMITTED]
    board.end_streams()
    assert stream.get(0) is None


def test_a_stream_opened_after_a_rejection_is_told_its_reason_first() -> None:
    board = StatusBoard()
    reason = said(
        TxStatus.STATEFUL_VALIDATION_FAILED,
        reason="CreateAccount",
        command_index=3,
        code=4,
    )
    board.publish([said(TxStatus.ENOUGH_SIGNATURES_COLLECTED), reason, said(TxStatus.REJECTED)])
    stream = board.open_stream(unknown())
    assert stream.get(0) == reason
    assert stream.get(0) == said(TxStatus.REJECTED)
    assert taken(stream) == []


@pytest.mark.parametrize("pending", HAPPY[:3])
def test_a_stateless_failure_cannot_spoil_what_is_pending(pending: TxStatus) -> None:
    """Anybody who knows a hash can send an unsigned copy of the transaction."""
    board = StatusBoard()
    board.publish([said(pending)])
    stream = board.open_stream(unknown())
    board.publish([said(TxStatus.STATELESS_VALIDATION_FAILED, reason="no signature")])
    assert board.newest(HASH) == said(pending)
    board.publish([said(TxStatus.COMMITTED)])
    assert taken(stream) == [pending, TxStatus.COMMITTED]


def test_a_transaction_that_was_mended_leaves_its_stateless_failure() -> None:
    board = StatusBoard()
    board.publish(said(status) for status in (TxStatus.STATELESS_VALIDATION_FAILED, *HAPPY))
    assert board.newest(HASH) == said(TxStatus.COMMITTED)


@pytest.mark.parametrize("final", [TxStatus.COMMITTED, TxStatus.REJECTED])
@given(later=st.sampled_from(TxStatus.values()))
def test_nothing_follows_a_final_status(final: TxStatus, later: TxStatus) -> None:
    board = StatusBoard()
    board.publish([said(final)])
    stream = board.open_stream(unknown())
    board.publish([said(later)])
    assert board.newest(HASH) == said(final)
    assert taken(stream) == [final]


@given(statuses=st.lists(st.sampled_from(sorted({*HAPPY, *UNHAPPY, *FINAL}))))
def test_a_stream_never_goes_back_and_never_repeats(statuses: list[TxStatus]) -> None:
    board = StatusBoard()
    stream = board.open_stream(unknown())
    board.publish(said(status) for status in statuses)
    seen = taken(stream)[1:]
    assert len(seen) == len(set(seen))
    assert len(set(seen) & {TxStatus.COMMITTED, TxStatus.REJECTED}) <= 1
    if seen and seen[-1] in FINAL - {TxStatus.STATELESS_VALIDATION_FAILED}:
        newest = board.newest(HASH)
        assert newest is not None
        assert newest.status == seen[-1]


@given(statuses=st.lists(st.sampled_from(TxStatus.values())))
def test_nothing_but_the_end_is_final(statuses: list[TxStatus]) -> None:
    board = StatusBoard()
    stream = board.open_stream(unknown())
    board.publish(said(status) for status in statuses)
    seen = taken(stream)
    ends = [index for index, status in enumerate(seen) if status in DECIDED]
    assert ends in ([], [len(seen) - 1])
    assert bool(ends) == bool(DECIDED & set(statuses))


def test_more_signatures_are_told_to_open_streams_and_leave_the_status() -> None:
    """As recorded from irohad."""
    board = StatusBoard()
    board.publish([said(TxStatus.STATELESS_VALIDATION_SUCCESS), said(TxStatus.MST_PENDING)])
    stream = board.open_stream(unknown())
    again = [said(TxStatus.STATELESS_VALIDATION_SUCCESS), said(TxStatus.MST_PENDING)]
    board.publish(again)
    assert board.newest(HASH) == said(TxStatus.MST_PENDING)
    board.publish(said(status) for status in HAPPY)
    assert taken(stream) == [
        TxStatus.MST_PENDING,
        TxStatus.STATELESS_VALIDATION_SUCCESS,
        *HAPPY,
    ]


def test_what_expired_can_be_collected_again() -> None:
    board = StatusBoard()
    board.publish([said(TxStatus.MST_PENDING), said(TxStatus.MST_EXPIRED)])
    stream = board.open_stream(unknown())
    board.publish([said(TxStatus.STATELESS_VALIDATION_FAILED)])
    assert board.newest(HASH) == said(TxStatus.MST_EXPIRED)
    board.publish([said(TxStatus.STATELESS_VALIDATION_SUCCESS), said(TxStatus.MST_PENDING)])
    assert board.newest(HASH) == said(TxStatus.MST_PENDING)
    board.publish([said(TxStatus.MST_EXPIRED)])
    assert taken(stream) == [
        TxStatus.MST_EXPIRED,
        TxStatus.STATELESS_VALIDATION_SUCCESS,
        TxStatus.MST_PENDING,
        TxStatus.MST_EXPIRED,
    ]


def test_long_reasons_are_forgotten_before_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.ledger.statuses._REMEMBERED_REASONS", 100)
    board = StatusBoard()
    hashes = [n.to_bytes(32) for n in range(4)]
    for tx_hash in hashes:
        board.publish([said(TxStatus.STATELESS_VALIDATION_FAILED, tx_hash, reason="x" * 40)])
    assert [board.newest(tx_hash) is not None for tx_hash in hashes] == [False, False, True, True]
    # A reason that gives way to a later status counts no more.
    board.publish(said(status, hashes[2]) for status in HAPPY)
    board.publish([said(TxStatus.STATELESS_VALIDATION_FAILED, hashes[0], reason="x" * 40)])
    assert [board.newest(tx_hash) is not None for tx_hash in hashes] == [True, False, True, True]


def test_what_is_refused_makes_the_node_forget_nothing_that_it_took(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("node.ledger.statuses._REMEMBERED", 2)
    board = StatusBoard()
    board.publish([said(TxStatus.MST_PENDING)])
    for n in range(3):
        board.publish([said(TxStatus.STATELESS_VALIDATION_FAILED, n.to_bytes(32))])
    assert board.newest(HASH) == said(TxStatus.MST_PENDING)
    assert [board.newest(n.to_bytes(32)) is not None for n in range(3)] == [False, True, True]


def test_streams_are_told_of_their_own_transaction_only() -> None:
    board = StatusBoard()
    mine, other = board.open_stream(unknown()), board.open_stream(unknown(b"\xcd" * 32))
    board.publish([said(TxStatus.COMMITTED)])
    assert taken(mine) == [TxStatus.NOT_RECEIVED, TxStatus.COMMITTED]
    assert taken(other) == [TxStatus.NOT_RECEIVED]


def test_a_closed_stream_is_told_nothing_more_and_others_still_are() -> None:
    board = StatusBoard()
    first, second = board.open_stream(unknown()), board.open_stream(unknown())
    board.close_stream(first)
    board.close_stream(first)
    board.publish([said(TxStatus.COMMITTED)])
    assert taken(first) == [TxStatus.NOT_RECEIVED]
    assert taken(second) == [TxStatus.NOT_RECEIVED, TxStatus.COMMITTED]


def test_the_end_ends_every_stream() -> None:
    board = StatusBoard()
    streams = [board.open_stream(unknown(name * 32)) for name in (b"\xab", b"\xcd")]
    board.end_streams()
    assert [(stream.get(0), stream.get(0)) for stream in streams] == [
        (unknown(b"\xab" * 32), None),
        (unknown(b"\xcd" * 32), None),
    ]


def test_what_was_said_long_ago_is_forgotten() -> None:
    board = StatusBoard()
    board.publish([said(TxStatus.COMMITTED)])
    for first in range(0, 100_001, 1000):
        board.publish(
            [said(TxStatus.COMMITTED, (n).to_bytes(32)) for n in range(first, first + 1000)]
        )
    assert board.newest(HASH) is None
    assert board.newest((100_000).to_bytes(32)) is not None
    # The ledger still knows.
    assert taken(board.open_stream(said(TxStatus.COMMITTED))) == [TxStatus.COMMITTED]


def test_a_stream_opened_at_any_moment_ends_with_the_final_status() -> None:
    """Opening and publishing race; whoever wins, nothing is lost."""
    board = StatusBoard()
    hashes = [(n).to_bytes(32) for n in range(2000)]
    ends: list[TxStatus] = []

    def follow() -> None:
        for tx_hash in hashes:
            stream = board.open_stream(unknown(tx_hash))
            while (response := stream.get(10)) is not None:
                if response.status in FINAL:
                    ends.append(response.status)
                    break
            board.close_stream(stream)

    follower = threading.Thread(target=follow)
    follower.start()
    for tx_hash in hashes:
        board.publish(said(status, tx_hash) for status in HAPPY)
    follower.join()
    assert ends == [TxStatus.COMMITTED] * len(hashes)
