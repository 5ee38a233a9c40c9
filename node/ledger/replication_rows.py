"""The rows that a replicated ledger keeps beside the world state, and writes together with it.

They are how far CometBFT has come, and the batches that wait for signatures: all peers agree on
them (ADR 0056).
"""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from chaincode.batches import decode_batch
from chaincode.multisignature import PendingEntry

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS position (
    height INTEGER NOT NULL,
    app_hash BLOB NOT NULL,
    pending_digest BLOB NOT NULL,
    header_height INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS pending_batch (
    arrival INTEGER PRIMARY KEY,
    batch_hash BLOB NOT NULL UNIQUE,
    payer TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    batch BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS rules (
    app_version INTEGER NOT NULL
) STRICT;"""
_FIRST_VERSION: Final = 1
"""Of the rules, where none is written down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far CometBFT has come.

    Attributes:
        height: Of its last block that was committed here; 0 before the first.
        app_hash: Of the ledger after that block, 32 bytes.
        pending_digest: Of what waits for signatures then, 32 bytes.
        header_height: The first header that carries this app hash.
        app_version: Of the rules by which that block was decided.
    """

    height: int
    app_hash: bytes
    pending_digest: bytes
    header_height: int
    app_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationChange:
    """What a block of CometBFT changes in these rows.

    Attributes:
        position: The new position; None where CometBFT begins anew.
        pending: What waits now under the hash of each batch that was touched; None where it does
            not wait any more.
    """

    position: Position | None
    pending: Mapping[bytes, PendingEntry | None]


def write_change(writer: sqlite3.Connection, change: ReplicationChange) -> None:
    """Write a change within the transaction that has begun."""
    writer.executemany(
        "DELETE FROM pending_batch WHERE batch_hash = ?", [(key,) for key in change.pending]
    )
    writer.executemany(
        "INSERT INTO pending_batch VALUES (?, ?, ?, ?, ?)",
        [
            (entry.arrival, key, entry.payer, entry.since_ms, entry.batch.encode())
            for key, entry in change.pending.items()
            if entry is not None
        ],
    )
    position = change.position
    writer.execute("DELETE FROM position")
    writer.execute("DELETE FROM rules")
    if position is None:
        return
    writer.execute(
        "INSERT INTO position VALUES (?, ?, ?, ?)",
        (position.height, position.app_hash, position.pending_digest, position.header_height),
    )
    writer.execute("INSERT INTO rules VALUES (?)", (position.app_version,))


def read_position(connection: sqlite3.Connection) -> Position | None:
    """Return how far CometBFT has come, or None where the ledger was never replicated."""
    row = connection.execute(
        "SELECT height, app_hash, pending_digest, header_height FROM position"
    ).fetchone()
    if row is None:
        return None
    height, app_hash, pending_digest, header_height = row
    rules = connection.execute("SELECT app_version FROM rules").fetchone()
    return Position(
        height=height,
        app_hash=app_hash,
        pending_digest=pending_digest,
        header_height=header_height,
        app_version=_FIRST_VERSION if rules is None else rules[0],
    )


def read_pending(connection: sqlite3.Connection) -> Iterator[PendingEntry]:
    """Yield what waits for signatures, in the order of arrival.

    Raises:
        DecodeError: A row is damaged.
    """
    rows = connection.execute(
        "SELECT arrival, payer, since_ms, batch FROM pending_batch ORDER BY arrival"
    )
    for arrival, payer, since_ms, batch in rows:
        yield PendingEntry(arrival, payer, since_ms, decode_batch(batch))
