"""Calls counted in a database, for all instances of a service that share it."""

from collections.abc import Callable

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from node.database import Database
from node.web.rate_limit import Window


def define_counts(metadata: MetaData) -> Table:
    """Return the table of counts among the tables of a service."""
    return Table(
        "rate_count",
        metadata,
        Column("caller", String(32), primary_key=True),
        Column("number", BigInteger, primary_key=True, autoincrement=False),
        Column("taken", Integer, nullable=False),
        Column("ends_at_s", BigInteger, nullable=False, index=True),
    )


class SharedCounts:
    """Counts in a database. Safe to share between threads and processes."""

    def __init__(self, database: Database, table: Table) -> None:
        """Take over the table that `define_counts` returned."""
        self._database = database
        self._table = table

    def take(self, window: Window, free: Callable[[int, int], int]) -> tuple[int, int, int]:
        """Take calls from a window, in one step (`node.web.rate_limit.Counts`)."""
        table, columns = self._table, self._table.c
        this = (columns.caller == window.key) & (columns.number == window.number)
        before = (columns.caller == window.key) & (columns.number == window.number - 1)
        with self._database.connection() as connection:
            # The two databases have this in the same words, in a dialect each.
            insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
            connection.execute(
                insert(table)
                .values(
                    caller=window.key, number=window.number, taken=0, ends_at_s=window.ends_at_s
                )
                .on_conflict_do_nothing()
            )
            taken = connection.execute(
                select(columns.taken).where(this).with_for_update()
            ).scalar_one()
            previous = connection.execute(select(columns.taken).where(before)).scalar() or 0
            more = free(previous, taken)
            if more:
                connection.execute(update(table).where(this).values(taken=taken + more))
        return more, previous, taken

    def purge(self, now_s: int) -> None:
        """Delete the counts of windows that are over."""
        self._database.change(delete(self._table).where(self._table.c.ends_at_s <= now_s))
