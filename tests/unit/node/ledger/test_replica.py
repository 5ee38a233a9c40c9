"""Read replicas: they follow, survive, pass on, and believe no peer that lies."""

import itertools
import json
import shutil
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import grpc
import pytest
from support.irohad_blocks import VECTORS, recorded_blocks, write_flat_files
from support.processes import DEADLINE_S, LedgerFolder, NodeProcess, make_ledger_folder
from support.torii_gate import Gate

from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.protocol.block_feed_pb2 import ChainNews, FollowRequest
from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.endpoint_pb2 import TxStatus
from chaincode.protocol.queries_pb2 import GetPendingTransactions, Query, TxPaginationMeta
from chaincode.transactions import transaction_hash
from client_sdk.errors import (
    ClientError,
    QueryFailedError,
    TransactionFailedError,
    TransportError,
)
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import set_account_detail
from node.cli.demo.free_ports import free_addresses
from node.errors import ConfigError
from node.keypair import save_keypair
from node.ledger.daemon import LedgerNode
from node.ledger.genesis import ADMIN_ACCOUNT
from node.ledger.stores import LedgerStores
from node.ledger.verification import ChainReport, verify_chain


@pytest.fixture
def primary(tmp_path: Path) -> LedgerFolder:
    """The folder of a node that orders, with a port for peers that stays the same."""
    folder = make_ledger_folder(tmp_path / "primary")
    (internal,) = free_addresses(1)
    set_config(folder.path, internal=internal)
    return folder


def set_config(folder: Path, **values: object) -> None:
    lines = ['torii = "127.0.0.1:0"', *(f"{key} = {json.dumps(v)}" for key, v in values.items())]
    (folder / "node.toml").write_text("\n".join(lines) + "\n")


def internal_of(folder: LedgerFolder) -> str:
    return str(tomllib.loads((folder.path / "node.toml").read_text())["internal"])


def make_replica(primary: LedgerFolder, path: Path, *follow: str) -> LedgerFolder:
    """Make the folder of a replica, with a key of its own."""
    key = AccountKey.generate()
    save_keypair(key, path / "keys" / "node.priv")
    shutil.copy(primary.path / "genesis.block", path)
    set_config(path, follow=list(follow or [internal_of(primary)]))
    return LedgerFolder(
        path=path, node_key=key, admin_key=primary.admin_key, registry_key=primary.registry_key
    )


@pytest.fixture
def replica(primary: LedgerFolder, tmp_path: Path) -> LedgerFolder:
    return make_replica(primary, tmp_path / "replica")


def verified(folder: LedgerFolder, tmp_path: Path) -> ChainReport:
    scratch = tmp_path / f"scratch_{folder.path.name}"
    scratch.mkdir()
    return verify_chain(folder.path, scratch)


def detail_of(client: LedgerClient, key: str) -> str | None:
    return client.account_detail(ADMIN_ACCOUNT, key, writer=ADMIN_ACCOUNT)


def test_a_replica_catches_up_follows_and_passes_on(
    primary: LedgerFolder, replica: LedgerFolder, tmp_path: Path
) -> None:
    with NodeProcess(primary.path) as ordering, primary.admin(ordering.address) as there:
        there.submit(set_account_detail(ADMIN_ACCOUNT, "before", "1"))
        with NodeProcess(replica.path) as following, replica.admin(following.address) as here:
            assert following.wait_for_log("following")["peer_height"] == 2
            # The node that orders commits it; here it is told when the replica has it too.
            here.submit(set_account_detail(ADMIN_ACCOUNT, "through", "2"))
            assert detail_of(here, "before") == "1"
            assert detail_of(here, "through") == detail_of(there, "through") == "2"
            health = here.health()
            assert (health.is_healthy, health.is_syncing) == (True, False)
    assert verified(primary, tmp_path) == verified(replica, tmp_path)


def test_a_rejection_is_told_with_its_reason(primary: LedgerFolder, replica: LedgerFolder) -> None:
    with NodeProcess(primary.path) as ordering, NodeProcess(replica.path) as following:
        ordering.wait_for_log("ledger node ready")
        following.wait_for_log("following")
        with replica.admin(following.address) as here:
            with pytest.raises(TransactionFailedError) as failed:
                here.submit(set_account_detail(REGISTRY_ACCOUNT, "a", "x"))
            assert failed.value.code == 2
            assert "SetAccountDetail" in str(failed.value)


def test_signatures_are_collected_by_the_peer_that_orders(
    primary: LedgerFolder, replica: LedgerFolder
) -> None:
    with NodeProcess(primary.path) as ordering, NodeProcess(replica.path) as following:
        following.wait_for_log("following")
        with replica.admin(following.address) as here:
            command = set_account_detail(ADMIN_ACCOUNT, "a", "1")
            transaction = here.build_transaction(command, quorum=2)
            here.sign_transaction(transaction)
            with closing(Gate(following.address)) as gate:
                gate.send(transaction)
                assert gate.status(transaction).tx_status == TxStatus.MST_PENDING
            with closing(Gate(ordering.address)) as gate:
                assert gate.status(transaction).tx_status == TxStatus.MST_PENDING
            pending = Query.Payload(
                get_pending_transactions=GetPendingTransactions(
                    pagination_meta=TxPaginationMeta(page_size=1)
                )
            )
            with pytest.raises(QueryFailedError, match="at the peer that orders: ask it"):
                here.find(pending)
        with primary.admin(ordering.address) as there:
            answer = there.find(pending).pending_transactions_page_response
            assert list(answer.transactions) == [transaction]


def test_replicas_can_be_chained(
    primary: LedgerFolder, replica: LedgerFolder, tmp_path: Path
) -> None:
    (address,) = free_addresses(1)
    set_config(replica.path, follow=[internal_of(primary)], internal=address)
    last = make_replica(primary, tmp_path / "last", address)
    with (
        NodeProcess(primary.path),
        NodeProcess(replica.path) as middle,
        NodeProcess(last.path) as end,
    ):
        middle.wait_for_log("following")
        end.wait_for_log("following")
        with last.admin(end.address) as here:
            here.submit(set_account_detail(ADMIN_ACCOUNT, "a", "1"))
            assert detail_of(here, "a") == "1"


def test_a_replica_that_loses_its_peer_answers_and_comes_back(
    primary: LedgerFolder, replica: LedgerFolder
) -> None:
    with NodeProcess(replica.path) as following:
        with NodeProcess(primary.path) as ordering:
            following.wait_for_log("following")
            with replica.admin(following.address) as here:
                here.submit(set_account_detail(ADMIN_ACCOUNT, "a", "1"))
            ordering.kill()
        following.wait_for_log("peer lost")
        with replica.admin(following.address, timeout_s=2) as here:
            assert detail_of(here, "a") == "1"
            assert not here.health().is_healthy
            with pytest.raises(TransportError):
                here.submit(set_account_detail(ADMIN_ACCOUNT, "b", "1"))
        with NodeProcess(primary.path), replica.admin(following.address) as here:
            # The client sends again until the peer is back.
            here.submit(set_account_detail(ADMIN_ACCOUNT, "c", "1"))
            assert detail_of(here, "c") == "1"
            assert here.health().is_healthy


@pytest.mark.parametrize("killed", ["primary", "replica"])
def test_a_sigkill_of_either_side_loses_nothing(
    primary: LedgerFolder, replica: LedgerFolder, tmp_path: Path, killed: str
) -> None:
    """Whatever was told to be committed, on either side, is on both in the end."""
    committed: list[str] = []
    enough, stopped = threading.Event(), threading.Event()

    def write(address: str, writer: int) -> None:
        with primary.admin(address, timeout_s=5) as client:
            for number in itertools.count():
                key = f"w_{writer}_{number}"
                try:
                    client.submit(set_account_detail(ADMIN_ACCOUNT, key, "x"))
                except ClientError:
                    return
                committed.append(key)
                if len(committed) > 60:
                    enough.set()
                if stopped.is_set():
                    return

    with NodeProcess(primary.path) as ordering, NodeProcess(replica.path) as following:
        following.wait_for_log("following")
        addresses = (ordering.address, following.address) * 2
        with ThreadPoolExecutor() as pool:
            for writer, address in enumerate(addresses):
                pool.submit(write, address, writer)
            assert enough.wait(DEADLINE_S)
            (ordering if killed == "primary" else following).kill()
            stopped.set()
    with (
        NodeProcess(primary.path),
        NodeProcess(replica.path) as following,
        replica.admin(following.address) as here,
    ):
        here.submit(set_account_detail(ADMIN_ACCOUNT, "last", "x"))
        missing = [key for key in committed if detail_of(here, key) != "x"]
    assert missing == []
    assert verified(primary, tmp_path) == verified(replica, tmp_path)


# peers that lie


@contextmanager
def lying_peer(blocks: list[Block]) -> Iterator[str]:
    """Serve these blocks to whoever follows; give the address."""

    def follow(request: FollowRequest, context: grpc.ServicerContext) -> Iterator[ChainNews]:
        left = threading.Event()
        context.add_callback(left.set)
        yield ChainNews(top_height=len(blocks))
        for block in blocks[request.next_height - 1 :]:
            yield ChainNews(top_height=len(blocks), block=block)
        left.wait()

    handler = grpc.unary_stream_rpc_method_handler(
        follow, FollowRequest.FromString, ChainNews.SerializeToString
    )
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("tegata.ledger.BlockFeed", {"Follow": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def sign(block: Block, key: AccountKey) -> None:
    signature = block.block_v1.signatures[0]
    signature.public_key = key.public_key
    signature.signature = key.sign(block.block_v1.payload.SerializeToString())


def forge_signature(blocks: list[Block], _key: AccountKey) -> None:
    blocks[-1].block_v1.payload.created_time += 1
    sign(blocks[-1], AccountKey.generate())


def break_signature(blocks: list[Block], _key: AccountKey) -> None:
    blocks[-1].block_v1.payload.created_time += 1


def leave_out(blocks: list[Block], _key: AccountKey) -> None:
    del blocks[-2]


def decide_twice(blocks: list[Block], key: AccountKey) -> None:
    committed = transaction_hash(blocks[1].block_v1.payload.transactions[0]).hex()
    blocks[-1].block_v1.payload.rejected_transactions_hashes.append(committed)
    sign(blocks[-1], key)


def reject_nonsense(blocks: list[Block], key: AccountKey) -> None:
    blocks[-1].block_v1.payload.rejected_transactions_hashes.append("nonsense")
    sign(blocks[-1], key)


def leave_time(blocks: list[Block], key: AccountKey) -> None:
    blocks[-1].block_v1.payload.created_time = 2**64 - 1
    sign(blocks[-1], key)


def change_a_transaction(blocks: list[Block], key: AccountKey) -> None:
    transaction = blocks[-1].block_v1.payload.transactions[0]
    transaction.payload.reduced_payload.created_time += 1
    sign(blocks[-1], key)


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        (forge_signature, "signed by a key that is no peer's"),
        (break_signature, "block 4: "),
        (leave_out, "height 4 where 3 is due"),
        # The peer that orders itself may lie: its signature alone is not enough.
        (decide_twice, "a transaction is decided twice"),
        (reject_nonsense, "the hash of a rejection is malformed"),
        (leave_time, "its time lies beyond all times"),
        (change_a_transaction, "block 4: "),
    ],
)
def test_a_peer_that_lies_is_not_believed(
    primary: LedgerFolder,
    tmp_path: Path,
    lie: Callable[[list[Block], AccountKey], None],
    reason: str,
) -> None:
    with NodeProcess(primary.path) as ordering, primary.admin(ordering.address) as admin:
        for number in range(3):
            admin.submit(set_account_detail(ADMIN_ACCOUNT, f"key_{number}", "x"))
    with LedgerStores(primary.path / "data") as stores, stores.state.snapshot() as view:
        blocks = [view.block_at(height) for height in range(1, 5)]
    told = [block for block in blocks if block is not None]
    lie(told, primary.node_key)
    with lying_peer(told) as address:
        replica = make_replica(primary, tmp_path / "replica", address, internal_of(primary))
        with NodeProcess(replica.path) as following:
            refused = following.wait_for_log("peer serves an invalid block")
            assert reason in str(refused["reason"])
            assert refused["peer"] == address
            # The next peer is honest.
            with NodeProcess(primary.path), replica.admin(following.address) as here:
                here.submit(set_account_detail(ADMIN_ACCOUNT, "a", "1"))
                assert detail_of(here, "key_2") == "x"


# how a replica is set up


def test_irohads_flag_follows_the_initial_peers(tmp_path: Path) -> None:
    """A migrated ledger is followed from where the import ended."""
    write_flat_files(tmp_path / "blocks", recorded_blocks())
    (internal,) = free_addresses(1)
    common = {"torii_port": 0, "healthcheck_port": 0, "max_proposal_size": 10}
    primary_config = {
        **common,
        "internal_port": int(internal.rpartition(":")[2]),
        "block_store_path": str(tmp_path / "blocks"),
    }
    shutil.copytree(tmp_path / "blocks", tmp_path / "copy")
    replica_config = {
        **common,
        "internal_port": 0,
        "block_store_path": str(tmp_path / "copy"),
        "initial_peers": [{"address": internal, "public_key": "ab" * 32}],
    }
    for name, values in (("primary", primary_config), ("replica", replica_config)):
        (tmp_path / f"{name}.json").write_text(json.dumps(values))
    save_keypair(AccountKey.generate(), tmp_path / "own.priv")
    command = (sys.executable, "-m", "node.cli.irohad", "--config")
    with (
        NodeProcess(
            VECTORS / "node0", command=(*command, str(tmp_path / "primary.json"), "--keypair_name")
        ) as ordering,
        NodeProcess(
            tmp_path / "own",
            command=(*command, str(tmp_path / "replica.json"), "--syncing_node", "--keypair_name"),
        ) as following,
    ):
        ordering.wait_for_log("ledger node ready")
        assert following.wait_for_log("following")["peer"] == internal


def test_a_replica_of_its_own_ledgers_peers(primary: LedgerFolder, tmp_path: Path) -> None:
    """An empty list stands for the peers that the ledger names; a peer does not follow itself."""
    set_config(primary.path, follow=[])
    with pytest.raises(ConfigError, match="names no other voting peer"):
        LedgerNode.in_folder(primary.path)
    replica = make_replica(primary, tmp_path / "replica", "127.0.0.1:1")
    set_config(replica.path, follow=[])
    with NodeProcess(replica.path) as process:
        # The genesis block of the tests names this address; nobody is there.
        assert process.wait_for_log("peer lost")["peer"] == "127.0.0.1:10001"
