"""Snapshots of a replicated ledger that other peers can load, in a folder beside the ledger.

A snapshot is everything that a peer has: the blocks, what waits for signatures, the entries of the
state. What else stands in the stores follows from these. All peers write the same bytes at the same
height, so that a new peer can load the chunks from several at once.
"""

import hashlib
import io
import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import structlog
from google.protobuf.message import DecodeError
from google.protobuf.proto import serialize_length_prefixed

from node.errors import StorageError
from node.ledger.abci.snapshot_pb2 import SnapshotManifest, SnapshotRecord
from node.ledger.replication_rows import Position
from node.ledger.state_snapshot import StateSnapshot
from node.ledger.state_store import StateStore
from node.ledger.synced_files import sync_folder, write_synced

SNAPSHOTS_NAME: Final = "snapshots"
SNAPSHOT_FORMAT: Final = 1
CHUNK_BYTES: Final = 8 * 1024 * 1024
"""CometBFT carries 16 MB at most."""
_KEPT: Final = 2
_PART: Final = ".part"
_MANIFEST_NAME: Final = "manifest"
_REUSE_NAME: Final = "reuse"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reuse:
    """The chunks of a snapshot that the next one has as well: they hold blocks and nothing else.

    Attributes:
        chunks: How many.
        height: Of the block in whose record the next chunk begins.
        skipped: How many bytes of that record are in the chunks before.
    """

    chunks: int = 0
    height: int = 2
    skipped: int = 0


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
            write_synced(part / _MANIFEST_NAME, manifest.SerializeToString())
            # The next snapshot takes chunks over: after a power cut they must be whole.
            sync_folder(part)
            part.rename(part.with_suffix(""))
            sync_folder(self._folder)
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
        reuse, hashes = self._link_chunks(folder)
        for chunk, then in _chunks(_records(view, reuse.height), reuse):
            if self._stopping.is_set():
                raise _StoppedError
            write_synced(folder / str(len(hashes)), chunk)
            hashes.append(hashlib.sha256(chunk).digest())
            reuse = then
        write_synced(folder / _REUSE_NAME, json.dumps(asdict(reuse)).encode())
        return hashes

    def _link_chunks(self, folder: Path) -> tuple[_Reuse, list[bytes]]:
        """Take over what the newest snapshot has in common with the next; return its hashes."""
        for before in self._whole()[:1]:
            try:
                reuse = _Reuse(**json.loads((before / _REUSE_NAME).read_text(encoding="utf-8")))
                manifest = SnapshotManifest.FromString((before / _MANIFEST_NAME).read_bytes())
                for index in range(reuse.chunks):
                    os.link(before / str(index), folder / str(index))
            except (ValueError, TypeError, DecodeError) as error:
                raise StorageError(f"{before}: {error}; remove this snapshot") from None
            joined = manifest.chunk_hashes
            return reuse, [joined[32 * index : 32 * index + 32] for index in range(reuse.chunks)]
        return _Reuse(), []


class _StoppedError(Exception):
    """The node stops."""


def _records(view: StateSnapshot, first_height: int) -> Iterator[SnapshotRecord]:
    """Yield what a snapshot says: the blocks from a height on, what waits, the state."""
    for height in range(first_height, view.height() + 1):
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


def _chunks(records: Iterator[SnapshotRecord], reuse: _Reuse) -> Iterator[tuple[bytes, _Reuse]]:
    """Yield the records, each behind its length, joined and cut into chunks.

    With each chunk comes what the next snapshot has in common with the ones so far.

    Args:
        records: From the block on in whose record the first chunk begins.
        reuse: How many chunks there are before, and what they hold of that record.
    """
    buffer = io.BytesIO()
    skipped = reuse.skipped
    for record in records:
        start = buffer.tell()
        serialize_length_prefixed(record, buffer)
        size = buffer.tell() - start
        if skipped:
            buffer, skipped = _tail(buffer, skipped), 0
        while buffer.tell() >= CHUNK_BYTES:
            chunk = buffer.getvalue()[:CHUNK_BYTES]
            buffer = _tail(buffer, CHUNK_BYTES)
            if record.HasField("block"):
                reuse = _Reuse(
                    chunks=reuse.chunks + 1,
                    height=record.block.block.block_v1.payload.height,
                    skipped=size - buffer.tell(),
                )
            yield chunk, reuse
    if rest := buffer.getvalue():
        yield rest, reuse


def _tail(buffer: io.BytesIO, start: int) -> io.BytesIO:
    """Return a buffer with the bytes of another one from a place on."""
    tail = io.BytesIO()
    tail.write(buffer.getvalue()[start:])
    return tail
