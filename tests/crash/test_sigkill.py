"""A node that is killed, again and again, keeps every transaction that it called committed."""

import itertools
import os
import random
import secrets
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from support.ledger_stores import signed_transaction
from support.processes import DEADLINE_S, LedgerFolder, NodeProcess, make_ledger_folder

from chaincode.protocol.endpoint_pb2 import ToriiResponse, TxList, TxStatus, TxStatusRequest
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.transactions import transaction_hash
from client_sdk.errors import TransportError
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import set_account_detail
from node.ledger.daemon import now_ms
from node.ledger.genesis import ADMIN_ACCOUNT
from node.ledger.verification import verify_chain

KILLS = 500 if os.environ.get("TEGATA_SOAK") else 50
WRITERS = 3
LIST_LENGTH = 8
COMMANDS = "/iroha.protocol.CommandService_v1/"


class Ledger:
    """What the writers know: which details they were told to be committed."""

    def __init__(self, folder: LedgerFolder) -> None:
        self.folder = folder
        self.committed: dict[str, tuple[str, str]] = {}
        self.told = threading.Condition()
        self._numbers = itertools.count()

    def make_transaction(self) -> tuple[Transaction, str, str]:
        """Return a transaction that writes one new detail, its key and its value."""
        key, value = f"key_{next(self._numbers)}", secrets.token_hex(20)
        transaction = signed_transaction(
            set_account_detail(ADMIN_ACCOUNT, key, value),
            creator=ADMIN_ACCOUNT,
            key=self.folder.admin_key,
            created_time_ms=now_ms(),
        )
        return transaction, key, value

    def write_until_the_node_dies(self, address: str) -> None:
        """Send lists of transactions and note each that the node calls committed."""
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(address, options=options) as channel:
            send = channel.unary_unary(COMMANDS + "ListTorii", TxList.SerializeToString)
            follow = channel.unary_stream(
                COMMANDS + "StatusStream",
                TxStatusRequest.SerializeToString,
                ToriiResponse.FromString,
            )
            try:
                while True:
                    made = [self.make_transaction() for _ in range(LIST_LENGTH)]
                    send(TxList(transactions=[transaction for transaction, _, _ in made]))
                    streams = [
                        follow(TxStatusRequest(tx_hash=transaction_hash(transaction).hex()))
                        for transaction, _, _ in made
                    ]
                    for (_, key, value), stream in zip(made, streams, strict=True):
                        self._note(key, value, list(stream)[-1])
            except grpc.RpcError:
                return

    def _note(self, key: str, value: str, last: ToriiResponse) -> None:
        if last.tx_status == TxStatus.COMMITTED:
            with self.told:
                self.committed[last.tx_hash] = (key, value)
                self.told.notify_all()


def find_lost(ledger: Ledger, client: LedgerClient, address: str) -> list[str]:
    """Return what was called committed and is not there."""
    lost = []
    with grpc.insecure_channel(address) as channel:
        status = channel.unary_unary(
            COMMANDS + "Status", TxStatusRequest.SerializeToString, ToriiResponse.FromString
        )
        for tx_hash, (key, value) in ledger.committed.items():
            if status(TxStatusRequest(tx_hash=tx_hash)).tx_status != TxStatus.COMMITTED:
                lost.append(f"{tx_hash} is not committed")
            if client.account_detail(ADMIN_ACCOUNT, key, writer=ADMIN_ACCOUNT) != value:
                lost.append(f"{key} has another value")
    return lost


def test_fifty_kills_lose_nothing_that_was_committed(tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    print(f"seed: {seed}")
    randomness = random.Random(seed)
    ledger = Ledger(make_ledger_folder(tmp_path / "node"))
    for _ in range(KILLS):
        with NodeProcess(ledger.folder.path) as process:
            address = process.address
            writers = [
                threading.Thread(target=ledger.write_until_the_node_dies, args=(address,))
                for _ in range(WRITERS)
            ]
            aim = len(ledger.committed) + randomness.randrange(1, 60)
            for writer in writers:
                writer.start()
            with ledger.told:
                assert ledger.told.wait_for(
                    lambda aim=aim: len(ledger.committed) >= aim, DEADLINE_S
                )
            # Not at the moment of a commit, but at any: the random instant is the test.
            threading.Event().wait(randomness.random() * 0.03)
            process.kill()
            for writer in writers:
                writer.join()

    with NodeProcess(ledger.folder.path) as process:
        client = ledger.folder.admin(process.address)
        assert find_lost(ledger, client, process.address) == []
        height = client.height()
        client.close()
        assert process.stop() == 0
    (tmp_path / "scratch").mkdir()
    assert verify_chain(ledger.folder.path, tmp_path / "scratch").height == height
    assert len(ledger.committed) > KILLS


@pytest.mark.parametrize("point", ["torn", "synced"])
def test_a_client_that_waits_is_answered_by_the_node_that_comes_back(
    tmp_path: Path, point: str
) -> None:
    folder = make_ledger_folder(tmp_path / "node")
    with NodeProcess(folder.path) as process:
        address = process.address
    (folder.path / "node.toml").write_text(f'torii = "{address}"\n')
    script = Path(__file__).with_name("die_while_writing.py")
    detail = set_account_detail(ADMIN_ACCOUNT, "waited_for", "x")
    with folder.admin(address) as client, ThreadPoolExecutor(1) as pool:
        with NodeProcess(folder.path, command=(sys.executable, str(script), point, "2")) as process:
            process.wait_for_log("ledger node ready")
            waiting = pool.submit(client.submit, detail)
            assert process.wait() == -9
        with NodeProcess(folder.path) as process:
            process.wait_for_log("ledger node ready")
            assert len(waiting.result().tx_hash) == 64
            assert client.account_detail(ADMIN_ACCOUNT, "waited_for", writer=ADMIN_ACCOUNT) == "x"
            assert client.height() == 2


@pytest.mark.parametrize("point", ["torn", "synced"])
def test_a_kill_between_the_writes_of_a_block(tmp_path: Path, point: str) -> None:
    """The transaction whose block dies half-written was never called committed."""
    ledger = Ledger(make_ledger_folder(tmp_path / "node"))
    script = Path(__file__).with_name("die_while_writing.py")
    height = 4
    with NodeProcess(
        ledger.folder.path, command=(sys.executable, str(script), point, str(height))
    ) as process:
        client = ledger.folder.admin(process.address, timeout_s=2)
        for number in range(2, height):
            client.submit(set_account_detail(ADMIN_ACCOUNT, f"height_{number}", "x"))
        transaction, key, value = ledger.make_transaction()
        with pytest.raises(TransportError):
            client.send(transaction)
        client.close()
        assert process.wait() == -9

    with NodeProcess(ledger.folder.path) as process:
        opened = process.wait_for_log("ledger opened")
        written = point == "synced"
        assert opened["height"] == (height if written else height - 1)
        assert opened["replayed_blocks"] == (1 if written else 0)
        client = ledger.folder.admin(process.address)
        # Sent again, it is committed, once.
        client.send(transaction)
        assert client.account_detail(ADMIN_ACCOUNT, key, writer=ADMIN_ACCOUNT) == value
        assert client.height() == height
        client.close()
        assert process.stop() == 0
    (tmp_path / "scratch").mkdir()
    assert verify_chain(ledger.folder.path, tmp_path / "scratch").height == height
