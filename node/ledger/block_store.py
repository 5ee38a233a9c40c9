"""The chain on disk: one append-only file, the truth from which all else can be rebuilt.

The file is a header and records. The header is an 8-byte magic; the height (8 bytes, big-endian)
and the hash (32 bytes) of the last block that irohad made, both 0 where the chain is ours from its
genesis; and the first 8 bytes of the SHA-256 of those two.

A record is the block's length (4 bytes, big-endian), the first 4 bytes of the SHA-256 of those, the
first 8 bytes of the SHA-256 of the block, and the block as serialised protobuf. The length has a
checksum of its own: were it damaged, all the blocks behind it would look like one that was torn
while it was written.
"""

import fcntl
import hashlib
import mmap
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from google.protobuf.message import DecodeError

from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.transaction_pb2 import Transaction
from node.errors import StorageError
from node.ledger.kept_files import keep_bytes
from node.ledger.synced_files import sync_folder
from node.ledger.transaction_places import Place, decode_transaction

_MAGIC: Final = b"TEGATA\x00\x02"
_HISTORY: Final = struct.Struct(">Q32s")
FILE_HEADER_BYTES: Final = len(_MAGIC) + _HISTORY.size + 8
_LENGTH: Final = struct.Struct(">I")
_HEADER: Final = struct.Struct(">4s4s8s")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedHistory:
    """The lower part of a chain that irohad made: its rules held for it, and not ours.

    Attributes:
        height: The height of its last block; 0 where there is none.
        block_hash: The hash of that block, 32 bytes. By their links it fixes all blocks below.
    """

    height: int
    block_hash: bytes


NO_HISTORY: Final = ImportedHistory(height=0, block_hash=bytes(32))


class BlockStore:
    """The append-only file of blocks. One process holds it at a time."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it.

        Raises:
            StorageError: Another process holds it, it cannot be written, or it is no block file.
        """
        self._path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StorageError(f"{path}: cannot be opened: {error.strerror}") from None
        try:
            _lock(self._file, path)
            self._imported = self._read_file_header()
        except BaseException:
            os.close(self._file)
            raise

    def _read_file_header(self) -> ImportedHistory:
        self._end = os.fstat(self._file).st_size
        found = os.pread(self._file, FILE_HEADER_BYTES, 0)
        history = _parse_file_header(found, self._path)
        if history is None:
            # New, or torn while it was made: no block can be in it yet.
            self._write_file_header(NO_HISTORY)
            self._end = FILE_HEADER_BYTES
            return NO_HISTORY
        return history

    def _write_file_header(self, history: ImportedHistory) -> None:
        try:
            _write_whole(self._file, _file_header(history), 0)
            os.fsync(self._file)
            sync_folder(self._path.parent)
        except OSError as error:
            raise StorageError(f"{self._path}: cannot be written: {error.strerror}") from None

    @property
    def imported(self) -> ImportedHistory:
        """What of the chain irohad made."""
        return self._imported

    def declare_imported(self, history: ImportedHistory) -> None:
        """Say, before they are appended, which blocks irohad made; the disk has it on return.

        Raises:
            StorageError: The disk refused.
        """
        self._write_file_header(history)
        self._imported = history

    @property
    def start(self) -> int:
        """The offset of the first record."""
        return FILE_HEADER_BYTES

    def append(self, block: Block, *, is_synced: bool = True) -> tuple[int, int]:
        """Write a block and wait until the disk has it; return its offset and the next one's.

        Args:
            block: The block.
            is_synced: Whether to wait for the disk; else `sync` does it for many.

        Raises:
            StorageError: The disk refused; the file is as it was before.
        """
        data = block.SerializeToString()
        record = _header(data) + data
        offset = self._end
        try:
            _write_whole(self._file, record, offset)
            if is_synced:
                os.fdatasync(self._file)
        except OSError as error:
            os.ftruncate(self._file, offset)
            raise StorageError(
                f"{self._path}: a block cannot be written: {error.strerror}"
            ) from None
        self._end = offset + len(record)
        return offset, self._end

    def sync(self) -> None:
        """Wait until the disk has all blocks.

        Raises:
            StorageError: The disk refused.
        """
        try:
            os.fdatasync(self._file)
        except OSError as error:
            raise StorageError(f"{self._path}: cannot be written: {error.strerror}") from None

    def read(self, offset: int) -> Block:
        """Return the block whose record begins at an offset.

        Raises:
            StorageError: No whole block is there.
        """
        block, _ = self._read_record(offset)
        return block

    def read_transaction(self, offset: int, place: Place) -> Transaction:
        """Return one transaction of the block whose record begins at an offset.

        Raises:
            StorageError: It is not there as it was written.
        """
        data = os.pread(self._file, place.length, offset + _HEADER.size + place.offset)
        transaction = decode_transaction(data, place)
        if transaction is None:
            raise self._damage(offset)
        return transaction

    def recover(self, offset: int) -> Iterator[tuple[int, int, Block]]:
        """Yield (offset, next offset, block) of all records from an offset on.

        A last record that is not whole was being written when the process died. Nobody was told of
        it: it is cut off, and kept in a file of its own. After a power cut its pages may be there
        in part and in any order, so a header of zeros was never written, whatever follows it. Only
        a whole record behind it shows otherwise: each append waits until the disk has the one
        before.

        Raises:
            StorageError: A record that is not the last one is damaged, or the file ends before the
                offset.
        """
        if offset > self._end:
            raise self._is_shorter(offset)
        while offset < self._end:
            if self._is_torn(offset):
                self._cut_off(offset)
                return
            block, following = self._read_record(offset)
            yield offset, following, block
            offset = following

    def cut_back(self, offset: int) -> None:
        """Cut off the records from an offset on, whole ones too: CometBFT gives them again.

        Raises:
            StorageError: The file ends before the offset, or the disk refused.
        """
        if offset > self._end:
            raise self._is_shorter(offset)
        try:
            os.ftruncate(self._file, offset)
            os.fsync(self._file)
        except OSError as error:
            raise StorageError(f"{self._path}: cannot be cut: {error.strerror}") from None
        self._end = offset

    def close(self) -> None:
        """Close the file and let another process have it."""
        os.close(self._file)

    def _cut_off(self, offset: int) -> None:
        tail = os.pread(self._file, self._end - offset, offset)
        try:
            if any(tail):
                keep_bytes(self._path, "torn", tail)
            os.ftruncate(self._file, offset)
            os.fsync(self._file)
        except OSError as error:
            raise StorageError(
                f"{self._path}: a torn block at its end cannot be cut off: {error.strerror}"
            ) from None
        self._end = offset

    def _is_torn(self, offset: int) -> bool:
        remaining = self._end - offset
        if remaining < _HEADER.size:
            return True
        header = os.pread(self._file, _HEADER.size, offset)
        if not any(header):
            return not self._has_record_behind(offset)
        length = _block_length(header)
        if length is None:
            # The file grew before the record's bytes reached the disk.
            return not any(os.pread(self._file, remaining - _HEADER.size, offset + _HEADER.size))
        if _HEADER.size + length == remaining:
            return _header(os.pread(self._file, length, offset + _HEADER.size)) != header
        return _HEADER.size + length > remaining

    def _has_record_behind(self, offset: int) -> bool:
        """Tell whether a whole record begins at any byte behind an offset."""
        with mmap.mmap(self._file, self._end, access=mmap.ACCESS_READ) as data:
            places = range(offset + 1, self._end - _HEADER.size)
            return any(find_record(data, place) is not None for place in places)

    def _read_record(self, offset: int) -> tuple[Block, int]:
        header = os.pread(self._file, _HEADER.size, offset)
        length = _block_length(header)
        if length is not None:
            data = os.pread(self._file, length, offset + _HEADER.size)
            if _header(data) == header:
                try:
                    return Block.FromString(data), offset + _HEADER.size + length
                except DecodeError:
                    pass
        raise self._damage(offset)

    def _is_shorter(self, offset: int) -> StorageError:
        return StorageError(
            f"{self._path}: shorter than the state beside it says ({self._end} bytes, {offset} "
            "expected): blocks are lost; restore the file from a backup or from another peer"
        )

    def _damage(self, offset: int) -> StorageError:
        return StorageError(
            f"{self._path}: the block at byte {offset} is damaged; restore the file from a backup "
            "or from another peer"
        )


def check_file_header(path: Path) -> None:
    """Check that a file begins as a block file does; it is not changed.

    Raises:
        StorageError: It cannot be read, is another kind of file, or its header is damaged.
    """
    try:
        with path.open("rb") as file:
            found = file.read(FILE_HEADER_BYTES)
    except OSError as error:
        raise StorageError(f"{path}: cannot be opened: {error.strerror}") from None
    _parse_file_header(found, path)


def check_not_in_use(path: Path) -> None:
    """Check that no process holds a block file; that there is none is well too.

    Raises:
        StorageError: A node is running on it.
    """
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"{path}: cannot be opened: {error.strerror}") from None
    try:
        _lock(file, path)
    finally:
        os.close(file)


def find_record(data: mmap.mmap, offset: int) -> tuple[int, int] | None:
    """Return where the block of a whole record begins and ends, or None where none begins here."""
    body = offset + _HEADER.size
    if body > len(data):
        return None
    (length,) = _LENGTH.unpack_from(data, offset)
    # Most places are ruled out by this, before anything is hashed.
    if not 0 < length <= len(data) - body:
        return None
    header = data[offset:body]
    if _block_length(header) is None or _header(data[body : body + length]) != header:
        return None
    return body, body + length


def _lock(file: int, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise StorageError(f"{path}: another node is running on these files") from None


def _file_header(history: ImportedHistory) -> bytes:
    data = _HISTORY.pack(history.height, history.block_hash)
    return _MAGIC + data + hashlib.sha256(data).digest()[:8]


def _parse_file_header(found: bytes, path: Path) -> ImportedHistory | None:
    """Return what a file's header tells, or None where the header is not whole yet."""
    if not _MAGIC.startswith(found[: len(_MAGIC)]):
        raise StorageError(f"{path}: not a block file of this version")
    if len(found) < FILE_HEADER_BYTES:
        return None
    height, block_hash = _HISTORY.unpack_from(found, len(_MAGIC))
    history = ImportedHistory(height=height, block_hash=block_hash)
    if found != _file_header(history):
        raise StorageError(
            f"{path}: its header is damaged; restore the file from a backup, or import the history "
            "again"
        )
    return history


def _header(data: bytes) -> bytes:
    length = _LENGTH.pack(len(data))
    return _HEADER.pack(length, hashlib.sha256(length).digest(), hashlib.sha256(data).digest())


def _block_length(header: bytes) -> int | None:
    """Return the length that a record's header tells, or None where it is not to be believed."""
    length = header[: _LENGTH.size]
    check = header[_LENGTH.size : 2 * _LENGTH.size]
    if len(header) < _HEADER.size or hashlib.sha256(length).digest()[: len(check)] != check:
        return None
    number: int
    (number,) = _LENGTH.unpack(length)
    return number


def _write_whole(file: int, data: bytes, offset: int) -> None:
    """Write all of the bytes; a disk that fills up may take only some at a time.

    Raises:
        OSError: The disk refused.
    """
    written = 0
    while written < len(data):
        written += os.pwrite(file, data[written:], offset + written)
