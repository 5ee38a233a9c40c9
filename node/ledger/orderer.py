"""The embedded orderer: one thread that makes blocks from what waits.

A lone batch is committed at once; what arrives while a block is written makes the next one, so that
under load blocks grow by themselves. The only time it waits for is that of the next batch to
expire among those that wait for signatures.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from chaincode.batches import Batch
from chaincode.blocks import Verdict
from chaincode.errors import PendingFullError, UnknownSignatoryError
from chaincode.protocol.endpoint_pb2 import TxStatus
from chaincode.transition import SIGNATURES_VALIDATION
from node.errors import BatchRefusedError, PoolFullError, StoppingError
from node.ledger.block_statuses import final_status, log_block, told, validation_status
from node.ledger.commit_notices import CommitNotices
from node.ledger.engine import Engine
from node.ledger.health import NodeHealth
from node.ledger.signature_collector import SignatureCollector
from node.ledger.stages import Stage, Stages
from node.ledger.statuses import Status, StatusBoard
from node.ledger.stranger_guard import StrangerGuard

MAX_WAITING: Final = 50_000
MAX_WAITING_BYTES: Final = 256 * 1024 * 1024

# Protobuf looks names up each time, and these are asked for with each transaction.
_TAKEN: Final = TxStatus.STATELESS_VALIDATION_SUCCESS
_COMPLETE: Final = TxStatus.ENOUGH_SIGNATURES_COLLECTED
_PENDING: Final = TxStatus.MST_PENDING

_log = structlog.get_logger(__name__)


class EmbeddedOrderer:
    """Takes checked batches in, and drives the engine with them."""

    def __init__(
        self,
        engine: Engine,
        collector: SignatureCollector,
        statuses: StatusBoard,
        commits: CommitNotices,
        *,
        now_ms: Callable[[], int],
        on_failure: Callable[[Exception], None],
        stages: Stages | None = None,
    ) -> None:
        """Prepare the thread; `start` runs it.

        Args:
            engine: The ledger; from now on only this orderer writes it.
            collector: Where batches wait for signatures.
            statuses: Where it says what became of each transaction.
            commits: Where it says that there is a new block.
            now_ms: The clock: milliseconds since 1970, UTC.
            on_failure: Called once with what went wrong, mostly that the disk refused a block;
                nothing is ordered after that.
            stages: Where the time is counted that taking in takes.
        """
        self._stages = stages or Stages()
        self._engine = engine
        self._collector = collector
        self._statuses = statuses
        self._commits = commits
        self._now_ms = now_ms
        self._on_failure = on_failure
        self._waiting: deque[Batch] = deque()
        self._waiting_count = 0
        self._waiting_bytes = 0
        self._known: set[bytes] = set()
        self._strangers = StrangerGuard()
        self._stopping = False
        self._taking = threading.Lock()
        """Taken before the other one: who has it takes batches in, and may write the disk."""
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="orderer")

    def start(self) -> None:
        """Go on with what waited when the node stopped, and begin to make blocks."""
        for batch in self._collector.waiting():
            self._statuses.publish(told(batch, _PENDING))
        self.submit(self._collector.recovered)
        self._thread.start()

    def stop(self) -> None:
        """Decide what waits for a block, then stop. Returns when the last block is written."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def submit(self, batches: Sequence[Batch]) -> None:
        """Let batches wait for a block, in their order, or for more signatures.

        What waits already is passed over, so that all may be sent again after any error.

        Raises:
            PoolFullError: Too many wait for a block or for signatures.
            BatchRefusedError: One is signed by no signatory; those that may wait were taken.
            StoppingError: The node stops; none of these was taken.
            StorageError: The disk refused signatures.
        """
        count = sum(len(batch.transactions) for batch in batches)
        with self._stages.measure(Stage.TAKE, count):
            self._submit(batches)

    def _submit(self, batches: Sequence[Batch]) -> None:
        ready: list[Batch] = []
        said: list[Status] = []
        refusals: list[Exception] = []
        with self._taking:
            self._check_room(batches)
            try:
                for batch in batches:
                    try:
                        self._take(batch, ready, said)
                    except PendingFullError as error:
                        refusals.append(PoolFullError(str(error)))
                    except UnknownSignatoryError as error:
                        refusals.append(BatchRefusedError(str(error)))
            finally:
                # Whatever the disk says to one: those that were taken do not wait for the next.
                self._statuses.publish(said)
                self._let_wait(ready)
        if refusals:
            raise refusals[0]

    def _check_room(self, batches: Sequence[Batch]) -> None:
        count = sum(len(batch.transactions) for batch in batches)
        size_bytes = sum(batch.size_bytes for batch in batches)
        with self._changed:
            self._check_goes_on()
            if (
                self._waiting_count + count > MAX_WAITING
                or self._waiting_bytes + size_bytes > MAX_WAITING_BYTES
            ):
                raise PoolFullError(
                    f"{self._waiting_count} transactions wait for a block; send these again later"
                )

    def _check_goes_on(self) -> None:
        if self._stopping:
            raise StoppingError("the node is stopping; send the transactions again in a moment")

    def _take(self, batch: Batch, ready: list[Batch], said: list[Status]) -> None:
        if batch.hash in self._known:
            return
        is_strict = self._strangers.is_strict(self._now_ms())
        now = self._collector.add(batch, is_strict=is_strict)
        if now is None:
            return
        if now.has_all_signatures:
            self._known.add(now.hash)
            ready.append(now)
            said += told(now, _TAKEN, _COMPLETE)
        else:
            said += told(now, _TAKEN, _PENDING)

    def _let_wait(self, ready: Sequence[Batch]) -> None:
        """Put batches before the thread; its lock is not held while they are taken in."""
        with self._changed:
            if ready:
                self._check_goes_on()
            for batch in ready:
                self._waiting.append(batch)
                self._waiting_count += len(batch.transactions)
                self._waiting_bytes += batch.size_bytes
            self._changed.notify()

    def count_waiting(self) -> int:
        """Return how many transactions wait for a block."""
        with self._changed:
            return self._waiting_count

    def health(self, height: int) -> NodeHealth:
        """Return how the node is: one that orders alone lags behind nobody.

        Args:
            height: Of the chain.
        """
        return NodeHealth(height=height)

    def _run(self) -> None:
        try:
            while batches := self._next_batches():
                self._decide(batches)
        except Exception as error:  # noqa: BLE001 - a node that orders no more must not go on
            _log.critical("the ledger cannot be written", error=f"{type(error).__name__}: {error}")
            with self._changed:
                self._stopping = True
            self._on_failure(error)

    def _next_batches(self) -> list[Batch]:
        """Wait until something waits; return what the next block takes, or nothing at the end."""
        while True:
            self._expire()
            with self._changed:
                if self._waiting or self._stopping:
                    return self._take_out()
                self._changed.wait(self._patience_s())

    def _take_out(self) -> list[Batch]:
        batches = self._engine.propose(self._waiting)
        for batch in batches:
            self._waiting.popleft()
            self._waiting_count -= len(batch.transactions)
            self._waiting_bytes -= batch.size_bytes
        return batches

    def _expire(self) -> None:
        if self._patience_s() != 0:
            return
        # Who takes a batch in says that it waits before another one says that it waits no more.
        with self._taking:
            for batch in self._collector.expire(self._now_ms()):
                self._statuses.publish(told(batch, TxStatus.MST_EXPIRED))

    def _patience_s(self) -> float | None:
        """Return how long there is nothing to do, unless something arrives."""
        expiry_ms = self._collector.next_expiry_ms
        if expiry_ms is None:
            return None
        return min(max(expiry_ms - self._now_ms(), 0) / 1000, threading.TIMEOUT_MAX)

    def _decide(self, batches: list[Batch]) -> None:
        try:
            candidate = self._engine.finalize(self._now_ms(), batches)
        except Exception as fault:  # noqa: BLE001 - no batch may stop the ledger
            self._decide_apart(batches, fault)
            return
        receipts = [
            receipt for receipt in candidate.receipts if receipt.verdict is not Verdict.REPLAYED
        ]
        if receipts:
            self._statuses.publish(map(validation_status, receipts))
            self._engine.commit(candidate)
            height = candidate.block.block_v1.payload.height
            self._statuses.publish(map(final_status, receipts))
            self._commits.announce(height)
            log_block(height, receipts)
        foreign = sum(receipt.command_name == SIGNATURES_VALIDATION for receipt in receipts)
        self._strangers.count(foreign, self._now_ms())
        self._forget(batches)

    def _decide_apart(self, batches: list[Batch], fault: Exception) -> None:
        """Go on after a fault outside the rules: of which batch it is shows each by itself.

        Nothing of it is in a block, so the same may come again; it is set aside again then.

        Raises:
            Exception: The fault itself, where it is one of the machine.
        """
        if len(batches) > 1:
            for batch in batches:
                self._decide([batch])
            return
        receipts = self._engine.set_aside(batches[0], fault)
        self._statuses.publish(map(validation_status, receipts))
        self._statuses.publish(map(final_status, receipts))
        self._forget(batches)

    def _forget(self, batches: Sequence[Batch]) -> None:
        hashes = [batch.hash for batch in batches]
        self._collector.forget(hashes)
        with self._changed:
            self._known.difference_update(hashes)
