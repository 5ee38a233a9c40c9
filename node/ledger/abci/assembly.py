"""The parts of a replicated node, put together."""

from collections.abc import Callable

from chaincode.checkpoints import CheckpointSigner
from chaincode.stateless import TimeWindow
from node.ledger.abci.application import Application
from node.ledger.abci.pool_gate import PoolGate
from node.ledger.abci.replicated_ledger import ReplicatedLedger
from node.ledger.abci.replicated_orderer import ReplicatedOrderer
from node.ledger.abci.snapshot_pb2 import SnapshotManifest
from node.ledger.abci.snapshot_restore import SnapshotRestore
from node.ledger.abci.snapshot_writer import SNAPSHOTS_NAME, SnapshotWriter
from node.ledger.abci.state_sync import StateSync
from node.ledger.block_store import NO_HISTORY
from node.ledger.commit_notices import CommitNotices
from node.ledger.config import NodeConfig
from node.ledger.engine import Engine
from node.ledger.statuses import StatusBoard
from node.ledger.stores import RESTORING_NAME, LedgerStores


def connect(
    config: NodeConfig,
    stores: LedgerStores,
    engine: Engine,
    *,
    signer: CheckpointSigner,
    statuses: StatusBoard,
    commits: CommitNotices,
    now_ms: Callable[[], int],
    on_failure: Callable[[Exception], None],
) -> tuple[ReplicatedLedger, ReplicatedOrderer]:
    """Return the ledger that CometBFT drives, and what stands where an orderer stands.

    Args:
        config: The node's configuration, with its table `cometbft`.
        stores: The ledger's files.
        engine: What decides; only CometBFT drives it from now on.
        signer: The peer's key.
        statuses: Where is said what became of each transaction.
        commits: Where is said that there is a new block.
        now_ms: The clock, of the gate alone: milliseconds since 1970, UTC.
        on_failure: Told what went wrong when the node must stop.

    Raises:
        ConfigError: CometBFT is not there, an address cannot be bound, or the ledger was decided
            by the rules of another version.
        StorageError: A store is damaged.
    """
    if config.cometbft is None:
        raise AssertionError("the node is not replicated")
    expiration_ms = config.mst_expiration_minutes * 60 * 1000
    ledger = ReplicatedLedger(
        engine,
        stores.state,
        statuses,
        commits,
        expiration_ms=expiration_ms,
        halt_height=config.cometbft.halt_height,
    )

    def begin(manifest: SnapshotManifest, app_hash: bytes) -> SnapshotRestore:
        return SnapshotRestore(
            stores.blocks,
            stores.state,
            signer,
            manifest,
            marker=config.data / RESTORING_NAME,
            app_hash=app_hash,
            expiration_ms=expiration_ms,
        )

    # What an irohad made follows other rules, which a snapshot's reader could not know.
    is_ours = stores.blocks.imported == NO_HISTORY
    snapshots = SnapshotWriter(
        config.data / SNAPSHOTS_NAME,
        stores.state,
        interval=config.cometbft.snapshot_interval if is_ours else 0,
    )
    state_sync = StateSync(ledger, snapshots, begin)
    max_past_ms = config.max_past_created_hours * 60 * 60 * 1000
    gate = PoolGate(ledger, lambda: TimeWindow(now_ms=now_ms(), max_past_ms=max_past_ms))
    orderer = ReplicatedOrderer(
        ledger,
        Application(ledger, engine, statuses, state_sync, gate),
        state_sync,
        statuses,
        config.cometbft,
        gate=gate,
        on_failure=on_failure,
    )
    return ledger, orderer
