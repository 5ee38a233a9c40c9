"""A disk that fills up: the node stops with a clear word, and loses nothing that is committed."""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from support.batches import lone
from support.command_line import run_json
from support.full_disk import file_size_limit
from support.ledger_stores import NOW_MS, WINDOW, LedgerStores, opened
from support.memory_ledger import sign_transaction
from support.processes import LedgerFolder, NodeProcess, make_ledger_folder

from chaincode.batches import Batch
from client_sdk.errors import ClientError
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import add_signatory, set_account_detail
from node.errors import StorageError
from node.ledger.genesis import ADMIN_ACCOUNT
from node.ledger.pending_store import PendingStore

VALUE = "x" * 20_000


def write_until_it_stops(client: LedgerClient) -> list[str]:
    """Write details until the node is gone; return the keys of those that it called committed."""
    committed: list[str] = []
    while True:
        key = f"key_{len(committed)}"
        try:
            client.submit(set_account_detail(ADMIN_ACCOUNT, key, VALUE))
        except ClientError:
            return committed
        committed.append(key)


@pytest.mark.parametrize("room", [0, 300_001])
def test_a_node_on_a_full_disk_stops_and_loses_nothing(tmp_path: Path, room: int) -> None:
    folder = make_ledger_folder(tmp_path / "node")
    with NodeProcess(folder.path) as process, folder.admin(process.address) as client:
        client.submit(set_account_detail(ADMIN_ACCOUNT, "before", VALUE))
    size = max(path.stat().st_size for path in (folder.path / "data").iterdir())
    script = Path(__file__).with_name("start_on_a_full_disk.py")
    command = (sys.executable, str(script), str(size + room))
    # Coverage could not write its data either.
    with NodeProcess(folder.path, command=command, is_measured=False) as process:
        with folder.admin(process.address, timeout_s=10) as client:
            committed = write_until_it_stops(client)
        assert process.wait() == 6
        text = str(process.log)
        assert "the ledger cannot be written" in text
        assert "a block cannot be" in text
        assert "Traceback" not in text
    assert run_json("node", "check", folder.path) == []
    with NodeProcess(folder.path) as process, folder.admin(process.address) as client:
        for key in ("before", *committed):
            assert client.account_detail(ADMIN_ACCOUNT, key, writer=ADMIN_ACCOUNT) == VALUE
        client.submit(set_account_detail(ADMIN_ACCOUNT, "after", VALUE))
    assert run_json("node", "verify", folder.path)["height"] >= len(committed) + 3


@pytest.fixture
def folder(tmp_path: Path) -> LedgerFolder:
    return make_ledger_folder(tmp_path / "node")


@pytest.mark.parametrize("room", [0, 1, 24, 4_000, 4_120, 9_000])
def test_a_state_that_cannot_grow_is_replayed(folder: LedgerFolder, room: int) -> None:
    """The block file has the block: it is committed once there is room again."""
    with opened(folder) as stores:
        stores.add_details(3)
        tip = stores.tip()
        candidate = stores.engine.finalize(NOW_MS, lone(stores.detail("big", VALUE)))
        log = stores.data / "state.sqlite-wal"
        with (
            file_size_limit(log.stat().st_size + room),
            pytest.raises(StorageError, match="a block cannot be applied"),
        ):
            stores.engine.commit(candidate)
        assert stores.tip() == tip
    with opened(folder) as stores:
        assert (stores.tip().height, stores.replayed) == (tip.height + 1, 1)
        assert stores.tip().root == candidate.root.root.digest()


def test_signatures_that_cannot_be_kept_are_refused(folder: LedgerFolder) -> None:
    with opened(folder) as stores:
        second = AccountKey.generate()
        stores.add_block(
            stores.check(stores.admin_transaction(add_signatory(ADMIN_ACCOUNT, second.public_key)))
        )
        store = PendingStore(stores.data / "pending.sqlite")
        batch = waiting_batch(stores, second)
        with file_size_limit(0), pytest.raises(StorageError, match="move the file away"):
            store.save(batch)
        assert store.load() == []
        store.save(batch)
        assert [each.hash for each in store.load()] == [batch.hash]
        store.close()


def waiting_batch(stores: LedgerStores, key: AccountKey) -> Batch:
    message = stores.admin_transaction(set_account_detail(ADMIN_ACCOUNT, "a", VALUE))
    message.payload.reduced_payload.quorum = 2
    del message.signatures[:]
    sign_transaction(message, key)
    (batch,) = stores.engine.check([message], WINDOW)
    return batch


def test_a_checkpoint_that_finds_no_room_is_made_later(folder: LedgerFolder) -> None:
    """What a thread could not copy stands in the log, and the next start copies it."""
    with opened(folder) as stores:
        stores.add_details(30)
        tip = stores.tip()
        file = stores.data / "state.sqlite"
        with (
            file_size_limit(file.stat().st_size),
            closing(sqlite3.connect(file)) as other,
            pytest.raises(sqlite3.OperationalError),
        ):
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert stores.tip() == tip
    with opened(folder) as stores:
        assert (stores.tip(), stores.replayed) == (tip, 0)
