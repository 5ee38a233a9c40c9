"""A database that is away for a moment, and texts that it cannot keep, at a service's HTTP."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, literal_column, select, text
from support.databases import PostgreSql
from support.gateway_world import GatewayWorld

from node.database import Database, open_database
from node.errors import DatabaseUnavailableError, UnstorableTextError
from node.gateway.gateway_store import SCHEMA

NAME = "application_name=lost"
KILL_SELF = "pg_terminate_backend(pg_backend_pid())"
KILL_OTHERS = text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE application_name = 'lost' AND pid <> pg_backend_pid()"
)


class Sqlite:
    """A database that is away while somebody else writes to it for long."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "gateway.db"
        self.url = f"sqlite:///{self._file}?timeout=0.01"

    @contextmanager
    def away(self) -> Iterator[None]:
        with closing(sqlite3.connect(self._file)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.rollback()


class Lost:
    """A database of PostgreSQL whose server can be cut off."""

    def __init__(self, server: PostgreSql, folder: Path) -> None:
        self._server, self._folder = server, folder
        self._socket = Path(".s.PGSQL.5432")
        (folder / "s").mkdir()
        self._connect()
        url = server.new_database().replace(
            server.url.partition("host=")[2], str(folder / "s").replace("/", "%2F")
        )
        self.url = f"{url}&{NAME}"

    def _connect(self) -> None:
        (self._folder / "s" / self._socket).symlink_to(self._server.folder / self._socket)

    def cut_connections(self) -> None:
        """End them all, as a restart of the server does."""
        engine = create_engine(self._server.url)
        with engine.connect() as connection:
            assert connection.scalar(KILL_OTHERS)
        engine.dispose()

    @contextmanager
    def away(self) -> Iterator[None]:
        (self._folder / "s" / self._socket).unlink()
        self.cut_connections()
        yield
        self._connect()


@pytest.fixture
def lost(postgresql: PostgreSql, tmp_path: Path) -> Lost:
    return Lost(postgresql, tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def trouble(request: pytest.FixtureRequest, tmp_path: Path) -> Sqlite | Lost:
    """A database that can be away, of each kind in turn."""
    if request.param == "sqlite":
        return Sqlite(tmp_path)
    found: Lost = request.getfixturevalue("lost")
    return found


@contextmanager
def gateway(folder: Path, url: str) -> Iterator[GatewayWorld]:
    world = GatewayWorld(folder, changes={"database_url": url})
    try:
        yield world
    finally:
        world.close()


def ask(world: GatewayWorld, **changes: Any) -> Any:
    question = {"attributes": ["address"], "purpose": "Certificate", **changes}
    return world.client.post("/requests", json=question, headers=world.headers("city"))


def test_a_database_that_is_away_is_a_wait_and_no_error(
    trouble: Sqlite | Lost, tmp_path: Path
) -> None:
    with gateway(tmp_path, trouble.url) as world:
        assert ask(world).status_code == 201
        with trouble.away():
            answer = ask(world)
            assert answer.status_code == 503
            assert answer.json["code"] == "database_unavailable"
            assert int(answer.headers["Retry-After"]) > 0
        assert ask(world).status_code == 201


def test_connections_that_broke_while_idle_are_replaced_unseen(lost: Lost, tmp_path: Path) -> None:
    with gateway(tmp_path, lost.url) as world:
        created = ask(world)
        lost.cut_connections()
        assert world.read(created.json["id"])["id"] == created.json["id"]
        lost.cut_connections()
        assert ask(world).status_code == 201


def test_a_connection_that_breaks_in_the_middle_is_our_own_error_and_the_next_one_works(
    lost: Lost,
) -> None:
    with closing(open_database(lost.url, SCHEMA)) as database:
        with (
            pytest.raises(DatabaseUnavailableError, match="the database does not answer"),
            database.transaction() as session,
        ):
            session.execute(text(f"SELECT {KILL_SELF}"))
        assert database.find_one(select(1)) == 1


def write_to_a_standby(database: Database) -> None:
    with database.transaction() as session:
        session.execute(text("SET TRANSACTION READ ONLY"))
        session.execute(text("CREATE TABLE written (number INTEGER)"))


def test_a_server_that_became_a_standby_is_left(lost: Lost) -> None:
    """As after a failover: what is connected to it can only read."""
    with closing(open_database(lost.url, SCHEMA)) as database:
        backend = select(literal_column("pg_backend_pid()"))
        before = database.find_one(backend)
        assert database.find_one(backend) == before
        with pytest.raises(DatabaseUnavailableError, match="ReadOnlySqlTransaction"):
            write_to_a_standby(database)
        assert database.find_one(backend) != before


def test_a_read_is_asked_once_more(lost: Lost) -> None:
    with closing(open_database(lost.url, SCHEMA)) as database:
        with database.connection() as connection:
            connection.execute(text("CREATE SEQUENCE tries"))
        # The first one ends the connection that it came by.
        kill = literal_column(f"CASE WHEN nextval('tries') = 1 THEN {KILL_SELF} END")
        assert database.find_one(select(kill)) is None


def test_a_defect_of_ours_is_no_wait(tmp_path: Path) -> None:
    with closing(open_database(f"sqlite:///{tmp_path / 'x.db'}", SCHEMA)) as database:
        with pytest.raises(Exception, match="no such table") as raised:
            database.find_one(text("SELECT 1 FROM missing_table"))
        assert not isinstance(raised.value, DatabaseUnavailableError)


@pytest.mark.parametrize("null", ["\0", "Certificate\0of residence"])
def test_a_null_in_a_text_is_bad_input(null: str, database_url: str, tmp_path: Path) -> None:
    with gateway(tmp_path, database_url) as world:
        answers = [
            ask(world, purpose=null),
            ask(world, attributes=[null]),
            ask(world, **{null: 1}),
            world.client.get("/requests/%00", headers=world.headers("city")),
            world.client.get("/requests?skip=%00", headers=world.headers("city")),
            world.client.post(f"/oid4vp/responses/{'a' * 32}", data={"state": null}),
        ]
        for answer in answers:
            assert (answer.status_code, answer.json["code"]) == (422, "null_character")
        assert ask(world, purpose="a text with \\u0000 in it").status_code == 201


def test_a_null_that_comes_another_way_is_bad_input_too(lost: Lost, tmp_path: Path) -> None:
    with gateway(tmp_path, lost.url) as world, pytest.raises(UnstorableTextError):
        world.store.find("\0")
