"""Multisignature: whose signatures count, when a batch is ready, when it expires, what may wait."""

import tracemalloc

import pytest
from support.batches import ATOMIC, batch_of, set_meta
from support.memory_ledger import START_MS, MemoryLedger, named_key, sign_transaction
from support.small_ledger import ALICE, BOB, CAROL, NOBODY, ROOT, committed, key_of, small_ledger

from chaincode import multisignature
from chaincode.batches import Batch, decode_batch
from chaincode.errors import PendingFullError, UnknownSignatoryError
from chaincode.multisignature import PendingBatches, PendingLimits
from chaincode.protocol.transaction_pb2 import Transaction
from client_sdk.ledger.commands import (
    add_signatory,
    remove_signatory,
    set_account_detail,
    set_account_quorum,
)

HOUR_MS = 60 * 60 * 1000


@pytest.fixture
def ledger() -> MemoryLedger:
    """Return a ledger where bob has three keys and needs two."""
    ledger = small_ledger()
    for name in ("second", "third"):
        committed(ledger.submit(ROOT, add_signatory(BOB, key_of(name))))
    committed(ledger.submit(ROOT, set_account_quorum(BOB, 2)))
    return ledger


@pytest.fixture
def pending() -> PendingBatches:
    return PendingBatches(HOUR_MS)


def draft(
    key: str = "k", creator: str = BOB, quorum: int = 2, created_ms: int = START_MS
) -> Transaction:
    message = Transaction()
    reduced = message.payload.reduced_payload
    reduced.commands.append(set_account_detail(creator, key, "v"))
    reduced.creator_account_id = creator
    reduced.created_time = created_ms
    reduced.quorum = quorum
    return message


def signed(*messages: Transaction, by: tuple[tuple[str, ...], ...]) -> Batch:
    """Return copies of the messages as one batch, each signed by its own tuple of keys."""
    copies = [Transaction(payload=message.payload) for message in messages]
    for copy, names in zip(copies, by, strict=True):
        sign_transaction(copy, *(named_key(name) for name in names))
    return batch_of(copies)


def one(*names: str, key: str = "k", quorum: int = 2) -> Batch:
    """Return bob's lone transaction, signed by these keys."""
    return signed(draft(key, quorum=quorum), by=(names,))


def pair(first: tuple[str, ...], second: tuple[str, ...]) -> Batch:
    """Return an atomic batch: bob's transaction, which needs two, and alice's, which needs one."""
    messages = [draft(), draft(creator=ALICE, quorum=1)]
    set_meta(*messages, kind=ATOMIC)
    return signed(*messages, by=(first, second))


def signers(batch: Batch) -> list[set[str]]:
    """Return the keys of each transaction, as the messages name them, each once."""
    result = []
    for transaction in batch.transactions:
        keys = [signature.public_key for signature in transaction.message.signatures]
        assert len(set(keys)) == len(keys)
        assert transaction.signatories == set(keys)
        result.append(set(keys))
    return result


def test_a_complete_batch_does_not_wait(ledger: MemoryLedger, pending: PendingBatches) -> None:
    """It is decided as it stands, as irohad does: a foreign signature rejects it in its block."""
    for batch in (one(BOB, "second"), one(BOB, "stranger"), one("stranger", "other")):
        assert pending.add(batch, ledger) is batch
    assert len(pending) == 0


def test_the_missing_signature_makes_it_ready(
    ledger: MemoryLedger, pending: PendingBatches
) -> None:
    first = pending.add(one(BOB), ledger)
    assert not first.has_all_signatures
    assert list(pending) == [first]
    ready = pending.add(one("third"), ledger)
    assert ready.has_all_signatures
    assert signers(ready) == [{key_of(BOB), key_of("third")}]
    assert len(pending) == 0
    assert pending.next_expiry_ms is None
    committed(ledger.apply_batches(ready)[0])


def test_the_same_signature_again_changes_nothing(
    ledger: MemoryLedger, pending: PendingBatches
) -> None:
    first = pending.add(one(BOB), ledger)
    assert pending.add(one(BOB), ledger) == first
    assert list(pending) == [first]


def test_a_batch_is_ready_when_each_transaction_is(
    ledger: MemoryLedger, pending: PendingBatches
) -> None:
    assert not pending.add(pair((BOB,), (ALICE,)), ledger).has_all_signatures
    ready = pending.add(pair(("second",), ()), ledger)
    assert signers(ready) == [{key_of(BOB), key_of("second")}, {key_of(ALICE)}]
    for receipt in ledger.apply_batches(ready):
        committed(receipt)


def test_a_higher_quorum_than_the_accounts_waits_for_more(
    ledger: MemoryLedger, pending: PendingBatches
) -> None:
    assert not pending.add(one(BOB, "second", quorum=3), ledger).has_all_signatures
    assert pending.add(one("third", quorum=3), ledger).has_all_signatures


# Strangers


def test_a_foreign_signature_neither_completes_nor_spoils(
    ledger: MemoryLedger, pending: PendingBatches
) -> None:
    first = pending.add(one(BOB), ledger)
    assert pending.add(one("stranger", BOB), ledger) == first
    with pytest.raises(UnknownSignatoryError, match="no signature is by a signatory"):
        pending.add(one("stranger", "other"), ledger)
    assert list(pending) == [first]
    ready = pending.add(one("second", "stranger"), ledger)
    assert signers(ready) == [{key_of(BOB), key_of("second")}]


def test_a_participant_declines_by_signing_what_is_another_s(
    ledger: MemoryLedger, pending: PendingBatches
) -> None:
    # As the official client's batch example does: the block will reject the batch.
    pending.add(pair((BOB, "second"), ()), ledger)
    declined = pending.add(pair((), (BOB,)), ledger)
    assert declined.has_all_signatures
    assert signers(declined)[1] == {key_of(BOB)}
    assert len(pending) == 0


def test_a_decline_of_what_is_not_complete_waits_on(
    ledger: MemoryLedger, pending: PendingBatches
) -> None:
    pending.add(pair((BOB,), ()), ledger)
    with pytest.raises(UnknownSignatoryError):
        pending.add(pair((), (BOB,)), ledger)
    assert len(pending) == 1


def test_a_stranger_declines_nothing(ledger: MemoryLedger, pending: PendingBatches) -> None:
    pending.add(pair((BOB, "second"), ()), ledger)
    with pytest.raises(UnknownSignatoryError):
        pending.add(pair((), ("stranger",)), ledger)
    assert len(pending) == 1


def test_what_nobody_entitled_has_signed_does_not_wait(
    ledger: MemoryLedger, pending: PendingBatches
) -> None:
    for batch in (
        one("stranger"),
        signed(draft(creator=NOBODY), by=((NOBODY,),)),
        pair(("stranger",), (BOB,)),
    ):
        with pytest.raises(UnknownSignatoryError):
            pending.add(batch, ledger)
    assert len(pending) == 0


def test_one_entitled_signature_lets_a_batch_wait(
    ledger: MemoryLedger, pending: PendingBatches
) -> None:
    waiting = pending.add(pair(("stranger",), (ALICE,)), ledger)
    assert signers(waiting) == [set(), {key_of(ALICE)}]


def test_the_signature_of_a_key_that_was_removed_counts_no_more(
    ledger: MemoryLedger, pending: PendingBatches
) -> None:
    pending.add(one("third"), ledger)
    committed(ledger.submit(ROOT, remove_signatory(BOB, key_of("third"))))
    waiting = pending.add(one(BOB), ledger)
    assert signers(waiting) == [{key_of(BOB)}]
    assert pending.add(one("second"), ledger).has_all_signatures


def test_upper_case_and_repeated_signatures_count_once(
    ledger: MemoryLedger, pending: PendingBatches
) -> None:
    message = draft()
    sign_transaction(message, named_key(BOB), named_key(BOB))
    message.signatures[1].public_key = message.signatures[1].public_key.upper()
    waiting = pending.add(batch_of([message]), ledger)
    assert signers(waiting) == [{key_of(BOB)}]


def test_a_merged_transaction_has_no_more_signatures_than_a_sent_one(
    pending: PendingBatches,
) -> None:
    """A block with more would not be accepted when it is replayed."""
    names = [f"key {n}" for n in range(300)]
    ledger = small_ledger(*(add_signatory(BOB, key_of(name)) for name in names))
    pending.add(one(*names[:100], quorum=128), ledger)
    ready = pending.add(one(*names[60:300], quorum=128), ledger)
    assert len(ready.transactions[0].signatories) == 256
    assert decode_batch(ready.encode()) == ready


# Reading


def test_each_creator_finds_its_batches_in_the_order_of_their_arrival(
    ledger: MemoryLedger, pending: PendingBatches
) -> None:
    both = pending.add(pair((BOB,), ()), ledger)
    alone = [pending.add(one(BOB, key=f"k{n}"), ledger) for n in range(3)]
    pending.add(one(BOB, key="k1"), ledger)
    assert pending.of_creator(BOB) == [both, *alone]
    assert pending.of_creator(ALICE) == [both]
    assert pending.of_creator(CAROL) == []
    assert pending.transaction_count == 5
    pending.remove(both.hash)
    pending.remove(both.hash)
    assert pending.of_creator(ALICE) == []
    assert pending.of_creator(BOB) == alone
    assert both.hash not in pending
    assert alone[0].hash in pending


def test_what_is_restored_is_the_same(ledger: MemoryLedger, pending: PendingBatches) -> None:
    for batch in (pair((BOB,), ()), one(BOB, key="a"), one("second", key="b")):
        pending.add(batch, ledger)
    restored = PendingBatches(HOUR_MS)
    for batch in pending:
        restored.restore(decode_batch(batch.encode()))
    assert list(restored) == list(pending)
    assert restored.next_expiry_ms == pending.next_expiry_ms
    assert restored.add(one("third", key="a"), ledger).has_all_signatures


def test_what_was_put_back_counts_for_the_account_that_signed_first(
    ledger: MemoryLedger, pending: PendingBatches
) -> None:
    """All peers of a replicated ledger must count alike, also one that was started anew."""
    pending.add(pair((), (ALICE,)), ledger)
    now = pending.add(pair((BOB,), ()), ledger)
    entry = pending.entry(now.hash)
    assert entry is not None
    assert entry.payer == ALICE
    again = PendingBatches(HOUR_MS)
    again.put_back(entry)
    assert again.entry(now.hash) == entry
    assert again.digest() == pending.digest()
    assert again.next_expiry_ms == pending.next_expiry_ms
    again.add(one(BOB), ledger)
    pending.add(one(BOB), ledger)
    assert again.digest() == pending.digest()
    assert pending.entry(bytes(32)) is None


# Time


def test_a_batch_expires_by_its_oldest_transaction(
    ledger: MemoryLedger, pending: PendingBatches
) -> None:
    messages = [draft(created_ms=START_MS + 500), draft("l", created_ms=START_MS + 200)]
    set_meta(*messages)
    late = pending.add(signed(*messages, by=((BOB,), ())), ledger)
    early = pending.add(one(BOB), ledger)
    assert pending.next_expiry_ms == START_MS + HOUR_MS
    assert pending.expire(START_MS + HOUR_MS - 1) == []
    assert pending.expire(START_MS + HOUR_MS) == [early]
    assert pending.next_expiry_ms == START_MS + HOUR_MS + 200
    assert list(pending) == [late]
    assert pending.expire(START_MS + 2 * HOUR_MS) == [late]
    assert pending.next_expiry_ms is None
    assert pending.of_creator(BOB) == []


def test_what_is_dated_ahead_expires_by_its_arrival(
    ledger: MemoryLedger, pending: PendingBatches
) -> None:
    """Where no gate has refused it; a later signature does not make it younger."""
    ahead = draft(created_ms=START_MS + 1000 * HOUR_MS)
    now = pending.add(signed(ahead, by=((BOB,),)), ledger, START_MS)
    entry = pending.entry(now.hash)
    assert entry is not None
    assert entry.since_ms == START_MS
    pending.add(signed(ahead, by=((BOB,),)), ledger, START_MS + 5)
    assert pending.next_expiry_ms == START_MS + HOUR_MS
    assert pending.expire(START_MS + HOUR_MS) == [now]


def test_what_became_ready_does_not_expire(ledger: MemoryLedger, pending: PendingBatches) -> None:
    pending.add(one(BOB), ledger)
    pending.add(one("second"), ledger)
    assert pending.expire(START_MS + 2 * HOUR_MS) == []


def test_what_came_and_went_leaves_nothing_behind(
    ledger: MemoryLedger, pending: PendingBatches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multisignature, "_MIN_EXPIRIES", 0)
    waits, other = one(BOB), one(BOB, key="other")
    pending.add(waits, ledger)
    tracemalloc.start()
    for round_number in range(2_000):
        if round_number == 100:
            before, _ = tracemalloc.get_traced_memory()
        pending.restore(other)
        pending.remove(other.hash)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 20_000
    assert pending.expire(START_MS + HOUR_MS) == [waits]


def test_what_is_sent_again_waits_again(ledger: MemoryLedger, pending: PendingBatches) -> None:
    pending.add(one(BOB), ledger)
    assert len(pending.expire(START_MS + HOUR_MS)) == 1
    assert not pending.add(one("second"), ledger).has_all_signatures


# Room


def limited(**limits: int) -> PendingBatches:
    return PendingBatches(HOUR_MS, PendingLimits(**limits))


@pytest.mark.parametrize(
    "limits",
    [
        {"batches": 2},
        {"batches_of_account": 2},
        {"size_bytes": 2 * one(BOB).size_bytes},
        {"size_bytes_of_account": 2 * one(BOB).size_bytes},
    ],
    ids=lambda limits: next(iter(limits)),
)
def test_what_may_wait_is_bounded_and_its_signatures_are_still_taken(
    ledger: MemoryLedger, limits: dict[str, int]
) -> None:
    pending = limited(**limits)
    kept = [pending.add(one(BOB, key=key), ledger) for key in "ab"]
    with pytest.raises(PendingFullError, match="wait for signatures"):
        pending.add(one(BOB, key="c"), ledger)
    assert list(pending) == kept
    assert pending.add(one("second", key="a"), ledger).has_all_signatures
    # There is room again.
    pending.add(one(BOB, key="c"), ledger)
    pending.expire(START_MS + HOUR_MS)
    for key in "de":
        pending.add(one(BOB, key=key), ledger)


def test_the_room_of_one_account_is_not_that_of_another(ledger: MemoryLedger) -> None:
    pending = limited(batches_of_account=1)
    pending.add(one(BOB), ledger)
    pending.add(signed(draft(creator=ALICE), by=((ALICE,),)), ledger)


def test_who_is_only_named_in_a_batch_pays_nothing(ledger: MemoryLedger) -> None:
    pending = limited(batches_of_account=1)
    pending.add(pair((), (ALICE,)), ledger)
    pending.add(one(BOB), ledger)
    with pytest.raises(PendingFullError, match=ALICE):
        pending.add(signed(draft(creator=ALICE), by=((ALICE,),)), ledger)
