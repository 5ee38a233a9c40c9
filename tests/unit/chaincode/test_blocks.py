"""Blocks: what they name, and that only a block that follows is taken."""

import pytest
from support.batches import lone
from support.memory_ledger import named_key, sign_block
from support.small_ledger import ALICE, small_ledger

from chaincode.blocks import BlockContext, Receipt, Verdict, build_block, verify_block
from chaincode.errors import InvalidBlockError
from chaincode.protocol.block_pb2 import Block
from chaincode.transactions import block_hash
from client_sdk.ledger.commands import set_account_detail

BELOW = bytes(range(32))
PEERS = [named_key(f"peer {n}") for n in range(7)]


def block_at(height: int = 5) -> Block:
    return build_block(BlockContext(height=height, time_ms=99), BELOW, [], [])


def verify(block: Block, peers: int, *, height: int = 5, previous: bytes = BELOW) -> bytes:
    return verify_block(
        block,
        expected_height=height,
        expected_previous_hash=previous,
        peer_keys=frozenset(key.public_key for key in PEERS[:peers]),
    )


def test_a_block_says_what_became_of_each_transaction() -> None:
    ledger = small_ledger()
    transactions = [
        ledger.build_signed(ALICE, set_account_detail(ALICE, "k", str(n))) for n in range(3)
    ]
    verdicts = [Verdict.COMMITTED, Verdict.REJECTED, Verdict.REPLAYED]
    receipts = [
        Receipt(tx_hash=transaction.hash, verdict=verdict)
        for transaction, verdict in zip(transactions, verdicts, strict=True)
    ]
    context = BlockContext(height=2, time_ms=123)
    payload = build_block(context, BELOW, lone(*transactions), receipts).block_v1.payload
    assert (payload.height, payload.created_time, payload.tx_number) == (2, 123, 0)
    assert payload.prev_block_hash == BELOW.hex()
    assert list(payload.transactions) == [transactions[0].message]
    assert list(payload.rejected_transactions_hashes) == [transactions[1].hash.hex()]


@pytest.mark.parametrize(
    ("peers", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4)]
)
def test_a_majority_of_the_peers_signs(peers: int, needed: int) -> None:
    for signers in range(peers + 1):
        block = block_at()
        sign_block(block, *PEERS[:signers])
        if signers >= needed:
            assert verify(block, peers) == block_hash(block)
        else:
            with pytest.raises(InvalidBlockError, match=f"{signers} of {peers} peers"):
                verify(block, peers)


def test_signing_twice_counts_once() -> None:
    block = block_at()
    sign_block(block, PEERS[0], PEERS[0])
    block.block_v1.signatures[1].public_key = block.block_v1.signatures[1].public_key.upper()
    with pytest.raises(InvalidBlockError, match="1 of 2 peers"):
        verify(block, 2)


def test_a_block_without_peers_is_refused() -> None:
    with pytest.raises(InvalidBlockError, match="0 of 0"):
        verify(block_at(), 0)


@pytest.mark.parametrize(
    ("height", "previous", "text"),
    [
        (4, BELOW, "height 5 where 4"),
        (6, BELOW, "height 5 where 6"),
        (5, bytes(32), "previous hash"),
    ],
)
def test_a_block_that_does_not_follow_is_refused(height: int, previous: bytes, text: str) -> None:
    block = block_at()
    sign_block(block, PEERS[0])
    with pytest.raises(InvalidBlockError, match=text):
        verify(block, 1, height=height, previous=previous)


def test_a_stranger_must_not_sign() -> None:
    block = block_at()
    sign_block(block, PEERS[0], PEERS[1])
    with pytest.raises(InvalidBlockError, match="no peer's"):
        verify(block, 1)


def test_a_changed_block_is_refused() -> None:
    block = block_at()
    sign_block(block, PEERS[0])
    block.block_v1.payload.created_time += 1
    with pytest.raises(InvalidBlockError, match=r"Bad signature\."):
        verify(block, 1)


def test_the_hash_covers_the_payload_and_no_signature() -> None:
    block = block_at()
    unsigned = block_hash(block)
    sign_block(block, PEERS[0])
    assert block_hash(block) == unsigned
    block.block_v1.payload.height += 1
    assert block_hash(block) != unsigned
