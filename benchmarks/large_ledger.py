"""Ledgers of any size, made in bulk: many accounts in the state, many transactions in the chain.

Accounts are written straight into the state's file, with the commitments that they would have by
transactions. No block tells of them, so such a ledger cannot be replayed.
"""

import hashlib
import multiprocessing
import os
import random
import sqlite3
from array import array
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from chaincode.authenticated_map import update_map
from chaincode.batches import Batch
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import Peer, Signature
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.protocol.world_state_pb2 import AccountRecord
from chaincode.set_hash import SetHash
from chaincode.transactions import ValidTransaction, transaction_hash
from chaincode.world_state import state_key
from client_sdk.ledger.account_key import AccountKey
from node.ledger.daemon import begin_chain
from node.ledger.engine import Engine
from node.ledger.genesis import build_genesis
from node.ledger.stores import STATE_NAME, LedgerStores

START_MS: Final = 1_800_000_000_000
KEY: Final = AccountKey(hashlib.sha256(b"benchmark").digest())
"""Of the peer, and of every account."""
_CHUNK: Final = 20_000
_PARTS: Final = 256
"""Of the map: accounts whose hash begins with the same byte are put in together."""

Tell = Callable[[int], object]
"""Is told how many more accounts, or transactions, are done."""


def account_id(number: int) -> str:
    """Return the id of an account by its number, from 0."""
    return f"u{number:08}@holder"


def make_ledger(data: Path) -> None:
    """Make a ledger with its genesis block alone."""
    genesis = build_genesis(
        peers=[Peer(address="127.0.0.1:10001", peer_key=KEY.public_key)],
        admin_key=KEY.public_key,
        registry_key=KEY.public_key,
        created_time_ms=START_MS,
    )
    with LedgerStores(data) as stores:
        begin_chain(stores, genesis)


def add_accounts(data: Path, count: int, tell: Tell = lambda _done: None) -> None:
    """Put accounts into the state of a ledger that `make_ledger` made.

    Args:
        data: The ledger's folder.
        count: How many accounts there will be.
        tell: Is told three times `count` in all: of entries, of their set hash, and of their map.
    """
    connection = sqlite3.connect(data / STATE_NAME, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -262144")
    connection.execute("BEGIN IMMEDIATE")
    starts = range(0, count, _CHUNK)
    for start in starts:
        rows = [(key, _RECORD) for key in _keys(start, count)]
        connection.executemany("INSERT INTO state VALUES (?, ?)", rows)
        tell(len(rows))
    (set_hash,) = connection.execute("SELECT set_hash FROM tip").fetchone()
    total = SetHash(set_hash)
    with multiprocessing.get_context("spawn").Pool(min(len(starts), os.cpu_count() or 1)) as pool:
        for part in pool.imap_unordered(_hash_part, ((start, count) for start in starts)):
            total.merge(SetHash(part))
            tell(min(_CHUNK, count))
    root = _fill_map(connection, count, tell)
    connection.execute("UPDATE tip SET set_hash = ?, map_root = ?", (total.encode(), root))
    connection.execute("COMMIT")
    connection.close()


def add_transactions(
    data: Path, count: int, *, accounts: int, block: int, tell: Tell = lambda _done: None
) -> None:
    """Let random accounts make transactions, in blocks of `block`, through the engine itself.

    Their signatures are made, but not checked.
    """
    transactions = map(_unchecked, detail_transactions(accounts))
    with LedgerStores(data) as stores:
        engine = Engine(stores.blocks, stores.state, KEY)
        for _ in range(count // block):
            engine.commit(engine.finalize(START_MS, list(islice(transactions, block))))
            tell(block)


def detail_transactions(
    accounts: int, key: str = "balance", seed: int = 0
) -> Iterator[Transaction]:
    """Yield endless signed transactions: a random account writes a detail of its own."""
    randomness = random.Random(seed)
    for number in range(2**62):
        creator = account_id(randomness.randrange(accounts))
        message = Transaction()
        reduced = message.payload.reduced_payload
        command = Command()
        detail = command.set_account_detail
        detail.account_id, detail.key, detail.value = creator, key, f"{seed}_{number:016}"
        reduced.commands.append(command)
        reduced.creator_account_id = creator
        reduced.created_time = START_MS + number
        reduced.quorum = 1
        signature = KEY.sign(message.payload.SerializeToString())
        message.signatures.append(Signature(public_key=KEY.public_key, signature=signature))
        yield message


def _unchecked(message: Transaction) -> Batch:
    signatories = frozenset({KEY.public_key})
    return Batch((ValidTransaction(message, transaction_hash(message), signatories),))


_RECORD: Final = AccountRecord(
    quorum=1, signatories=[KEY.public_key], roles=["holder"]
).SerializeToString()


def _keys(start: int, count: int) -> Iterator[bytes]:
    for number in range(start, min(start + _CHUNK, count)):
        yield state_key(b"account", account_id(number))


def _hash_part(part: tuple[int, int]) -> bytes:
    set_hash = SetHash()
    for key in _keys(*part):
        set_hash.add(key, _RECORD)
    return set_hash.encode()


class _Pages:
    """The pages of the map in the state's file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def get_page(self, prefix: str) -> bytes | None:
        """Return a page, or None."""
        row = self._connection.execute(
            "SELECT page FROM map_page WHERE prefix = ?", (prefix,)
        ).fetchone()
        return None if row is None else bytes(row[0])


def _fill_map(connection: sqlite3.Connection, count: int, tell: Tell) -> bytes:
    """Put all accounts into the map, part by part, so that no page is written often."""
    parts = [array("L") for _ in range(_PARTS)]
    for start in range(0, count, _CHUNK):
        for number, key in enumerate(_keys(start, count), start=start):
            parts[hashlib.sha256(key).digest()[0]].append(number)
    pages = _Pages(connection)
    root = b""
    for part in parts:
        changes: dict[bytes, bytes | None] = {
            state_key(b"account", account_id(number)): _RECORD for number in part
        }
        update = update_map(pages, changes)
        root = update.root
        puts = sorted((prefix, page) for prefix, page in update.pages.items() if page)
        connection.executemany("REPLACE INTO map_page VALUES (?, ?)", puts)
        gone = [(prefix,) for prefix, page in update.pages.items() if page is None]
        connection.executemany("DELETE FROM map_page WHERE prefix = ?", gone)
        tell(len(part))
    return root
