"""Fixtures that tests of several packages share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from support.databases import PostgreSql, find_programs, running_postgresql
from support.processes import LedgerFolder, NodeProcess, make_ledger_folder

from client_sdk.ledger.client import LedgerClient
from node.cli.demo.town import Town

# A busy machine is no defect: no property has a deadline. `make soak` tries many more examples.
settings.register_profile("tegata", deadline=None)
settings.register_profile("soak", max_examples=20_000, deadline=None)
settings.load_profile("soak" if os.environ.get("TEGATA_SOAK") else "tegata")


@pytest.fixture(scope="session")
def ledger_folder(tmp_path_factory: pytest.TempPathFactory) -> LedgerFolder:
    """The folder of the session's ledger node, and its keys."""
    return make_ledger_folder(tmp_path_factory.mktemp("ledger"))


@pytest.fixture(scope="session")
def ledger_node(ledger_folder: LedgerFolder) -> Iterator[NodeProcess]:
    """A ledger node in a process of its own, for the whole session."""
    with NodeProcess(ledger_folder.path) as process:
        process.wait_for_log("ledger node ready")
        yield process


@pytest.fixture(scope="session")
def admin(ledger_folder: LedgerFolder, ledger_node: NodeProcess) -> Iterator[LedgerClient]:
    """A client of the session's node that acts for `admin@tegata`."""
    with ledger_folder.admin(ledger_node.address) as client:
        yield client


@pytest.fixture(scope="session")
def registry(ledger_folder: LedgerFolder, ledger_node: NodeProcess) -> Iterator[LedgerClient]:
    """A client of the session's node that acts for `registry@tegata`."""
    with ledger_folder.registry(ledger_node.address) as client:
        yield client


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSql]:
    """A PostgreSQL server, for the whole session."""
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    with running_postgresql(programs) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    server: PostgreSql = request.getfixturevalue("postgresql")
    return server.new_database()


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A ledger node, an issuer and a gateway as processes, for the whole session."""
    with Town(tmp_path_factory.mktemp("shared_town")) as town:
        yield town
