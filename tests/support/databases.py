"""PostgreSQL for tests: one server a session, without a network, and a schema for each test."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import MetaData, create_engine, select

_numbers = count()


def find_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs; Debian has them outside the path."""
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists()), None)


class PostgreSql:
    """A server that listens on a socket in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://tegata@/postgres?host={quote(str(self.folder), safe='')}"

    def new_database(self) -> str:
        """Return the URL of an empty schema: as good as a database, and made in a millisecond."""
        name = f"test_{next(_numbers)}"
        engine = create_engine(self.url)
        with engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA {name}")
        engine.dispose()
        return f"{self.url}&options=-csearch_path%3D{name}"


def dump_database(url: str) -> str:
    """Return every row of a database, as text."""
    engine, tables = create_engine(url), MetaData()
    with engine.connect() as connection:
        tables.reflect(connection)
        rows = [
            f"{table.name}: {tuple(row)}"
            for table in tables.sorted_tables
            for row in connection.execute(select(table))
        ]
    engine.dispose()
    return "\n".join(rows)


@contextmanager
def running_postgresql(programs: Path) -> Iterator[PostgreSql]:
    """Run a server until the `with` body ends; it refuses to be root's."""
    folder = Path(tempfile.mkdtemp(prefix="tegata-postgresql-"))
    owner: dict[str, int | list[int]] = {}
    if os.geteuid() == 0:
        user = _ordinary_user()
        os.chown(folder, user.pw_uid, user.pw_gid)
        owner = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    data = folder / "data"
    try:
        subprocess.run(
            [
                *(programs / "initdb", "--pgdata", data, "--username", "tegata"),
                *("--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync"),
            ],
            check=True,
            capture_output=True,
            cwd=folder,
            **owner,  # type: ignore[call-overload]
        )
        control = [programs / "pg_ctl", "--pgdata", data, "--wait"]
        settings = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        subprocess.run(
            [*control, "--log", folder / "log", "--options", settings, "start"],
            check=True,
            capture_output=True,
            cwd=folder,
            **owner,  # type: ignore[call-overload]
        )
        try:
            yield PostgreSql(folder)
        finally:
            subprocess.run(
                [*control, "--mode", "immediate", "stop"],
                check=True,
                capture_output=True,
                cwd=folder,
                **owner,  # type: ignore[call-overload]
            )
    finally:
        shutil.rmtree(folder)


def _ordinary_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("no user that PostgreSQL could run as")
