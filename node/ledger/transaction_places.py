"""Where each transaction stands in its serialised block, so that one is read without the others."""

import hashlib
import struct
from dataclasses import dataclass
from typing import Final

from chaincode.protocol.block_pb2 import Block, Block_v1
from chaincode.protocol.transaction_pb2 import Transaction

_PLACE: Final = struct.Struct(">II4s")
PLACE_BYTES: Final = _PLACE.size
_TAG_BYTES: Final = 1
"""Of a field whose number is below 16."""


@dataclass(frozen=True, slots=True)
class Place:
    """A part of a serialised block that holds one transaction.

    Attributes:
        offset: Where it begins in the block.
        length: How many bytes it has.
        checksum: The first 4 bytes of its SHA-256.
    """

    offset: int
    length: int
    checksum: bytes


def encode_places(block: Block) -> bytes:
    """Return the places of a block's transactions, in order, `PLACE_BYTES` each."""
    messages = block.block_v1.payload.transactions
    if not messages:
        return b""
    data = block.SerializeToString()
    # The field as it stands in the block: a part of a message is a message.
    first = Block_v1.Payload(transactions=messages[:1]).SerializeToString()
    offset = data.index(first)
    places = []
    for message in messages:
        size = message.ByteSize()
        length = _TAG_BYTES + _varint_bytes(size) + size
        field = data[offset : offset + length]
        places.append(_PLACE.pack(offset, length, hashlib.sha256(field).digest()[:4]))
        offset += length
    return b"".join(places)


def _varint_bytes(number: int) -> int:
    """Return how many bytes a number takes in protobuf's variable-length form."""
    return max(1, (number.bit_length() + 6) // 7)


def decode_place(data: bytes) -> Place:
    """Return the place that is encoded in `PLACE_BYTES` bytes."""
    return Place(*_PLACE.unpack(data))


def decode_transaction(data: bytes, place: Place) -> Transaction | None:
    """Return the transaction of a part of a block, or None where that is damaged."""
    if hashlib.sha256(data).digest()[: len(place.checksum)] != place.checksum:
        return None
    return Block_v1.Payload.FromString(data).transactions[0]
