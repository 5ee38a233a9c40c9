"""A peer that joins by state sync: it has what the others have, old blocks and all."""

import json
import os
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.memory_ledger import sign_transaction
from support.processes import wait_until
from support.replicated_peers import ReplicatedNetwork, needs_cometbft
from support.torii_gate import Gate

from chaincode.protocol.endpoint_pb2 import TxStatus
from chaincode.protocol.transaction_pb2 import Transaction
from client_sdk.errors import TransactionFailedError
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import set_account_detail
from node.ledger.daemon import now_ms
from node.ledger.genesis import ADMIN_ACCOUNT
from node.ledger.stores import LedgerStores
from node.ledger.verification import verify_chain

LONG_CHAIN, AT_ONCE, MINUTE_S = 100_000, 1000, 60

pytestmark = [needs_cometbft, pytest.mark.xdist_group("state_sync")]


def test_a_new_peer_joins_by_a_snapshot(tmp_path: Path) -> None:
    network = ReplicatedNetwork(tmp_path, 1, snapshot_interval=10)
    (first,) = network.peers
    with first.process() as process, network.admin(process.address) as admin:
        for number in range(6):
            admin.submit(set_account_detail(ADMIN_ACCOUNT, f"key_{number}", str(number)))
        refused = admin.build_transaction(set_account_detail("nobody@tegata", "k", "v"))
        admin.sign_transaction(refused)
        with pytest.raises(TransactionFailedError):
            admin.send(refused)
        waiting = half_signed(network.admin_key)
        gate = Gate(process.address)
        gate.send(waiting)
        gate.wait_for_status(waiting, TxStatus.MST_PENDING)
        gate.close()
        for number in range(6, 10):
            admin.submit(set_account_detail(ADMIN_ACCOUNT, f"key_{number}", str(number)))
        process.wait_for_log("snapshot written")
        height = admin.height()
        # A header above the snapshot's commits to it, and CometBFT wants one more.
        second = network.add_peer(**sync_settings(network))
        with second.process() as joining, network.admin(joining.address) as reader:
            restored = joining.wait_for_log("snapshot restored")
            assert int(str(restored["height"])) % 10 == 0
            wait_until(lambda: reader.health().is_healthy and reader.height() >= height)
            for number in range(10):
                assert detail(reader, f"key_{number}") == str(number)
            # It has the blocks below the snapshot, knows what was decided, and what waits.
            assert reader.block(2).block_v1.payload == admin.block(2).block_v1.payload
            assert reader.block(2).block_v1.signatures[0].public_key == second.key.public_key
            gate = Gate(joining.address)
            assert gate.status(refused).tx_status == TxStatus.REJECTED
            assert gate.status(waiting).tx_status == TxStatus.MST_PENDING
            gate.close()
            reader.submit(set_account_detail(ADMIN_ACCOUNT, "by_second", "v"))
            wait_until(lambda: detail(admin, "by_second") == "v")
            height = admin.height()
            wait_until(lambda: reader.height() == height)
    contents = [content_of(peer.path / "data") for peer in network.peers]
    assert contents[0] == contents[1]
    for number, peer in enumerate(network.peers):
        scratch = tmp_path / f"scratch{number}"
        scratch.mkdir()
        assert verify_chain(peer.path, scratch).height == height


@pytest.mark.skipif(not os.environ.get("TEGATA_SOAK"), reason="a long form: make soak")
def test_a_fifth_peer_joins_a_chain_of_100_000_transactions(tmp_path: Path) -> None:
    """In less than a minute, from its start until it has the newest block."""
    network = ReplicatedNetwork(tmp_path, 4, snapshot_interval=20)
    with ExitStack() as running:
        processes = [running.enter_context(peer.process()) for peer in network.peers]
        admin = running.enter_context(network.admin(processes[0].address))
        gate = Gate(processes[0].address)
        running.callback(gate.close)
        for number in range(LONG_CHAIN // AT_ONCE):
            messages = [
                admin.build_transaction(set_account_detail(ADMIN_ACCOUNT, f"k{number}_{each}", "v"))
                for each in range(AT_ONCE)
            ]
            for message in messages:
                admin.sign_transaction(message)
            gate.send_list(*messages)
            for message in messages:
                gate.wait_for_status(message, TxStatus.COMMITTED)
        # The newest snapshot has nearly all of them; the rest are blocks.
        nearly_all = 2 * LONG_CHAIN // AT_ONCE - 40
        written = processes[0].wait_for_line(lambda line: is_snapshot_above(line, nearly_all))
        while (
            int(network.peers[0].ask("status")["sync_info"]["latest_block_height"])
            < int(str(written["height"])) + 2
        ):
            admin.submit(set_account_detail(ADMIN_ACCOUNT, "one_more", "v"))
        height = admin.height()
        fifth = network.add_peer(**sync_settings(network))
        began = time.monotonic()
        joining = running.enter_context(fifth.process())
        reader = running.enter_context(network.admin(joining.address))
        joining.wait_for_log("snapshot restored")
        restored_s = time.monotonic() - began
        wait_until(lambda: reader.health().is_healthy and reader.height() >= height)
        joined_s = time.monotonic() - began
        print(f"restored after {restored_s:.1f} s, joined after {joined_s:.1f} s")
        assert joined_s < MINUTE_S
        assert reader.account_detail(ADMIN_ACCOUNT, "k7_7", writer=ADMIN_ACCOUNT) == "v"


def is_snapshot_above(line: dict[str, object], height: int) -> bool:
    return line.get("event") == "snapshot written" and int(str(line["height"])) >= height


def sync_settings(network: ReplicatedNetwork) -> dict[str, str]:
    """Return what has CometBFT join by state sync, trusting the newest header of the first peer."""
    trusted = network.peers[0].ask("commit")["signed_header"]
    servers = [f"127.0.0.1:{peer.rpc}" for peer in network.peers[:2]]
    return {
        "enable": "true",
        # It wants two; they may be one.
        "rpc_servers": json.dumps(",".join((servers * 2)[:2])),
        "trust_height": trusted["header"]["height"],
        "trust_hash": json.dumps(trusted["commit"]["block_id"]["hash"]),
        "discovery_time": '"5s"',
    }


def half_signed(key: AccountKey) -> Transaction:
    message = Transaction()
    reduced = message.payload.reduced_payload
    reduced.commands.append(set_account_detail(ADMIN_ACCOUNT, "half", "v"))
    reduced.creator_account_id = ADMIN_ACCOUNT
    reduced.created_time = now_ms()
    reduced.quorum = 2
    sign_transaction(message, key)
    return message


def detail(client: LedgerClient, key: str) -> str | None:
    return client.account_detail(ADMIN_ACCOUNT, key, writer=ADMIN_ACCOUNT)


def content_of(data: Path) -> tuple[bytes, bytes]:
    """Return a hash of every row of a peer's state, and what waits for signatures."""
    with LedgerStores(data, is_replicated=True) as stores, stores.state.snapshot() as view:
        return view.content_hash(), b"".join(entry.digest for entry in view.pending())
