"""Blocks of the chain, decided again: what they do to a state that has not seen them."""

from typing import Final

from chaincode.batches import restore_batches
from chaincode.blocks import BlockContext, BlockOutcome, Verdict, verify_block, verify_link
from chaincode.errors import InvalidBlockError, InvalidTransactionError
from chaincode.ids import HASH
from chaincode.protocol.block_pb2 import Block
from chaincode.transactions import block_hash, transaction_hash
from chaincode.transition import apply_block, apply_genesis, apply_history
from chaincode.world_state import get_voters
from node.ledger.block_store import NO_HISTORY, BlockStore, ImportedHistory
from node.ledger.block_view import BlockView
from node.ledger.candidate import Candidate, build_candidate, state_change
from node.ledger.evm import LEDGER_EVM
from node.ledger.quarantine import Quarantine
from node.ledger.state_rows import Tip
from node.ledger.state_snapshot import StateSnapshot
from node.ledger.state_store import StateStore

_MAX_TIME_MS: Final = 2**63 - 1
"""The highest number that the state's tables hold."""


def replay(
    view: StateSnapshot,
    tip: Tip,
    block: Block,
    imported: ImportedHistory = NO_HISTORY,
    signers: frozenset[str] | None = None,
) -> Candidate:
    """Return what a block of the chain does to the state below it, having checked that it follows.

    Args:
        view: The state below it.
        tip: The block below it.
        block: The block.
        imported: The part of the chain that irohad made and that is fixed by its last hash.
        signers: The keys that sign blocks; None for those of the peers that vote.

    Raises:
        InvalidBlockError: It does not follow, or one of its transactions fails.
    """
    payload = block.block_v1.payload
    known: BlockView | StateSnapshot = view
    if payload.height <= imported.height:
        outcome = _replay_history(view, tip, block, imported)
    elif tip.height == 0:
        outcome = apply_genesis(view, block, LEDGER_EVM)
    else:
        verify_block(
            block,
            expected_height=tip.height + 1,
            expected_previous_hash=tip.block_hash,
            peer_keys=get_voters(view) if signers is None else signers,
        )
        try:
            batches = restore_batches(payload.transactions)
        except InvalidTransactionError as error:
            raise InvalidBlockError(f"block {payload.height}: {error}") from None
        context = BlockContext(height=payload.height, time_ms=payload.created_time, evm=LEDGER_EVM)
        # A fault of the rules rejects; what a block holds was committed, so that ends the replay.
        known = BlockView(view, batches)
        outcome = apply_block(known, context, batches, Quarantine().note)
    for receipt in outcome.receipts:
        if receipt.verdict is not Verdict.COMMITTED:
            raise InvalidBlockError(
                f"block {payload.height}: transaction {receipt.tx_hash.hex()} is in it, but fails: "
                f"{receipt.reason}"
            )
    _check_decisions(view, block)
    return build_candidate(view, known, block, outcome)


def _check_decisions(view: StateSnapshot, block: Block) -> None:
    """Check what the stores rely on: a block that they cannot take must never be appended."""
    payload = block.block_v1.payload
    if payload.created_time > _MAX_TIME_MS:
        raise InvalidBlockError(f"block {payload.height}: its time lies beyond all times")
    if not all(HASH.fullmatch(text) for text in payload.rejected_transactions_hashes):
        raise InvalidBlockError(f"block {payload.height}: the hash of a rejection is malformed")
    decided = [transaction_hash(message) for message in payload.transactions]
    decided += [bytes.fromhex(text) for text in payload.rejected_transactions_hashes]
    if len(set(decided)) < len(decided) or any(map(view.has_transaction, decided)):
        raise InvalidBlockError(f"block {payload.height}: a transaction is decided twice")


def _replay_history(
    view: StateSnapshot, tip: Tip, block: Block, imported: ImportedHistory
) -> BlockOutcome:
    verify_link(block, expected_height=tip.height + 1, expected_previous_hash=tip.block_hash)
    height = tip.height + 1
    if height == imported.height and block_hash(block) != imported.block_hash:
        raise InvalidBlockError(f"block {height}: not the block that ends the imported history")
    return apply_history(view, block, LEDGER_EVM)


def recover(blocks: BlockStore, state: StateStore, signers: frozenset[str] | None = None) -> int:
    """Apply the blocks that the state has not seen; return how many there were.

    Args:
        blocks: The chain.
        state: What it leads to.
        signers: The keys that sign blocks; None for those of the peers that vote.

    Raises:
        StorageError: A store is damaged.
        InvalidBlockError: A block does not follow from those below it.
    """
    count = 0
    with state.snapshot() as view:
        start = view.tip().next_start
    for offset, following, block in blocks.recover(start):
        with state.newest() as view:
            candidate = replay(view, view.tip(), block, blocks.imported, signers)
        state.commit(state_change(candidate, offset, following))
        count += 1
    return count
