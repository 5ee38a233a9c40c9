"""Which transactions belong to which history (`chaincode.queries.view`), as a table of SQLite.

An entry carries its number in its history, so that a total is a difference of two numbers; the
other index gives the order of creation. No search reads entries of another history, and one without
bounds on time reads no more than it returns.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from chaincode.queries.view import HistorySearch, SortField
from node.ledger.bulk_sql import write_rows

SCHEMA: Final = """
CREATE TABLE history (
    account_id TEXT NOT NULL,
    asset_id TEXT NOT NULL,  -- empty for all that the account made
    height INTEGER NOT NULL,
    position INTEGER NOT NULL,  -- in the block
    created_ms INTEGER NOT NULL,
    number INTEGER NOT NULL,  -- in the history, from 1
    PRIMARY KEY (account_id, asset_id, height, position)
) WITHOUT ROWID, STRICT;
CREATE INDEX history_by_time ON history (account_id, asset_id, created_ms);
"""
_BY_HEIGHT: Final = "sqlite_autoindex_history_1"
"""SQLite's name for the primary key."""
_BY_TIME: Final = "history_by_time"
_MAX_INTEGER: Final = 2**63 - 1
_BOUNDS: Final = {
    "created_from_ms": "created_ms >= :created_from_ms",
    "created_to_ms": "created_ms <= :created_to_ms",
    "height_from": "height >= :height_from",
    "height_to": "height <= :height_to",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """A transaction of a block in one history.

    Attributes:
        account_id: Whose history; empty where the genesis block names no creator.
        asset_id: Of which asset; empty for all that the account made.
        position: The transaction's place in the block.
        created_ms: When its creator says that it was made.
    """

    account_id: str
    asset_id: str
    position: int
    created_ms: int


def insert_entries(
    connection: sqlite3.Connection, height: int, entries: Iterable[HistoryEntry]
) -> None:
    """Write what a block adds; its entries come in the order of their positions."""
    numbers: Counter[tuple[str, str]] = Counter()
    rows = []
    for entry in entries:
        history = (entry.account_id, entry.asset_id)
        numbers[history] += 1
        created_ms = min(entry.created_ms, _MAX_INTEGER)
        rows.append((*history, height, entry.position, created_ms, numbers[history]))
    write_rows(
        connection,
        # The last numbers are those below this block: its own entries are counted in the rows.
        "INSERT INTO history WITH entry (account, asset, height, position, created_ms, number) AS"
        " (VALUES",
        rows,
        more=") SELECT account, asset, height, position, created_ms, number +"
        " COALESCE((SELECT number FROM history WHERE account_id = account AND asset_id = asset"
        " AND history.height < entry.height ORDER BY history.height DESC, history.position DESC"
        " LIMIT 1), 0) FROM entry",
    )


def count_entries(connection: sqlite3.Connection, search: HistorySearch) -> int:
    """Return how many entries lie within the bounds of a search, wherever its page begins."""
    if search.created_from_ms is None and search.created_to_ms is None:
        below = _last_number(connection, search, (search.height_from or 1) - 1)
        return max(0, _last_number(connection, search, search.height_to or _MAX_INTEGER) - below)
    count: int
    (count,) = connection.execute(
        f"SELECT COUNT(*) FROM history INDEXED BY {_BY_TIME} WHERE {_within(search)}",  # noqa: S608
        _parameters(search),
    ).fetchone()
    return count


def find_places(
    connection: sqlite3.Connection, search: HistorySearch, first: tuple[int, int] | None
) -> Iterator[tuple[int, int]]:
    """Yield the (height, position) of the entries that a search finds, in its order.

    Args:
        connection: Where the table is.
        search: Its `first` is not looked at.
        first: Where the page begins; None for the beginning. Nothing is found where no entry within
            the bounds stands there.
    """
    conditions = _within(search)
    parameters = _parameters(search)
    columns = [*((field.value, down) for field, down in search.order), ("position", False)]
    if first is not None:
        height, position = first
        parameters |= {"height": height, "position": position, "created_ms": 0}
        row = connection.execute(
            f"SELECT created_ms FROM history INDEXED BY {_BY_HEIGHT}"  # noqa: S608
            f" WHERE {conditions} AND height = :height AND position = :position",
            parameters,
        ).fetchone()
        if row is None:
            return
        parameters["created_ms"] = row[0]
        (column, down), *_ = columns
        # Said twice: the index is only searched by a condition that stands alone.
        conditions += f" AND {column} {'<=' if down else '>='} :{column} AND {_not_before(columns)}"
    order = ", ".join(f"{column} DESC" if down else column for column, down in columns)
    yield from connection.execute(
        f"SELECT height, position FROM history INDEXED BY {_index(search)}"  # noqa: S608
        f" WHERE {conditions} ORDER BY {order} LIMIT :size",
        parameters,
    )


def _last_number(connection: sqlite3.Connection, search: HistorySearch, height: int) -> int:
    """Return how many entries a history has up to a height."""
    row = connection.execute(
        "SELECT number FROM history WHERE account_id = :account AND asset_id = :asset"
        " AND height <= :up_to ORDER BY height DESC, position DESC LIMIT 1",
        _parameters(search) | {"up_to": min(height, _MAX_INTEGER)},
    ).fetchone()
    return 0 if row is None else int(row[0])


def _index(search: HistorySearch) -> str:
    """Return the index that leads to the fewest entries that the search does not return."""
    if search.created_from_ms is not None or search.created_to_ms is not None:
        return _BY_TIME
    bounded = search.height_from is not None or search.height_to is not None
    by_time = search.order[0][0] is SortField.CREATED and not bounded
    return _BY_TIME if by_time else _BY_HEIGHT


def _within(search: HistorySearch) -> str:
    """Return the condition that an entry is of the history and within the bounds."""
    bounds = [text for name, text in _BOUNDS.items() if getattr(search, name) is not None]
    return " AND ".join(["account_id = :account", "asset_id = :asset", *bounds])


def _not_before(columns: list[tuple[str, bool]]) -> str:
    """Return the condition that an entry does not come before the first one in this order."""
    (column, down), *rest = columns
    if not rest:
        return f"{column} >= :{column}"
    beyond = f"{column} {'<' if down else '>'} :{column}"
    return f"({beyond} OR {column} = :{column} AND {_not_before(rest)})"


def _parameters(search: HistorySearch) -> dict[str, str | int]:
    """Return the named values of a search; numbers that SQLite cannot hold are cut to its last."""
    bounds = {name: getattr(search, name) for name in _BOUNDS}
    return {
        "account": search.account_id,
        "asset": search.asset_id or "",
        "size": search.size,
        **{name: min(value, _MAX_INTEGER) for name, value in bounds.items() if value is not None},
    }
