"""Four peers under a real CometBFT: what is sent to one is decided, told and read at all.

The blocks that they decided are then fed to the engine as the embedded node drives it.
"""

import base64
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
from support.batches import ATOMIC, set_meta
from support.memory_ledger import sign_transaction
from support.processes import NodeProcess, wait_until
from support.replicated_peers import (
    ReplicatedNetwork,
    ReplicatedPeer,
    needs_cometbft,
)
from support.torii_gate import Gate, sign_query

from chaincode.batches import decode_batch
from chaincode.blocks import Verdict
from chaincode.merkle_log import log_root
from chaincode.multisignature import PendingBatches
from chaincode.protocol.commands_pb2 import AddPeer, Command, RemovePeer
from chaincode.protocol.endpoint_pb2 import ToriiResponse, TxStatus
from chaincode.protocol.primitive_pb2 import Peer
from chaincode.protocol.queries_pb2 import GetPendingTransactions, Query
from chaincode.protocol.replication_pb2 import BatchResult
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.replication import AppState
from chaincode.signatures import KeyAlgorithm
from client_sdk.errors import TransactionFailedError
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import (
    add_signatory,
    create_account,
    set_account_detail,
    set_account_quorum,
)
from node.cli.main import EXIT_STORAGE
from node.ledger.daemon import begin_chain, now_ms
from node.ledger.engine import Engine
from node.ledger.genesis import ADMIN_ACCOUNT
from node.ledger.stores import LedgerStores

pytestmark = [needs_cometbft, pytest.mark.xdist_group("four_peers")]

PAIR = "pair@holder"
EXPIRATION_MS = 24 * 60 * 60 * 1000


class RunningNetwork:
    """Four peers, each in its own process, and the administrator's client at each."""

    def __init__(self, folder: Path) -> None:
        self.network = ReplicatedNetwork(folder, 4)
        self.processes = [peer.process() for peer in self.network.peers]
        self.admins = [self.network.admin(process.address) for process in self.processes]
        self.gates = [Gate(process.address) for process in self.processes]

    @property
    def peers(self) -> list[ReplicatedPeer]:
        return self.network.peers

    def wait_for_height(self, height: int, *peers: int) -> None:
        """Wait until peers have a block of the ledger."""
        for number in peers or range(4):
            wait_until(lambda: self.admins[number].height() >= height)  # noqa: B023

    def join(self, peer: ReplicatedPeer) -> NodeProcess:
        """Start a peer that is not among the four, and wait until it has what they have."""
        process = peer.process()
        height = self.admins[0].height()
        with self.network.admin(process.address) as admin:
            wait_until(lambda: admin.health().is_healthy and admin.height() >= height)
        return process

    def restart(self, number: int) -> None:
        """Start a peer again that was stopped or killed."""
        self.admins[number].close()
        self.gates[number].close()
        self.processes[number] = self.peers[number].process()
        address = self.processes[number].address
        self.admins[number] = self.network.admin(address)
        self.gates[number] = Gate(address)

    def close(self) -> None:
        for client in (*self.admins, *self.gates):
            client.close()
        with ThreadPoolExecutor() as pool:
            list(pool.map(NodeProcess.__exit__, self.processes, *([None] * 4 for _ in range(3))))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNetwork]:
    running = RunningNetwork(tmp_path_factory.mktemp("net"))
    try:
        yield running
    finally:
        running.close()


def detail(admin: LedgerClient, key: str) -> str | None:
    return admin.account_detail(ADMIN_ACCOUNT, key, writer=ADMIN_ACCOUNT)


def test_what_one_peer_takes_all_peers_have(running: RunningNetwork) -> None:
    def write(number: int) -> None:
        admin = running.admins[number % 4]
        admin.submit(set_account_detail(ADMIN_ACCOUNT, f"key_{number}", str(number)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(24)))
    height = max(admin.height() for admin in running.admins)
    running.wait_for_height(height)
    for admin in running.admins:
        assert [detail(admin, f"key_{number}") for number in range(24)] == [
            str(number) for number in range(24)
        ]
    blocks = {admin.block(height).block_v1.payload.SerializeToString() for admin in running.admins}
    assert len(blocks) == 1


def test_a_rejection_is_told_with_its_reason_at_another_peer(running: RunningNetwork) -> None:
    message = running.admins[0].build_transaction(set_account_detail("nobody@tegata", "k", "v"))
    running.admins[0].sign_transaction(message)
    with pytest.raises(TransactionFailedError):
        running.admins[0].send(message)
    told: list[ToriiResponse] = running.gates[3].statuses(message)
    assert [told[-1].tx_status, told[-2].tx_status] == [
        TxStatus.REJECTED,
        TxStatus.STATEFUL_VALIDATION_FAILED,
    ]
    assert told[-2].err_or_cmd_name == "SetAccountDetail"
    # Sent again to another peer, it stays rejected.
    with pytest.raises(TransactionFailedError):
        running.admins[2].send(message)


def test_an_atomic_batch_is_one_transaction_of_cometbft(running: RunningNetwork) -> None:
    good, bad = (
        running.admins[1].build_transaction(set_account_detail(account, "atomic", "v"))
        for account in (ADMIN_ACCOUNT, "nobody@tegata")
    )
    set_meta(good, bad, kind=ATOMIC)
    for message in (good, bad):
        sign_transaction(message, running.network.admin_key)
    running.gates[1].send_list(good, bad)
    for gate in running.gates:
        assert gate.statuses(good)[-1].tx_status == TxStatus.REJECTED
    assert detail(running.admins[2], "atomic") is None


def test_a_detail_of_4_mib_goes_through(running: RunningNetwork) -> None:
    value = "x" * (4 * 1024 * 1024)
    running.admins[2].submit(set_account_detail(ADMIN_ACCOUNT, "long", value))
    running.wait_for_height(running.admins[2].height())
    assert detail(running.admins[0], "long") == value


def pending(gate: Gate, key: AccountKey) -> list[Transaction]:
    payload = Query.Payload(get_pending_transactions=GetPendingTransactions())
    payload.get_pending_transactions.pagination_meta.page_size = 10
    response = gate.find(sign_query(payload, key, creator=PAIR))
    return list(response.pending_transactions_page_response.transactions)


def signed(key: AccountKey, detail_key: str) -> Transaction:
    message = Transaction()
    reduced = message.payload.reduced_payload
    reduced.commands.append(set_account_detail(PAIR, detail_key, "v"))
    reduced.creator_account_id = PAIR
    reduced.created_time = now_ms()
    reduced.quorum = 2
    sign_transaction(message, key)
    return message


def test_signatures_are_collected_across_peers_and_restarts(running: RunningNetwork) -> None:
    first, second, stranger = (AccountKey(bytes([number]) * 32) for number in (1, 2, 3))
    running.admins[0].submit(create_account(PAIR, first.public_key))
    client = LedgerClient(running.processes[0].address, PAIR, first, timeout_s=30)
    with client:
        client.submit(add_signatory(PAIR, second.public_key), set_account_quorum(PAIR, 2))
    running.wait_for_height(running.admins[0].height())
    message = signed(first, "together")
    running.gates[0].send(message)
    for gate in running.gates:
        gate.wait_for_status(message, TxStatus.MST_PENDING)
        assert pending(gate, second) == [message]
    with pytest.raises(Exception, match="no signature is by a signatory"):
        running.gates[1].send(signed(stranger, "strange"))
    # What waits is part of what all peers agree on: it outlives a kill, at the same place.
    running.processes[3].kill()
    running.restart(3)
    assert pending(running.gates[3], second) == [message]
    other = Transaction(payload=message.payload)
    sign_transaction(other, second)
    running.gates[3].send(other)
    for gate in running.gates:
        assert gate.statuses(message)[-1].tx_status == TxStatus.COMMITTED
        assert pending(gate, second) == []


def test_a_killed_peer_comes_back_and_catches_up(running: RunningNetwork) -> None:
    running.processes[2].kill()
    for number in range(3):
        running.admins[number % 2].submit(set_account_detail(ADMIN_ACCOUNT, "missed", str(number)))
    height = running.admins[0].height()
    running.restart(2)
    running.wait_for_height(height, 2)
    assert detail(running.admins[2], "missed") == "2"
    running.admins[2].submit(set_account_detail(ADMIN_ACCOUNT, "missed", "back"))


def test_the_embedded_engine_makes_the_same_of_their_blocks(
    running: RunningNetwork, tmp_path: Path
) -> None:
    """Same receipts, same root at each height; a block of CometBFT without work makes none of ours.

    The embedded orderer's steps are made here, block by block, with the bytes and times of theirs.
    """
    top = latest_height(running.peers[0])
    for peer in running.peers:
        wait_until(lambda: latest_height(peer) >= top)  # noqa: B023
    key = AccountKey.generate()
    app_hash = b""
    pending, empty_blocks = PendingBatches(EXPIRATION_MS), 0
    with LedgerStores(tmp_path / "embedded") as stores:
        begin_chain(stores, running.network.genesis)
        engine = Engine(stores.blocks, stores.state, key)
        for height in range(1, top + 1):
            block = running.peers[height % 4].ask("block", height=str(height))["block"]
            if height > 1:
                assert block["header"]["app_hash"] == app_hash.hex().upper()
            time_ms = milliseconds(block["header"]["time"])
            batches = [decode_batch(base64.b64decode(data)) for data in block["data"]["txs"] or []]
            pending.expire(time_ms)
            with stores.state.snapshot() as view:
                ready = [
                    taken
                    for batch in batches
                    if (taken := pending.add(batch, view, time_ms)).has_all_signatures
                ]
            told = []
            if ready:
                candidate = engine.finalize(time_ms, ready)
                engine.commit(candidate)
                told = [
                    (receipt.tx_hash.hex(), receipt.verdict, receipt.code, receipt.command_index)
                    for receipt in candidate.receipts
                    if receipt.verdict is not Verdict.REPLAYED
                ]
            else:
                empty_blocks += 1
            assert told == receipts_of(running.peers[(height + 1) % 4], height)
            with stores.state.snapshot() as view:
                app_hash = AppState(
                    height=view.height(),
                    log_root=log_root(view, view.height()),
                    pending_digest=pending.digest(),
                ).app_hash()
        assert engine.tip().height == running.admins[0].height() == top - empty_blocks + 1
    assert empty_blocks > 0


def latest_height(peer: ReplicatedPeer) -> int:
    return int(peer.ask("status")["sync_info"]["latest_block_height"])


def milliseconds(time: str) -> int:
    """Return the milliseconds of a header's time, which has nanoseconds."""
    whole, _, fraction = time.removesuffix("Z").partition(".")
    seconds = int(datetime.fromisoformat(f"{whole}+00:00").timestamp())
    return seconds * 1000 + int(fraction.ljust(9, "0")) // 1_000_000


def receipts_of(peer: ReplicatedPeer, height: int) -> list[tuple[str, Verdict, int, int]]:
    """Return what a peer told CometBFT of the transactions that a block decided."""
    results = peer.ask("block_results", height=str(height))["txs_results"] or []
    statuses = [
        status
        for result in results
        for status in BatchResult.FromString(base64.b64decode(result["data"] or "")).statuses
        if status.tx_status != TxStatus.MST_PENDING
    ]
    return [
        (
            status.tx_hash,
            Verdict.COMMITTED if status.tx_status == TxStatus.COMMITTED else Verdict.REJECTED,
            status.error_code,
            status.failed_cmd_index,
        )
        for status in statuses
    ]


def test_a_full_node_follows_becomes_a_validator_and_is_removed(running: RunningNetwork) -> None:
    fifth = running.network.add_peer()
    with running.join(fifth) as process, running.network.admin(process.address) as reader:
        wait_until(lambda: detail(reader, "missed") == "back")
        # It does not vote, and takes transactions all the same.
        reader.submit(set_account_detail(ADMIN_ACCOUNT, "by_reader", "v"))
        wait_until(lambda: detail(running.admins[0], "by_reader") == "v")
        foreign = AccountKey.generate(KeyAlgorithm.ED25519_SHA3)
        with pytest.raises(TransactionFailedError) as refused:
            running.admins[0].submit(add_peer(foreign))
        assert refused.value.code == 1
        running.admins[0].submit(add_peer(fifth.key))
        wait_until(lambda: fifth.key.raw_public_key in validators(running))
        assert len(validators(running)) == 5
        running.admins[1].submit(Command(remove_peer=RemovePeer(public_key=fifth.key.public_key)))
        wait_until(lambda: len(validators(running)) == 4)
        running.wait_for_height(running.admins[1].height())


def add_peer(key: AccountKey) -> Command:
    return Command(add_peer=AddPeer(peer=Peer(address="127.0.0.1:10009", peer_key=key.public_key)))


def validators(running: RunningNetwork) -> set[bytes]:
    """Return the keys of the validators of the block that comes next."""
    found = running.peers[0].ask("validators")["validators"]
    return {base64.b64decode(each["pub_key"]["value"]) for each in found}


def test_a_peer_whose_state_differs_stops_and_says_so(running: RunningNetwork) -> None:
    """What it has of the state was changed on its disk: its next block leads elsewhere."""
    running.admins[0].submit(set_account_detail(ADMIN_ACCOUNT, "tampered", "before"))
    running.wait_for_height(running.admins[0].height(), 3)
    running.processes[3].stop()
    database = sqlite3.connect(running.peers[3].path / "data" / "state.sqlite")
    with database:
        changed = database.execute(
            "UPDATE state SET value = ? WHERE value = ?", (b"forged", b"before")
        )
        assert changed.rowcount == 1
    database.close()
    running.restart(3)
    running.admins[0].submit(set_account_detail(ADMIN_ACCOUNT, "tampered", "after"))
    # The header that commits to the state comes with the next block.
    assert running.processes[3].wait() == EXIT_STORAGE
    text = "".join(str(line.get("text", "")) for line in running.processes[3].log)
    assert "DivergenceError: this peer computed another state than the others" in text
    running.admins[1].submit(set_account_detail(ADMIN_ACCOUNT, "tampered", "without it"))
