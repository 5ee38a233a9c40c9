"""Properties of waiting batches: what counts does not depend on how signatures arrive."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from support.batches import batch_of
from support.memory_ledger import START_MS, MemoryLedger, named_key, sign_transaction
from support.small_ledger import BOB, ROOT, committed, key_of, small_ledger

from chaincode.batches import Batch, decode_batch
from chaincode.errors import PendingFullError, UnknownSignatoryError
from chaincode.multisignature import PendingBatches, PendingLimits
from chaincode.protocol.transaction_pb2 import Transaction
from client_sdk.ledger.commands import add_signatory, set_account_detail

ENTITLED = (BOB, "second", "third")
SIGNERS = st.lists(st.sampled_from([*ENTITLED, "stranger", "other"]), min_size=1, max_size=4)
DETAILS = st.sampled_from("abc")
EXPIRATION_MS = 1000


def ledger_with_three_keys() -> MemoryLedger:
    ledger = small_ledger()
    for name in ENTITLED[1:]:
        committed(ledger.submit(ROOT, add_signatory(BOB, key_of(name))))
    return ledger


LEDGER = ledger_with_three_keys()


def send(names: Sequence[str], detail: str = "k", quorum: int = 2) -> Batch:
    """Return bob's transaction, signed by these keys in this order."""
    message = Transaction()
    reduced = message.payload.reduced_payload
    reduced.commands.append(set_account_detail(BOB, detail, "v"))
    reduced.creator_account_id = BOB
    reduced.created_time = START_MS + ord(detail)
    reduced.quorum = quorum
    sign_transaction(message, *(named_key(name) for name in names))
    return batch_of([message])


def add(pending: PendingBatches, batch: Batch) -> Batch | None:
    """Add a batch; return it where it is ready."""
    try:
        result = pending.add(batch, LEDGER)
    except (UnknownSignatoryError, PendingFullError):
        return None
    return result if result.has_all_signatures else None


@settings(deadline=None)
@given(sends=st.lists(st.sampled_from([*ENTITLED, "stranger"]), max_size=8), quorum=st.just(2))
def test_a_batch_is_ready_at_the_second_entitled_key_whatever_comes_between(
    sends: list[str], quorum: int
) -> None:
    pending = PendingBatches(EXPIRATION_MS)
    seen: list[str] = []
    for name in sends:
        ready = add(pending, send([name], quorum=quorum))
        if name in ENTITLED and name not in seen:
            seen.append(name)
        if len(seen) < quorum:
            assert ready is None
            continue
        assert ready is not None
        assert ready.transactions[0].signatories == {key_of(each) for each in seen}
        return


@settings(deadline=None)
@given(
    sends=st.lists(st.tuples(SIGNERS, DETAILS), max_size=12),
    quorum=st.integers(1, 3),
    expire_after=st.integers(0, 12),
)
def test_the_rules_hold_at_every_step(
    sends: list[tuple[list[str], str]], quorum: int, expire_after: int
) -> None:
    """A model of sets of names says what waits, and with whose signatures."""
    pending = PendingBatches(EXPIRATION_MS, PendingLimits(batches=2))
    waiting: dict[str, set[str]] = {}
    for step, (names, detail) in enumerate(sends):
        if step == expire_after:
            gone = pending.expire(START_MS + ord("b") + EXPIRATION_MS)
            assert len(gone) == len([waiting.pop(old) for old in "ab" if old in waiting])
        ready = add(pending, send(names, detail, quorum))
        entitled = set(names) & set(ENTITLED)
        if detail not in waiting and len(set(names)) >= quorum:
            # Complete as it came: the block decides.
            assert ready is not None
            assert ready.transactions[0].signatories == {key_of(name) for name in names}
            continue
        if entitled and (detail in waiting or len(waiting) < 2):
            waiting.setdefault(detail, set()).update(entitled)
        complete = len(waiting.get(detail, ())) >= quorum
        assert (ready is not None) == complete
        if ready is not None:
            keys = {key_of(name) for name in waiting.pop(detail)}
            assert ready.transactions[0].signatories == keys
            committed(ledger_with_three_keys().apply_batches(ready)[0])
        assert [signers(batch) for batch in pending] == [
            {key_of(name) for name in held} for held in waiting.values()
        ]
        assert [decode_batch(batch.encode()) for batch in pending] == list(pending)
        assert list(pending) == pending.of_creator(BOB)


def signers(batch: Batch) -> set[str]:
    return {signature.public_key for signature in batch.transactions[0].message.signatures}
