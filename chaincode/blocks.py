"""What a block is made from, and what comes out of applying it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Final, assert_never

from chaincode.batches import Batch
from chaincode.errors import InvalidBlockError, SignatureInvalidError
from chaincode.evm import Evm
from chaincode.protocol.block_pb2 import Block
from chaincode.signatures import verify_signature
from chaincode.transactions import block_hash

GENESIS_PREVIOUS_HASH: Final = bytes(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockContext:
    """All that a rule may know of the world outside the state.

    Attributes:
        height: From 1, the genesis block.
        time_ms: The block's time, milliseconds since 1970, UTC.
        evm: What runs contracts where the ledger has an engine; None where the node has none.
        only_voter: The key of a node that orders alone: with another that votes, no block would be
            accepted again. None where the orderer follows the peers.
        is_replicated: Whether the peers that vote are validators of CometBFT.
    """

    height: int
    time_ms: int
    evm: Evm | None = None
    only_voter: str | None = None
    is_replicated: bool = False


class Verdict(Enum):
    """What became of a transaction in a block."""

    COMMITTED = "committed"
    REJECTED = "rejected"
    REPLAYED = "replayed"
    """It was decided in an earlier block, or earlier in this one; this block does not name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The outcome of one transaction.

    Attributes:
        tx_hash: 32 bytes.
        verdict: What became of it.
        code: The result code of the command that failed; 0 where none did.
        command_name: The name of the command that failed, or of the check before any command;
            empty where another transaction failed the batch.
        command_index: Its place in the transaction, from 0.
        reason: Plain words for a log; not part of consensus.
    """

    tx_hash: bytes
    verdict: Verdict
    code: int = 0
    command_name: str = ""
    command_index: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockOutcome:
    """What a block does to the state it was applied to.

    Attributes:
        changes: The new value of each key that changed; None where the key goes.
        receipts: One for each transaction, in order.
    """

    changes: Mapping[bytes, bytes | None]
    receipts: tuple[Receipt, ...]


def build_block(
    context: BlockContext,
    previous_hash: bytes,
    batches: Iterable[Batch],
    receipts: Iterable[Receipt],
) -> Block:
    """Return the unsigned block that says what became of the batches.

    Committed transactions are in it whole, rejected ones by their hash; where a batch failed, the
    transaction that failed it stands first, as in the blocks that irohad makes. `tx_number` stays
    0, as there.

    Args:
        context: The block's height and time.
        previous_hash: The hash of the block below, 32 bytes.
        batches: As they were applied.
        receipts: What became of each transaction, in order.
    """
    block = Block()
    payload = block.block_v1.payload
    payload.height = context.height
    payload.prev_block_hash = previous_hash.hex()
    payload.created_time = context.time_ms
    remaining = iter(receipts)
    for batch in batches:
        rejected = []
        for transaction, receipt in zip(
            batch.transactions, islice(remaining, len(batch.transactions)), strict=True
        ):
            match receipt.verdict:
                case Verdict.COMMITTED:
                    payload.transactions.append(transaction.message)
                case Verdict.REJECTED:
                    rejected.append(receipt)
                case Verdict.REPLAYED:
                    pass
                case _ as unknown:
                    assert_never(unknown)
        rejected.sort(key=lambda receipt: not receipt.command_name)
        payload.rejected_transactions_hashes.extend(receipt.tx_hash.hex() for receipt in rejected)
    return block


def verify_link(block: Block, *, expected_height: int, expected_previous_hash: bytes) -> None:
    """Check that a block stands directly above the one below it.

    Raises:
        InvalidBlockError: The height or the link is wrong; the text says which.
    """
    payload = block.block_v1.payload
    if payload.height != expected_height:
        raise InvalidBlockError(f"height {payload.height} where {expected_height} is due")
    if payload.prev_block_hash != expected_previous_hash.hex():
        raise InvalidBlockError(f"block {expected_height}: its previous hash names another block")


def verify_peer_signatures(block: Block, peer_keys: frozenset[str]) -> None:
    """Check that a majority of the peers, and nobody else, signed a block.

    Args:
        block: Any block but the genesis, which nobody signs.
        peer_keys: The keys of the peers, lower-case hex, as they stood below this block.

    Raises:
        InvalidBlockError: A signature is wrong, by another key, or there are too few.
    """
    payload = block.block_v1.payload
    data = payload.SerializeToString()
    signers = set()
    for signature in block.block_v1.signatures:
        key = signature.public_key.lower()
        if key not in peer_keys:
            raise InvalidBlockError(f"block {payload.height}: signed by a key that is no peer's")
        try:
            verify_signature(public_key=key, signature=signature.signature, payload=data)
        except SignatureInvalidError as error:
            raise InvalidBlockError(f"block {payload.height}: {error}") from None
        signers.add(key)
    # irohad 1.6 tolerates crashed peers: a block needs a simple majority of the peers.
    if 2 * len(signers) < len(peer_keys) + 1:
        raise InvalidBlockError(
            f"block {payload.height}: {len(signers)} of {len(peer_keys)} peers signed it"
        )


def verify_block(
    block: Block, *, expected_height: int, expected_previous_hash: bytes, peer_keys: frozenset[str]
) -> bytes:
    """Return the hash of a block that is now known to follow from the chain below it.

    Args:
        block: Any block but the genesis, which nobody signs.
        expected_height: The height above the block below.
        expected_previous_hash: The hash of the block below, 32 bytes.
        peer_keys: The keys of the peers, lower-case hex, as they stood below this block.

    Raises:
        InvalidBlockError: The height, the link or the signatures are wrong; the text says which.
    """
    verify_link(
        block, expected_height=expected_height, expected_previous_hash=expected_previous_hash
    )
    verify_peer_signatures(block, peer_keys)
    return block_hash(block)
