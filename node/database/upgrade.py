"""Changing the tables of an earlier version, revision after revision, by Alembic."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

_ENVIRONMENT: Final = Path(__file__).with_name("alembic_environment")


def upgrade_tables(connection: Connection, *, revisions: Path, version_table: str) -> None:
    """Bring tables to the newest revision, within the transaction that has begun.

    Args:
        connection: To the database.
        revisions: The folder of Alembic's revisions.
        version_table: The name of the table that holds the database's revision.
    """
    config = Config()
    for name, value in {
        "script_location": str(_ENVIRONMENT),
        "version_locations": str(revisions),
        "path_separator": "newline",
    }.items():
        config.set_main_option(name, value.replace("%", "%%"))
    config.attributes.update(connection=connection, version_table=version_table)
    command.upgrade(config, "head")
