"""A ledger that one of four peers goes on with alone, because the others are lost for good."""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.abci_driver import START_MS, AbciDriver, encoded, transaction

from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.replication import chain_id
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import set_account_detail
from node.errors import ConfigError, NetworkError
from node.ledger.abci.abci_pb2 import ResponseApplySnapshotChunk, ResponseOfferSnapshot
from node.ledger.engine import Engine
from node.ledger.genesis import ADMIN_ACCOUNT, load_genesis
from node.network import refounding
from node.network.layout import PeerFolder, PeerPlace, write_network
from node.network.refounding import refound

NOW_MS = START_MS + 1_000_000
SECOND_KEY = AccountKey(b"\x07" * 32)


class Lost:
    """Four peers, of which one has its ledger, at height 3 of CometBFT; its key has signed more."""

    def __init__(self, folder: Path) -> None:
        places = [PeerPlace.on_one_machine(number, 27_000) for number in range(1, 5)]
        self.ledger_id = write_network(folder, places, created_time_ms=START_MS)
        self.peers = [PeerFolder(path=folder / place.name) for place in places]
        self.peer = self.peers[2]
        keys = self.peers[0].path / "keys"
        self.admin_key = AccountKey.load(keys / f"{ADMIN_ACCOUNT}.priv")
        self.key = AccountKey.load(self.peer.path / "keys" / "node.priv")
        with self.opened() as driver:
            driver.decide(self.write("a"))
            driver.decide(encoded(self.by_two("waits")))
            driver.decide()
        state = {"height": "5", "round": 0, "step": 3}
        (self.peer.home / "data" / "priv_validator_state.json").write_text(json.dumps(state))
        (self.peer.home / "data" / "blockstore.db").mkdir()

    @contextmanager
    def opened(self, *, interval: int = 0) -> Iterator[AbciDriver]:
        driver = AbciDriver(
            self.peer.path / "data",
            key=self.key,
            interval=interval,
            genesis=load_genesis(self.peer.path / "genesis.block"),
        )
        try:
            yield driver
        finally:
            driver.close()

    def write(self, detail_key: str) -> bytes:
        command = set_account_detail(ADMIN_ACCOUNT, detail_key, "v")
        return encoded(transaction(command, keys=(self.admin_key,)))

    def by_two(self, detail_key: str) -> Transaction:
        command = set_account_detail(ADMIN_ACCOUNT, detail_key, "v")
        return transaction(command, keys=(self.admin_key,), quorum=2)


@pytest.fixture
def lost(tmp_path: Path) -> Lost:
    return Lost(tmp_path / "net")


def detail(driver: AbciDriver, key: str) -> bytes | None:
    with driver.stores.state.snapshot() as view:
        return view.get(f"detail\0{ADMIN_ACCOUNT}\0{ADMIN_ACCOUNT}\0{key}".encode())


def test_one_peer_goes_on_with_the_ledger(lost: Lost) -> None:
    done = refound(lost.peer, lost.admin_key, now_ms=NOW_MS)
    others = {peer.peer().peer_key for peer in lost.peers} - {lost.key.public_key}
    assert (done.first_height, set(done.removed)) == (6, others)
    genesis = json.loads((lost.peer.home / "config" / "genesis.json").read_text())
    assert (genesis["initial_height"], len(genesis["validators"])) == ("6", 1)
    # What its key has signed is kept, and nothing else of CometBFT's.
    (signed,) = (lost.peer.home / "data").iterdir()
    assert json.loads(signed.read_text())["height"] == "5"
    with lost.opened() as driver:
        begun = driver.init_chain(chain_id(lost.ledger_id), initial_height=6)
        assert [one.pub_key.ed25519 for one in begun.validators] == [lost.key.raw_public_key]
        assert driver.info() == (0, begun.app_hash)
        # What waited for signatures is sent again.
        assert driver.ledger.counts() == (0, 0)
        driver.height = 5
        assert driver.decide().app_hash == begun.app_hash
        assert driver.ledger.position.header_height == 6
        driver.decide(lost.write("b"))
        assert (detail(driver, "a"), detail(driver, "b")) == (b"v", b"v")
        assert driver.stores.tip().height == done.ledger_height + 1


def test_others_join_by_its_state(lost: Lost, tmp_path: Path) -> None:
    refound(lost.peer, lost.admin_key, now_ms=NOW_MS)
    genesis = load_genesis(lost.peer.path / "genesis.block")
    with lost.opened(interval=7) as source:
        source.init_chain(chain_id(lost.ledger_id), initial_height=6)
        source.height = 5
        source.decide(lost.write("b"))
        source.decide()
        assert source.snapshots._thread is not None
        source.snapshots._thread.join()
        (snapshot,) = source.list_snapshots()
        joining = AbciDriver(tmp_path / "joining", key=SECOND_KEY, genesis=genesis)
        app_hash = source.info()[1]
        assert joining.offer(snapshot, app_hash) == ResponseOfferSnapshot.ACCEPT
        for index in range(snapshot.chunks):
            chunk = source.load_chunk(snapshot.height, index)
            assert joining.apply_chunk(index, chunk) == ResponseApplySnapshotChunk.ACCEPT
        assert joining.info() == source.info() == (7, app_hash)
        joining.close()


@pytest.mark.parametrize("place", ["commit", "_begin_anew"])
def test_what_was_broken_off_is_done_again(
    lost: Lost, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def break_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(Engine if place == "commit" else refounding, place, break_off)
        with pytest.raises(KeyboardInterrupt):
            refound(lost.peer, lost.admin_key, now_ms=NOW_MS)
    assert refound(lost.peer, lost.admin_key, now_ms=NOW_MS).first_height == 6
    assert refound(lost.peer, lost.admin_key, now_ms=NOW_MS).first_height == 6
    with lost.opened() as driver:
        assert len(driver.init_chain(chain_id(lost.ledger_id), initial_height=6).validators) == 1
        driver.height = 5
        driver.decide()
    with pytest.raises(NetworkError, match="the only one that votes"):
        refound(lost.peer, lost.admin_key, now_ms=NOW_MS)


def test_the_disk_has_each_step_before_the_next(
    lost: Lost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut the block would stand in a ledger whose genesis.json tells of no height."""
    home, synced, sync, commit = lost.peer.home, list[Path](), os.fsync, Engine.commit

    def note(file: int) -> None:
        sync(file)
        synced.append(Path(f"/proc/self/fd/{file}").readlink())

    def check_and_commit(*arguments: Any) -> None:
        assert synced[-2:] == [home / "config" / "genesis.new", home / "config"]
        commit(*arguments)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(Engine, "commit", check_and_commit)
    refound(lost.peer, lost.admin_key, now_ms=NOW_MS)
    made = home / "data.new"
    signed = synced.index(made / "priv_validator_state.json")
    assert synced[signed + 1 :] == [made, home, home / "config" / "config.new", home / "config"]
    state = home / "data" / "priv_validator_state.json"
    assert stat.S_IMODE(state.stat().st_mode) == 0o600


def test_what_may_not_be_founded_anew(lost: Lost) -> None:
    genesis = lost.peer.home / "config" / "genesis.json"
    before = genesis.read_text()
    with pytest.raises(NetworkError, match="may not change who votes: a signature is by a key"):
        refound(lost.peer, SECOND_KEY, now_ms=NOW_MS)
    assert genesis.read_text() == before
    with pytest.raises(NetworkError, match="has not been replicated yet"):
        refound(lost.peers[0], lost.admin_key, now_ms=NOW_MS)
    state = lost.peer.home / "data" / "priv_validator_state.json"
    state.write_text("{}")
    with pytest.raises(ConfigError, match="height: cannot be read"):
        refound(lost.peer, lost.admin_key, now_ms=NOW_MS)
    (lost.peer.path / "node.toml").write_text('torii = "127.0.0.1:0"\n')
    with pytest.raises(ConfigError, match="no replicated node"):
        refound(lost.peer, lost.admin_key, now_ms=NOW_MS)
