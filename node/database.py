"""The database of a service: SQLite by default, PostgreSQL where it is configured."""

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo
from sqlalchemy import Engine, MetaData, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from node.config import in_folder
from node.errors import ConfigError, StorageError


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


def open_database(url: str, tables: MetaData, *, outlives_power: bool = True) -> Engine:
    """Connect to a database, and make the tables where there are none.

    An SQLite file is readable by its owner only, and what is deleted from it is overwritten.

    Args:
        url: SQLAlchemy's URL.
        tables: What stands in it.
        outlives_power: Whether each commit waits for the disk. Without it a commit outlives the
            process, and the last ones not the machine's power; the file stays whole either way.
            It counts for SQLite only.

    Raises:
        ConfigError: The URL is not one of SQLAlchemy's.
        StorageError: The database cannot be used.
    """
    try:
        engine = create_engine(url, hide_parameters=True)
    except (ArgumentError, ModuleNotFoundError):
        raise ConfigError("database_url: not a URL of a database that is installed") from None
    try:
        if engine.dialect.name == "sqlite":
            _make_private(engine.url.database)
            event.listen(engine, "connect", _erase_deleted)
            if not outlives_power:
                event.listen(engine, "connect", _write_ahead)
        tables.create_all(engine)
    except (OSError, SQLAlchemyError) as error:
        raise StorageError(f"database_url: cannot be used: {type(error).__name__}") from None
    return engine


def empty_log(engine: Engine) -> None:
    """Empty an SQLite file's write-ahead log, where what was deleted would stand for a while yet.

    Where others are reading, it is left for the next time.
    """
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _make_private(path: str | None) -> None:
    if path and path != ":memory:":
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _erase_deleted(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.close()


def _write_ahead(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()
