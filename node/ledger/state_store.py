"""The world state in SQLite: entries, height and root move together, in one transaction.

The block file is written and synced first, so this store may lose its last commits in a crash: the
node replays them. Queries read snapshots on connections of their own and never wait for the writer.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Final, TypeVar

from chaincode.checkpoints import LogEntry
from chaincode.merkle_log import LogNode
from chaincode.multisignature import PendingEntry
from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.queries.view import HistorySearch
from chaincode.state_root import StateRoot
from node.errors import StorageError
from node.ledger import history_index, replication_rows
from node.ledger.block_store import BlockStore
from node.ledger.bulk_sql import MAX_JOINED_BYTES, chunks, marks, write_rows
from node.ledger.history_index import HistoryEntry
from node.ledger.replication_rows import (
    Position,
    ReplicationChange,
    read_pending,
    read_position,
    write_change,
)
from node.ledger.state_scan import scan_state
from node.ledger.transaction_places import PLACE_BYTES, decode_place
from node.ledger.wal_checkpoints import WalCheckpoints

_WRITER_CACHE_KIB: Final = 64 * 1024
"""Holds the inner pages of the tables of ten million accounts, and the leaves in use."""
_READ_BYTES: Final = 64 * 1024 * 1024
"""What is remembered while one block is decided: each transaction asks for the same roles, and the
root for the values that were replaced."""
_ENTRY_BYTES: Final = 200
"""What Python needs to remember an entry, beside its bytes."""
_RESTORED_ROWS: Final = 1_000_000
"""Of a whole state: what stands for them in SQLite's log is copied at once."""
SCHEMA_VERSION: Final = 5
_SCHEMA: Final = f"""
CREATE TABLE state (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID, STRICT;
CREATE TABLE map_page (prefix TEXT PRIMARY KEY, page BLOB NOT NULL) WITHOUT ROWID, STRICT;
CREATE TABLE log_node (  -- chaincode.merkle_log
    level INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (level, number)
) WITHOUT ROWID, STRICT;
CREATE TABLE block (
    height INTEGER PRIMARY KEY,
    start INTEGER NOT NULL,  -- in the block file
    places BLOB NOT NULL  -- of its transactions, in order
) STRICT;
CREATE TABLE decided (
    tx_hash BLOB PRIMARY KEY,
    height INTEGER NOT NULL,
    position INTEGER  -- its place in the block; NULL for a rejected transaction
) WITHOUT ROWID, STRICT;
CREATE TABLE tip (
    height INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    block_hash BLOB NOT NULL,
    set_hash BLOB NOT NULL,
    map_root BLOB NOT NULL,
    next_start INTEGER NOT NULL,
    genesis_hash BLOB,  -- of the block at height 1
    transactions INTEGER NOT NULL  -- how many are committed
) STRICT;
{history_index.SCHEMA}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tip:
    """The top of the chain.

    Attributes:
        height: 0 before the genesis block.
        time_ms: The time of the top block, milliseconds since 1970, UTC.
        block_hash: 32 bytes.
        state_root: What commits to the whole world state.
        next_start: The offset in the block file where the next block will begin.
    """

    height: int
    time_ms: int
    block_hash: bytes
    state_root: StateRoot
    next_start: int

    @property
    def root(self) -> bytes:
        """The hash of the whole world state, 32 bytes."""
        return self.state_root.digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """All that one block changes in the store.

    Attributes:
        tip: The new top.
        start: The block's offset in the block file.
        places: Those of its transactions (`transaction_places.encode_places`).
        entries: The new value of each key; None where it goes.
        pages: The new page of the authenticated map at each prefix; None where it goes.
        log_nodes: The new hashes of the log of blocks.
        committed: The hashes of the block's transactions, in order.
        rejected: The hashes of the transactions that it rejects.
        histories: The entries of its transactions, in the order of their positions.
        replication: What CometBFT's block changes beside the state; None where the node orders
            alone.
    """

    tip: Tip
    start: int
    places: bytes
    entries: Mapping[bytes, bytes | None]
    pages: Mapping[str, bytes | None]
    log_nodes: Mapping[LogNode, bytes]
    committed: Sequence[bytes]
    rejected: Sequence[bytes]
    histories: Sequence[HistoryEntry]
    replication: ReplicationChange | None = None


class StateSnapshot:
    """The state as it was at the snapshot's first read: a `chaincode.queries.view.LedgerView`."""

    def __init__(
        self, connection: sqlite3.Connection, blocks: BlockStore, *, memory_bytes: int = 0
    ) -> None:
        """Read through a connection on which a transaction has begun.

        Args:
            connection: Where the state is.
            blocks: The chain that led to it.
            memory_bytes: How much of what is read may be kept, so as not to be read again.
        """
        self._connection = connection
        self._blocks = blocks
        self._read: dict[bytes, bytes | None] = {}
        self._room = memory_bytes

    def get(self, key: bytes) -> bytes | None:
        """Return the value at a key, or None."""
        if key in self._read:
            return self._read[key]
        row = self._connection.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
        value = None if row is None else bytes(row[0])
        size = _ENTRY_BYTES + len(key) + len(value or b"")
        if size <= self._room:
            self._room -= size
            self._read[key] = value
        return value

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries whose keys begin with `prefix`, ascending, from `start` on."""
        # Keys are UTF-8 and NUL: no byte of one is 0xff.
        return scan_state(self._connection, max(prefix, start), prefix + b"\xff")

    def get_many(self, keys: Sequence[bytes]) -> dict[bytes, bytes | None]:
        """Return the value at each key, or None; long values are left out, for `get` to read."""
        found: dict[bytes, bytes | None] = dict.fromkeys(keys)
        for chunk in chunks(keys):
            (texts,) = self._connection.execute(
                "SELECT group_concat(hex(key) || ':' || CASE WHEN length(value) <= ?"  # noqa: S608
                f" THEN hex(value) ELSE '-' END) FROM state WHERE key IN {marks(len(chunk))}",
                (MAX_JOINED_BYTES, *chunk),
            ).fetchone()
            for text in texts.split(",") if texts else ():
                key, _, value = text.partition(":")
                if value == "-":
                    del found[bytes.fromhex(key)]
                else:
                    found[bytes.fromhex(key)] = bytes.fromhex(value)
        return found

    def get_page(self, prefix: str) -> bytes | None:
        """Return a page of the authenticated map, or None."""
        row = self._connection.execute(
            "SELECT page FROM map_page WHERE prefix = ?", (prefix,)
        ).fetchone()
        return None if row is None else bytes(row[0])

    def get_log_node(self, node: LogNode) -> bytes | None:
        """Return a hash of the log of blocks, or None."""
        row = self._connection.execute(
            "SELECT hash FROM log_node WHERE level = ? AND number = ?", node
        ).fetchone()
        return None if row is None else bytes(row[0])

    def ledger_id(self) -> str | None:
        """Return the hash of the genesis block, 64 hex digits, or None for an empty chain."""
        (genesis_hash,) = self._connection.execute("SELECT genesis_hash FROM tip").fetchone()
        return None if genesis_hash is None else genesis_hash.hex()

    def has_transaction(self, tx_hash: bytes) -> bool:
        """Tell whether a block has already committed or rejected this transaction."""
        return self.decision(tx_hash) is not None

    def decided_among(self, hashes: Iterable[bytes]) -> frozenset[bytes]:
        """Return those transactions that a block has already committed or rejected."""
        return frozenset(
            row[0]
            for chunk in chunks(list(hashes))
            for row in self._connection.execute(
                f"SELECT tx_hash FROM decided WHERE tx_hash IN {marks(len(chunk))}",  # noqa: S608
                chunk,
            )
        )

    def decision(self, tx_hash: bytes) -> bool | None:
        """Return True for a committed transaction, False for a rejected one, None for neither."""
        row = self._connection.execute(
            "SELECT position IS NOT NULL FROM decided WHERE tx_hash = ?", (tx_hash,)
        ).fetchone()
        return None if row is None else bool(row[0])

    def count_transactions(self) -> int:
        """Return how many transactions are committed."""
        number: int
        (number,) = self._connection.execute("SELECT transactions FROM tip").fetchone()
        return number

    def block_at(self, height: int) -> Block | None:
        """Return the block at a height, or None above the top."""
        if height >= 2**63:
            return None
        row = self._connection.execute(
            "SELECT start FROM block WHERE height = ?", (height,)
        ).fetchone()
        return None if row is None else self._blocks.read(row[0])

    def transactions(self, hashes: Iterable[bytes]) -> Iterator[Transaction]:
        """Yield those transactions that are committed, each once, in the order of the chain."""
        places = (self._place(tx_hash) for tx_hash in set(hashes))
        return self._read_transactions(sorted(place for place in places if place is not None))

    def history(self, search: HistorySearch) -> tuple[int, Iterator[Transaction]]:
        """Return the part of a history that is searched, and how many lie within its bounds."""
        total = history_index.count_entries(self._connection, search)
        first = None if search.first is None else self._place(search.first)
        if search.first is not None and first is None:
            return total, iter(())
        places = history_index.find_places(self._connection, search, first)
        return total, self._read_transactions(places)

    def _place(self, tx_hash: bytes) -> tuple[int, int] | None:
        """Return the height and position of a committed transaction."""
        row: tuple[int, int] | None = self._connection.execute(
            "SELECT height, position FROM decided WHERE tx_hash = ? AND position IS NOT NULL",
            (tx_hash,),
        ).fetchone()
        return row

    def _read_transactions(self, places: Iterable[tuple[int, int]]) -> Iterator[Transaction]:
        """Yield the transactions at these heights and positions, each read by itself."""
        for height, position in places:
            start, place = self._connection.execute(
                "SELECT start, substr(places, ?, ?) FROM block WHERE height = ?",
                (position * PLACE_BYTES + 1, PLACE_BYTES, height),
            ).fetchone()
            yield self._blocks.read_transaction(start, decode_place(place))

    def content_hash(self) -> bytes:
        """Return SHA-256 of every row but the tip's, 32 bytes. It reads the whole store."""
        digest = hashlib.sha256()
        for statement in (
            "SELECT key, value FROM state ORDER BY key",
            "SELECT prefix, page FROM map_page ORDER BY prefix",
            "SELECT level, number, hash FROM log_node ORDER BY level, number",
            "SELECT height, start, places FROM block ORDER BY height",
            "SELECT tx_hash, height, position FROM decided ORDER BY tx_hash",
            "SELECT * FROM history ORDER BY account_id, asset_id, height, position",
        ):
            for row in self._connection.execute(statement):
                digest.update(repr(row).encode())
        return digest.digest()

    def position(self) -> Position | None:
        """Return how far CometBFT has come, or None where the ledger was never replicated."""
        return read_position(self._connection)

    def pending(self) -> Iterator[PendingEntry]:
        """Yield what waits for signatures on all peers of a replicated ledger, in its order.

        Raises:
            DecodeError: A row is damaged.
        """
        return read_pending(self._connection)

    def log_entry(self) -> LogEntry:
        """Return what the log of blocks says of the top one."""
        tip = self.tip()
        return LogEntry(
            height=tip.height, time_ms=tip.time_ms, block_hash=tip.block_hash, root=tip.root
        )

    def state_root(self) -> StateRoot:
        """Return what commits to the whole state."""
        return self.tip().state_root

    def height(self) -> int:
        """Return the height of the top block."""
        return self.tip().height

    def tip(self) -> Tip:
        """Return the top of the chain."""
        row = self._connection.execute(
            "SELECT height, time_ms, block_hash, set_hash, map_root, next_start FROM tip"
        ).fetchone()
        height, time_ms, block_hash, set_hash, map_root, next_start = row
        return Tip(
            height=height,
            time_ms=time_ms,
            block_hash=block_hash,
            state_root=StateRoot(set_hash=set_hash, map_root=map_root),
            next_start=next_start,
        )


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
            _write_block(writer, change)
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
        with self._changing() as writer:
            writer.execute("DELETE FROM state")
            writer.execute("DELETE FROM map_page")
            yield StateRestore(writer, self._blocks)
        self._count_rows(_RESTORED_ROWS)

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
        for statement in _SCHEMA.split(";\n"):
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
        _write_block(self._writer, change)

    def write_entries(
        self, entries: Mapping[bytes, bytes | None], pages: Mapping[str, bytes | None]
    ) -> None:
        """Write entries of the state and pages of its map."""
        _write(self._writer, "state", "key", entries)
        _write(self._writer, "map_page", "prefix", pages)

    def finish(self, state_root: StateRoot, change: ReplicationChange) -> None:
        """Write the root of the whole, and what is kept beside it."""
        self._writer.execute(
            "UPDATE tip SET set_hash = ?, map_root = ?", (state_root.set_hash, state_root.map_root)
        )
        write_change(self._writer, change)


def _write_block(writer: sqlite3.Connection, change: StateChange) -> None:
    """Write what a block changes of the state, within the transaction that has begun."""
    tip = change.tip
    decided = [
        *((tx_hash, tip.height, position) for position, tx_hash in enumerate(change.committed)),
        *((tx_hash, tip.height, None) for tx_hash in change.rejected),
    ]
    _write(writer, "state", "key", change.entries)
    _write(writer, "map_page", "prefix", change.pages)
    nodes = [(*node, node_hash) for node, node_hash in change.log_nodes.items()]
    write_rows(writer, "INSERT INTO log_node VALUES", nodes)
    write_rows(writer, "INSERT INTO decided VALUES", decided)
    history_index.insert_entries(writer, tip.height, change.histories)
    writer.execute("INSERT INTO block VALUES (?, ?, ?)", (tip.height, change.start, change.places))
    writer.execute(
        "UPDATE tip SET height = ?, time_ms = ?, block_hash = ?, set_hash = ?,"
        " map_root = ?, next_start = ?, genesis_hash = COALESCE(genesis_hash, ?),"
        " transactions = transactions + ?",
        (
            tip.height,
            tip.time_ms,
            tip.block_hash,
            tip.state_root.set_hash,
            tip.state_root.map_root,
            tip.next_start,
            tip.block_hash,
            len(change.committed),
        ),
    )


_Key = TypeVar("_Key", bytes, str)


def _write(
    writer: sqlite3.Connection, table: str, key_column: str, entries: Mapping[_Key, bytes | None]
) -> None:
    """Write the new value of each key of a table; None removes it."""
    puts = [(key, value) for key, value in entries.items() if value is not None]
    deletes = [(key,) for key, value in entries.items() if value is None]
    write_rows(writer, f"REPLACE INTO {table} VALUES", puts)
    write_rows(
        writer,
        f"DELETE FROM {table} WHERE {key_column} IN (VALUES",  # noqa: S608 - names of ours
        deletes,
        more=")",
    )
