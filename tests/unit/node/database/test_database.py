"""Databases of the services: made, taken over, brought up or refused, on both kinds of server."""

import json
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from support.command_line import run_inside
from support.gateway_world import write_config
from support.presentation_world import World

from node.authority.policy import SignedPlace
from node.authority.store import SCHEMA as AUTHORITY
from node.authority.store import AuthorityStore
from node.database import Schema, migrate_database, open_database
from node.errors import StorageError
from node.escrow.store import SCHEMA as ESCROW
from node.escrow.store import EscrowStore
from node.gateway.gateway_store import SCHEMA as GATEWAY
from node.gateway.gateway_store import GatewayStore
from node.issuer.store import IssuerStore
from node.issuer.tables import SCHEMA as ISSUER
from node.observer.block_index import SCHEMA as PAGE

FOLDER = Path(__file__).parents[3] / "vectors" / "databases"
NOW_MS = 1_800_000_000_000
SCHEMAS = pytest.mark.parametrize(
    "schema", [GATEWAY, ISSUER, ESCROW, AUTHORITY], ids=lambda schema: schema.service
)


def execute(url: str, *statements: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def differences(url: str, schema: Schema) -> list[Any]:
    """Return in what a database differs from the tables of this version."""
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": schema.version_table}
        )
        found: list[Any] = compare_metadata(context, schema.tables)
    engine.dispose()
    return found


def file_of_before(service: str, folder: Path) -> str:
    """Lay down a service's file as the last version without revisions left it; return its URL."""
    file = folder / f"{service}.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript((FOLDER / f"{service}.sql").read_text(encoding="utf-8"))
    return f"sqlite:///{file}"


@pytest.mark.parametrize(
    "schema", [GATEWAY, ISSUER, ESCROW, AUTHORITY, PAGE], ids=lambda schema: schema.service
)
def test_new_tables_are_those_of_the_revisions(schema: Schema, database_url: str) -> None:
    script = ScriptDirectory(str(FOLDER), version_locations=[str(schema.revisions)])
    assert script.get_current_head() == schema.revision
    # Where no revision is noted, Alembic does all of them.
    execute(database_url, f"CREATE TABLE {schema.version_table} (version_num VARCHAR(32))")
    assert migrate_database(database_url, schema) == "0000"
    assert differences(database_url, schema) == []
    assert migrate_database(database_url, schema) == schema.revision


@SCHEMAS
def test_a_file_of_before_is_taken_over(schema: Schema, tmp_path: Path) -> None:
    url = file_of_before(schema.service, tmp_path)
    open_database(url, schema).close()
    assert differences(url, schema) == []


def test_what_a_gateway_kept_before_is_there(tmp_path: Path) -> None:
    with closing(GatewayStore(file_of_before("gateway", tmp_path))) as store:
        (held,) = store.requests.held()
        assert (held.held, held.receipt) == ({"address": "青葉市"}, b"\x00\x01receipt")
        assert store.requests.release(held.id, result_until_ms=NOW_MS, checks=[])
        assert [event.seq for event in store.events.events(after=0)] == [1, 2, 3]
        assert store.standing.unwritten("b" * 32) is not None
        caller = store.keys.find_caller("tegata_of_before", now_ms=NOW_MS)
        assert caller is not None
        assert caller.verifier == "city"


def test_what_an_issuer_kept_before_is_there(tmp_path: Path) -> None:
    with closing(IssuerStore(file_of_before("issuer", tmp_path))) as store:
        offer = store.offers.take_try("c" * 64, NOW_MS)
        assert offer is not None
        assert offer.tries_left == 1
        assert not store.nonces.spend("n" * 64, NOW_MS)
        assert len(store.status_lists.take("1" * 32, 5) or ()) == 5
        assert store.status_lists.take("1" * 32, 1) is None
        assert store.credentials.find("ab" * 16) is not None


def test_what_agents_and_authorities_kept_before_is_there(tmp_path: Path) -> None:
    with closing(EscrowStore(file_of_before("escrow", tmp_path))) as store:
        attempts = store.change("h" * 32, lambda rows: rows.holder and rows.holder.attempts)
        assert attempts == 4
        assert not store.change("h" * 32, lambda rows: rows.spend("token", expires_at_ms=NOW_MS))
        assert store.handles_of_account("x@holder") == ["h" * 32]
    with closing(AuthorityStore(file_of_before("authority", tmp_path))) as signed:
        assert not signed.record(SignedPlace(record_id="ab" * 16), "e" * 64, now_ms=NOW_MS)


def test_tables_of_a_later_version_are_refused(database_url: str) -> None:
    GatewayStore(database_url).close()
    execute(database_url, "UPDATE gateway_schema SET version_num = '9999'")
    with pytest.raises(StorageError, match=r"schema 9999.*update Tegata"):
        GatewayStore(database_url)
    with pytest.raises(StorageError, match=r"schema 9999.*update Tegata"):
        migrate_database(database_url, GATEWAY)


def test_tables_that_instances_may_be_using_are_changed_by_the_operator(
    database_url: str, tmp_path: Path
) -> None:
    GatewayStore(database_url).close()
    # What a version before revisions had: no table of them, and none of the later tables.
    execute(database_url, "DROP TABLE gateway_schema", "DROP TABLE rate_count")
    if database_url.startswith("postgresql"):
        with pytest.raises(StorageError, match=r"schema 0000.*tegata gateway migrate"):
            GatewayStore(database_url)
        write_config(tmp_path, World(), database_url=database_url)
        done = run_inside("gateway", "migrate", tmp_path, "--json")
        assert json.loads(done.stdout) == {"found": "0000", "schema": GATEWAY.revision}
    with closing(GatewayStore(database_url)) as store:
        store.counts.purge(0)


def test_instances_that_start_at_the_same_time_make_the_tables_once(database_url: str) -> None:
    def open_and_close(_number: int) -> None:
        GatewayStore(database_url).close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(open_and_close, range(12)))
    assert differences(database_url, GATEWAY) == []


class CounterBase(DeclarativeBase):
    pass


class Counter(CounterBase):
    __tablename__ = "counter"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int]


def test_what_a_transaction_has_read_stays_true(database_url: str) -> None:
    """Two instances count by reading and writing; none of the counts is lost."""
    schema = Schema(
        service="counter", tables=CounterBase.metadata, revision="0001", revisions=FOLDER
    )
    databases = [open_database(database_url, schema) for _ in range(2)]
    with databases[0].transaction() as session:
        session.add(Counter(name="one", value=0))

    def count(number: int) -> None:
        with databases[number % 2].transaction() as session:
            row = session.get_one(Counter, "one", with_for_update=True)
            row.value += 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(60)))
    assert databases[1].find_one(select(Counter.value)) == 60
    for database in databases:
        database.close()


def test_writes_of_many_threads_go_together_and_fail_alone(database_url: str) -> None:
    schema = Schema(
        service="counter", tables=CounterBase.metadata, revision="0001", revisions=FOLDER
    )
    all_there = threading.Barrier(9)

    def first(connection: Connection) -> str:
        # The others wait for this one, and are written by the next transaction.
        all_there.wait(60)
        connection.execute(insert(Counter).values(name="first", value=0))
        return "first"

    with closing(open_database(database_url, schema)) as database, ThreadPoolExecutor(9) as pool:

        def add(number: int) -> int:
            def work(connection: Connection) -> int:
                connection.execute(insert(Counter).values(name=str(number // 2), value=number))
                return number

            all_there.wait(60)
            return database.write(work)

        written = pool.submit(database.write, first)
        results = [pool.submit(add, number) for number in range(8)]
        assert written.result() == "first"
        errors = [result.exception() for result in results]
        # Of each two with one name the first was written, and the second was told that it was not.
        assert sum(error is None for error in errors) == 4
        assert all(error is None or isinstance(error, IntegrityError) for error in errors)
        assert database.find_one(select(func.count()).select_from(Counter)) == 5
        told = {result.result() for result in results if result.exception() is None}
        with database.reading() as session:
            assert told == {*session.scalars(select(Counter.value).where(Counter.name != "first"))}


def test_what_raises_writes_nothing(database_url: str) -> None:
    schema = Schema(
        service="counter", tables=CounterBase.metadata, revision="0001", revisions=FOLDER
    )
    with closing(open_database(database_url, schema)) as database:
        with suppress(ZeroDivisionError), database.transaction() as session:
            session.add(Counter(name="one", value=1))
            session.flush()
            raise ZeroDivisionError
        assert database.find_one(select(func.count()).select_from(Counter)) == 0
        assert not database.change(update(Counter).values(value=2))
