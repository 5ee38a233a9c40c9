"""Reads a ledger block after block, by the queries that every account with the right may ask."""

import threading
from typing import Final, Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from chaincode.protocol.block_pb2 import Block
from client_sdk.errors import QueryFailedError, TransportError
from node.errors import StorageError
from node.observer.block_facts import read_block
from node.observer.block_index import BlockIndex

_LOOK_S: Final = 1.0
_AT_ONCE: Final = 200
"""How many blocks are read before it is looked whether the process stops."""
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.observer")


class BlockSource(Protocol):
    """What blocks are read of: `client_sdk.ledger.client.LedgerClient` is one."""

    def height(self) -> int:
        """Return the height of the chain."""

    def block(self, height: int) -> Block:
        """Return the block at a height, counted from 1."""


class BlockReader:
    """Brings an index up to the chain's top, and keeps it there."""

    def __init__(self, source: BlockSource, index: BlockIndex) -> None:
        """Take what is read, and where it is kept."""
        self._source = source
        self._index = index
        self.is_behind = True
        """Whether blocks are known to be there that were not read yet."""

    def catch_up(self) -> None:
        """Read what blocks are there, a bounded number of them.

        Raises:
            TransportError: The node cannot be reached.
            QueryFailedError: The account may not read blocks.
            StorageError: The index belongs to another chain.
        """
        known, top = self._index.height(), self._source.height()
        if known > top:
            raise StorageError(
                "the page's database knows blocks that the ledger does not have: delete it, and it "
                "is read anew"
            )
        last = min(top, known + _AT_ONCE)
        for height in range(known + 1, last + 1):
            self._index.add(read_block(self._source.block(height)))
        self.is_behind = last < top

    def run(self, stopped: threading.Event) -> None:
        """Keep the index at the chain's top until `stopped`; what fails is tried again."""
        while not stopped.is_set():
            try:
                self.catch_up()
            except (TransportError, QueryFailedError, StorageError, SQLAlchemyError) as error:
                _log.error("blocks_not_read", error=type(error).__name__, detail=str(error))
                self.is_behind = True
                stopped.wait(_LOOK_S)
                continue
            if not self.is_behind:
                stopped.wait(_LOOK_S)
