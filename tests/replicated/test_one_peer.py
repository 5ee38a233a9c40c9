"""A single peer under a real CometBFT: it takes, decides, tells, and comes back as it was."""

import base64
import sys
from pathlib import Path

import pytest
from support.processes import NodeProcess, wait_until
from support.replicated_peers import ReplicatedNetwork, ReplicatedPeer, needs_cometbft
from support.torii_gate import Gate

from client_sdk.errors import TransactionFailedError
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import set_account_detail
from node.cli.main import EXIT_CONFIG, EXIT_STORAGE
from node.ledger.genesis import ADMIN_ACCOUNT
from node.ledger.stores import LedgerStores

pytestmark = [needs_cometbft, pytest.mark.xdist_group("one_peer")]

OTHER_VERSION = str(Path(__file__).with_name("other_version.py"))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> ReplicatedNetwork:
    """One peer, of which each test goes on where the one before has left it."""
    return ReplicatedNetwork(tmp_path_factory.mktemp("one"), 1)


def detail(admin: LedgerClient, key: str) -> str | None:
    return admin.account_detail(ADMIN_ACCOUNT, key, writer=ADMIN_ACCOUNT)


def process_of(peer: ReplicatedPeer, version: str) -> NodeProcess:
    return NodeProcess(peer.path, command=(sys.executable, OTHER_VERSION, version))


def test_a_ledger_goes_on_under_cometbft_and_its_rules_may_fail(network: ReplicatedNetwork) -> None:
    """It began with a node that ordered alone; now others may be added."""
    (peer,) = network.peers
    config = peer.path / "node.toml"
    replicated = config.read_text(encoding="utf-8")
    config.write_text('torii = "127.0.0.1:0"\n', encoding="utf-8")
    with peer.process() as process, network.admin(process.address) as admin:
        admin.submit(set_account_detail(ADMIN_ACCOUNT, "key", "alone"))
    config.write_text(replicated, encoding="utf-8")
    with process_of(peer, "faulty") as process, network.admin(process.address) as admin:
        assert detail(admin, "key") == "alone"
        admin.submit(set_account_detail(ADMIN_ACCOUNT, "key", "first"))
        with pytest.raises(TransactionFailedError):
            admin.submit(set_account_detail("nobody@tegata", "key", "x"))
        assert admin.height() == 4
        poison = admin.build_transaction(set_account_detail(ADMIN_ACCOUNT, "key", "poison"))
        admin.sign_transaction(poison)
        gate = Gate(process.address)
        gate.send(poison)
        gate.close()
        assert process.wait() == EXIT_STORAGE
        assert "RulesFaultError: the rules of this version fail on block" in str(process.log)


def test_a_version_that_is_mended_decides_what_the_one_before_could_not(
    network: ReplicatedNetwork,
) -> None:
    (peer,) = network.peers
    with peer.process() as process:
        assert process.wait_for_log("ledger opened")["height"] == 4
        with network.admin(process.address) as admin:
            wait_until(lambda: detail(admin, "key") == "poison")
            admin.submit(set_account_detail(ADMIN_ACCOUNT, "key", "second"))
            assert (admin.height(), detail(admin, "key")) == (6, "second")
        wait_until(lambda: is_at_rest(peer))
        assert process.stop() == 0


def test_the_rules_change_behind_the_height_that_all_peers_agreed_on(
    network: ReplicatedNetwork,
) -> None:
    (peer,) = network.peers
    data = peer.path / "data"
    with LedgerStores(data, is_replicated=True) as stores, stores.state.snapshot() as view:
        position = view.position()
    assert position is not None
    height = position.height + 1
    with (peer.path / "node.toml").open("a", encoding="utf-8") as config:
        config.write(f"halt_height = {height}\n")
    with peer.process() as process, network.admin(process.address) as admin:
        # The block that it makes is the last one; the next would sign what it leads to.
        admin.submit(set_account_detail(ADMIN_ACCOUNT, "key", "last"))
        assert process.wait() == EXIT_CONFIG
        assert f"HaltError: height {height} of CometBFT is decided" in str(process.log)
    with process_of(peer, "new") as process, network.admin(process.address) as admin:
        admin.submit(set_account_detail(ADMIN_ACCOUNT, "key", "new"))
        wait_until(lambda: app_version(peer) == "2")
        # Its first blocks were decided by other rules: who decides them by these is told so.
        with process_of(network.add_peer(), "new") as joining:
            assert joining.wait() == EXIT_STORAGE
            text = "".join(str(line.get("text", "")) for line in joining.log)
            assert "by rules of another version than the others" in text


def is_at_rest(peer: ReplicatedPeer) -> bool:
    """Tell whether the newest header carries the newest app hash: no block comes by itself then."""
    newest = peer.ask("abci_info")["response"]["last_block_app_hash"]
    header = peer.ask("commit")["signed_header"]["header"]
    return bytes.fromhex(header["app_hash"]) == base64.b64decode(newest)


def app_version(peer: ReplicatedPeer) -> str:
    """Return the version of the rules that the newest header names."""
    header = peer.ask("commit")["signed_header"]["header"]
    return str(header["version"].get("app"))
