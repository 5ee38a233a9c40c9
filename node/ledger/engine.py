"""The only writer of the ledger, in five calls: check, propose, finalize, commit, tip.

An orderer decides which batches come next and when; the engine decides what they do. The same
ordered batches give the same blocks, receipts and root, whoever the orderer is.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from chaincode.batches import Batch, validate_batches
from chaincode.blocks import BlockContext, Receipt, Verdict, build_block
from chaincode.checkpoints import CheckpointSigner
from chaincode.errors import InvalidTransactionError
from chaincode.protocol.primitive_pb2 import Signature
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.rules.scope import INTERNAL
from chaincode.stateless import TimeWindow, verify_together
from chaincode.transition import INTERNAL_FAULT, apply_block
from node.ledger.block_store import BlockStore
from node.ledger.block_view import BlockView
from node.ledger.candidate import Candidate, build_candidate, write_block
from node.ledger.evm import LEDGER_EVM
from node.ledger.quarantine import Quarantine
from node.ledger.replication_rows import ReplicationChange
from node.ledger.stages import Stage, Stages
from node.ledger.state_rows import Tip
from node.ledger.state_store import StateStore

MAX_BLOCK_TRANSACTIONS: Final = 10_000
FULL_BLOCK_TRANSACTIONS: Final = 2_000
"""Where a block ends, unless its first batch is longer: larger ones are no faster, and each
transaction waits for the last one of its block."""
MAX_BLOCK_BYTES: Final = 64 * 1024 * 1024


class Engine:
    """One ledger on disk. `check` may be called by any thread, the others by one."""

    def __init__(
        self,
        blocks: BlockStore,
        state: StateStore,
        signer: CheckpointSigner,
        *,
        max_batch_transactions: int = MAX_BLOCK_TRANSACTIONS,
        quarantine: Quarantine | None = None,
        stages: Stages | None = None,
        is_replicated: bool = False,
    ) -> None:
        """Take over the two stores; `recover` has made them level.

        Args:
            blocks: The chain.
            state: What it leads to.
            signer: The peer's key.
            max_batch_transactions: How many transactions a batch may have; irohad's
                `max_proposal_size`.
            quarantine: Where a transaction is kept on which the rules themselves fail.
            stages: Where the time is counted that each stage takes.
            is_replicated: Whether the peers that vote are CometBFT's validators; else the signer is
                the only one.
        """
        self._is_replicated = is_replicated
        self._blocks = blocks
        self._state = state
        self._signer = signer
        self._quarantine = quarantine or Quarantine()
        self._stages = stages or Stages()
        self._max_batch_transactions = min(max_batch_transactions, MAX_BLOCK_TRANSACTIONS)

    def check(self, messages: Sequence[Transaction], window: TimeWindow) -> list[Batch]:
        """Return the batches of a list, fit to wait for a block.

        One that was decided before is fit too: `finalize` passes it over.

        Raises:
            InvalidTransactionError: One is not well formed or not signed; none is fit.
        """
        with self._stages.measure(Stage.CHECK, len(messages)):
            return validate_batches(messages, window, self._max_batch_transactions)

    def check_each(
        self, lists: Sequence[Sequence[Transaction]], window: TimeWindow
    ) -> list[list[Batch] | InvalidTransactionError]:
        """Return for each list what `check` does, or raises; all signatures are verified together.

        It is for many short lists: all messages are in memory more than once meanwhile.
        """
        with self._stages.measure(Stage.CHECK, sum(map(len, lists))):
            return list(self._check_each(lists, window))

    def _check_each(
        self, lists: Sequence[Sequence[Transaction]], window: TimeWindow
    ) -> Iterator[list[Batch] | InvalidTransactionError]:
        verdicts = verify_together(message for messages in lists for message in messages)
        for messages in lists:
            try:
                yield validate_batches(messages, window, self._max_batch_transactions, verdicts)
            except InvalidTransactionError as error:
                yield error

    def propose(self, waiting: Iterable[Batch]) -> list[Batch]:
        """Return the first of the waiting batches: at least one, at most a block's fill.

        No more of them are looked at than that.
        """
        proposal: list[Batch] = []
        count = size_bytes = 0
        for batch in waiting:
            count += len(batch.transactions)
            size_bytes += batch.size_bytes
            if proposal and (count > FULL_BLOCK_TRANSACTIONS or size_bytes > MAX_BLOCK_BYTES):
                break
            proposal.append(batch)
        return proposal

    def finalize(self, time_ms: int, batches: Sequence[Batch]) -> Candidate:
        """Return the next block and what it does; nothing is written but to the quarantine.

        Args:
            time_ms: The orderer's clock; the block's time is later than the one below it.
            batches: In their order.
        """
        count = sum(len(batch.transactions) for batch in batches)
        with self._stages.measure(Stage.DECIDE, count), self._state.newest() as view:
            tip = view.tip()
            context = BlockContext(
                height=tip.height + 1,
                time_ms=max(time_ms, tip.time_ms + 1),
                evm=LEDGER_EVM,
                only_voter=None if self._is_replicated else self._signer.public_key,
                is_replicated=self._is_replicated,
            )
            known = BlockView(view, batches)
            outcome = apply_block(known, context, batches, self._quarantine.note)
            block = build_block(context, tip.block_hash, batches, outcome.receipts)
            candidate = build_candidate(view, known, block, outcome)
        payload = block.block_v1.payload.SerializeToString()
        block.block_v1.signatures.append(
            Signature(public_key=self._signer.public_key, signature=self._signer.sign(payload))
        )
        return candidate

    def commit(self, candidate: Candidate, replication: ReplicationChange | None = None) -> None:
        """Write a block: first the block file, synced, then the state.

        Args:
            candidate: The block.
            replication: What else CometBFT's block changes; it is written with the state.

        Raises:
            StorageError: The disk refused. The node must stop: what is written is replayed at its
                next start.
        """
        write_block(self._blocks, self._state, candidate, self._stages, replication)

    def set_aside(self, batch: Batch, fault: Exception) -> list[Receipt]:
        """Keep a batch that `finalize` fails on, though no rule does; return what becomes of it.

        Raises:
            Exception: The fault itself, where it is one of the machine and not of the batch.
        """
        for transaction in batch.transactions:
            self._quarantine.note(transaction, fault)
        return [
            Receipt(
                tx_hash=transaction.hash,
                verdict=Verdict.REJECTED,
                code=INTERNAL,
                command_name=INTERNAL_FAULT,
            )
            for transaction in batch.transactions
        ]

    def tip(self) -> Tip:
        """Return the top of the chain."""
        with self._state.snapshot() as view:
            return view.tip()
