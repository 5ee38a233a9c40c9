"""The batches that wait for signatures, on disk: they outlive a restart of the node.

They are no part of the chain and cannot be rebuilt from it. What a crash of the process leaves is
whole; a power cut may take the newest signatures with it, and their senders send them again.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chaincode.batches import Batch, decode_batch
from chaincode.errors import DecodeError
from node.errors import StorageError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS pending (
    arrival INTEGER PRIMARY KEY AUTOINCREMENT,
    batch_hash BLOB NOT NULL UNIQUE,
    batch BLOB NOT NULL
)
"""


class PendingStore:
    """One SQLite file. Any thread may use it, but only one at a time."""

    def __init__(self, path: Path) -> None:
        """Open or make the file.

        Raises:
            StorageError: The file cannot be opened, or is none of ours.
        """
        self._path = path
        with self._storage_errors():
            # SQLite makes its other files with the mode of this one.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            with self._storage_errors():
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = NORMAL")
                self._connection.execute(_SCHEMA)
        except StorageError:
            self._connection.close()
            raise

    def load(self) -> list[Batch]:
        """Return all batches in the order in which they were first saved.

        Raises:
            StorageError: The file is damaged.
        """
        with self._storage_errors():
            rows = self._connection.execute("SELECT batch FROM pending ORDER BY arrival").fetchall()
        try:
            return [decode_batch(data) for (data,) in rows]
        except DecodeError as error:
            raise self._damaged(error) from None

    def save(self, batch: Batch) -> None:
        """Write a batch; one of the same hash keeps its place.

        Raises:
            StorageError: The disk refused.
        """
        with self._storage_errors():
            self._connection.execute(
                "INSERT INTO pending (batch_hash, batch) VALUES (?, ?)"
                " ON CONFLICT (batch_hash) DO UPDATE SET batch = excluded.batch",
                (batch.hash, batch.encode()),
            )

    def delete(self, hashes: Iterable[bytes]) -> None:
        """Remove the batches of these hashes.

        Raises:
            StorageError: The disk refused.
        """
        with self._storage_errors():
            self._connection.executemany(
                "DELETE FROM pending WHERE batch_hash = ?", [(each,) for each in hashes]
            )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def _storage_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> StorageError:
        return StorageError(
            f"{self._path}: {error}; move the file away to go on without the signatures that were "
            "collected"
        )
