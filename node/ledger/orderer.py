"""The embedded orderer: one thread that makes blocks from what waits.

There is no timer. A lone transaction is committed at once; what arrives while a block is written
makes the next one, so that under load blocks grow by themselves.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from chaincode.batches import Batch
from chaincode.blocks import Receipt, Verdict
from chaincode.protocol.endpoint_pb2 import ToriiResponse, TxStatus
from node.errors import PoolFullError, StoppingError
from node.ledger.engine import Candidate, Engine
from node.ledger.statuses import StatusBoard

MAX_WAITING: Final = 50_000
MAX_WAITING_BYTES: Final = 256 * 1024 * 1024

_log = structlog.get_logger(__name__)


class EmbeddedOrderer:
    """Takes checked transactions in, and drives the engine with them."""

    def __init__(
        self,
        engine: Engine,
        statuses: StatusBoard,
        *,
        now_ms: Callable[[], int],
        on_failure: Callable[[Exception], None],
    ) -> None:
        """Prepare the thread; `start` runs it.

        Args:
            engine: The ledger; from now on only this orderer writes it.
            statuses: Where it says what became of each transaction.
            now_ms: The clock: milliseconds since 1970, UTC.
            on_failure: Called once with what went wrong, mostly that the disk refused a block;
                nothing is ordered after that.
        """
        self._engine = engine
        self._statuses = statuses
        self._now_ms = now_ms
        self._on_failure = on_failure
        self._waiting: deque[Batch] = deque()
        self._waiting_count = 0
        self._waiting_bytes = 0
        self._known: set[bytes] = set()
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="orderer")

    def start(self) -> None:
        """Begin to make blocks."""
        self._thread.start()

    def stop(self) -> None:
        """Decide what waits, then stop. Returns when the last block is written."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def submit(self, batches: Sequence[Batch]) -> None:
        """Let batches wait for a block, in their order; one that waits already is passed over.

        Raises:
            PoolFullError: Too many wait; none of these was taken.
            StoppingError: The node stops; none of these was taken.
        """
        count = sum(len(batch.transactions) for batch in batches)
        size_bytes = sum(batch.size_bytes for batch in batches)
        with self._changed:
            if self._stopping:
                raise StoppingError("the node is stopping; send the transactions again in a moment")
            if (
                self._waiting_count + count > MAX_WAITING
                or self._waiting_bytes + size_bytes > MAX_WAITING_BYTES
            ):
                raise PoolFullError(
                    f"{self._waiting_count} transactions wait for a block; send these again later"
                )
            for batch in batches:
                if batch.hash not in self._known:
                    self._known.add(batch.hash)
                    self._waiting.append(batch)
                    self._waiting_count += len(batch.transactions)
                    self._waiting_bytes += batch.size_bytes
            self._statuses.publish(
                *(
                    _response(transaction.hash, status)
                    for batch in batches
                    for transaction in batch.transactions
                    for status in (
                        TxStatus.STATELESS_VALIDATION_SUCCESS,
                        TxStatus.ENOUGH_SIGNATURES_COLLECTED,
                    )
                )
            )
            self._changed.notify()

    def count_waiting(self) -> int:
        """Return how many transactions wait for a block."""
        with self._changed:
            return self._waiting_count

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
        with self._changed:
            while not self._waiting and not self._stopping:
                self._changed.wait()
            batches = self._engine.propose(self._waiting)
            for batch in batches:
                self._waiting.popleft()
                self._waiting_count -= len(batch.transactions)
                self._waiting_bytes -= batch.size_bytes
            return batches

    def _decide(self, batches: list[Batch]) -> None:
        candidate = self._engine.finalize(self._now_ms(), batches)
        receipts = [
            receipt for receipt in candidate.receipts if receipt.verdict is not Verdict.REPLAYED
        ]
        if receipts:
            self._statuses.publish(*(_validation_status(receipt) for receipt in receipts))
            self._engine.commit(candidate)
            self._statuses.publish(*(_final_status(receipt) for receipt in receipts))
            _log_block(candidate, receipts)
        with self._changed:
            self._known.difference_update(batch.hash for batch in batches)


def _log_block(candidate: Candidate, receipts: list[Receipt]) -> None:
    for receipt in receipts:
        if receipt.verdict is Verdict.REJECTED:
            _log.info(
                "transaction rejected",
                tx_hash=receipt.tx_hash.hex(),
                command=receipt.command_name,
                code=receipt.code,
                reason=receipt.reason,
            )
    height = candidate.block.block_v1.payload.height
    _log.info("block committed", height=height, transactions=len(receipts))


def _response(tx_hash: bytes, status: TxStatus) -> ToriiResponse:
    return ToriiResponse(tx_status=status, tx_hash=tx_hash.hex())


def _validation_status(receipt: Receipt) -> ToriiResponse:
    if receipt.verdict is Verdict.COMMITTED:
        return _response(receipt.tx_hash, TxStatus.STATEFUL_VALIDATION_SUCCESS)
    return ToriiResponse(
        tx_status=TxStatus.STATEFUL_VALIDATION_FAILED,
        tx_hash=receipt.tx_hash.hex(),
        err_or_cmd_name=receipt.command_name,
        failed_cmd_index=receipt.command_index,
        error_code=receipt.code,
    )


def _final_status(receipt: Receipt) -> ToriiResponse:
    committed = receipt.verdict is Verdict.COMMITTED
    return _response(receipt.tx_hash, TxStatus.COMMITTED if committed else TxStatus.REJECTED)
