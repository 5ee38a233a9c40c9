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


def open_database(url: str, tables: MetaData) -> Engine:
    """Connect to a database, and make the tables where there are none.

    An SQLite file is readable by its owner only, and what is deleted from it is overwritten.

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
        tables.create_all(engine)
    except (OSError, SQLAlchemyError) as error:
        raise StorageError(f"database_url: cannot be used: {type(error).__name__}") from None
    return engine


def _make_private(path: str | None) -> None:
    if path and path != ":memory:":
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _erase_deleted(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.close()
