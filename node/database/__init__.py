"""The database of a service: SQLite by default, PostgreSQL where it is configured."""

from node.database.database import Database
from node.database.opening import DatabaseUrl, migrate_database, open_database
from node.database.schema import Schema

__all__ = ["Database", "DatabaseUrl", "Schema", "migrate_database", "open_database"]
