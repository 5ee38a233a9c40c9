"""The tables of one service through its versions: made, brought up, or refused.

New tables are made as this version has them. Those of an earlier version are changed by Alembic,
revision after revision, in one transaction; tables of a time before revisions count as the first.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import (
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.schema import Column

from node.database.database import Database
from node.errors import StorageError

# One number for all services: it is held for a moment, at the start of an instance.
_LOCK: Final = text("SELECT pg_advisory_xact_lock(5783902164117)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The tables of one service.

    Attributes:
        service: Its name; the table of revisions is called by it.
        tables: The tables of this version.
        revision: Their revision: four digits, the name of the newest file of `revisions`.
        revisions: The folder of Alembic's revisions.
    """

    service: str
    tables: MetaData
    revision: str
    revisions: Path

    @property
    def version_table(self) -> str:
        """The name of the table that holds the database's revision."""
        return f"{self.service}_schema"

    def bring_up(self, database: Database, *, may_migrate: bool = False) -> str | None:
        """Make the tables, or change those of an earlier version.

        An SQLite file is changed by whoever opens it: it belongs to one machine, whose processes
        are started anew together. The tables of a PostgreSQL server are changed only where
        `may_migrate` says so, since instances of the earlier version may be using them.

        Returns:
            The revision that was found; None where there were no tables.

        Raises:
            StorageError: The database belongs to a later version, or to an earlier one and may not
                be changed.
        """
        with database.reading() as session:
            found = self.find_revision(session.connection())
        if found == self.revision:
            return found
        with database.connection() as connection:
            is_shared = connection.dialect.name == "postgresql"
            if is_shared:
                connection.execute(_LOCK)
            found = self.find_revision(connection)
            if found is None:
                self._make(connection)
            elif found > self.revision:
                raise StorageError(
                    f"database_url: the {self.service}'s database has schema {found}, and this "
                    f"version of Tegata knows {self.revision} at most: update Tegata, or go back "
                    "to the backup that was made before the update"
                )
            elif found < self.revision:
                if is_shared and not may_migrate:
                    raise StorageError(
                        f"database_url: the {self.service}'s database has schema {found}, and "
                        f"this version of Tegata needs {self.revision}: stop its instances, make "
                        f"a backup, and run `tegata {self.service} migrate FOLDER`"
                    )
                self._upgrade(connection)
        return found

    def find_revision(self, connection: Connection) -> str | None:
        """Return the revision of a database; `0000` for tables without one, None for no tables."""
        inspector = inspect(connection)
        if inspector.has_table(self.version_table):
            return connection.scalar(select(self._version_table().c.version_num)) or "0000"
        has_any = any(inspector.has_table(table.name) for table in self.tables.sorted_tables)
        return "0000" if has_any else None

    def _make(self, connection: Connection) -> None:
        self.tables.create_all(connection)
        version = self._version_table()
        version.create(connection)
        connection.execute(insert(version).values(version_num=self.revision))

    def _upgrade(self, connection: Connection) -> None:
        # Hardly any start has something to change, and Alembic takes a tenth of a second to load.
        from node.database.upgrade import upgrade_tables  # noqa: PLC0415

        upgrade_tables(connection, revisions=self.revisions, version_table=self.version_table)

    def _version_table(self) -> Table:
        """Return the table as Alembic makes it."""
        return Table(
            self.version_table,
            MetaData(),
            Column("version_num", String(32), nullable=False),
            PrimaryKeyConstraint("version_num", name=f"{self.version_table}_pkc"),
        )
