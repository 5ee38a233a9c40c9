"""The world state in SQLite: entries, height and root move together, in one transaction.

The block file is written and synced first, so this store may lose its last commits in a crash: the
node replays them. Queries read snapshots on connections of their own and never wait for the writer.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Final

from chaincode.state_root import StateRoot
from node.errors import StorageError
from node.ledger import replication_rows
from node.ledger.block_store import BlockStore
from node.ledger.replication_rows import ReplicationChange, write_change
from node.ledger.state_rows import SCHEMA, SCHEMA_VERSION, StateChange, write_block, write_map
from node.ledger.state_snapshot import StateSnapshot
from node.ledger.wal_checkpoints import WalCheckpoints

_WRITER_CACHE_KIB: Final = 64 * 1024
"""Holds the inner pages of the tables of ten million accounts, and the leaves in use."""
_READ_BYTES: Final = 64 * 1024 * 1024
"""What is remembered while one block is decided: each transaction asks for the same roles, and the
root for the values that were replaced."""
_RESTORED_ROWS: Final = 1_000_000
"""Of a whole state: what stands for them in SQLite's log is copied at once."""


class StateStore:
    """The SQLite file of the world state. One writer; any number of readers."""

    def __init__(self, path: Path, blocks: BlockStore) -> None:
        """Open the file, or make an empty one; one of an older version is emptied.

        Raises:
            StorageError: It cannot be opened, is damaged, or is of a newer version.
        """
        self._path = path
        self._blocks = blocks
        self._idle: LifoQueue[sqlite3.Connection] = LifoQueue()
        try:
            # SQLite makes its other files with the mode of this one.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise StorageError(f"{path}: cannot be opened: {error.strerror}") from None
        with self._storage_errors():
            self._writer = self._connect()
            self._writer.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
            self._writer.execute("PRAGMA wal_autocheckpoint = 0")
        try:
            with self._storage_errors():
                self._prepare()
                self._checkpoints = WalCheckpoints(path)
        except StorageError:
            self._writer.close()
            raise

    @contextmanager
    def snapshot(self) -> Iterator[StateSnapshot]:
        """Give a consistent view of the newest committed state; it begins with its first read.

        Raises:
            StorageError: The file is damaged or cannot be read; the body of the `with` raises it.
        """
        with self._storage_errors():
            try:
                connection = self._idle.get_nowait()
            except Empty:
                connection = self._connect()
            try:
                connection.execute("BEGIN")
                yield StateSnapshot(connection, self._blocks)
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                self._idle.put(connection)

    @contextmanager
    def newest(self) -> Iterator[StateSnapshot]:
        """Give the newest state to the one thread that writes it, through the writer's own pages.

        SQLite forgets what a connection has read as soon as another one writes, but not what it has
        written itself: blocks are decided without reading the same pages anew each time.

        Raises:
            StorageError: The file is damaged or cannot be read; the body of the `with` raises it.
        """
        with self._storage_errors():
            self._writer.execute("BEGIN")
            try:
                yield StateSnapshot(self._writer, self._blocks, memory_bytes=_READ_BYTES)
            finally:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")

    def commit(self, change: StateChange) -> None:
        """Write what a block changes, all or nothing.

        Raises:
            StorageError: The disk refused; the store is as it was before.
        """
        with self._changing() as writer:
            write_block(writer, change)
            if change.replication is not None:
                write_change(writer, change.replication)
        decided = len(change.committed) + len(change.rejected)
        self._count_rows(len(change.entries) + len(change.pages) + 3 * decided)

    def commit_replication(self, change: ReplicationChange) -> None:
        """Write what a block of CometBFT changes that makes none of ours, all or nothing.

        Raises:
            StorageError: The disk refused; the store is as it was before.
        """
        with self._changing() as writer:
            write_change(writer, change)
        self._count_rows(1 + len(change.pending))

    def _count_rows(self, rows: int) -> None:
        """Say how many rows were written, and have SQLite's log copied where it is time."""
        self._checkpoints.count(rows)
        with self._storage_errors():
            self._checkpoints.finish(self._writer)

    @contextmanager
    def restoring(self) -> Iterator["StateRestore"]:
        """Give the store over to a snapshot: what it brings stands there at the end, or nothing.

        Raises:
            StorageError: The disk refused; the store is as it was before.
        """
        try:
            with self._changing() as writer:
                writer.execute("DELETE FROM state")
                writer.execute("DELETE FROM map_page")
                yield StateRestore(writer, self._blocks)
        except BaseException:
            self.shrink_log()
            raise
        self._count_rows(_RESTORED_ROWS)

    def shrink_log(self) -> None:
        """Give back the disk that SQLite's log keeps of what was undone, where nobody reads it.

        Raises:
            StorageError: The disk refused.
        """
        with self._storage_errors():
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """Begin a transaction of the writer; what raises undoes it."""
        writer = self._writer
        try:
            writer.execute("BEGIN IMMEDIATE")
            yield writer
            writer.execute("COMMIT")
        except sqlite3.Error as error:
            raise StorageError(f"{self._path}: a block cannot be applied: {error}") from None
        finally:
            if writer.in_transaction:
                writer.execute("ROLLBACK")

    def close(self) -> None:
        """Close all connections; no snapshot may be in use."""
        self._checkpoints.stop()
        self._writer.close()
        while not self._idle.empty():
            self._idle.get_nowait().close()

    @contextmanager
    def _storage_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StorageError(
                f"{self._path}: {error}; move the file away and the node rebuilds it from the "
                "blocks"
            ) from None

    def _connect(self) -> sqlite3.Connection:
        # Snapshots move between threads with the pool, but only one uses a connection at a time.
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA busy_timeout = 10000")
        return connection

    def _prepare(self) -> None:
        (version,) = self._writer.execute("PRAGMA user_version").fetchone()
        if version:
            self._writer.execute("SELECT height FROM tip").fetchone()
        if version > SCHEMA_VERSION:
            raise StorageError(
                f"{self._path}: version {version}, this node reads up to {SCHEMA_VERSION}; move "
                "the file away and the node rebuilds it from the blocks"
            )
        if version == SCHEMA_VERSION:
            self._writer.executescript(replication_rows.SCHEMA)
            return
        empty = StateRoot()
        # An older one is emptied: the node replays the blocks into it.
        self._writer.execute("BEGIN IMMEDIATE")
        tables = self._writer.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in tables.fetchall():
            self._writer.execute(f"DROP TABLE {table}")
        for statement in SCHEMA.split(";\n"):
            self._writer.execute(statement)
        self._writer.execute(
            "INSERT INTO tip VALUES (0, 0, ?, ?, ?, ?, NULL, 0)",
            (bytes(32), empty.set_hash, empty.map_root, self._blocks.start),
        )
        self._writer.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        self._writer.execute("COMMIT")
        self._writer.executescript(replication_rows.SCHEMA)


class StateRestore:
    """The rows of a state that is put together anew, within one transaction of the store."""

    def __init__(self, writer: sqlite3.Connection, blocks: BlockStore) -> None:
        self._writer = writer
        self.view: Final = StateSnapshot(writer, blocks)
        """What has been written so far."""

    def write(self, change: StateChange) -> None:
        """Write what a block, or a part of a snapshot, changes."""
        write_block(self._writer, change)

    def write_entries(
        self, entries: Mapping[bytes, bytes | None], pages: Mapping[str, bytes | None]
    ) -> None:
        """Write entries of the state and pages of its map."""
        write_map(self._writer, "state", "key", entries)
        write_map(self._writer, "map_page", "prefix", pages)

    def finish(self, state_root: StateRoot, change: ReplicationChange) -> None:
        """Write the root of the whole, and what is kept beside it."""
        self._writer.execute(
            "UPDATE tip SET set_hash = ?, map_root = ?", (state_root.set_hash, state_root.map_root)
        )
        write_change(self._writer, change)
