"""Scans of the world state that come out of SQLite by the thousand entries, in one row each.

See `bulk_sql`: a row for each entry would give Python's lock away for each.
"""

import sqlite3
from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Final, TypeAlias

from node.ledger.bulk_sql import MAX_JOINED_BYTES

_Bounds: TypeAlias = dict[str, int | bytes]
_FIRST_ENTRIES: Final = 16
_ENTRIES_AT_ONCE: Final = 1024
# Bytes stay as they are when they are cast to text and back.
_JOINED: Final = """
SELECT group_concat(length(key)), CAST(group_concat(CAST(key AS TEXT), '') AS BLOB),
group_concat(CASE WHEN length(value) <= :most THEN length(value) ELSE 0 END),
CAST(group_concat(CASE WHEN length(value) <= :most THEN CAST(value AS TEXT) ELSE '' END, '')
AS BLOB), total(length(value) > :most) FROM """
_FEW: Final = (
    _JOINED + "(SELECT key, value FROM state WHERE key >= :start AND key < :end"  # noqa: S608
    " ORDER BY key LIMIT :size)"
)
_ALL: Final = _JOINED + "state WHERE key >= :start AND key < :end"
_BORDER: Final = (
    "SELECT key FROM state WHERE key >= :start AND key < :end ORDER BY key LIMIT 1 OFFSET :size"
)
_VALUE: Final = "SELECT value FROM state WHERE key = :key"


def scan_state(
    connection: sqlite3.Connection, start: bytes, end: bytes
) -> Iterator[tuple[bytes, bytes]]:
    """Yield the entries from one key to below another, ascending.

    Args:
        connection: In a transaction, so that the entries are of one state.
        start: The first key that may come.
        end: The first key that may not.
    """
    bounds: _Bounds = {"most": MAX_JOINED_BYTES, "start": start, "end": end, "size": _FIRST_ENTRIES}
    # Most scans are short, and a limit costs less than to look for the border.
    entries = _read(connection, _FEW, bounds)
    yield from entries
    border: bytes | None = end if len(entries) < _FIRST_ENTRIES else entries[-1][0] + b"\x00"
    while border is not None and border != end:
        bounds |= {"start": border, "end": end, "size": _ENTRIES_AT_ONCE}
        row = connection.execute(_BORDER, bounds).fetchone()
        border = None if row is None else row[0]
        yield from _read(connection, _ALL, bounds | {"end": border or end})


def _read(
    connection: sqlite3.Connection, statement: str, bounds: _Bounds
) -> list[tuple[bytes, bytes]]:
    key_lengths, key_data, value_lengths, value_data, large = connection.execute(
        statement, bounds
    ).fetchone()
    if key_lengths is None:
        return []
    keys = _split(key_data, key_lengths)
    # SQLite does not promise the order in which it joins them.
    entries = sorted(zip(keys, _split(value_data, value_lengths), strict=True))
    if large:
        return [(key, value or _value(connection, key)) for key, value in entries]
    return entries


def _split(data: bytes, lengths: str) -> list[bytes]:
    """Return the parts of joined data, from their lengths."""
    places = accumulate(map(int, lengths.split(",")), initial=0)
    return [data[start:end] for start, end in pairwise(places)]


def _value(connection: sqlite3.Connection, key: bytes) -> bytes:
    (value,) = connection.execute(_VALUE, {"key": key}).fetchone()
    return bytes(value)
