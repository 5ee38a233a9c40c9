"""Connecting to a service's database, with its tables as this version needs them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, ValidationInfo
from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from node.config import in_folder
from node.database.database import Database, leave_standby, prepare_sqlite
from node.database.schema import Schema
from node.errors import ConfigError, DatabaseUnavailableError, StorageError

_TURN: Final = {"timeout": 30}
"""How many seconds a transaction of SQLite waits for those of others."""
_PATIENCE: Final = {"connect_timeout": 5, "tcp_user_timeout": 10_000}
"""How long a PostgreSQL that is silent is waited for: seconds for a connection, milliseconds for
what was sent to be acknowledged."""
_POOL: Final = {"pool_size": 15, "max_overflow": 0, "pool_use_lifo": True}
"""One for each thread at work: connections that overflow would be opened and closed each time."""


def _in_folder_of_config(text: str, info: ValidationInfo) -> str:
    try:
        url = make_url(text)
    except ArgumentError:
        raise ValueError("not a database URL of SQLAlchemy") from None
    name = url.database
    if url.get_backend_name() == "sqlite" and name and name != ":memory:":
        url = url.set(database=str(in_folder(Path(name), info)))
    return url.render_as_string(hide_password=False)


DatabaseUrl = Annotated[
    str, AfterValidator(_in_folder_of_config), Field(validate_default=True, repr=False)
]
"""A URL of SQLAlchemy's; an SQLite file is taken from the configuration's folder."""


def open_database(url: str, schema: Schema) -> Database:
    """Connect to a database, and make the tables where there are none.

    An SQLite file is readable by its owner only, and what is deleted from it is overwritten.

    Args:
        url: SQLAlchemy's URL.
        schema: What stands in it.

    Raises:
        ConfigError: The URL is not one of SQLAlchemy's, or its database is not SQLite or
            PostgreSQL.
        StorageError: The database cannot be used, or belongs to another version.
    """
    database = Database(_create_engine(url))
    _bring_up(database, schema, may_migrate=False)
    return database


def migrate_database(url: str, schema: Schema) -> str | None:
    """Bring the tables of a database to this version's, also where it is PostgreSQL's.

    Returns:
        The revision that was found; None where there were no tables.

    Raises:
        ConfigError: As of `open_database`.
        StorageError: The database cannot be used, or belongs to a later version.
    """
    database = Database(_create_engine(url))
    found = _bring_up(database, schema, may_migrate=True)
    database.close()
    return found


def _bring_up(database: Database, schema: Schema, *, may_migrate: bool) -> str | None:
    try:
        return schema.bring_up(database, may_migrate=may_migrate)
    except DatabaseUnavailableError as error:
        database.close()
        raise StorageError(f"database_url: cannot be used: {error}") from None
    except (SQLAlchemyError, StorageError) as error:
        database.close()
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"database_url: cannot be used: {type(error).__name__}") from None


def _create_engine(url: str) -> Engine:
    try:
        kind = make_url(url).get_backend_name()
        if kind == "sqlite":
            name = make_url(url).database
            pool = _POOL if name and name != ":memory:" else {}
            engine = create_engine(
                url, hide_parameters=True, connect_args=_unless(url, _TURN), **pool
            )
            prepare_sqlite(engine)
            _make_private(name)
            return engine
        if kind == "postgresql":
            engine = create_engine(
                url,
                hide_parameters=True,
                isolation_level="READ COMMITTED",
                pool_pre_ping=True,
                connect_args=_unless(url, _PATIENCE),
                **_POOL,
            )
            leave_standby(engine)
            return engine
    except (ArgumentError, ImportError):
        raise ConfigError("database_url: not a URL of a database that is installed") from None
    except OSError as error:
        raise StorageError(f"database_url: cannot be used: {error.strerror}") from None
    raise ConfigError("database_url: SQLite and PostgreSQL can be used, and no others")


def _unless(url: str, settings: Mapping[str, int]) -> dict[str, int]:
    """Return the settings of a connection that its URL does not say itself."""
    given = make_url(url).query
    return {name: value for name, value in settings.items() if name not in given}


def _make_private(path: str | None) -> None:
    if path and path != ":memory:":
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
