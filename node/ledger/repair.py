"""Mending the files of a stopped node: what is damaged is set aside, never removed."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from chaincode.blocks import GENESIS_PREVIOUS_HASH, verify_link
from chaincode.protocol.block_pb2 import Block
from chaincode.transactions import block_hash
from node.errors import PeerUnreachableError, StorageError
from node.ledger.block_store import BlockStore, check_file_header, check_not_in_use
from node.ledger.inspection import (
    ChainScan,
    pending_problem,
    read_tip,
    scan_chain,
    state_problem,
)
from node.ledger.kept_files import free_name, keep_bytes
from node.ledger.peer_client import PeerClient
from node.ledger.stores import BLOCKS_NAME, PENDING_NAME, STATE_NAME, LedgerStores

_NEW_NAME = "blocks.new"
_SIDE_FILES = ("", "-wal", "-shm")


def repair(data: Path, peers: Sequence[str], tell: Callable[[str], object]) -> None:
    """Mend what can be mended, and open the ledger to see that it is whole.

    Args:
        data: The node's data folder.
        peers: The `internal` addresses of nodes that blocks may be fetched from.
        tell: Is told of each thing that is done.

    Raises:
        StorageError: A node is running on the files, or something is beyond repair here; the text
            says what is needed.
        InvalidBlockError: The chain does not follow from itself.
        PeerUnreachableError: Blocks are missing and no peer gives them.
    """
    blocks = data / BLOCKS_NAME
    check_not_in_use(blocks)
    check_file_header(blocks)
    chain = scan_chain(blocks, read_tip(data / STATE_NAME))
    if chain.missing:
        _fill_gaps(data, chain, peers, tell)
    elif chain.torn is not None:
        _cut_off(blocks, chain, tell)
    elif any(place.height is None for place in chain.places):
        # Bytes that are no block between two that follow from each other.
        _fill_gaps(data, chain, peers, tell)
    if problem := state_problem(data / STATE_NAME, chain):
        _set_aside(data, STATE_NAME, tell, problem)
    if problem := pending_problem(data / PENDING_NAME):
        _set_aside(data, PENDING_NAME, tell, problem)
    with LedgerStores(data) as stores:
        tip = stores.tip()
        tell(
            f"the ledger is whole: height {tip.height}, {stores.replayed_blocks} blocks were "
            "applied to the state"
        )


def _cut_off(blocks: Path, chain: ChainScan, tell: Callable[[str], object]) -> None:
    torn = chain.torn
    assert torn is not None
    try:
        with blocks.open("r+b") as file:
            file.seek(torn.start)
            kept = keep_bytes(blocks, "torn", file.read())
            file.truncate(torn.start)
            os.fsync(file.fileno())
    except OSError as error:
        raise StorageError(f"{blocks}: cannot be mended: {error.strerror}") from None
    tell(f"{BLOCKS_NAME}: {torn.end - torn.start} bytes of a torn block were moved to {kept.name}")


def _fill_gaps(
    data: Path, chain: ChainScan, peers: Sequence[str], tell: Callable[[str], object]
) -> None:
    """Write the chain anew, with the missing blocks of a peer; the old file is kept."""
    blocks = data / BLOCKS_NAME
    fetched = _fetch(chain.missing, peers) if chain.missing else {}
    new = data / _NEW_NAME
    new.unlink(missing_ok=True)
    with closing(BlockStore(blocks)) as old, closing(BlockStore(new)) as store:
        if old.imported.height:
            store.declare_imported(old.imported)
        previous = GENESIS_PREVIOUS_HASH
        for height, block in enumerate(_in_order(old, chain, fetched), start=1):
            verify_link(block, expected_height=height, expected_previous_hash=previous)
            store.append(block)
            previous = block_hash(block)
    kept = free_name(blocks, "damaged")
    try:
        # One step puts the new file in place: without any, a node would begin at its genesis.
        kept.hardlink_to(blocks)
        new.replace(blocks)
    except OSError as error:
        raise StorageError(f"{blocks}: cannot be replaced: {error.strerror}") from None
    tell(f"{BLOCKS_NAME}: {len(fetched)} blocks were fetched; the old file is kept as {kept.name}")
    if (data / STATE_NAME).exists():
        _set_aside(data, STATE_NAME, tell, f"it has places in the old {BLOCKS_NAME}")


def _in_order(old: BlockStore, chain: ChainScan, fetched: dict[int, Block]) -> Iterator[Block]:
    own = {place.height: place.start for place in chain.places if place.height is not None}
    for height in sorted({*own, *fetched}):
        yield old.read(own[height]) if height in own else fetched[height]


def _fetch(heights: Sequence[int], peers: Sequence[str]) -> dict[int, Block]:
    """Return the blocks of some heights; whether they are right their links tell."""
    if not peers:
        raise StorageError(
            f"blocks are missing, from {heights[0]} to {heights[-1]}: name the `internal` address "
            "of a peer or replica that has them (--from), or restore the file from a backup"
        )
    refusals = []
    for address in peers:
        client = PeerClient(address)
        try:
            return {height: _fetch_one(client, height) for height in heights}
        except PeerUnreachableError as error:
            refusals.append(str(error))
        finally:
            client.close()
    raise PeerUnreachableError("; ".join(refusals))


def _fetch_one(client: PeerClient, height: int) -> Block:
    for news in client.follow(height):
        if news.top_height < height:
            raise PeerUnreachableError(f"peer {client.address}: it has no block {height}")
        if news.HasField("block"):
            return news.block
    raise PeerUnreachableError(f"peer {client.address}: it gives no block {height}")


def _set_aside(data: Path, name: str, tell: Callable[[str], object], problem: str) -> None:
    kept = free_name(data / name, "damaged")
    try:
        for suffix in _SIDE_FILES:
            path = data / f"{name}{suffix}"
            if path.exists():
                path.rename(data / f"{kept.name}{suffix}")
    except OSError as error:
        raise StorageError(f"{data / name}: cannot be set aside: {error.strerror}") from None
    tell(f"{name}: {problem}; it is kept as {kept.name}")
