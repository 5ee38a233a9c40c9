"""A block that is decided: all that the stores will keep of it, made before anything is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chaincode.blocks import BlockOutcome, Receipt, Verdict
from chaincode.checkpoints import LogEntry
from chaincode.errors import DecodeError
from chaincode.merkle_log import LogNode, extend_log
from chaincode.protocol.block_pb2 import Block
from chaincode.state_root import RootChange, RootView, change_root
from chaincode.transactions import block_hash, histories_of
from node.errors import StorageError
from node.ledger.block_store import BlockStore
from node.ledger.history_index import HistoryEntry
from node.ledger.replication_rows import ReplicationChange
from node.ledger.stages import Stage, Stages
from node.ledger.state_rows import StateChange, Tip
from node.ledger.state_snapshot import StateSnapshot
from node.ledger.state_store import StateStore
from node.ledger.transaction_places import encode_places


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A block that is decided, but not yet written.

    Attributes:
        block: The block, signed unless it is the genesis.
        receipts: What became of each transaction, in the order they were given.
        changes: The new value of each key of the state; None where it goes.
        root: What the state above the block is committed to, and the changed pages of its map.
        entry: What the log of blocks says of it.
        rows: All that the stores keep of it, but for its place in the block file.
    """

    block: Block
    receipts: tuple[Receipt, ...]
    changes: Mapping[bytes, bytes | None]
    root: RootChange
    entry: LogEntry
    rows: StateChange


def build_candidate(
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
    tip = Tip(
        height=payload.height,
        time_ms=payload.created_time,
        block_hash=entry.block_hash,
        state_root=root.root,
        next_start=0,
    )
    committed = [
        receipt.tx_hash for receipt in outcome.receipts if receipt.verdict is Verdict.COMMITTED
    ]
    return Candidate(
        block=block,
        receipts=outcome.receipts,
        changes=outcome.changes,
        root=root,
        entry=entry,
        # Made before anything is written: what fails here must not fail on a block of the file.
        rows=replace(
            block_rows(block, tip, 0, committed, log_nodes),
            entries=outcome.changes,
            pages=root.pages,
        ),
    )


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
        state.commit(state_change(candidate, start, following, replication))


def state_change(
    candidate: Candidate,
    start: int,
    following: int,
    replication: ReplicationChange | None = None,
) -> StateChange:
    """Return what a block changes in the store, now that it has a place in the block file."""
    rows = candidate.rows
    tip = replace(rows.tip, next_start=following)
    return replace(rows, tip=tip, start=start, replication=replication)


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
