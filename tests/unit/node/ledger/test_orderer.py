"""The embedded orderer: a block as soon as one can be made, in order, nothing forgotten."""

import threading
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TypeAlias

import pytest
from support.batches import lone
from support.ledger_stores import NOW_MS, WINDOW, LedgerStores, opened
from support.memory_ledger import sign_transaction
from support.processes import make_ledger_folder

from chaincode import transition
from chaincode.protocol.endpoint_pb2 import TxStatus
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.state_root import RootChange, RootView, StateRoot, change_root
from chaincode.transactions import ValidTransaction
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import add_signatory
from node.errors import BatchRefusedError, PoolFullError, StoppingError, StorageError
from node.ledger import candidate as candidate_module
from node.ledger import orderer as orderer_module
from node.ledger import stranger_guard
from node.ledger.candidate import Candidate
from node.ledger.commit_notices import CommitNotices
from node.ledger.engine import Engine
from node.ledger.genesis import ADMIN_ACCOUNT
from node.ledger.orderer import EmbeddedOrderer
from node.ledger.pending_store import PendingStore
from node.ledger.signature_collector import SignatureCollector
from node.ledger.statuses import FINAL, Status, StatusBoard

HOUR_MS = 60 * 60 * 1000
Changes: TypeAlias = Mapping[bytes, bytes | None]


class HeldEngine(Engine):
    """An engine whose blocks wait until the test lets them be written."""

    def __init__(self, ledger: LedgerStores) -> None:
        super().__init__(ledger.blocks, ledger.state, ledger.folder.node_key)
        self.writing = threading.Event()
        self.may_write = threading.Event()

    def commit(self, candidate: Candidate) -> None:
        self.writing.set()
        assert self.may_write.wait(60)
        super().commit(candidate)


class Ordering:
    """An orderer over a ledger's stores, and what it says."""

    def __init__(
        self,
        ledger: LedgerStores,
        engine: Engine | None = None,
        *,
        expiration_ms: int = HOUR_MS,
        now_ms: Callable[[], int] = lambda: NOW_MS,
    ) -> None:
        self.statuses = StatusBoard()
        self.commits = CommitNotices(ledger.tip().height)
        self.store = PendingStore(ledger.data / "pending.sqlite")
        self.collector = SignatureCollector(ledger.state, self.store, expiration_ms)
        self.failures: list[Exception] = []
        self.failed = threading.Event()
        self.orderer = EmbeddedOrderer(
            engine or ledger.engine,
            self.collector,
            self.statuses,
            self.commits,
            now_ms=now_ms,
            on_failure=self._fail,
        )

    def stop(self) -> None:
        self.orderer.stop()
        self.store.close()

    def _fail(self, failure: Exception) -> None:
        self.failures.append(failure)
        self.failed.set()

    def final(self, transaction: ValidTransaction) -> list[Status]:
        """Wait for a transaction's end; return what was said from now on."""
        return self.until(transaction, FINAL)

    def until(self, transaction: ValidTransaction, ends: Container[TxStatus]) -> list[Status]:
        """Wait for one of some statuses; return what was said from now on."""
        stream = self.statuses.open_stream(Status(transaction.hash, TxStatus.NOT_RECEIVED))
        said: list[Status] = []
        while not said or said[-1].status not in ends:
            status = stream.get(30)
            assert status is not None
            said.append(status)
        self.statuses.close_stream(stream)
        return said

    def newest(self, transaction: ValidTransaction) -> TxStatus | None:
        status = self.statuses.newest(transaction.hash)
        return status.status if status else None


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[LedgerStores]:
    with opened(make_ledger_folder(tmp_path / "node")) as stores:
        yield stores


@pytest.fixture
def running(ledger: LedgerStores) -> Iterator[Ordering]:
    ordering = Ordering(ledger)
    ordering.orderer.start()
    yield ordering
    ordering.stop()


@pytest.fixture
def held_engine(ledger: LedgerStores) -> HeldEngine:
    return HeldEngine(ledger)


@pytest.fixture
def held(ledger: LedgerStores, held_engine: HeldEngine) -> Iterator[Ordering]:
    """An orderer that is busy: it writes its first block until `may_write` is set."""
    ordering = Ordering(ledger, held_engine)
    ordering.orderer.start()
    yield ordering
    held_engine.may_write.set()
    ordering.stop()


def blocks_above(ledger: LedgerStores, height: int) -> list[list[bytes]]:
    """Return the payloads of each block's transactions, from a height on."""
    with ledger.state.snapshot() as view:
        top = view.tip().height
        blocks = [view.block_at(n) for n in range(height, top + 1)]
    return [
        [message.payload.SerializeToString() for message in block.block_v1.payload.transactions]
        for block in blocks
        if block is not None
    ]


def payloads(transactions: Sequence[ValidTransaction]) -> list[bytes]:
    return [transaction.message.payload.SerializeToString() for transaction in transactions]


def test_a_lone_transaction_is_committed_at_once(ledger: LedgerStores, running: Ordering) -> None:
    for height in (2, 3, 4):
        transaction = ledger.detail("a", str(height))
        running.orderer.submit(lone(transaction))
        assert running.final(transaction)[-1].status == TxStatus.COMMITTED
        assert ledger.tip().height == height
        assert blocks_above(ledger, height) == [payloads([transaction])]


def test_every_status_is_told_in_irohads_order(
    ledger: LedgerStores, held: Ordering, held_engine: HeldEngine
) -> None:
    good, bad = ledger.detail("a", "1"), ledger.forbidden("a")
    streams = [
        held.statuses.open_stream(Status(transaction.hash, TxStatus.NOT_RECEIVED))
        for transaction in (good, bad)
    ]
    held.orderer.submit(lone(good, bad))
    held_engine.may_write.set()
    heard = [[stream.get(30) for _ in range(5)] for stream in streams]
    names = [[TxStatus.Name(status.status) for status in said if status] for said in heard]
    assert names == [
        [
            "NOT_RECEIVED",
            "STATELESS_VALIDATION_SUCCESS",
            "ENOUGH_SIGNATURES_COLLECTED",
            "STATEFUL_VALIDATION_SUCCESS",
            "COMMITTED",
        ],
        [
            "NOT_RECEIVED",
            "STATELESS_VALIDATION_SUCCESS",
            "ENOUGH_SIGNATURES_COLLECTED",
            "STATEFUL_VALIDATION_FAILED",
            "REJECTED",
        ],
    ]
    refusal = heard[1][3]
    assert refusal is not None
    assert (refusal.reason, refusal.command_index, refusal.code) == ("SetAccountDetail", 0, 2)


def test_committed_is_told_only_when_it_is_written(
    ledger: LedgerStores, held: Ordering, held_engine: HeldEngine
) -> None:
    transaction = ledger.detail("a", "1")
    held.orderer.submit(lone(transaction))
    assert held_engine.writing.wait(60)
    assert held.newest(transaction) == TxStatus.STATEFUL_VALIDATION_SUCCESS
    assert ledger.tip().height == 1
    held_engine.may_write.set()
    assert held.final(transaction)[-1].status == TxStatus.COMMITTED
    assert ledger.tip().height == 2


def test_what_arrives_while_a_block_is_written_makes_the_next_one_in_order(
    ledger: LedgerStores, held: Ordering, held_engine: HeldEngine
) -> None:
    first = ledger.detail("first", "x")
    rest = [ledger.detail(f"key_{n}", "x") for n in range(50)]
    held.orderer.submit(lone(first))
    assert held_engine.writing.wait(60)
    held.orderer.submit(lone(*rest[:20]))
    for transaction in rest[20:]:
        held.orderer.submit(lone(transaction))
    held_engine.may_write.set()
    held.final(rest[-1])
    assert blocks_above(ledger, 2) == [payloads([first]), payloads(rest)]


def test_more_than_a_block_holds_makes_several(
    ledger: LedgerStores,
    held: Ordering,
    held_engine: HeldEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("node.ledger.engine.FULL_BLOCK_TRANSACTIONS", 4)
    first = ledger.detail("first", "x")
    rest = [ledger.detail(f"key_{n}", "x") for n in range(10)]
    held.orderer.submit(lone(first))
    assert held_engine.writing.wait(60)
    held.orderer.submit(lone(*rest))
    held_engine.may_write.set()
    held.final(rest[-1])
    assert blocks_above(ledger, 2) == [
        payloads([first]),
        payloads(rest[:4]),
        payloads(rest[4:8]),
        payloads(rest[8:]),
    ]


def test_a_duplicate_waits_once(
    ledger: LedgerStores, held: Ordering, held_engine: HeldEngine
) -> None:
    first, repeated = ledger.detail("first", "x"), ledger.detail("repeated", "x")
    held.orderer.submit(lone(first))
    assert held_engine.writing.wait(60)
    held.orderer.submit(lone(repeated, repeated))
    held.orderer.submit(lone(first))
    held.orderer.submit(lone(repeated))
    held_engine.may_write.set()
    held.final(repeated)
    assert blocks_above(ledger, 2) == [payloads([first]), payloads([repeated])]


def test_a_transaction_that_was_decided_makes_no_block_and_keeps_its_status(
    ledger: LedgerStores, running: Ordering
) -> None:
    transaction, other = ledger.detail("a", "1"), ledger.detail("b", "1")
    running.orderer.submit(lone(transaction))
    running.final(transaction)
    running.orderer.submit(lone(transaction))
    running.orderer.submit(lone(other))
    running.final(other)
    assert running.newest(transaction) == TxStatus.COMMITTED
    assert ledger.tip().height == 3


@pytest.mark.parametrize("limit", ["MAX_WAITING", "MAX_WAITING_BYTES"])
def test_a_full_pool_refuses_a_list_whole(
    ledger: LedgerStores,
    held: Ordering,
    held_engine: HeldEngine,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
) -> None:
    first = ledger.detail("first", "x")
    rest = [ledger.detail(f"key_{n}", "x") for n in range(6)]
    size = rest[0].message.ByteSize() if limit == "MAX_WAITING_BYTES" else 1
    monkeypatch.setattr(orderer_module, limit, 5 * size)
    held.orderer.submit(lone(first))
    assert held_engine.writing.wait(60)
    held.orderer.submit(lone(*rest[:3]))
    with pytest.raises(PoolFullError, match="3 transactions wait for a block"):
        held.orderer.submit(lone(*rest[3:]))
    assert held.newest(rest[3]) is None
    held.orderer.submit(lone(*rest[3:5]))
    with pytest.raises(PoolFullError):
        held.orderer.submit(lone(*rest[5:]))
    held_engine.may_write.set()
    held.final(rest[4])
    # There is room again.
    held.orderer.submit(lone(*rest[5:]))
    held.final(rest[5])
    assert blocks_above(ledger, 2) == [
        payloads([first]),
        payloads(rest[:5]),
        payloads(rest[5:]),
    ]


def test_what_was_taken_before_the_disk_refused_is_decided(
    ledger: LedgerStores, running: Ordering
) -> None:
    running.orderer.submit(lone(first := ledger.detail("first", "1")))
    running.final(first)
    taken = ledger.detail("a", "1")
    refused = ledger.check(ledger.part_signed("b", ledger.folder.admin_key))
    running.store.close()
    with pytest.raises(StorageError):
        running.orderer.submit(lone(taken, refused))
    assert running.final(taken)[-1].status == TxStatus.COMMITTED


def test_stop_decides_what_waits(
    ledger: LedgerStores, held: Ordering, held_engine: HeldEngine
) -> None:
    first = ledger.detail("first", "x")
    rest = [ledger.detail(f"key_{n}", "x") for n in range(5)]
    held.orderer.submit(lone(first))
    assert held_engine.writing.wait(60)
    held.orderer.submit(lone(*rest))
    stopper = threading.Thread(target=held.orderer.stop)
    stopper.start()
    held_engine.may_write.set()
    stopper.join()
    assert blocks_above(ledger, 2) == [payloads([first]), payloads(rest)]
    for transaction in rest:
        assert held.final(transaction)[-1].status == TxStatus.COMMITTED
    with pytest.raises(StoppingError, match="the node is stopping"):
        held.orderer.submit(lone(ledger.detail("late", "x")))


def test_stop_with_nothing_waiting_returns(ledger: LedgerStores) -> None:
    ordering = Ordering(ledger)
    ordering.orderer.start()
    ordering.stop()
    assert ledger.tip().height == 1
    assert ordering.failures == []


def foreign(ledger: LedgerStores, key: str) -> ValidTransaction:
    """Return a transaction of the administrator that a stranger has signed."""
    return ledger.check(ledger.part_signed(key, AccountKey.generate(), quorum=1))


def test_strangers_make_the_chain_grow_only_so_fast(
    ledger: LedgerStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stranger_guard, "MAX_FOREIGN", 3)
    now_ms = NOW_MS
    ordering = Ordering(ledger, now_ms=lambda: now_ms)
    ordering.orderer.start()
    taken = [foreign(ledger, f"k{n}") for n in range(4)]
    ordering.orderer.submit(lone(*taken))
    assert [ordering.final(each)[-1].status for each in taken] == [TxStatus.REJECTED] * 4
    honest, after = ledger.detail("a", "1"), ledger.detail("b", "1")
    ordering.orderer.submit(lone(honest))
    ordering.final(honest)

    refused = foreign(ledger, "late")
    with pytest.raises(BatchRefusedError, match="no signature is by a signatory"):
        ordering.orderer.submit(lone(refused, after))
    assert ordering.final(after)[-1].status == TxStatus.COMMITTED
    assert ordering.newest(refused) is None
    ordering.orderer.submit(lone(taken[0]))

    now_ms += stranger_guard.HOUR_MS
    ordering.orderer.submit(lone(refused))
    assert ordering.final(refused)[-1].status == TxStatus.REJECTED
    ordering.stop()


def test_what_was_decided_in_the_meantime_waits_for_no_signature(
    ledger: LedgerStores, running: Ordering
) -> None:
    admin, stranger = ledger.folder.admin_key, AccountKey.generate()
    part = ledger.check(ledger.part_signed("k", admin))
    message = Transaction(payload=part.message.payload)
    sign_transaction(message, admin, stranger)
    whole = ledger.check(message)
    running.orderer.submit(lone(whole))
    assert running.final(whole)[-1].status == TxStatus.REJECTED
    running.orderer.submit(lone(part))
    assert running.newest(part) == TxStatus.REJECTED
    assert running.collector.counts() == (0, 0)


def test_what_is_being_decided_waits_for_no_signature(
    ledger: LedgerStores, held: Ordering, held_engine: HeldEngine
) -> None:
    admin = ledger.folder.admin_key
    part = ledger.check(ledger.part_signed("k", admin))
    message = Transaction(payload=part.message.payload)
    sign_transaction(message, admin, AccountKey.generate())
    held.orderer.submit(lone(ledger.check(message)))
    assert held_engine.writing.wait(60)
    held.orderer.submit(lone(part))
    assert held.collector.counts() == (0, 0)
    held_engine.may_write.set()
    assert held.final(part)[-1].status == TxStatus.REJECTED


def test_what_waits_expires_at_its_moment(ledger: LedgerStores) -> None:
    """The thread sleeps until then; what arrives meanwhile with an earlier end wakes it."""
    began_ms: list[int] = []

    def now_ms() -> int:
        """Stand still until all has been taken in."""
        return NOW_MS + sum(time.monotonic_ns() // 1_000_000 - began for began in began_ms)

    ordering = Ordering(ledger, expiration_ms=200, now_ms=now_ms)
    ordering.orderer.start()
    admin = ledger.folder.admin_key
    late, early = ledger.part_signed("late", admin), ledger.part_signed("early", admin)
    late.payload.reduced_payload.created_time += 100
    del late.signatures[:]
    sign_transaction(late, admin)
    transactions = [ledger.check(message) for message in (late, early)]
    for transaction in transactions:
        ordering.orderer.submit(lone(transaction))
    assert ordering.collector.counts() == (2, 2)
    began_ms.append(time.monotonic_ns() // 1_000_000)
    for transaction in reversed(transactions):
        said = ordering.until(transaction, {TxStatus.MST_EXPIRED})
        assert said[-1].status == TxStatus.MST_EXPIRED
    assert ordering.collector.next_expiry_ms is None
    assert ordering.store.load() == []
    ordering.stop()


def test_what_has_expired_is_not_called_waiting_after_that(
    ledger: LedgerStores, held_engine: HeldEngine
) -> None:
    """A block ends just when a batch is taken in whose time is over already."""
    ordering = Ordering(ledger, held_engine, expiration_ms=200, now_ms=lambda: NOW_MS + 201)
    with ExitStack() as ends:
        ends.callback(ordering.stop)
        ends.callback(held_engine.may_write.set)
        ordering.orderer.start()
        block = ledger.detail("a", "1")
        late = ledger.check(ledger.part_signed("late", ledger.folder.admin_key))
        ordering.orderer.submit(lone(block))
        assert held_engine.writing.wait(60)
        has_expired = threading.Event()
        publish = ordering.statuses.publish

        def publish_after_the_block(statuses: Iterable[Status]) -> None:
            said = list(statuses)
            if any(status.status == TxStatus.MST_PENDING for status in said):
                held_engine.may_write.set()
                # The thread that makes blocks has the time to say so first, if it ever does.
                has_expired.wait(0.2)
            publish(said)
            if any(status.status == TxStatus.MST_EXPIRED for status in said):
                has_expired.set()

        ordering.statuses.publish = publish_after_the_block  # type: ignore[method-assign]
        ordering.orderer.submit(lone(late))
        assert has_expired.wait(60)
        assert ordering.newest(late) == TxStatus.MST_EXPIRED
        assert ordering.collector.counts() == (0, 0)


def test_what_the_rules_fail_on_does_not_stop_the_node_at_each_start(
    ledger: LedgerStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = AccountKey.generate()
    ledger.add_block(
        ledger.check(ledger.admin_transaction(add_signatory(ADMIN_ACCOUNT, second.public_key)))
    )
    message = ledger.part_signed("poison", ledger.folder.admin_key, second)
    (batch,) = ledger.engine.check([message], WINDOW)
    ordering = Ordering(ledger)
    ordering.store.save(batch)

    def fail(*_arguments: object) -> None:
        raise KeyError("a fault of ours")

    monkeypatch.setattr(transition, "apply_command", fail)
    # As if the node had died while it decided the batch.
    ordering.store.close()
    ordering = Ordering(ledger)
    ordering.orderer.start()
    statuses = ordering.final(*batch.transactions)
    assert statuses[-1].status == TxStatus.REJECTED
    ordering.stop()
    assert ordering.failures == []
    with closing(PendingStore(ledger.data / "pending.sqlite")) as store:
        assert store.load() == []


def fail_outside_the_rules(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    """Make the state's root fail on each detail that is called `poison`."""

    def change(view: RootView, root: StateRoot, changes: Changes) -> RootChange:
        if any(b"poison" in key for key in changes):
            raise fault
        return change_root(view, root, changes)

    monkeypatch.setattr(candidate_module, "change_root", change)


def test_a_batch_that_fails_outside_the_rules_is_set_aside_alone(
    ledger: LedgerStores, running: Ordering, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_outside_the_rules(monkeypatch, KeyError("a fault of ours"))
    good, poison, better = (ledger.detail(key, "x") for key in ("a", "poison", "b"))
    running.orderer.submit(lone(good, poison, better))
    said = running.final(poison)
    assert said[-1].status == TxStatus.REJECTED
    assert running.final(good)[-1].status == TxStatus.COMMITTED
    assert running.final(better)[-1].status == TxStatus.COMMITTED
    assert blocks_above(ledger, 2) == [payloads([good]), payloads([better])]
    # It stands in no block, and may come again: it is set aside again.
    last = ledger.detail("c", "x")
    running.orderer.submit(lone(poison, last))
    assert running.final(last)[-1].status == TxStatus.COMMITTED
    assert running.newest(poison) == TxStatus.REJECTED
    assert running.failures == []


def test_a_fault_of_the_machine_still_stops_the_node(
    ledger: LedgerStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = StorageError("the disk is gone")
    fail_outside_the_rules(monkeypatch, fault)
    ordering = Ordering(ledger)
    ordering.orderer.start()
    ordering.orderer.submit(lone(ledger.detail("poison", "x"), ledger.detail("a", "x")))
    assert ordering.failed.wait(60)
    assert ordering.failures == [fault]
    ordering.stop()
    assert ledger.tip().height == 1


class BrokenEngine(Engine):
    """An engine whose disk fails."""

    def __init__(self, ledger: LedgerStores, failure: Exception) -> None:
        super().__init__(ledger.blocks, ledger.state, ledger.folder.node_key)
        self._failure = failure

    def commit(self, candidate: Candidate) -> None:  # noqa: ARG002 - the engine's signature
        raise self._failure


@pytest.mark.parametrize("failure", [StorageError("disk full"), KeyError("a fault of ours")])
def test_a_node_that_cannot_write_says_so_and_takes_no_more(
    ledger: LedgerStores, failure: Exception
) -> None:
    ordering = Ordering(ledger, BrokenEngine(ledger, failure))
    ordering.orderer.start()
    transaction = ledger.detail("a", "1")
    ordering.orderer.submit(lone(transaction))
    assert ordering.failed.wait(60)
    assert ordering.failures == [failure]
    with pytest.raises(StoppingError, match="the node is stopping"):
        ordering.orderer.submit(lone(ledger.detail("b", "1")))
    ordering.stop()
    # Nobody was told that it is committed.
    assert ordering.newest(transaction) == TxStatus.STATEFUL_VALIDATION_SUCCESS
    assert ledger.tip().height == 1
