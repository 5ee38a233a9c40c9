"""`tegata node verify` finds what was changed on disk, and changes no block itself."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from support.command_line import run, run_inside, run_json
from support.processes import NodeProcess, make_ledger_folder

from chaincode.errors import InvalidBlockError
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import create_account
from node.errors import StorageError
from node.ledger.block_store import BlockStore

ACCOUNTS = 4
HEIGHT = 1 + ACCOUNTS
Change = Callable[[Path], None]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a node that made some blocks and was stopped; it is not to be changed."""
    ledger = make_ledger_folder(tmp_path_factory.mktemp("stopped") / "node")
    with NodeProcess(ledger.path) as process, ledger.admin(process.address) as admin:
        check_running(ledger.path)
        make_accounts(admin)
    return ledger.path


def check_running(folder: Path) -> None:
    result = run_inside("node", "verify", folder)
    assert isinstance(result.exception, StorageError)
    assert "another node is running" in str(result.exception)


def make_accounts(admin: LedgerClient) -> None:
    for number in range(ACCOUNTS):
        admin.submit(create_account(f"a{number}@holder", AccountKey.generate().public_key))


@pytest.fixture
def folder(stopped: Path, tmp_path: Path) -> Path:
    return shutil.copytree(stopped, tmp_path / "node")


def test_a_good_ledger(folder: Path) -> None:
    report = run_json("node", "verify", folder)
    assert report.keys() == {"height", "block_hash", "root"}
    assert report["height"] == HEIGHT
    assert len(report["block_hash"]) == len(report["root"]) == 64
    again = run_inside("node", "verify", folder)
    assert again.exit_code == 0
    assert report["root"] in again.output


def test_a_state_that_is_behind_or_gone_is_built_again(folder: Path) -> None:
    before = run_inside("node", "verify", folder, "--json").output
    for path in (folder / "data").glob("state.sqlite*"):
        path.unlink()
    assert run_inside("node", "verify", folder, "--json").output == before


def flip(position: Callable[[int], int]) -> Change:
    """Return a change of one bit of the block file."""

    def change(data: Path) -> None:
        content = bytearray((data / "blocks").read_bytes())
        content[position(len(content))] ^= 1
        (data / "blocks").write_bytes(content)

    return change


def cut(data: Path) -> None:
    content = (data / "blocks").read_bytes()
    (data / "blocks").write_bytes(content[:-10])


def zero_the_end(data: Path) -> None:
    content = (data / "blocks").read_bytes()
    start = offsets(data)[2]
    (data / "blocks").write_bytes(content[:start] + bytes(len(content) - start))


def offsets(data: Path) -> list[int]:
    with closing(sqlite3.connect(data / "state.sqlite")) as state:
        return [start for (start,) in state.execute("SELECT start FROM block ORDER BY height")]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(flip(lambda _length: 0), id="magic"),
        pytest.param(flip(lambda _length: 9), id="genesis length"),
        pytest.param(flip(lambda _length: 100), id="genesis"),
        pytest.param(flip(lambda length: length // 2), id="middle"),
        pytest.param(flip(lambda length: length - 1), id="last byte"),
        pytest.param(cut, id="cut"),
        pytest.param(zero_the_end, id="zeros"),
    ],
)
def test_a_changed_block_is_found(folder: Path, change: Change) -> None:
    data = folder / "data"
    change(data)
    before = (data / "blocks").read_bytes()
    for _ in range(2):
        result = run_inside("node", "verify", folder)
        assert isinstance(result.exception, StorageError)
        assert "blocks" in str(result.exception)
    # What is left of the chain is evidence, and may be all there is.
    assert (data / "blocks").read_bytes() == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE state SET value = x'00' WHERE key = (SELECT min(key) FROM state)",
        "DELETE FROM state WHERE key = (SELECT max(key) FROM state)",
        "INSERT INTO state VALUES (x'7a7a', x'00')",
        "DELETE FROM block WHERE height = 2",
        "UPDATE block SET start = (SELECT start FROM block WHERE height = 2) WHERE height = 3",
        "UPDATE block SET start = start + 1 WHERE height = 3",
        "DELETE FROM decided WHERE height = 3",
        "UPDATE decided SET position = NULL WHERE height = 3",
        "UPDATE tip SET time_ms = time_ms + 1",
        "UPDATE tip SET block_hash = zeroblob(32)",
        "UPDATE tip SET set_hash = zeroblob(2048)",
        "UPDATE tip SET height = height - 1",
        "UPDATE tip SET height = height + 1",
        "DROP TABLE decided",
    ],
)
def test_a_changed_row_is_found(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "data" / "state.sqlite")) as state, state:
        state.execute(statement)
    result = run_inside("node", "verify", folder)
    assert isinstance(result.exception, StorageError), result.exception


def test_a_state_that_is_no_database(folder: Path) -> None:
    (folder / "data" / "state.sqlite").write_bytes(b"no database " * 1000)
    done = run("node", "verify", folder)
    assert done.returncode == 6
    assert "StorageError" in done.stderr
    assert "Traceback" not in done.stderr


def forge_last_block(data: Path) -> None:
    """Put another block in the place of the last one: whole, but not as the node signed it."""
    blocks = BlockStore(data / "blocks")
    found = [block for _, _, block in blocks.recover(blocks.start)]
    blocks.close()
    found[-1].block_v1.payload.created_time += 1
    forged = BlockStore(data / "forged")
    for block in found:
        forged.append(block)
    forged.close()
    (data / "forged").replace(data / "blocks")


def test_a_forged_block(folder: Path) -> None:
    forge_last_block(folder / "data")
    result = run_inside("node", "verify", folder)
    assert isinstance(result.exception, InvalidBlockError)
    done = run("node", "verify", folder)
    assert done.returncode == 6
    assert "InvalidBlockError" in done.stderr


def test_a_folder_without_a_ledger(tmp_path: Path, folder: Path) -> None:
    assert run("node", "verify", tmp_path / "none").returncode == 5
    shutil.rmtree(folder / "data")
    result = run_inside("node", "verify", folder)
    assert isinstance(result.exception, StorageError)
    assert not (folder / "data").exists()
