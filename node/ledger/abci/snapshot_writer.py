"""Snapshots of a replicated ledger that other peers can load, in a folder beside the ledger.

A snapshot is everything that a peer has: the blocks, what waits for signatures, the entries of the
state. What else stands in the stores follows from these. All peers write the same bytes at the same
height, so that a new peer can load the chunks from several at once.
"""

import hashlib
import io
import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import structlog
from google.protobuf.message import DecodeError
from google.protobuf.proto import serialize_length_prefixed

from node.errors import StorageError
from node.ledger.abci.snapshot_pb2 import SnapshotManifest, SnapshotRecord
from node.ledger.replication_rows import Position
from node.ledger.state_store import StateSnapshot, StateStore

SNAPSHOTS_NAME: Final = "snapshots"
SNAPSHOT_FORMAT: Final = 1
CHUNK_BYTES: Final = 8 * 1024 * 1024
"""CometBFT carries 16 MB at most."""
_KEPT: Final = 2
_PART: Final = ".part"
_MANIFEST_NAME: Final = "manifest"
_log = structlog.get_logger(__name__)


class SnapshotWriter:
    """Writes a snapshot in the background whenever it is time, and keeps the newest ones."""

    def __init__(self, folder: Path, state: StateStore, *, interval: int) -> None:
        """Take the folder; what was not written whole is removed.

        Args:
            folder: Where each snapshot gets a folder of its own.
            state: The ledger's state.
            interval: After how many blocks of CometBFT one is written; 0 writes none.

        Raises:
            StorageError: The folder cannot be written.
        """
        self._folder = folder
        self._state = state
        self._interval = interval
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for part in folder.glob(f"*{_PART}"):
                shutil.rmtree(part)
        except OSError as error:
            raise StorageError(f"{folder}: cannot be written: {error.strerror}") from None

    def note(self, position: Position) -> None:
        """Begin a snapshot where it is time; it is called before the next block is written.

        Args:
            position: How far CometBFT has come: the state that is committed now.
        """
        if self._interval == 0 or position.height % self._interval:
            return
        if self._thread is not None and self._thread.is_alive():
            _log.warning("no snapshot: the one before is still written", height=position.height)
            return
        opened = ExitStack()
        view = opened.enter_context(self._state.snapshot())
        # The first read fixes what the snapshot sees.
        view.height()
        self._thread = threading.Thread(
            target=self._write, args=(opened, view, position), name="snapshot"
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop; a snapshot that is being written is given up."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def manifests(self) -> list[SnapshotManifest]:
        """Return what can be loaded, the newest first."""
        found = []
        for folder in self._whole():
            try:
                found.append(SnapshotManifest.FromString((folder / _MANIFEST_NAME).read_bytes()))
            except (OSError, DecodeError) as error:
                _log.warning("a snapshot cannot be read", folder=str(folder), reason=str(error))
        return found

    def load_chunk(self, height: int, index: int) -> bytes:
        """Return a chunk; nothing where it is gone."""
        try:
            return (self._folder / str(height) / str(index)).read_bytes()
        except OSError:
            return b""

    def _whole(self) -> list[Path]:
        folders = [path for path in self._folder.iterdir() if path.name.isdecimal()]
        return sorted(folders, key=lambda path: int(path.name), reverse=True)

    def _write(self, opened: ExitStack, view: StateSnapshot, position: Position) -> None:
        part = self._folder / f"{position.height}{_PART}"
        try:
            with opened:
                part.mkdir(mode=0o700)
                hashes = self._write_chunks(part, view)
                manifest = SnapshotManifest(
                    height=position.height,
                    app_hash=position.app_hash,
                    chain_height=view.height(),
                    chunk_hashes=b"".join(hashes),
                )
            (part / _MANIFEST_NAME).write_bytes(manifest.SerializeToString())
            part.rename(part.with_suffix(""))
            for old in self._whole()[_KEPT:]:
                shutil.rmtree(old)
        except _StoppedError:
            shutil.rmtree(part, ignore_errors=True)
        except (OSError, StorageError) as error:
            # The ledger goes on without it; the disk is what an operator must look at.
            _log.error("a snapshot cannot be written", folder=str(part), reason=str(error))
            shutil.rmtree(part, ignore_errors=True)
        else:
            _log.info("snapshot written", height=position.height, chunks=len(hashes))

    def _write_chunks(self, folder: Path, view: StateSnapshot) -> list[bytes]:
        hashes: list[bytes] = []
        for index, chunk in enumerate(_chunks(_records(view))):
            if self._stopping.is_set():
                raise _StoppedError
            (folder / str(index)).write_bytes(chunk)
            hashes.append(hashlib.sha256(chunk).digest())
        return hashes


class _StoppedError(Exception):
    """The node stops."""


def _records(view: StateSnapshot) -> Iterator[SnapshotRecord]:
    """Yield all that a snapshot says: the blocks above the genesis, what waits, the state."""
    for height in range(2, view.height() + 1):
        record = SnapshotRecord()
        block, leaf = view.block_at(height), view.get_log_node((0, height - 1))
        if block is None or leaf is None:
            raise StorageError(f"the state on disk does not know block {height}")
        record.block.block.CopyFrom(block)
        record.block.block.block_v1.ClearField("signatures")
        record.block.leaf = leaf
        yield record
    for pending in view.pending():
        record = SnapshotRecord()
        record.pending.payer = pending.payer
        record.pending.since_ms = pending.since_ms
        record.pending.batch = pending.batch.encode()
        yield record
    for key, value in view.scan(b""):
        record = SnapshotRecord()
        record.entry.key = key
        record.entry.value = value
        yield record


def _chunks(records: Iterator[SnapshotRecord]) -> Iterator[bytes]:
    """Yield the records, each behind its length, joined and cut into chunks."""
    buffer = io.BytesIO()
    for record in records:
        serialize_length_prefixed(record, buffer)
        while buffer.tell() >= CHUNK_BYTES:
            joined = buffer.getvalue()
            yield joined[:CHUNK_BYTES]
            buffer = io.BytesIO()
            buffer.write(joined[CHUNK_BYTES:])
    if rest := buffer.getvalue():
        yield rest
