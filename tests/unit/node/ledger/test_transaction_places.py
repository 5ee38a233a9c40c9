"""Single transactions of a block: each is read as it was written, and damage is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.primitive_pb2 import Signature
from chaincode.protocol.transaction_pb2 import Transaction
from node.errors import StorageError
from node.ledger.block_store import BlockStore
from node.ledger.transaction_places import (
    PLACE_BYTES,
    Place,
    decode_place,
    decode_transaction,
    encode_places,
)

# Texts around the lengths where a length takes one byte more, and transactions of nothing.
TEXTS = st.text(max_size=3) | st.integers(100, 140).map(lambda count: "x" * count)
TRANSACTIONS = st.builds(
    lambda creator, signature, unknown: Transaction.FromString(
        build_transaction(creator, signature).SerializeToString() + unknown
    ),
    TEXTS,
    TEXTS,
    # A field of a later version of the protocol.
    st.sampled_from([b"", b"\x98\x06\x01"]),
)


def build_transaction(creator: str, signature: str = "") -> Transaction:
    message = Transaction()
    if creator:
        message.payload.reduced_payload.creator_account_id = creator
    if signature:
        message.signatures.append(Signature(signature=signature))
    return message


def build_block(*transactions: Transaction) -> Block:
    block = Block()
    block.block_v1.payload.height = 7
    block.block_v1.payload.transactions.extend(transactions)
    block.block_v1.signatures.append(Signature(public_key="ab"))
    return block


def places_of(block: Block) -> list[Place]:
    data = encode_places(block)
    return [
        decode_place(data[start : start + PLACE_BYTES])
        for start in range(0, len(data), PLACE_BYTES)
    ]


@given(transactions=st.lists(TRANSACTIONS, max_size=6))
def test_each_place_holds_its_transaction(transactions: list[Transaction]) -> None:
    block = build_block(*transactions)
    data = block.SerializeToString()
    found = [
        decode_transaction(data[place.offset : place.offset + place.length], place)
        for place in places_of(block)
    ]
    assert found == transactions


@pytest.mark.parametrize("position", range(3))
def test_a_damaged_transaction_is_a_storage_error(tmp_path: Path, position: int) -> None:
    block = build_block(*(build_transaction(f"a{n}@d", "signature") for n in range(3)))
    store = BlockStore(tmp_path / "blocks")
    start, following = store.append(block)
    places = places_of(block)
    expected = list(block.block_v1.payload.transactions)
    assert [store.read_transaction(start, place) for place in places] == expected
    whole = (tmp_path / "blocks").read_bytes()
    begin = whole.index(f"a{position}@d".encode())
    # The creator's name, and the signature, which no hash covers.
    for offset in (begin, whole.index(b"signature", begin)):
        damaged = bytearray(whole)
        damaged[offset] ^= 1
        (tmp_path / "blocks").write_bytes(damaged)
        with pytest.raises(StorageError, match=f"the block at byte {start} is damaged"):
            store.read_transaction(start, places[position])
        rest = [place for number, place in enumerate(places) if number != position]
        assert len([store.read_transaction(start, place) for place in rest]) == 2
    (tmp_path / "blocks").write_bytes(whole[: following - 40])
    with pytest.raises(StorageError, match="is damaged"):
        store.read_transaction(start, places[2])
    store.close()
