"""Where each transaction stands in its serialised block, so that one is read without the others."""

import hashlib
import struct
from dataclasses import dataclass
from typing import Final

from chaincode.protocol.block_pb2 import Block, Block_v1
from chaincode.protocol.transaction_pb2 import Transaction

_PLACE: Final = struct.Struct(">II4s")
PLACE_BYTES: Final = _PLACE.size


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
    payload = block.block_v1.payload
    # The field as it stands in the block: a part of a message is a message.
    fields = [
        Block_v1.Payload(transactions=[message]).SerializeToString()
        for message in payload.transactions
    ]
    offset = block.SerializeToString().index(fields[0]) if fields else 0
    places = []
    for field in fields:
        places.append(_PLACE.pack(offset, len(field), hashlib.sha256(field).digest()[:4]))
        offset += len(field)
    return b"".join(places)


def decode_place(data: bytes) -> Place:
    """Return the place that is encoded in `PLACE_BYTES` bytes."""
    return Place(*_PLACE.unpack(data))


def decode_transaction(data: bytes, place: Place) -> Transaction | None:
    """Return the transaction of a part of a block, or None where that is damaged."""
    if hashlib.sha256(data).digest()[: len(place.checksum)] != place.checksum:
        return None
    return Block_v1.Payload.FromString(data).transactions[0]
