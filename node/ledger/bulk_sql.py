"""Many rows by one statement of SQLite.

Python's lock is given back for each row that a statement yields or writes. Where another thread has
work to do, taking it again costs a thousand times as much as the row; so rows go in by the hundred,
and come out in one value.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, TypeAlias, TypeVar

_AT_ONCE: Final = (256, 16, 1)
"""Few sizes, so that the statements stay prepared."""
MAX_JOINED_BYTES: Final = 4096
"""Longer values are read one by one, as far as they are asked for: joined, those of one block could
take gigabytes."""
_Value: TypeAlias = bytes | str | int | None
_T = TypeVar("_T")


def write_rows(
    connection: sqlite3.Connection,
    statement: str,
    rows: Sequence[tuple[_Value, ...]],
    *,
    more: str = "",
) -> None:
    """Run a statement that takes rows of values.

    Args:
        connection: Where.
        statement: What comes before the rows, such as `INSERT INTO t VALUES`.
        rows: All of one width.
        more: What comes behind the rows.
    """
    for chunk in chunks(rows):
        marks = _row_marks(len(chunk), len(chunk[0]))
        values = [value for row in chunk for value in row]
        connection.execute(f"{statement} {marks} {more}", values)


def chunks(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Yield all items, in order, as many at once as a statement takes."""
    start = 0
    for size in _AT_ONCE:
        while len(items) - start >= size:
            yield items[start : start + size]
            start += size


@lru_cache
def marks(count: int) -> str:
    """Return `(?, ?, ...)`."""
    return f"({', '.join('?' * count)})"


@lru_cache
def _row_marks(count: int, width: int) -> str:
    return ", ".join([marks(width)] * count)
