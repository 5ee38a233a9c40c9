"""Batches: how a list falls into them, irohad's rules with its words, and what a block restores."""

import pytest
from support.batches import ATOMIC, ORDERED, batch_of, set_meta
from support.memory_ledger import MemoryLedger, sign_transaction
from support.small_ledger import ALICE, BOB, small_ledger

from chaincode.batches import (
    Batch,
    decode_batch,
    group_transactions,
    restore_batches,
    validate_batches,
)
from chaincode.errors import DecodeError, InvalidTransactionError
from chaincode.protocol.endpoint_pb2 import TxList
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.stateless import TimeWindow
from chaincode.transactions import hash_payload, transaction_hash
from client_sdk.ledger.commands import set_account_detail


@pytest.fixture
def ledger() -> MemoryLedger:
    return small_ledger()


def message(ledger: MemoryLedger, creator: str = ALICE, key: str = "k") -> Transaction:
    return ledger.build_transaction(creator, set_account_detail(creator, key, "v"))


def sign(ledger: MemoryLedger, *messages: Transaction) -> None:
    for each in messages:
        sign_transaction(each, ledger.keys[each.payload.reduced_payload.creator_account_id])


def batch(ledger: MemoryLedger, count: int, kind: int = ATOMIC) -> list[Transaction]:
    """Return a signed batch of transactions by alice and bob in turn."""
    messages = [message(ledger, (ALICE, BOB)[n % 2], f"k{n}") for n in range(count)]
    set_meta(*messages, kind=kind)
    sign(ledger, *messages)
    return messages


def lone(ledger: MemoryLedger, key: str = "lone") -> Transaction:
    made = message(ledger, key=key)
    sign(ledger, made)
    return made


def check(ledger: MemoryLedger, messages: list[Transaction], limit: int = 10) -> list[Batch]:
    return validate_batches(messages, TimeWindow(now_ms=ledger.now_ms()), limit)


def refusal(ledger: MemoryLedger, messages: list[Transaction], limit: int = 10) -> str:
    with pytest.raises(InvalidTransactionError) as caught:
        check(ledger, messages, limit)
    prefix, _, text = str(caught.value).partition("Batch transactions: ")
    assert prefix == "Batch deserialization failed: "
    return text


def hash_of(each: Transaction) -> str:
    return transaction_hash(each).hex()


def test_neighbours_with_equal_meta_are_one_batch_and_others_are_lone(ledger: MemoryLedger) -> None:
    first, second = batch(ledger, 2), batch(ledger, 3, ORDERED)
    alone = [lone(ledger, "a"), lone(ledger, "b")]
    messages = [alone[0], *first, *second, alone[1]]
    assert group_transactions(messages) == [[alone[0]], first, second, [alone[1]]]
    batches = check(ledger, messages)
    assert [[each.message for each in made.transactions] for made in batches] == [
        [alone[0]],
        first,
        second,
        [alone[1]],
    ]
    assert [made.is_atomic for made in batches] == [False, True, False, False]


def test_a_list_of_nothing_has_no_batches(ledger: MemoryLedger) -> None:
    assert check(ledger, []) == []


@pytest.mark.parametrize("kind", [ATOMIC, ORDERED])
def test_a_batch_of_one_is_a_batch(ledger: MemoryLedger, kind: int) -> None:
    (made,) = check(ledger, batch(ledger, 1, kind))
    assert len(made.transactions) == 1
    assert made.has_all_signatures


def test_hashes_in_upper_case_are_the_same(ledger: MemoryLedger) -> None:
    messages = [message(ledger, key="a"), message(ledger, key="b")]
    set_meta(*messages)
    for each in messages:
        hashes = [text.upper() for text in each.payload.batch.reduced_hashes]
        each.payload.batch.reduced_hashes[:] = hashes
    messages[1].payload.batch.reduced_hashes[0] = hashes[0].lower()
    sign(ledger, *messages)
    assert len(check(ledger, messages)) == 1


def test_one_malformed_transaction_fails_the_whole_list(ledger: MemoryLedger) -> None:
    bad = lone(ledger, "not a key")
    with pytest.raises(InvalidTransactionError, match="SetAccountDetail"):
        check(ledger, [*batch(ledger, 2), bad])


# The words below are those of a recorded irohad 1.6 (PostgreSQL) and of its BatchOrderValidator.


def test_a_missing_transaction(ledger: MemoryLedger) -> None:
    assert refusal(ledger, batch(ledger, 2)[:1]) == (
        "[Errors=[Sizes of batch_meta and provided transactions are different in an atomic batch.]]"
    )
    assert refusal(ledger, batch(ledger, 2, ORDERED)[:1]) == (
        "[Errors=[Sizes of batch_meta and provided transactions are different, but partial ordered "
        "batches are not allowed.]]"
    )


def test_the_wrong_order(ledger: MemoryLedger) -> None:
    second, first = batch(ledger, 2)
    assert refusal(ledger, [first, second]) == (
        f"[Child errors=[Transaction #1 with hash {hash_of(first)}: "
        "[Errors=[Does not match corresponding hash.]], "
        f"Transaction #2 with hash {hash_of(second)}: "
        "[Errors=[Does not match corresponding hash.]]]]"
    )


def test_more_transactions_than_the_meta_lists(ledger: MemoryLedger) -> None:
    messages = [message(ledger, key="a"), message(ledger, key="b")]
    set_meta(*messages)
    for each in messages:
        del each.payload.batch.reduced_hashes[1]
    sign(ledger, *messages)
    assert refusal(ledger, messages) == (
        "[Errors=[Sizes of batch_meta and provided transactions are different in an atomic batch.],"
        f" Child errors=[Transaction #2 with hash {hash_of(messages[1])}: "
        "[Errors=[Does not have corresponding hash.]]]]"
    )


def test_a_hash_that_is_no_hex_matches_nothing(ledger: MemoryLedger) -> None:
    made = message(ledger)
    made.payload.batch.reduced_hashes.append("zz")
    sign(ledger, made)
    assert "Does not match corresponding hash." in refusal(ledger, [made])


def test_a_hash_that_is_listed_twice(ledger: MemoryLedger) -> None:
    made = message(ledger)
    reduced = hash_payload(made.payload.reduced_payload).hex()
    made.payload.batch.reduced_hashes.extend([reduced, reduced])
    sign(ledger, made)
    assert refusal(ledger, [made, made]).endswith(
        f"[Child errors=[Reduced transaction hash #2 {reduced}: [Errors=[Duplicates hash #1]]]]"
    )


def test_different_types_are_two_batches_and_neither_is_whole(ledger: MemoryLedger) -> None:
    messages = [message(ledger, key="a"), message(ledger, key="b")]
    set_meta(*messages)
    messages[1].payload.batch.type = ORDERED  # type: ignore[assignment]
    sign(ledger, *messages)
    assert "in an atomic batch" in refusal(ledger, messages)


def test_too_many_transactions(ledger: MemoryLedger) -> None:
    messages = batch(ledger, 3)
    assert len(check(ledger, messages, limit=3)) == 1
    assert refusal(ledger, messages, limit=2) == (
        "[Errors=[Batch contains too many transactions. Maximum allowed number of transactions in "
        "a batch is 2.]]"
    )
    # The limit is a batch's, not a list's.
    assert len(check(ledger, [lone(ledger, f"k{n}") for n in range(5)], limit=1)) == 5


@pytest.mark.parametrize("count", [1, 2])
def test_no_signature_at_all(ledger: MemoryLedger, count: int) -> None:
    messages = batch(ledger, count)
    for each in messages:
        del each.signatures[:]
    assert refusal(ledger, messages) == "[Errors=[Transaction batch has no signatures.]]"
    bare = message(ledger)
    assert refusal(ledger, [bare]) == "[Errors=[Transaction batch has no signatures.]]"


def test_one_signature_in_the_batch_is_enough_to_be_well_formed(ledger: MemoryLedger) -> None:
    messages = batch(ledger, 2)
    del messages[1].signatures[:]
    (made,) = check(ledger, messages)
    assert not made.has_all_signatures


def test_a_hash_names_the_payloads_and_not_the_signatures(ledger: MemoryLedger) -> None:
    full = batch(ledger, 2)
    less = [Transaction.FromString(each.SerializeToString()) for each in full]
    del less[1].signatures[:]
    (made,), (fewer,) = check(ledger, full), check(ledger, less)
    assert made.hash == fewer.hash
    assert len(made.hash) == 32
    assert made.size_bytes > fewer.size_bytes
    assert check(ledger, [full[0], full[1], lone(ledger)])[1].hash != made.hash


# What a block or a store holds.


def test_a_block_restores_its_batches(ledger: MemoryLedger) -> None:
    atomic, ordered, alone = batch(ledger, 2), batch(ledger, 3, ORDERED), lone(ledger)
    kept = [*atomic, alone, ordered[0], ordered[2]]
    sizes = [len(made.transactions) for made in restore_batches(kept)]
    assert sizes == [2, 1, 2]


def test_a_block_restores_atomic_batches_of_equal_meta(ledger: MemoryLedger) -> None:
    """The same reduced payloads make other transactions where their meta is written otherwise."""
    first, again = batch(ledger, 2), batch(ledger, 2)
    for old, new in zip(first, again, strict=True):
        new.payload.CopyFrom(old.payload)
        hashes = [text.upper() for text in old.payload.batch.reduced_hashes]
        new.payload.batch.reduced_hashes[:] = hashes
        del new.signatures[:]
    sign(ledger, *again)
    sent = [*check(ledger, first), *check(ledger, again)]
    restored = restore_batches([*first, *again])
    assert restored == sent
    assert len({each.hash for made in sent for each in made.transactions}) == 4


def test_a_block_has_no_atomic_batch_of_nothing(ledger: MemoryLedger) -> None:
    made = message(ledger)
    made.payload.batch.SetInParent()
    sign(ledger, made)
    with pytest.raises(InvalidTransactionError, match="its atomic batch is not whole"):
        restore_batches([made])


def test_an_atomic_batch_that_is_not_whole_is_no_part_of_a_block(ledger: MemoryLedger) -> None:
    messages = batch(ledger, 3)
    for part in (messages[:2], messages[1:], [messages[1], messages[0], messages[2]]):
        with pytest.raises(InvalidTransactionError, match="its atomic batch is not whole"):
            restore_batches(part)


@pytest.mark.parametrize("count", [1, 3])
def test_what_is_encoded_decodes_to_the_same(ledger: MemoryLedger, count: int) -> None:
    made = batch_of(batch(ledger, count))
    assert decode_batch(made.encode()) == made


def test_bytes_that_are_no_batch_do_not_decode(ledger: MemoryLedger) -> None:
    two = Batch(
        (*batch_of([lone(ledger, "a")]).transactions, *batch_of([lone(ledger)]).transactions)
    )
    broken = TxList(transactions=[lone(ledger, "not a key")]).SerializeToString()
    for data, text in (
        (two.encode(), "2 batches"),
        (b"", "0 batches"),
        (b"\xff", "a stored batch: Error parsing message"),
        (broken, "a stored batch: .*SetAccountDetail"),
    ):
        with pytest.raises(DecodeError, match=text):
            decode_batch(data)
