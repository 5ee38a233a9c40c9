"""What a query may read: a committed state, the chain that led to it, and its histories.

A history is a list of transactions: of all that an account made, or of those that move one asset
and concern the account.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.world_state import StateView


class SortField(StrEnum):
    """What a history may be sorted by; the place in the block always comes last."""

    CREATED = "created_ms"
    HEIGHT = "height"


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySearch:
    """A part of a history.

    Attributes:
        account_id: Whose history.
        asset_id: Of which asset; None for all that the account made.
        order: The fields to sort by, each once, `HEIGHT` among them, and whether downwards.
        size: At most so many transactions.
        first: The hash of the first one, 32 bytes; None begins at the beginning.
        created_from_ms: Not made before, milliseconds since 1970; None sets no bound.
        created_to_ms: Not made after.
        height_from: Not below this block.
        height_to: Not above this block.
    """

    account_id: str
    asset_id: str | None
    order: tuple[tuple[SortField, bool], ...]
    size: int
    first: bytes | None = None
    created_from_ms: int | None = None
    created_to_ms: int | None = None
    height_from: int | None = None
    height_to: int | None = None


class LedgerView(StateView, Protocol):
    """A committed state together with the chain that led to it."""

    def height(self) -> int:
        """Return the height of the top block."""
        ...

    def block_at(self, height: int) -> Block | None:
        """Return the block at a height, or None above the top."""
        ...

    def transactions(self, hashes: Iterable[bytes]) -> Iterator[Transaction]:
        """Yield those transactions that are committed, each once, in the order of the chain.

        Each is a message of its own, which does not keep its block in memory.
        """
        ...

    def history(self, search: HistorySearch) -> tuple[int, Iterator[Transaction]]:
        """Return the part of a history that is searched.

        Returns:
            How many transactions lie within the bounds, wherever `first` stands; and those from
            `first` on, in order, read one by one. There are none where `first` is not among them.
        """
        ...
