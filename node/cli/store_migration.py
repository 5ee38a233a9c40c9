"""`migrate` of each service that has a database."""

from collections.abc import Callable
from pathlib import Path

import click

from node.cli.lazy_group import load_attribute
from node.cli.output import json_option, show
from node.cli.service_commands import folder_argument
from node.database import migrate_database


def migrate_command(schema: str, *, database_url: Callable[[Path], str]) -> click.Command:
    """Return `migrate` for a service's database.

    Args:
        schema: Its tables, which are loaded when they are needed; `module:attribute`.
        database_url: Reads the URL in the service's folder.
    """

    @click.command()
    @folder_argument
    @json_option
    def migrate(folder: Path, as_json: bool) -> None:
        """Bring the database of the service in FOLDER to this version's tables.

        Needed with PostgreSQL after an update that changes tables: stop the instances and make a
        backup first. An SQLite file is brought up by the next start.
        """
        tables = load_attribute(schema)
        found = migrate_database(database_url(folder), tables)
        show({"found": found or "no tables", "schema": tables.revision}, as_json=as_json)

    return migrate
