"""The only writer of the ledger, in five calls: check, propose, finalize, commit, tip.

An orderer decides which batches come next and when; the engine decides what they do. The same
ordered batches give the same blocks, receipts and root, whoever the orderer is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from chaincode.batches import Batch, restore_batches, validate_batches
from chaincode.blocks import (
    BlockContext,
    BlockOutcome,
    Receipt,
    Verdict,
    build_block,
    verify_block,
    verify_link,
)
from chaincode.checkpoints import CheckpointSigner, LogEntry
from chaincode.errors import DecodeError, InvalidBlockError, InvalidTransactionError
from chaincode.ids import HASH
from chaincode.merkle_log import LogNode, extend_log
from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.primitive_pb2 import Signature
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.state_root import RootChange, RootView, change_root
from chaincode.stateless import TimeWindow, verify_together
from chaincode.transactions import block_hash, histories_of, transaction_hash
from chaincode.transition import apply_block, apply_genesis, apply_history
from chaincode.world_state import get_voters
from node.errors import StorageError
from node.ledger.block_store import NO_HISTORY, BlockStore, ImportedHistory
from node.ledger.block_view import BlockView
from node.ledger.evm import LEDGER_EVM
from node.ledger.history_index import HistoryEntry
from node.ledger.quarantine import Quarantine
from node.ledger.replication_rows import ReplicationChange
from node.ledger.stages import Stage, Stages
from node.ledger.state_rows import StateChange, Tip
from node.ledger.state_snapshot import StateSnapshot
from node.ledger.state_store import StateStore
from node.ledger.transaction_places import encode_places

MAX_BLOCK_TRANSACTIONS: Final = 10_000
FULL_BLOCK_TRANSACTIONS: Final = 2_000
"""Where a block ends, unless its first batch is longer: larger ones are no faster, and each
transaction waits for the last one of its block."""
MAX_BLOCK_BYTES: Final = 64 * 1024 * 1024
_MAX_TIME_MS: Final = 2**63 - 1
"""The highest number that the state's tables hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A block that is decided, but not yet written.

    Attributes:
        block: The block, signed unless it is the genesis.
        receipts: What became of each transaction, in the order they were given.
        changes: The new value of each key of the state; None where it goes.
        root: What the state above the block is committed to, and the changed pages of its map.
        entry: What the log of blocks says of it.
        log_nodes: The new hashes of that log's tree.
    """

    block: Block
    receipts: tuple[Receipt, ...]
    changes: Mapping[bytes, bytes | None]
    root: RootChange
    entry: LogEntry
    log_nodes: Mapping[LogNode, bytes]


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
            candidate = _candidate(view, known, block, outcome)
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

    def tip(self) -> Tip:
        """Return the top of the chain."""
        with self._state.snapshot() as view:
            return view.tip()


def replay(
    view: StateSnapshot,
    tip: Tip,
    block: Block,
    imported: ImportedHistory = NO_HISTORY,
    signers: frozenset[str] | None = None,
) -> Candidate:
    """Return what a block of the chain does to the state below it, having checked that it follows.

    Args:
        view: The state below it.
        tip: The block below it.
        block: The block.
        imported: The part of the chain that irohad made and that is fixed by its last hash.
        signers: The keys that sign blocks; None for those of the peers that vote.

    Raises:
        InvalidBlockError: It does not follow, or one of its transactions fails.
    """
    payload = block.block_v1.payload
    known: BlockView | StateSnapshot = view
    if payload.height <= imported.height:
        outcome = _replay_history(view, tip, block, imported)
    elif tip.height == 0:
        outcome = apply_genesis(view, block, LEDGER_EVM)
    else:
        verify_block(
            block,
            expected_height=tip.height + 1,
            expected_previous_hash=tip.block_hash,
            peer_keys=get_voters(view) if signers is None else signers,
        )
        try:
            batches = restore_batches(payload.transactions)
        except InvalidTransactionError as error:
            raise InvalidBlockError(f"block {payload.height}: {error}") from None
        context = BlockContext(height=payload.height, time_ms=payload.created_time, evm=LEDGER_EVM)
        # A fault of the rules rejects; what a block holds was committed, so that ends the replay.
        known = BlockView(view, batches)
        outcome = apply_block(known, context, batches, Quarantine().note)
    for receipt in outcome.receipts:
        if receipt.verdict is not Verdict.COMMITTED:
            raise InvalidBlockError(
                f"block {payload.height}: transaction {receipt.tx_hash.hex()} is in it, but fails: "
                f"{receipt.reason}"
            )
    _check_decisions(view, block)
    return _candidate(view, known, block, outcome)


def _check_decisions(view: StateSnapshot, block: Block) -> None:
    """Check what the stores rely on: a block that they cannot take must never be appended."""
    payload = block.block_v1.payload
    if payload.created_time > _MAX_TIME_MS:
        raise InvalidBlockError(f"block {payload.height}: its time lies beyond all times")
    if not all(HASH.fullmatch(text) for text in payload.rejected_transactions_hashes):
        raise InvalidBlockError(f"block {payload.height}: the hash of a rejection is malformed")
    decided = [transaction_hash(message) for message in payload.transactions]
    decided += [bytes.fromhex(text) for text in payload.rejected_transactions_hashes]
    if len(set(decided)) < len(decided) or any(map(view.has_transaction, decided)):
        raise InvalidBlockError(f"block {payload.height}: a transaction is decided twice")


def _replay_history(
    view: StateSnapshot, tip: Tip, block: Block, imported: ImportedHistory
) -> BlockOutcome:
    verify_link(block, expected_height=tip.height + 1, expected_previous_hash=tip.block_hash)
    height = tip.height + 1
    if height == imported.height and block_hash(block) != imported.block_hash:
        raise InvalidBlockError(f"block {height}: not the block that ends the imported history")
    return apply_history(view, block, LEDGER_EVM)


def write_block(
    blocks: BlockStore,
    state: StateStore,
    candidate: Candidate,
    stages: Stages | None = None,
    replication: ReplicationChange | None = None,
) -> None:
    """Write a decided block: first the block file, synced, then the state.

    Raises:
        StorageError: The disk refused; what is written is replayed by `recover`.
    """
    stages = stages or Stages()
    count = len(candidate.receipts)
    with stages.measure(Stage.APPEND, count):
        start, following = blocks.append(candidate.block)
    with stages.measure(Stage.APPLY, count):
        state.commit(_state_change(candidate, start, following, replication))


def recover(blocks: BlockStore, state: StateStore, signers: frozenset[str] | None = None) -> int:
    """Apply the blocks that the state has not seen; return how many there were.

    Args:
        blocks: The chain.
        state: What it leads to.
        signers: The keys that sign blocks; None for those of the peers that vote.

    Raises:
        StorageError: A store is damaged.
        InvalidBlockError: A block does not follow from those below it.
    """
    count = 0
    with state.snapshot() as view:
        start = view.tip().next_start
    for offset, following, block in blocks.recover(start):
        with state.newest() as view:
            candidate = replay(view, view.tip(), block, blocks.imported, signers)
        state.commit(_state_change(candidate, offset, following))
        count += 1
    return count


def _candidate(
    view: StateSnapshot, known: RootView, block: Block, outcome: BlockOutcome
) -> Candidate:
    """Return a block and all that it changes in the stores.

    Args:
        view: The state below it.
        known: The same, which may remember what was read of it.
        block: The block.
        outcome: What it does.

    Raises:
        StorageError: The state on disk is damaged.
    """
    payload = block.block_v1.payload
    try:
        root = change_root(known, view.tip().state_root, outcome.changes)
        entry = LogEntry(
            height=payload.height,
            time_ms=payload.created_time,
            block_hash=block_hash(block),
            root=root.root.digest(),
        )
        log_nodes = extend_log(view, payload.height - 1, entry.encode())
    except DecodeError as error:
        raise StorageError(
            f"the state on disk is damaged: {error}; move state.sqlite away, and the node "
            "rebuilds it from the blocks"
        ) from None
    return Candidate(
        block=block,
        receipts=outcome.receipts,
        changes=outcome.changes,
        root=root,
        entry=entry,
        log_nodes=log_nodes,
    )


def _state_change(
    candidate: Candidate,
    start: int,
    following: int,
    replication: ReplicationChange | None = None,
) -> StateChange:
    payload = candidate.block.block_v1.payload
    tip = Tip(
        height=payload.height,
        time_ms=payload.created_time,
        block_hash=candidate.entry.block_hash,
        state_root=candidate.root.root,
        next_start=following,
    )
    committed = [
        receipt.tx_hash for receipt in candidate.receipts if receipt.verdict is Verdict.COMMITTED
    ]
    return replace(
        block_rows(candidate.block, tip, start, committed, candidate.log_nodes),
        entries=candidate.changes,
        pages=candidate.root.pages,
        replication=replication,
    )


def block_rows(
    block: Block,
    tip: Tip,
    start: int,
    committed: Sequence[bytes],
    log_nodes: Mapping[LogNode, bytes],
) -> StateChange:
    """Return what the store keeps of a block itself; nothing of what it does to the state.

    Args:
        block: A block of the chain.
        tip: The top of the chain, which it is.
        start: Its offset in the block file.
        committed: The hashes of its transactions, in order.
        log_nodes: The new hashes of the log of blocks.
    """
    payload = block.block_v1.payload
    return StateChange(
        tip=tip,
        start=start,
        places=encode_places(block),
        entries={},
        pages={},
        log_nodes=log_nodes,
        committed=committed,
        rejected=[bytes.fromhex(tx_hash) for tx_hash in payload.rejected_transactions_hashes],
        histories=[
            HistoryEntry(
                account_id=account_id,
                asset_id=asset_id,
                position=position,
                created_ms=message.payload.reduced_payload.created_time,
            )
            for position, message in enumerate(payload.transactions)
            for account_id, asset_id in histories_of(message)
        ],
    )
