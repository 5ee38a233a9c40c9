"""FetchCommits over real gRPC: the blocks from now on, to those who may; nothing is left behind."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from support.processes import LedgerFolder, make_ledger_folder, wait_until
from support.small_ledger import create_domain, create_role
from support.torii_gate import QUERIES, TIMEOUT_S, Gate, code_of

from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.primitive_pb2 import Signature
from chaincode.protocol.qry_responses_pb2 import BlockQueryResponse
from chaincode.protocol.queries_pb2 import BlocksQuery
from client_sdk.errors import TransactionFailedError
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import create_account, set_account_detail
from node.ledger import stream_places
from node.ledger.commit_notices import CommitNotices
from node.ledger.daemon import LedgerNode, now_ms
from node.ledger.genesis import ADMIN_ACCOUNT

DAY_MS = 24 * 60 * 60 * 1000


@pytest.fixture
def folder(tmp_path: Path) -> LedgerFolder:
    return make_ledger_folder(tmp_path / "node")


@pytest.fixture
def node(folder: LedgerFolder) -> Iterator[LedgerNode]:
    with LedgerNode.in_folder(folder.path) as node:
        yield node


@pytest.fixture
def gate(node: LedgerNode) -> Iterator[Gate]:
    gate = Gate(node.address)
    yield gate
    gate.close()


@pytest.fixture
def admin(node: LedgerNode, folder: LedgerFolder) -> Iterator[LedgerClient]:
    with folder.admin(node.address) as client:
        yield client


def sign_blocks_query(
    key: AccountKey, *, creator: str = ADMIN_ACCOUNT, created_ms: int | None = None
) -> BlocksQuery:
    query = BlocksQuery()
    query.meta.creator_account_id = creator
    query.meta.created_time = created_ms or now_ms()
    query.meta.query_counter = 1
    signature = key.sign(query.meta.SerializeToString())
    query.signature.CopyFrom(Signature(public_key=key.public_key, signature=signature))
    return query


class Follower:
    """A client that follows the chain."""

    def __init__(self, gate: Gate, query: BlocksQuery) -> None:
        call = gate.channel.unary_stream(
            QUERIES + "FetchCommits", BlocksQuery.SerializeToString, BlockQueryResponse.FromString
        )
        self.call = call(query, timeout=TIMEOUT_S)

    def subscribed(self) -> "Follower":
        """Wait until the node follows the chain for this client."""
        self.call.initial_metadata()
        return self

    def block(self) -> Block:
        response = next(self.call)
        assert response.HasField("block_response"), response
        return response.block_response.block

    def error(self) -> str:
        """Return the error, which is all that is answered."""
        (response,) = self.call
        return response.block_error_response.message


def follow(gate: Gate, folder: LedgerFolder) -> Follower:
    return Follower(gate, sign_blocks_query(folder.admin_key)).subscribed()


def write(admin: LedgerClient, key: str) -> str:
    return admin.submit(set_account_detail(ADMIN_ACCOUNT, key, "v")).tx_hash


def opens(gate: Gate, folder: LedgerFolder) -> bool:
    """Tell whether the node has a place for one more stream, and leave it again."""
    follower = Follower(gate, sign_blocks_query(folder.admin_key, created_ms=now_ms()))
    try:
        follower.subscribed()
        return follower.call.is_active()
    finally:
        follower.call.cancel()


def test_blocks_from_now_on_are_told_in_order(
    gate: Gate, folder: LedgerFolder, admin: LedgerClient
) -> None:
    write(admin, "before")
    follower = follow(gate, folder)
    for n in range(5):
        write(admin, f"k{n}")
    blocks = [follower.block() for _ in range(5)]
    payloads = [block.block_v1.payload for block in blocks]
    assert [payload.height for payload in payloads] == [3, 4, 5, 6, 7]
    keys = [
        payload.transactions[0].payload.reduced_payload.commands[0].set_account_detail.key
        for payload in payloads
    ]
    assert keys == [f"k{n}" for n in range(5)]
    assert all(block.block_v1.signatures for block in blocks)


def test_a_block_of_rejected_transactions_is_told_too(
    gate: Gate, folder: LedgerFolder, admin: LedgerClient
) -> None:
    follower = follow(gate, folder)
    with pytest.raises(TransactionFailedError):
        admin.submit(set_account_detail("nobody@tegata", "k", "v"))
    payload = follower.block().block_v1.payload
    assert not payload.transactions
    assert len(payload.rejected_transactions_hashes) == 1


def test_who_does_not_read_misses_nothing(
    gate: Gate, folder: LedgerFolder, admin: LedgerClient
) -> None:
    """What a client has not read stays in the block file: more than gRPC holds for it."""
    slow, fast = follow(gate, folder), follow(gate, folder)
    value = "v" * 500_000
    for n in range(30):
        admin.submit(set_account_detail(ADMIN_ACCOUNT, f"k{n}", value))
        assert fast.block().block_v1.payload.height == n + 2
    assert [slow.block().block_v1.payload.height for _ in range(30)] == list(range(2, 32))


# Who may not. The words are those of a recorded irohad.


def test_without_permission_it_is_stateful_invalid(gate: Gate, admin: LedgerClient) -> None:
    key = AccountKey.generate()
    admin.submit(
        create_role("mute"),
        create_domain("silent", "mute"),
        create_account("monk@silent", key.public_key),
    )
    query = sign_blocks_query(key, creator="monk@silent")
    assert Follower(gate, query).error() == "stateful invalid"


def test_signed_by_another_key_it_is_stateful_invalid(gate: Gate) -> None:
    query = sign_blocks_query(AccountKey.generate())
    assert Follower(gate, query).error() == "stateful invalid"


def test_an_account_that_is_not_there_is_stateful_invalid(gate: Gate, folder: LedgerFolder) -> None:
    query = sign_blocks_query(folder.admin_key, creator="nobody@tegata")
    assert Follower(gate, query).error() == "stateful invalid"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda query: setattr(query.signature, "signature", "00" * 64),
        lambda query: query.ClearField("signature"),
        lambda query: setattr(query.meta, "created_time", now_ms() - 2 * DAY_MS),
        lambda query: setattr(query.meta, "query_counter", 0),
        lambda query: setattr(query.meta, "creator_account_id", "admin"),
    ],
    ids=["bad signature", "no signature", "too old", "no counter", "bad creator"],
)
def test_a_malformed_query_is_told_what_is_wrong(
    gate: Gate, folder: LedgerFolder, spoil: Callable[[BlocksQuery], None]
) -> None:
    query = sign_blocks_query(folder.admin_key)
    spoil(query)
    assert len(Follower(gate, query).error()) > len("stateful invalid")


# How it ends


def test_a_client_that_leaves_frees_its_place_before_the_next_block(
    gate: Gate, folder: LedgerFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """irohad's handler lives on until the next block."""
    monkeypatch.setattr(stream_places, "MAX_HOST_STREAMS", 2)
    crowd = Gate(gate.address)
    followers = [follow(crowd, folder) for _ in range(2)]
    refused = Follower(gate, sign_blocks_query(folder.admin_key))
    with pytest.raises(grpc.RpcError) as caught:
        refused.block()
    assert code_of(caught.value) == grpc.StatusCode.RESOURCE_EXHAUSTED
    followers[0].call.cancel()
    wait_until(lambda: opens(gate, folder))
    crowd.close()
    wait_until(lambda: opens(gate, folder))


def test_streams_that_are_left_at_once_hold_no_places(gate: Gate, folder: LedgerFolder) -> None:
    for _ in range(3 * stream_places.MAX_HOST_STREAMS):
        Follower(gate, sign_blocks_query(folder.admin_key)).call.cancel()
    wait_until(lambda: opens(gate, folder))


def test_stopping_ends_open_streams_and_leaves_no_thread(folder: LedgerFolder) -> None:
    """irohad does not end on SIGTERM while a client follows its blocks."""
    before = set(threading.enumerate())
    with LedgerNode.in_folder(folder.path) as node:
        gate = Gate(node.address)
        followers = [follow(gate, folder) for _ in range(5)]
        with folder.admin(node.address) as admin:
            write(admin, "k")
        assert followers[0].block().block_v1.payload.height == 2
    for follower in followers[1:]:
        assert [response.HasField("block_response") for response in follower.call] == [True]
    gate.close()
    left = {
        thread
        for thread in set(threading.enumerate()) - before
        if thread.name.startswith(("torii", "orderer"))
    }
    assert left == set()


def test_notices_give_each_height_once_and_end() -> None:
    notices = CommitNotices(7)
    first = notices.open_stream()
    notices.announce(9)
    second = notices.open_stream()
    assert [notices.next_height(first) for _ in range(2)] == [8, 9]
    notices.announce(10)
    assert [notices.next_height(stream) for stream in (first, second)] == [10, 10]
    notices.end_stream(first)
    notices.announce(11)
    assert notices.next_height(first) is None
    assert notices.next_height(second) == 11
    notices.end_streams()
    assert notices.next_height(second) is None
    assert notices.next_height(notices.open_stream()) is None
