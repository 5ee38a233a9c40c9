"""A single peer under a real CometBFT: it takes, decides, tells, and comes back as it was."""

from pathlib import Path

import pytest
from support.replicated_peers import ReplicatedNetwork, needs_cometbft

from client_sdk.errors import TransactionFailedError
from client_sdk.ledger.commands import set_account_detail
from node.ledger.genesis import ADMIN_ACCOUNT

pytestmark = needs_cometbft


def test_a_ledger_goes_on_under_cometbft_and_comes_back_as_it_was(tmp_path: Path) -> None:
    """It began with a node that ordered alone; now others may be added."""
    network = ReplicatedNetwork(tmp_path, 1)
    (peer,) = network.peers
    config = peer.path / "node.toml"
    replicated = config.read_text(encoding="utf-8")
    config.write_text('torii = "127.0.0.1:0"\n', encoding="utf-8")
    with peer.process() as process, network.admin(process.address) as admin:
        admin.submit(set_account_detail(ADMIN_ACCOUNT, "key", "alone"))
    config.write_text(replicated, encoding="utf-8")
    with peer.process() as process:
        with network.admin(process.address) as admin:
            assert admin.account_detail(ADMIN_ACCOUNT, "key", writer=ADMIN_ACCOUNT) == "alone"
            admin.submit(set_account_detail(ADMIN_ACCOUNT, "key", "first"))
            with pytest.raises(TransactionFailedError):
                admin.submit(set_account_detail("nobody@tegata", "key", "x"))
            height = admin.height()
            assert height == 4
        assert process.stop() == 0
    with peer.process() as process:
        assert process.wait_for_log("ledger opened")["height"] == height
        with network.admin(process.address) as admin:
            admin.submit(set_account_detail(ADMIN_ACCOUNT, "key", "second"))
            assert admin.height() == height + 1
            assert admin.account_detail(ADMIN_ACCOUNT, "key", writer=ADMIN_ACCOUNT) == "second"
