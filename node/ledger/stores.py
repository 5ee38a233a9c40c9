"""The stores of one ledger, opened together and made level."""

from pathlib import Path
from typing import Self

from chaincode.errors import InvalidBlockError
from chaincode.protocol.block_pb2 import Block
from node.errors import ConfigError, StorageError
from node.ledger.block_store import BlockStore, check_not_in_use
from node.ledger.candidate import write_block
from node.ledger.pending_store import PendingStore
from node.ledger.replay import recover, replay
from node.ledger.state_rows import Tip
from node.ledger.state_store import StateStore

BLOCKS_NAME = "blocks"
STATE_NAME = "state.sqlite"
PENDING_NAME = "pending.sqlite"
RESTORING_NAME = "restoring"
"""There while a snapshot is restored: the block file may hold what the state does not keep."""


class LedgerStores:
    """The files of a ledger. A context that gives them back.

    Attributes:
        blocks: The chain.
        state: What it leads to.
        pending: What waits for signatures.
        replayed_blocks: How many blocks the state had not seen when it was opened.
    """

    def __init__(self, data: Path, *, is_replicated: bool = False) -> None:
        """Open the stores, or make empty ones, and make them level.

        A node that orders alone replays the blocks that the state has not seen. A replicated one
        cuts them off: CometBFT gives them again, with all that does not stand in a block.

        Raises:
            StorageError: The folder cannot be made, or a store is damaged.
            ConfigError: The ledger is replicated, and the node is not to be.
            InvalidBlockError: The chain on disk does not follow from itself.
        """
        try:
            data.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{data}: cannot be made: {error.strerror}") from None
        self.blocks = BlockStore(data / BLOCKS_NAME)
        try:
            self.state = StateStore(data / STATE_NAME, self.blocks)
            try:
                self._drop_unfinished(data / RESTORING_NAME)
                self.replayed_blocks = self._make_level(is_replicated=is_replicated)
                self.pending = PendingStore(data / PENDING_NAME)
            except BaseException:
                self.state.close()
                raise
        except BaseException:
            self.blocks.close()
            raise

    def _drop_unfinished(self, marker: Path) -> None:
        """Cut off what a restoration that was broken off has left behind the chain."""
        if not marker.exists():
            return
        with self.state.snapshot() as view:
            self.blocks.cut_back(view.tip().next_start)
        self.state.shrink_log()
        marker.unlink()

    def _make_level(self, *, is_replicated: bool) -> int:
        with self.state.snapshot() as view:
            tip, position = view.tip(), view.position()
        if position is None:
            return self._replay(is_replicated=is_replicated)
        if not is_replicated:
            raise ConfigError(
                "this ledger is replicated: a node needs the table `cometbft` in its node.toml, "
                "and what is damaged comes anew from the other peers, by state sync"
            )
        self.blocks.cut_back(tip.next_start)
        return 0

    def _replay(self, *, is_replicated: bool) -> int:
        """Replay what the state has not seen: of a replicated ledger, what it was before."""
        try:
            return recover(self.blocks, self.state)
        except InvalidBlockError as error:
            if not is_replicated:
                raise
            raise StorageError(
                f"the state is lost, and cannot be made of a replicated ledger's blocks ({error}): "
                "move the data of the node and of CometBFT away, and join anew by state sync"
            ) from None

    def tip(self) -> Tip:
        """Return the top of the chain."""
        with self.state.snapshot() as view:
            return view.tip()

    def ledger_id(self) -> str | None:
        """Return the hash of the genesis block, 64 hex digits, or None for an empty chain."""
        with self.state.snapshot() as view:
            return view.ledger_id()

    def append(self, block: Block) -> None:
        """Check that a block follows from the chain, apply it and write it.

        Raises:
            InvalidBlockError: It does not follow, or one of its transactions fails.
            StorageError: The disk refused.
        """
        with self.state.newest() as view:
            candidate = replay(view, view.tip(), block, self.blocks.imported)
        write_block(self.blocks, self.state, candidate)

    def close(self) -> None:
        """Close the files; no snapshot may be in use."""
        self.pending.close()
        self.state.close()
        self.blocks.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def drop_state(data: Path) -> None:
    """Remove the world state; it is rebuilt from the blocks when the stores are opened.

    Raises:
        StorageError: A node is running on the files, or one cannot be removed.
    """
    _remove(data, STATE_NAME)


def drop_ledger(data: Path) -> None:
    """Remove the chain, the world state, and what waits for signatures.

    Raises:
        StorageError: A node is running on the files, or one cannot be removed.
    """
    _remove(data, BLOCKS_NAME, STATE_NAME, PENDING_NAME)


def _remove(data: Path, *names: str) -> None:
    check_not_in_use(data / BLOCKS_NAME)
    # SQLite keeps its journal beside the file.
    for path in (data / f"{name}{suffix}" for name in names for suffix in ("", "-wal", "-shm")):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"{path}: cannot be removed: {error.strerror}") from None
