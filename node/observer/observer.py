"""What the operator's pages are made of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from client_sdk.ledger.client import LedgerClient
from node.errors import ApiError
from node.observer.block_index import BlockIndex
from node.observer.config import ObserverConfig
from node.observer.reader import BlockReader

PAGE_SIZE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """What the pages show.

    Attributes:
        config: The configuration.
        ledger: The ledger, read as the page's own account.
        index: What was read of the blocks.
        reader: What reads them.
        now_ms: The clock: milliseconds since 1970, UTC.
    """

    config: ObserverConfig
    ledger: LedgerClient
    index: BlockIndex
    reader: BlockReader
    now_ms: Callable[[], int]


def nothing_there() -> ApiError:
    """Return the error that says that the ledger has no such thing."""
    return ApiError(
        404,
        "not_on_ledger",
        "The ledger has no such thing",
        "Look for a block's height, a transaction's hash or an account.",
    )
