"""An issuer that is killed gives out no place twice, and a city's batch goes on where it was."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from support.residents import read_letters, resident_row, write_csv

from chaincode.merkle import check_inclusion
from chaincode.records import BatchRecord, StatusListRecord
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from node.cli.demo.free_ports import free_addresses
from node.cli.demo.town import ServiceProcess, run
from node.issuer.store import IssuerStore

TEGATA = Path(sys.executable).parent / "tegata"
RESIDENTS = 20_000 if os.environ.get("TEGATA_SOAK") else 2_500
KILLS = 20 if os.environ.get("TEGATA_SOAK") else 3
ISSUER = "city@issuer"
TAKE_PLACES = """
import sys
from node.issuer.store import IssuerStore

store = IssuerStore(sys.argv[1]).status_lists
while (places := store.take("1" * 32, 3)) is not None:
    print(*places, flush=True)
"""


@contextmanager
def killed_afterwards(*command: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command; on leaving, SIGKILL it with what it has started."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        # It may have come to its end by itself.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_no_place_is_given_out_twice(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'issuer.db'}"
    store = IssuerStore(url)
    store.status_lists.add("1" * 32, 100_000)
    store.close()
    told: list[str] = []
    for _ in range(3):
        with killed_afterwards(sys.executable, "-c", TAKE_PLACES, url) as taker:
            assert taker.stdout is not None
            told += [taker.stdout.readline() for _ in range(20)]
    places = [place for line in told for place in line.split()]
    assert len(places) == len(set(places)) == 180


class City:
    """A ledger with its node, and an issuer's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.torii, listen = free_addresses(2)
        ledger = folder / "ledger"
        run("node", "init", str(ledger), "--torii", self.torii)
        self.node = ServiceProcess(("node", "start", str(ledger)), folder / "node.log")
        run(
            *("issuer", "init", str(folder / "issuer"), "--network", str(ledger)),
            *("--account", ISSUER, "--listen", listen),
        )
        rows = [resident_row(number) for number in range(RESIDENTS)]
        write_csv(folder / "residents.csv", rows)
        self.references = [row["reference"] for row in rows]
        self.letters = folder / "letters.csv"
        self.command = (
            *(str(TEGATA), "issuer", "batch", str(folder / "issuer"), "--json", "--workers", "1"),
            *("--csv", str(folder / "residents.csv"), "--letters", str(self.letters)),
        )

    def ledger(self) -> LedgerClient:
        key = AccountKey.load(self.folder / "issuer" / "keys" / "account.priv")
        return LedgerClient(self.torii, ISSUER, key)

    def database(self) -> sqlite3.Connection:
        return sqlite3.connect(self.folder / "issuer" / "issuer.db")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    made = City(tmp_path_factory.mktemp("city"))
    yield made
    made.node.stop()


def wait_for_letters(city: City, process: subprocess.Popen[str], longer_than: int) -> None:
    """Wait until the letters are longer, or the process ends."""
    tick = threading.Event()
    while process.poll() is None:
        if city.letters.exists() and city.letters.stat().st_size > longer_than:
            return
        tick.wait(0.002)


def test_a_city_is_issued_to_whatever_is_killed(city: City) -> None:
    for number in range(KILLS):
        length = city.letters.stat().st_size if city.letters.exists() else 0
        with killed_afterwards(*city.command) as batch:
            wait_for_letters(city, batch, length)
            # Anywhere in the chunk that is under way.
            threading.Event().wait(random.Random(number).uniform(0, 0.3))
    done = subprocess.run(city.command, capture_output=True, text=True, check=True)
    finished = json.loads(done.stdout)
    assert finished["credentials"] == RESIDENTS

    letters = read_letters(city.letters)
    assert [letter["reference"] for letter in letters] == city.references
    assert len({letter["offer"] for letter in letters}) == RESIDENTS
    with city.database() as database:
        rows = database.execute(
            "SELECT record_id, list_index, leaf, position FROM credential ORDER BY position"
        ).fetchall()
        offers = database.execute("SELECT count(*) FROM offer").fetchone()[0]
    assert len(rows) == offers == RESIDENTS
    assert len({record_id for record_id, *_ in rows}) == RESIDENTS
    assert len({index for _, index, *_ in rows}) == RESIDENTS
    assert [position for *_, position in rows] == list(range(RESIDENTS))

    with city.ledger() as ledger:
        record = ledger.record(ISSUER, finished["batch"], BatchRecord)
        assert ledger.record(ISSUER, finished["status_list"], StatusListRecord) is not None
    assert record is not None
    assert record.count == RESIDENTS
    store = IssuerStore(f"sqlite:///{city.folder / 'issuer' / 'issuer.db'}")
    for record_id, _, leaf, position in rows[:: RESIDENTS // 20]:
        credential = store.credentials.find(record_id)
        assert credential is not None
        inclusion = store.batches.inclusion(credential)
        assert inclusion is not None
        assert inclusion.index == position
        check_inclusion(
            leaf, index=position, count=RESIDENTS, path=inclusion.path, root=record.root
        )
    store.close()
