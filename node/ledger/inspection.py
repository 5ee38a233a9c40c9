"""What is wrong with the files of a stopped node, and what to do: nothing is changed.

Checksums, links and the databases' own structure are read. Whether the chain obeys the rules, and
leads to this state, only a replay tells (`node.ledger.verification`).
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from chaincode.batches import decode_batch
from chaincode.blocks import GENESIS_PREVIOUS_HASH, verify_link
from chaincode.errors import DecodeError, InvalidBlockError
from chaincode.transactions import block_hash
from node.errors import StorageError
from node.ledger.block_scan import scan_blocks
from node.ledger.block_store import check_file_header, check_not_in_use
from node.ledger.quarantine import QUARANTINE_NAME
from node.ledger.state_rows import SCHEMA_VERSION
from node.ledger.stores import BLOCKS_NAME, PENDING_NAME, STATE_NAME

_REPAIR: Final = "`tegata node repair`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is wrong.

    Attributes:
        file: Which file, or folder, of the data folder.
        problem: What is wrong with it, and where.
        remedy: What to do.
    """

    file: str
    problem: str
    remedy: str


class Place(NamedTuple):
    """A part of the block file.

    Attributes:
        start: Its first byte.
        end: The byte behind it.
        height: Of the block that is there; None where there is none.
    """

    start: int
    end: int
    height: int | None


@dataclass(slots=True, kw_only=True)
class ChainScan:
    """What a block file holds.

    Attributes:
        places: All of it, in order.
        hashes: The hash of each whole block, by its height.
        missing: The heights of blocks that should be there and are not.
        torn: The bytes at the end that were being written when the node died, if there are any.
    """

    places: list[Place] = field(default_factory=list)
    hashes: dict[int, bytes] = field(default_factory=dict)
    missing: list[int] = field(default_factory=list)
    torn: Place | None = None


def inspect(data: Path, tell: Callable[[int], object] = lambda _bytes: None) -> list[Finding]:
    """Return what is wrong with the files of a stopped node; an empty list is good news.

    Args:
        data: The node's data folder.
        tell: Is told how many more bytes of the block file were read.

    Raises:
        StorageError: A node is running on the files, or one cannot be read.
    """
    check_not_in_use(data / BLOCKS_NAME)
    return list(_findings(data, tell))


def _findings(data: Path, tell: Callable[[int], object]) -> Iterator[Finding]:
    blocks = data / BLOCKS_NAME
    if not blocks.exists():
        yield Finding(
            file=BLOCKS_NAME,
            problem="there is none",
            remedy="copy it from a backup or from a replica; else the node begins at its genesis",
        )
        return
    try:
        check_file_header(blocks)
    except StorageError as error:
        yield Finding(
            file=BLOCKS_NAME, problem=str(error), remedy="copy it from a backup or from a replica"
        )
        return
    tip = read_tip(data / STATE_NAME)
    try:
        chain = scan_chain(blocks, tip, tell)
    except InvalidBlockError as error:
        yield Finding(
            file=BLOCKS_NAME,
            problem=f"{error}: the file was put together from two ledgers",
            remedy="copy it from a backup or from a replica",
        )
        return
    yield from _chain_findings(chain)
    yield from _state_findings(data / STATE_NAME, chain)
    yield from _pending_findings(data / PENDING_NAME)
    quarantine = data / QUARANTINE_NAME
    if quarantine.is_dir() and (count := len(list(quarantine.iterdir()))):
        yield Finding(
            file=QUARANTINE_NAME,
            problem=f"the rules failed on {count} transactions, which were rejected",
            remedy="report it with these files, which hold what was sent; then remove them",
        )


def scan_chain(
    blocks: Path, tip: tuple[int, int] | None, tell: Callable[[int], object] = lambda _bytes: None
) -> ChainScan:
    """Read a block file.

    Args:
        blocks: The file.
        tip: The height up to which the state has seen blocks, and where the next one would begin;
            None where that is not known.
        tell: Is told how many more bytes were read.

    Raises:
        StorageError: The file cannot be read.
        InvalidBlockError: Two whole blocks do not follow from each other.
    """
    chain = ChainScan()
    height, previous = 0, GENESIS_PREVIOUS_HASH
    seen_end = tip[1] if tip else 0
    for span in scan_blocks(blocks):
        tell(span.end - span.start)
        if span.block is None:
            chain.places.append(Place(span.start, span.end, None))
            continue
        found = span.block.block_v1.payload.height
        chain.places.append(Place(span.start, span.end, found))
        if found == height + 1:
            verify_link(span.block, expected_height=found, expected_previous_hash=previous)
        elif found <= height:
            raise InvalidBlockError(f"block {found} stands behind block {height}")
        chain.missing += range(height + 1, found)
        height, previous = found, block_hash(span.block)
        chain.hashes[height] = previous
    if chain.places and chain.places[-1].height is None and chain.places[-1].start >= seen_end:
        chain.torn = chain.places[-1]
    if tip is not None:
        chain.missing += range(height + 1, tip[0] + 1)
    return chain


def read_tip(path: Path) -> tuple[int, int] | None:
    """Return the height that a state has, and where in the block file the next block begins.

    None is returned where there is no state of this version, or it cannot be read.
    """
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(path)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != SCHEMA_VERSION:
                return None
            height, start = connection.execute("SELECT height, next_start FROM tip").fetchone()
    except (sqlite3.Error, TypeError):
        return None
    return int(height), int(start)


def state_problem(path: Path, chain: ChainScan) -> str | None:
    """Return what is wrong with a state, or None; that there is none is well."""
    if not path.exists():
        return None
    problem = None
    try:
        with closing(sqlite3.connect(path)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            # An older one is rebuilt by itself at the next start.
            if version == SCHEMA_VERSION:
                problem = _content_problem(connection, chain)
            elif version > SCHEMA_VERSION:
                problem = f"it is of version {version}, this node reads up to {SCHEMA_VERSION}"
    except (sqlite3.Error, TypeError) as error:
        problem = f"it cannot be read: {error}"
    return problem


def _content_problem(connection: sqlite3.Connection, chain: ChainScan) -> str | None:
    (first,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if first != "ok":
        return f"it is damaged: {first}"
    height, top, end = connection.execute(
        "SELECT height, block_hash, next_start FROM tip"
    ).fetchone()
    if chain.hashes.get(height, top) != top:
        return f"it belongs to another chain: its block {height} is not the one in {BLOCKS_NAME}"
    is_whole = all(place.height is not None for place in chain.places)
    if is_whole and any(each.height == height and each.end != end for each in chain.places):
        # A repair that was cut short leaves it so.
        return f"it belongs to another file: its block {height} does not end there in {BLOCKS_NAME}"
    return None


def pending_problem(path: Path) -> str | None:
    """Return what is wrong with the file of what waits for signatures, or None."""
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(path)) as connection:
            (first,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if first != "ok":
                return f"it is damaged: {first}"
            for (batch,) in connection.execute("SELECT batch FROM pending"):
                decode_batch(batch)
    except (sqlite3.Error, DecodeError) as error:
        return f"it cannot be read: {error}"
    return None


def _chain_findings(chain: ChainScan) -> Iterator[Finding]:
    for place in chain.places:
        if place.height is not None:
            continue
        where = f"{place.end - place.start} bytes at byte {place.start} are no block"
        if place is chain.torn and not chain.missing:
            yield Finding(
                file=BLOCKS_NAME,
                problem=f"{where}: a block that was being written; nobody was told of it",
                remedy=f"nothing: the next start, or {_REPAIR}, cuts it off and keeps a copy",
            )
        else:
            yield Finding(
                file=BLOCKS_NAME,
                problem=f"{where}: the file is damaged there",
                remedy=f"{_REPAIR} --from the `internal` address of a peer or replica",
            )
    if chain.missing:
        first, last, count = chain.missing[0], chain.missing[-1], len(chain.missing)
        yield Finding(
            file=BLOCKS_NAME,
            problem=f"{count} blocks that were committed are missing, between {first} and {last}",
            remedy=f"{_REPAIR} --from the `internal` address of a peer or replica; or a backup",
        )


def _state_findings(path: Path, chain: ChainScan) -> Iterator[Finding]:
    if problem := state_problem(path, chain):
        yield Finding(
            file=STATE_NAME,
            problem=problem,
            remedy=f"{_REPAIR} sets it aside and builds it anew from {BLOCKS_NAME}",
        )


def _pending_findings(path: Path) -> Iterator[Finding]:
    if problem := pending_problem(path):
        yield Finding(
            file=PENDING_NAME,
            problem=problem,
            remedy=f"{_REPAIR} sets it aside; the signatures in it have to be sent again",
        )
