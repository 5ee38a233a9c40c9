"""`migrate` of each service that has a database."""

from collections.abc import Callable
from pathlib import Path

import click

from node.cli.output import json_option, show
from node.database import Schema, migrate_database


def migrate_command(schema: Schema, *, database_url: Callable[[Path], str]) -> click.Command:
    """Return `migrate` for a service's database.

    Args:
        schema: Its tables.
        database_url: Reads the URL in the service's folder.
    """

    @click.command()
    @click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
    @json_option
    def migrate(folder: Path, as_json: bool) -> None:
        """Bring the database of the service in FOLDER to this version's tables.

        Needed with PostgreSQL after an update that changes tables: stop the instances and make a
        backup first. An SQLite file is brought up by the next start.
        """
        found = migrate_database(database_url(folder), schema)
        show({"found": found or "no tables", "schema": schema.revision}, as_json=as_json)

    return migrate
