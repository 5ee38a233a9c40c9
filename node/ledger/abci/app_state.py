"""What the app hash is made of, and where a peer stands by it (ADR 0057)."""

from typing import Final

from chaincode.merkle_log import LogNode, log_root
from chaincode.multisignature import PendingBatches
from chaincode.replication import APP_VERSION, AppState
from node.errors import StorageError
from node.ledger.candidate import Candidate
from node.ledger.replication_rows import Position
from node.ledger.state_snapshot import StateSnapshot

_DAMAGED: Final = "the state is damaged, and must come anew from the other peers, by state sync"


def app_state(
    view: StateSnapshot, pending_digest: bytes, candidate: Candidate | None = None
) -> AppState:
    """Return what the app hash commits to, of a state and of a block on top of it.

    Args:
        view: The state.
        pending_digest: What waits for signatures then.
        candidate: The block; None for the state as it is.
    """
    height = view.height() if candidate is None else candidate.entry.height
    return AppState(
        height=height,
        log_root=log_root(_GrownLog(view, candidate), height),
        pending_digest=pending_digest,
    )


def beginning(view: StateSnapshot, pending_digest: bytes) -> Position:
    """Return where a ledger stands before CometBFT's first block."""
    app_hash = app_state(view, pending_digest).app_hash()
    return Position(
        height=0,
        app_hash=app_hash,
        pending_digest=pending_digest,
        header_height=1,
        app_version=APP_VERSION,
    )


def check_position(view: StateSnapshot, position: Position, pending: PendingBatches) -> None:
    """Check that the rows are those that the peers agreed on.

    Raises:
        StorageError: They are not.
    """
    if pending.digest() != position.pending_digest:
        raise StorageError(
            "what waits for signatures is not what the peers agreed on: "
            "`mst_expiration_minutes` of node.toml must be the same on all peers, and stay; else "
            f"{_DAMAGED}"
        )
    if app_state(view, position.pending_digest).app_hash() != position.app_hash:
        raise StorageError(f"the state on disk does not lead to its own app hash: {_DAMAGED}")


class _GrownLog:
    """The log of blocks with the hashes that a block adds to it."""

    def __init__(self, view: StateSnapshot, candidate: Candidate | None) -> None:
        self._view = view
        self._added = {} if candidate is None else candidate.rows.log_nodes

    def get_log_node(self, node: LogNode) -> bytes | None:
        """Return the hash at a place, or None."""
        return self._added.get(node) or self._view.get_log_node(node)
