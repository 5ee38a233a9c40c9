"""Checking a ledger on disk: the chain from its genesis, and the state that it must lead to."""

from dataclasses import dataclass
from pathlib import Path

from client_sdk.ledger.account_key import AccountKey
from node.config import load_config
from node.errors import StorageError
from node.ledger.block_store import BlockStore
from node.ledger.config import FILE_NAME, NodeConfig
from node.ledger.replay import recover
from node.ledger.state_store import StateStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainReport:
    """What a whole chain leads to.

    Attributes:
        height: The number of blocks.
        block_hash: The hash of the top block, 32 bytes.
        root: The hash of the whole world state, 32 bytes.
    """

    height: int
    block_hash: bytes
    root: bytes


def verify_chain(folder: Path, scratch: Path) -> ChainReport:
    """Replay the chain of the node in `folder` and compare its state with what comes out.

    Every link, block signature, transaction signature and rule is checked again. The node must not
    be running.

    Args:
        folder: The node's folder, with `node.toml`.
        scratch: An empty folder for the second state.

    Raises:
        KeyFormatError: The key of a replicated peer cannot be read.
        StorageError: A store is damaged, or the state on disk is not what the chain leads to.
        InvalidBlockError: A block does not follow from those below it.
    """
    config = load_config(folder / FILE_NAME, NodeConfig)
    data = config.data
    signers = None
    if config.cometbft is not None:
        # What the network says of a block stands above it at CometBFT; its keeper alone signs it.
        signers = frozenset({AccountKey.load(config.private_key).public_key})
    blocks = BlockStore(data / "blocks")
    try:
        state = StateStore(data / "state.sqlite", blocks)
        rebuilt = StateStore(scratch / "state.sqlite", blocks)
        try:
            if signers is None:
                # Blocks that the state has not seen are part of the chain: a crash left them.
                recover(blocks, state)
            else:
                with state.snapshot() as view:
                    blocks.cut_back(view.tip().next_start)
            _check_blocks(state)
            recover(blocks, rebuilt, signers)
            with state.snapshot() as view:
                found = (view.tip(), view.content_hash())
            with rebuilt.snapshot() as view:
                expected = (view.tip(), view.content_hash())
        finally:
            state.close()
            rebuilt.close()
    finally:
        blocks.close()
    tip, _ = expected
    if found != expected:
        raise StorageError(
            f"{data}: the state on disk is not what the chain leads to (height {found[0].height}, "
            f"{tip.height} expected); move state.sqlite away and the node rebuilds it"
        )
    return ChainReport(height=tip.height, block_hash=tip.block_hash, root=tip.root)


def _check_blocks(state: StateStore) -> None:
    """Read every block that the state has seen.

    A damaged one at the end would else pass for one that was torn while it was written, and be cut
    off.
    """
    with state.snapshot() as view:
        for height in range(1, view.tip().height + 1):
            if view.block_at(height) is None:
                raise StorageError(f"the state on disk does not know where block {height} is")
