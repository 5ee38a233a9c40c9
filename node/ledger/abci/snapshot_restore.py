"""A peer's ledger, put together from the chunks of a snapshot that others serve.

Nothing in them is believed: at the end, all of it must lead to the app hash that CometBFT has
verified by the signatures of the validators. Until then it stands in one transaction of the store,
and behind the end of the chain in the block file. A liar can neither fill the disk nor the memory
with it.
"""

import hashlib
import io
import shutil
import sqlite3
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from google.protobuf.message import DecodeError as ProtobufDecodeError
from google.protobuf.proto import parse_length_prefixed

from chaincode.authenticated_map import EMPTY_ROOT, update_map
from chaincode.batches import decode_batch
from chaincode.blocks import verify_link
from chaincode.checkpoints import CheckpointSigner, LogEntry
from chaincode.errors import DecodeError, InvalidBlockError
from chaincode.merkle import hash_leaf
from chaincode.merkle_log import extend_log_by_hash, log_root
from chaincode.multisignature import PendingBatches, PendingEntry
from chaincode.protocol.primitive_pb2 import Signature
from chaincode.replication import APP_VERSION, AppState
from chaincode.set_hash import SetHash
from chaincode.state_root import StateRoot, is_provable
from chaincode.transactions import block_hash, transaction_hash
from node.errors import StorageError
from node.ledger.abci.snapshot_pb2 import SnapshotManifest, SnapshotRecord
from node.ledger.abci.snapshot_writer import CHUNK_BYTES
from node.ledger.block_store import BlockStore
from node.ledger.candidate import block_rows
from node.ledger.replication_rows import Position, ReplicationChange
from node.ledger.signature_collector import LIMITS
from node.ledger.state_rows import Tip
from node.ledger.state_store import StateStore
from node.ledger.synced_files import sync_folder

HASH_BYTES: Final = 32
_MAX_RECORD_BYTES: Final = 128 * 1024 * 1024
_ENTRIES_AT_ONCE: Final = 5_000
_ENTRY_BYTES_AT_ONCE: Final = 32 * 1024 * 1024
_MAX_PENDING_BYTES: Final = 8 * LIMITS.size_bytes
"""Signatures are taken beyond the limit of what waits: of those there are some more bytes."""
_SPARE_BYTES: Final = 1024 * 1024 * 1024
_SPARE_PART: Final = 20
"""What a snapshot leaves of the disk: so many bytes, or of a small one this part of it."""
_KINDS: Final = ("block", "pending", "entry")
_IMPOSSIBLE: Final = (
    DecodeError,
    InvalidBlockError,
    sqlite3.IntegrityError,
    ValueError,
    # SQLite takes no number above 2^63, which the fields of messages can hold.
    OverflowError,
)
"""What the words of a liar come to: nothing that is said of the disk."""


class SnapshotRefusedError(Exception):
    """The snapshot does not lead to the app hash, or is not in the form of one."""


def parse_manifest(metadata: bytes) -> SnapshotManifest:
    """Return the manifest that a snapshot's metadata is.

    Raises:
        SnapshotRefusedError: It is none.
    """
    try:
        manifest = SnapshotManifest.FromString(metadata)
    except ProtobufDecodeError:
        raise SnapshotRefusedError("its metadata is no manifest") from None
    if not manifest.chunk_hashes or len(manifest.chunk_hashes) % HASH_BYTES:
        raise SnapshotRefusedError("the hashes of its chunks are cut")
    return manifest


class SnapshotRestore:
    """One restoration. Use `apply` for each chunk in order, then `finish`; else `abandon`."""

    def __init__(
        self,
        blocks: BlockStore,
        state: StateStore,
        signer: CheckpointSigner,
        manifest: SnapshotManifest,
        *,
        marker: Path,
        app_hash: bytes,
        expiration_ms: int,
    ) -> None:
        """Begin, in stores that hold the genesis block and no more.

        Args:
            blocks: The block file.
            state: The state.
            signer: The peer's key: it signs what it keeps.
            manifest: What the snapshot says of itself.
            marker: A file that is there as long as the block file may hold what is not kept.
            app_hash: What the snapshot must lead to.
            expiration_ms: How long after its oldest creation time a batch expires.

        Raises:
            SnapshotRefusedError: The disk has no room for it; nothing was begun.
            StorageError: The disk refused.
        """
        _check_room(marker.parent, _least_bytes(manifest))
        self._marker = marker
        self._blocks = blocks
        self._signer = signer
        self._manifest = manifest
        self._app_hash = app_hash
        _mark(marker)
        self._opened = ExitStack()
        self._rows = self._opened.enter_context(state.restoring())
        self._tip = self._rows.view.tip()
        self._start = self._tip.next_start
        self._set_hash = SetHash()
        self._map_root = EMPTY_ROOT
        self._pending = PendingBatches(expiration_ms, LIMITS)
        self._pending_bytes = 0
        self._entries: dict[bytes, bytes | None] = {}
        self._entry_bytes = 0
        self._last_key = b""
        self._kind = 0
        self._rest = b""

    def is_chunk(self, index: int, chunk: bytes) -> bool:
        """Tell whether a chunk is the one that the manifest names."""
        named = self._manifest.chunk_hashes[index * HASH_BYTES : (index + 1) * HASH_BYTES]
        return hashlib.sha256(chunk).digest() == named

    def apply(self, chunk: bytes) -> None:
        """Write what the next chunk says.

        Raises:
            SnapshotRefusedError: It cannot be part of a ledger, or the disk has no room for it.
            StorageError: The disk refused.
        """
        if len(chunk) > CHUNK_BYTES:
            raise SnapshotRefusedError(f"a chunk of {len(chunk)} bytes, {CHUNK_BYTES} are allowed")
        # What little it says may take more of the disk than itself.
        _check_room(self._marker.parent, len(chunk))
        data = io.BytesIO(self._rest + chunk)
        end = len(self._rest) + len(chunk)
        try:
            while (start := data.tell()) < end:
                record = _read_record(data)
                if record is None:
                    data.seek(start)
                    break
                self._take(record)
        except _IMPOSSIBLE as error:
            raise SnapshotRefusedError(str(error)) from None
        except sqlite3.Error as error:
            raise StorageError(f"a snapshot cannot be written: {error}") from None
        self._rest = data.read()
        if len(self._rest) > _MAX_RECORD_BYTES:
            raise SnapshotRefusedError("a record without an end")

    def finish(self) -> Position:
        """Check that all of it leads to the app hash, and keep it; return the new position.

        Raises:
            SnapshotRefusedError: It does not; nothing is kept.
            StorageError: The disk refused.
        """
        try:
            state_root, position = self._checked()
        except (DecodeError, ValueError) as error:
            raise SnapshotRefusedError(str(error)) from None
        self._blocks.sync()
        pending = {batch.hash: self._pending.entry(batch.hash) for batch in self._pending}
        self._rows.finish(state_root, ReplicationChange(position=position, pending=pending))
        self._opened.close()
        self._marker.unlink()
        return position

    def abandon(self) -> None:
        """Undo everything.

        Raises:
            StorageError: The disk refused.
        """
        reason = SnapshotRefusedError("abandoned")
        with suppress(SnapshotRefusedError):
            self._opened.__exit__(type(reason), reason, None)
        self._blocks.cut_back(self._start)
        self._marker.unlink()

    def _take(self, record: SnapshotRecord) -> None:
        kind = _KINDS.index(record.WhichOneof("value") or "")
        if kind < self._kind:
            raise SnapshotRefusedError("its records are not in their order")
        self._kind = kind
        if record.HasField("block"):
            self._take_block(record.block)
        elif record.HasField("pending"):
            self._take_pending(record.pending)
        else:
            self._take_entry(record.entry.key, record.entry.value)

    def _take_block(self, past: SnapshotRecord.PastBlock) -> None:
        block, tip = past.block, self._tip
        payload = block.block_v1.payload
        verify_link(block, expected_height=tip.height + 1, expected_previous_hash=tip.block_hash)
        signature = self._signer.sign(payload.SerializeToString())
        del block.block_v1.signatures[:]
        block.block_v1.signatures.append(
            Signature(public_key=self._signer.public_key, signature=signature)
        )
        start, following = self._blocks.append(block, is_synced=False)
        self._tip = Tip(
            height=payload.height,
            time_ms=payload.created_time,
            block_hash=block_hash(block),
            state_root=tip.state_root,
            next_start=following,
        )
        nodes = extend_log_by_hash(self._rows.view, payload.height - 1, past.leaf)
        committed = list(map(transaction_hash, payload.transactions))
        self._rows.write(block_rows(block, self._tip, start, committed, nodes))

    def _take_pending(self, pending: SnapshotRecord.Pending) -> None:
        self._pending_bytes += len(pending.payer) + len(pending.batch)
        if len(self._pending) >= LIMITS.batches or self._pending_bytes > _MAX_PENDING_BYTES:
            raise SnapshotRefusedError("more waits for signatures than may")
        batch, arrival = decode_batch(pending.batch), len(self._pending)
        self._pending.put_back(PendingEntry(arrival, pending.payer, pending.since_ms, batch))

    def _take_entry(self, key: bytes, value: bytes) -> None:
        if key <= self._last_key:
            raise SnapshotRefusedError("the entries of the state are not in their order")
        self._last_key = key
        self._set_hash.add(key, value)
        self._entries[key] = value
        self._entry_bytes += len(key) + len(value)
        if len(self._entries) >= _ENTRIES_AT_ONCE or self._entry_bytes >= _ENTRY_BYTES_AT_ONCE:
            self._write_entries()

    def _write_entries(self) -> None:
        provable = {key: value for key, value in self._entries.items() if is_provable(key)}
        update = update_map(self._rows.view, provable) if provable else None
        self._rows.write_entries(self._entries, {} if update is None else update.pages)
        if update is not None:
            self._map_root = update.root
        self._entries, self._entry_bytes = {}, 0

    def _checked(self) -> tuple[StateRoot, Position]:
        """Return the root of the state and how far it has come, now known to be the others'."""
        if self._rest:
            raise SnapshotRefusedError("its last record is cut")
        self._write_entries()
        tip, view = self._tip, self._rows.view
        state_root = StateRoot(set_hash=self._set_hash.encode(), map_root=self._map_root)
        top = LogEntry(
            height=tip.height,
            time_ms=tip.time_ms,
            block_hash=tip.block_hash,
            root=state_root.digest(),
        )
        if view.get_log_node((0, tip.height - 1)) != hash_leaf(top.encode()):
            raise SnapshotRefusedError("its entries are not the state above its last block")
        app_state = AppState(
            height=tip.height,
            log_root=log_root(view, tip.height),
            pending_digest=self._pending.digest(),
        )
        if app_state.app_hash() != self._app_hash:
            raise SnapshotRefusedError("it does not lead to the app hash of its height")
        position = Position(
            height=self._manifest.height,
            app_hash=self._app_hash,
            pending_digest=app_state.pending_digest,
            # An earlier one may carry it too; this one is known to.
            header_height=self._manifest.height + 1,
            # CometBFT has compared it with that of the header.
            app_version=APP_VERSION,
        )
        return state_root, position


def _least_bytes(manifest: SnapshotManifest) -> int:
    """Return how long a snapshot is, but for its last chunk."""
    return (len(manifest.chunk_hashes) // HASH_BYTES - 1) * CHUNK_BYTES


def _check_room(folder: Path, size_bytes: int) -> None:
    """Check that the disk has room for so many bytes, and some to spare.

    Raises:
        SnapshotRefusedError: It has not.
        StorageError: The disk does not say.
    """
    try:
        disk = shutil.disk_usage(folder)
    except OSError as error:
        raise StorageError(f"{folder}: {error.strerror}") from None
    spare_bytes = min(_SPARE_BYTES, disk.total // _SPARE_PART)
    if disk.free < size_bytes + spare_bytes:
        raise SnapshotRefusedError(
            f"it needs {size_bytes} bytes more of the disk of {folder}, which has {disk.free}, of "
            f"which {spare_bytes} stay free"
        )


def _mark(marker: Path) -> None:
    """Make the marker, and wait until the disk has it.

    Raises:
        StorageError: The disk refused.
    """
    try:
        marker.touch(mode=0o600)
        sync_folder(marker.parent)
    except OSError as error:
        raise StorageError(f"{marker}: cannot be made: {error.strerror}") from None


def _read_record(data: io.BytesIO) -> SnapshotRecord | None:
    """Return the next record, or None where its end is in the next chunk."""
    try:
        return parse_length_prefixed(SnapshotRecord, data)
    except (ValueError, EOFError, IndexError, ProtobufDecodeError):
        return None
