"""Reading the world state and the chain that led to it, as they were at one height."""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from chaincode.checkpoints import LogEntry
from chaincode.merkle_log import LogNode
from chaincode.multisignature import PendingEntry
from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.queries.view import HistorySearch
from chaincode.state_root import StateRoot
from node.ledger import history_index
from node.ledger.block_store import BlockStore
from node.ledger.bulk_sql import MAX_JOINED_BYTES, chunks, marks
from node.ledger.replication_rows import Position, read_pending, read_position
from node.ledger.state_rows import Tip
from node.ledger.state_scan import scan_state
from node.ledger.transaction_places import PLACE_BYTES, decode_place

_ENTRY_BYTES: Final = 200
"""What Python needs to remember an entry, beside its bytes."""


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
