"""Reading a block file that may be damaged: what is whole, and the gaps between."""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError

from chaincode.protocol.block_pb2 import Block
from node.errors import StorageError
from node.ledger.block_store import FILE_HEADER_BYTES, find_record


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A part of the file: one whole record, or bytes that are none.

    Attributes:
        start: Its first byte.
        end: The byte behind it.
        block: The block; None where the bytes are no record.
    """

    start: int
    end: int
    block: Block | None


def scan_blocks(path: Path) -> Iterator[Span]:
    """Yield all of a block file behind its header, in order; nothing is changed.

    Raises:
        StorageError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            if size <= FILE_HEADER_BYTES:
                return
            with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as data:
                yield from _scan(data, size)
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror}") from None


def _scan(data: mmap.mmap, size: int) -> Iterator[Span]:
    offset = FILE_HEADER_BYTES
    while offset < size:
        found = _block_at(data, offset)
        if found is not None:
            block, end = found
            yield Span(start=offset, end=end, block=block)
            offset = end
            continue
        end = offset + 1
        while end < size and _block_at(data, end) is None:
            end += 1
        yield Span(start=offset, end=end, block=None)
        offset = end


def _block_at(data: mmap.mmap, offset: int) -> tuple[Block, int] | None:
    found = find_record(data, offset)
    if found is None:
        return None
    start, end = found
    try:
        return Block.FromString(data[start:end]), end
    except DecodeError:
        return None
