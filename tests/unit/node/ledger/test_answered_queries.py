"""Answered queries: known by hash and signer, and only the newest of them."""

from node.ledger.answered_queries import REMEMBERED, AnsweredQueries


def test_a_query_is_known_by_its_hash_and_its_signer() -> None:
    answered = AnsweredQueries()
    answered.remember(b"a" * 32, "ED01")
    assert answered.is_known(b"a" * 32, "ed01")
    assert not answered.is_known(b"a" * 32, "ed02")
    assert not answered.is_known(b"b" * 32, "ed01")


def test_only_the_newest_are_known() -> None:
    answered = AnsweredQueries()
    for number in range(REMEMBERED + 1):
        answered.remember(number.to_bytes(32), "ed01")
    assert not answered.is_known((0).to_bytes(32), "ed01")
    assert answered.is_known((1).to_bytes(32), "ed01")
    assert answered.is_known(REMEMBERED.to_bytes(32), "ed01")
