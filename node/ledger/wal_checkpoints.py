"""Copies what SQLite's log holds into its file, beside the thread that writes blocks.

SQLite would do it within a commit, which then waits for the disk. Left to another thread alone the
log could grow for ever under load: SQLite begins it anew only where a commit finds all of it
copied. So the writer copies the rest itself, once the log has become long.
"""

import sqlite3
import threading
from pathlib import Path
from typing import Final

import structlog

_SOON_ROWS: Final = 4_000
"""After so many changed rows, about as many pages, the thread copies."""
_MAX_LOG_PAGES: Final = 32_768
"""128 MiB."""
_log = structlog.get_logger(__name__)


class WalCheckpoints:
    """The thread that copies, and what the writer asks it."""

    def __init__(self, path: Path) -> None:
        """Begin to wait for work.

        Args:
            path: The database, in WAL mode.
        """
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._rows = 0
        self._is_long = False
        self._due = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="wal checkpoints", daemon=True)
        self._thread.start()

    def count(self, rows: int) -> None:
        """Say that so many rows were written."""
        self._rows += rows
        # Two cannot copy at a time: where the writer is to do it, the thread stays away.
        if self._rows >= _SOON_ROWS and not self._is_long:
            self._rows = 0
            self._due.set()

    def finish(self, writer: sqlite3.Connection) -> None:
        """Copy the rest through the writer's connection, between two commits, where it is time.

        Raises:
            sqlite3.Error: The disk refused; nothing is lost.
        """
        if self._is_long:
            is_busy, _, _ = writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            # While the thread still copies, nothing was done: then the next commit tries again.
            self._is_long = bool(is_busy)

    def stop(self) -> None:
        """Return when nothing is copied any more."""
        self._stopping = True
        self._due.set()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while True:
            self._due.wait()
            self._due.clear()
            if self._stopping:
                return
            try:
                _, pages, _ = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            except sqlite3.Error as error:
                # Nothing is lost: it stands in the log, and the next commit tells of a full disk.
                _log.warning("the log of the world state cannot be copied", error=str(error))
                continue
            self._is_long = pages > _MAX_LOG_PAGES
