"""The rows of the world state in SQLite: its tables, and what one block writes into them."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from chaincode.merkle_log import LogNode
from chaincode.state_root import StateRoot
from node.ledger import history_index
from node.ledger.bulk_sql import write_rows
from node.ledger.history_index import HistoryEntry
from node.ledger.replication_rows import ReplicationChange

SCHEMA_VERSION: Final = 5
SCHEMA: Final = f"""
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


def write_block(writer: sqlite3.Connection, change: StateChange) -> None:
    """Write what a block changes of the state, within the transaction that has begun."""
    tip = change.tip
    decided = [
        *((tx_hash, tip.height, position) for position, tx_hash in enumerate(change.committed)),
        *((tx_hash, tip.height, None) for tx_hash in change.rejected),
    ]
    write_map(writer, "state", "key", change.entries)
    write_map(writer, "map_page", "prefix", change.pages)
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


def write_map(
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
