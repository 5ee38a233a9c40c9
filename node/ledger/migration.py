"""Importing the history of an irohad ledger beneath a new one of ours."""

from dataclasses import dataclass

from chaincode.blocks import verify_peer_signatures
from chaincode.errors import InvalidBlockError
from chaincode.protocol.block_pb2 import Block
from chaincode.transactions import block_hash
from chaincode.world_state import get_voters
from node.errors import ConfigError
from node.ledger.block_store import ImportedHistory
from node.ledger.irohad_blocks import BlockSource
from node.ledger.stores import LedgerStores


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did.

    Attributes:
        blocks: How many blocks were new.
        unverified: The heights of those whose signatures do not follow from the ledger's peers.
    """

    blocks: int
    unverified: tuple[int, ...]


def import_history(
    stores: LedgerStores,
    source: BlockSource,
    *,
    up_to: int | None = None,
    allow_unverified: bool = False,
) -> ImportReport:
    """Import all blocks that are not in the ledger yet. It may be broken off and begun again.

    Heights and links are checked. So are the signatures, under the peers that the ledger itself
    names; only a chain whose peers were overridden (`initial_peers`) fails that.

    Args:
        stores: A ledger that is empty, or holds imported blocks only.
        source: Where irohad's blocks are.
        up_to: The height at which the history ends; that of the source where it is left out.
        allow_unverified: Whether blocks are taken whose signatures do not follow.

    Raises:
        ConfigError: There are no blocks, or the ledger has others or blocks of its own.
        InvalidBlockError: A block does not follow from those below it.
        StorageError: The source or the disk fails.
        PeerUnreachableError: The daemon does not answer.
    """
    _declare(stores, source, up_to)
    first = stores.tip().height + 1
    unverified = []
    for block in source.blocks(first):
        if block.block_v1.payload.height > stores.blocks.imported.height:
            break
        if problem := _signature_problem(stores, block):
            if not allow_unverified:
                raise InvalidBlockError(problem)
            unverified.append(block.block_v1.payload.height)
        stores.append(block)
    check_import_is_whole(stores)
    return ImportReport(blocks=stores.tip().height + 1 - first, unverified=tuple(unverified))


def check_import_is_whole(stores: LedgerStores) -> None:
    """Check that no import was broken off.

    Raises:
        ConfigError: It was: blocks are missing before the ledger can go on.
    """
    height, due = stores.tip().height, stores.blocks.imported.height
    if height < due:
        raise ConfigError(
            f"the import of irohad's blocks was broken off at {height} of {due}: run it again"
        )


def _declare(stores: LedgerStores, source: BlockSource, up_to: int | None) -> None:
    """Write down, before any block, which one ends the history."""
    tip = stores.tip()
    if tip.height > stores.blocks.imported.height:
        raise ConfigError(
            f"the ledger has blocks of its own ({tip.height} in all): irohad's history can only "
            "be imported beneath a new ledger"
        )
    top = source.top()
    if top == 0:
        raise ConfigError("there are no blocks of irohad to import")
    if up_to is not None:
        if up_to > top:
            raise ConfigError(f"the source has {top} blocks, not {up_to}")
        top = up_to
    if top < tip.height:
        raise ConfigError(f"the ledger has {tip.height} blocks already, the source only {top}")
    last = next(source.blocks(top))
    if top == tip.height and block_hash(last) != tip.block_hash:
        raise ConfigError("the ledger on disk holds the blocks of another ledger")
    stores.blocks.declare_imported(ImportedHistory(height=top, block_hash=block_hash(last)))


def _signature_problem(stores: LedgerStores, block: Block) -> str | None:
    # The first block is the genesis: nobody signs it.
    if block.block_v1.payload.height == 1:
        return None
    with stores.state.snapshot() as view:
        peers = get_voters(view)
    try:
        verify_peer_signatures(block, peers)
    except InvalidBlockError as error:
        return f"{error}; --allow-unverified takes such blocks, bound by their links alone"
    return None
