"""Torii over real gRPC: every method, and every kind of client that means no good."""

import itertools
import random
import secrets
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.ledger_stores import WINDOW, opened, signed_transaction
from support.processes import LedgerFolder, NodeProcess, make_ledger_folder, wait_until
from support.torii_gate import (
    COMMANDS,
    QUERIES,
    STREAMS,
    TIMEOUT_S,
    UNARY,
    Gate,
    code_of,
    names_of,
    sign_query,
)

from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.multisignature import PendingBatches
from chaincode.protocol import queries_pb2
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.endpoint_pb2 import ToriiResponse, TxStatus, TxStatusRequest
from chaincode.protocol.primitive_pb2 import Signature
from chaincode.protocol.qry_responses_pb2 import (
    ErrorResponse,
)
from chaincode.protocol.queries_pb2 import Query
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.transactions import hash_payload, transaction_hash
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import set_account_detail
from node.errors import ConfigError
from node.ledger import command_service, stream_places
from node.ledger import orderer as orderer_module
from node.ledger import torii as torii_module
from node.ledger.command_service import CommandService
from node.ledger.commit_notices import CommitNotices
from node.ledger.daemon import LedgerNode, now_ms
from node.ledger.genesis import ADMIN_ACCOUNT
from node.ledger.health import NodeHealth
from node.ledger.statuses import StatusBoard
from node.ledger.stream_places import StreamPlaces
from node.ledger.torii_parts import ToriiParts


@pytest.fixture(scope="module")
def gate(ledger_node: NodeProcess) -> Iterator[Gate]:
    gate = Gate(ledger_node.address)
    yield gate
    gate.close()


Build = Callable[..., Transaction]


@pytest.fixture(scope="module")
def build(ledger_folder: LedgerFolder) -> Build:
    """A builder of the administrator's transactions, each made a little later than the last."""
    times = itertools.count(now_ms() - 60_000)

    def build_one(*commands: Command, key: AccountKey | None = None) -> Transaction:
        return signed_transaction(
            *(commands or [set_account_detail(ADMIN_ACCOUNT, "torii", "x")]),
            creator=ADMIN_ACCOUNT,
            key=key or ledger_folder.admin_key,
            created_time_ms=next(times),
        )

    return build_one


def expect_code(error: grpc.RpcError, code: grpc.StatusCode) -> None:
    assert code_of(error) == code, error


# transactions


def test_a_stream_opened_before_sending_sees_every_status(gate: Gate, build: Build) -> None:
    transaction = build()
    stream = gate.open_stream(transaction_hash(transaction).hex())
    first = next(stream)
    gate.send(transaction)
    assert names_of([first, *stream]) == [
        "NOT_RECEIVED",
        "STATELESS_VALIDATION_SUCCESS",
        "ENOUGH_SIGNATURES_COLLECTED",
        "STATEFUL_VALIDATION_SUCCESS",
        "COMMITTED",
    ]


def test_a_rejection_tells_its_command_and_code_before_the_end(gate: Gate, build: Build) -> None:
    transaction = build(
        set_account_detail(ADMIN_ACCOUNT, "a", "1"), set_account_detail("nobody@tegata", "a", "1")
    )
    gate.send(transaction)
    reason, final = gate.statuses(transaction)[-2:]
    assert names_of([reason, final]) == ["STATEFUL_VALIDATION_FAILED", "REJECTED"]
    assert (reason.err_or_cmd_name, reason.failed_cmd_index, reason.error_code) == (
        "SetAccountDetail",
        1,
        3,
    )
    assert (final.err_or_cmd_name, final.error_code) == ("", 0)
    assert gate.status(transaction).tx_status == TxStatus.REJECTED


def test_a_list_is_committed_in_its_order(gate: Gate, build: Build) -> None:
    transactions = [
        build(set_account_detail(ADMIN_ACCOUNT, "last_of_list", str(n))) for n in range(20)
    ]
    gate.send_list(*transactions)
    for transaction in transactions:
        assert gate.statuses(transaction)[-1].tx_status == TxStatus.COMMITTED


def test_one_bad_transaction_fails_the_whole_list(gate: Gate, build: Build) -> None:
    bad = build(set_account_detail(ADMIN_ACCOUNT, "not a key", "1"))
    good = [build(), build()]
    gate.send_list(good[0], bad, good[1])
    for transaction in (bad, *good):
        (status,) = gate.statuses(transaction)
        assert status.tx_status == TxStatus.STATELESS_VALIDATION_FAILED
        assert status.err_or_cmd_name.endswith("regex '[A-Za-z0-9_]{1,64}'.]]]]]]]]]]")
        assert status.error_code == 0
    # What was not to blame can be sent again.
    gate.send(good[0])
    assert gate.statuses(good[0])[-1].tx_status == TxStatus.COMMITTED


def test_an_empty_list_is_taken(gate: Gate) -> None:
    gate.send_list()


def test_a_list_of_millions_is_refused_before_it_is_looked_at(gate: Gate) -> None:
    before = gate.health().memory_consumption
    for count, data in ((50_001, b"\x0a\x00"), (4_000_000, b"\x0a\x00")):
        with pytest.raises(grpc.RpcError) as caught:
            gate.raw(COMMANDS + "ListTorii", data * count)
        assert code_of(caught.value) == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert f"{count} transactions, 50000 are allowed" in caught.value.details()
    assert gate.health().memory_consumption - before < 600_000_000


def test_a_replay_is_told_its_status_and_changes_nothing(
    gate: Gate, build: Build, ledger_folder: LedgerFolder
) -> None:
    committed = build()
    rejected = build(set_account_detail("nobody@tegata", "a", "1"))
    gate.send(committed, rejected)
    assert gate.statuses(committed)[-1].tx_status == TxStatus.COMMITTED
    assert gate.statuses(rejected)[-1].tx_status == TxStatus.REJECTED
    height = gate.height()

    unsigned = Transaction(payload=committed.payload)
    gate.send(committed, rejected, unsigned)
    gate.send_list(committed, rejected, committed)
    last = build()
    gate.send_list(committed, last)
    assert gate.statuses(last)[-1].tx_status == TxStatus.COMMITTED
    assert gate.height() == height + 1
    assert gate.status(committed).tx_status == TxStatus.COMMITTED
    assert gate.status(rejected).tx_status == TxStatus.REJECTED


def test_one_transaction_sent_by_many_at_once_is_committed_once(gate: Gate, build: Build) -> None:
    transaction = build()
    height = gate.height()
    call = gate.channel.unary_unary(COMMANDS + "Torii")
    data = transaction.SerializeToString()
    for sent in [call.future(data, timeout=TIMEOUT_S) for _ in range(50)]:
        sent.result()
    assert gate.statuses(transaction)[-1].tx_status == TxStatus.COMMITTED
    last = build()
    gate.send(last)
    gate.statuses(last)
    assert gate.height() == height + 2


def test_a_transaction_with_a_changed_byte_is_refused(gate: Gate, build: Build) -> None:
    transaction = build()
    transaction.payload.reduced_payload.commands[0].set_account_detail.value = "y"
    gate.send(transaction)
    (status,) = gate.statuses(transaction)
    assert status.tx_status == TxStatus.STATELESS_VALIDATION_FAILED
    assert status.err_or_cmd_name.endswith("[Errors=[Bad signature.]]]]]]")


def test_a_foreign_signature_is_rejected_by_name(gate: Gate, build: Build) -> None:
    transaction = build(key=AccountKey.generate())
    gate.send(transaction)
    reason = gate.statuses(transaction)[-2]
    assert (reason.err_or_cmd_name, reason.error_code) == ("signatures validation", 2)


def test_a_transaction_of_five_mebibytes_is_committed(gate: Gate, build: Build) -> None:
    value = "v" * (2_600 * 1024)
    transaction = build(
        set_account_detail(ADMIN_ACCOUNT, "big_1", value),
        set_account_detail(ADMIN_ACCOUNT, "big_2", value),
    )
    assert transaction.ByteSize() > 5 * 1024 * 1024
    gate.send(transaction)
    assert gate.statuses(transaction)[-1].tx_status == TxStatus.COMMITTED
    small = build(
        set_account_detail(ADMIN_ACCOUNT, "big_1", ""),
        set_account_detail(ADMIN_ACCOUNT, "big_2", ""),
    )
    gate.send(small)
    gate.statuses(small)


def test_a_detail_above_four_mebibytes_is_refused(gate: Gate, build: Build) -> None:
    transaction = build(set_account_detail(ADMIN_ACCOUNT, "big", "v" * (5 * 1024 * 1024)))
    gate.send(transaction)
    (status,) = gate.statuses(transaction)
    assert status.tx_status == TxStatus.STATELESS_VALIDATION_FAILED
    assert "value size should be less or equal '4194304' characters" in status.err_or_cmd_name


def test_every_command_is_answered_whatever_it_lacks(gate: Gate, build: Build) -> None:
    """An empty body of each kind: a clear refusal, never a silent node."""
    for field in Command.DESCRIPTOR.fields:
        command = Command()
        getattr(command, field.name).SetInParent()
        transaction = build(command)
        gate.send(transaction)
        final = gate.statuses(transaction)[-1]
        assert TxStatus.Name(final.tx_status) in {"STATELESS_VALIDATION_FAILED", "REJECTED"}


# statuses


def test_an_unknown_hash_is_not_received(gate: Gate) -> None:
    request = TxStatusRequest(tx_hash="AB" * 32)
    (answer,) = gate.raw(COMMANDS + "Status", request.SerializeToString())
    status = ToriiResponse.FromString(answer)
    assert (status.tx_status, status.tx_hash) == (TxStatus.NOT_RECEIVED, "ab" * 32)


@pytest.mark.parametrize("method", [COMMANDS + "Status", COMMANDS + "StatusStream"])
@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("", ""),
        ("AB", "ab"),
        ("ab" * 33, "ab" * 33),
        ("zz" * 32, ""),
        ("abc", ""),
        ("ab" * 31 + "\n1", ""),
    ],
)
def test_a_hash_of_wrong_form_is_not_received(
    gate: Gate, method: str, asked: str, told: str
) -> None:
    """As recorded from irohad. A stream ends at once: no transaction can have such a hash."""
    (answer,) = gate.raw(method, TxStatusRequest(tx_hash=asked).SerializeToString())
    expected = ToriiResponse(tx_status=TxStatus.NOT_RECEIVED, tx_hash=told)
    assert answer == expected.SerializeToString()


def test_streams_are_bounded_and_a_client_that_leaves_frees_its_place(
    gate: Gate, ledger_node: NodeProcess, build: Build
) -> None:
    crowd = Gate(ledger_node.address)
    hashes = [secrets.token_hex(32) for _ in range(stream_places.MAX_HOST_STREAMS)]
    streams = [crowd.open_stream(tx_hash) for tx_hash in hashes]
    for stream in streams:
        assert next(stream).tx_status == TxStatus.NOT_RECEIVED
    with pytest.raises(grpc.RpcError) as caught:
        next(gate.open_stream("ab" * 32))
    assert code_of(caught.value) == grpc.StatusCode.RESOURCE_EXHAUSTED
    # All that is no stream is still answered.
    transaction = build()
    gate.send(transaction)
    wait_until(lambda: gate.status(transaction).tx_status == TxStatus.COMMITTED)

    streams[0].cancel()
    wait_until(lambda: opens(gate))
    crowd.close()
    wait_until(lambda: all(opens(gate) for _ in range(3)))


def opens(gate: Gate) -> bool:
    stream = gate.open_stream("ab" * 32)
    try:
        return next(stream).tx_status == TxStatus.NOT_RECEIVED
    except grpc.RpcError as error:
        expect_code(error, grpc.StatusCode.RESOURCE_EXHAUSTED)
        return False
    finally:
        stream.cancel()


class Caller:
    """What gRPC tells of a call, for a call from any host."""

    def __init__(self, peer: str) -> None:
        self._peer = peer

    def peer(self) -> str:
        return self._peer

    def add_callback(self, _callback: Callable[[], None]) -> bool:
        return True

    def abort(self, code: grpc.StatusCode, details: str) -> None:
        raise RuntimeError(f"{code.name}: {details}")


def test_one_host_cannot_take_the_streams_of_others(
    own_folder: LedgerFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_places, "MAX_HOST_STREAMS", 2)
    monkeypatch.setattr(stream_places, "MAX_STREAMS", 3)
    request = TxStatusRequest(tx_hash="ab" * 32).SerializeToString()
    with opened(own_folder) as stores:
        parts = ToriiParts(
            engine=stores.engine,
            orderer=cast(Any, None),
            state=stores.state,
            statuses=StatusBoard(),
            commits=CommitNotices(1),
            pending=PendingBatches(1),
            window=lambda: WINDOW,
            health=lambda: NodeHealth(height=1),
            signer=stores.folder.node_key,
        )
        service = CommandService(parts, StreamPlaces())

        def open_from(peer: str) -> Iterator[ToriiResponse]:
            stream = service.status_stream(request, cast(Any, Caller(peer)))
            assert next(stream).tx_status == TxStatus.NOT_RECEIVED
            return stream

        held = [open_from("ipv6:%5B::1%5D:1"), open_from("ipv6:%5B::1%5D:2")]
        with pytest.raises(RuntimeError, match="RESOURCE_EXHAUSTED: 2 streams of this host"):
            open_from("ipv6:%5B::1%5D:3")
        held.append(open_from("ipv4:10.0.0.1:1"))
        with pytest.raises(RuntimeError, match="RESOURCE_EXHAUSTED: 3 streams are open"):
            open_from("ipv4:10.0.0.2:1")
        # A stream without news ends, and its place is free.
        monkeypatch.setattr(command_service, "UNKNOWN_STREAM_SECONDS", 0.01)
        del held[:2]
        assert list(open_from("ipv6:%5B::1%5D:4")) == []
        held.append(open_from("ipv6:%5B::1%5D:5"))


def test_streams_that_are_left_at_once_hold_no_places(ledger_node: NodeProcess) -> None:
    gate = Gate(ledger_node.address)
    for _ in range(9 * stream_places.MAX_HOST_STREAMS):
        gate.open_stream(secrets.token_hex(32)).cancel()
    crowd: list[Iterator[ToriiResponse]] = []

    def filled() -> bool:
        stream = gate.open_stream(secrets.token_hex(32))
        try:
            next(stream)
        except grpc.RpcError as error:
            expect_code(error, grpc.StatusCode.RESOURCE_EXHAUSTED)
            return False
        crowd.append(stream)
        return len(crowd) == stream_places.MAX_HOST_STREAMS - 5

    wait_until(filled)
    gate.close()


# queries


def test_a_query_that_is_malformed_says_which_field(
    gate: Gate, ledger_folder: LedgerFolder
) -> None:
    query = sign_query(
        Query.Payload(get_account=queries_pb2.GetAccount(account_id="nobody")),
        ledger_folder.admin_key,
    )
    answer = gate.find(query)
    assert answer.error_response.reason == ErrorResponse.Reason.STATELESS_INVALID
    assert "GetAccount: [Child errors=[AccountId: " in answer.error_response.message
    assert answer.query_hash == hash_payload(query.payload).hex()


def test_a_query_signed_by_another_is_refused(gate: Gate) -> None:
    payload = Query.Payload(get_roles=queries_pb2.GetRoles())
    answer = gate.find(sign_query(payload, AccountKey.generate()))
    assert answer.error_response.reason == ErrorResponse.Reason.STATEFUL_INVALID
    assert answer.error_response.error_code == 3


def test_a_query_without_permission_is_refused(gate: Gate, ledger_folder: LedgerFolder) -> None:
    payload = Query.Payload(get_peers=queries_pb2.GetPeers())
    query = sign_query(payload, ledger_folder.registry_key, creator=REGISTRY_ACCOUNT)
    answer = gate.find(query)
    assert answer.error_response.reason == ErrorResponse.Reason.STATEFUL_INVALID
    assert answer.error_response.error_code == 2
    assert "can_get_peers" in answer.error_response.message


def test_the_same_query_is_not_answered_again(gate: Gate, ledger_folder: LedgerFolder) -> None:
    """As recorded from irohad: stateless invalid, without a word, and without the hash."""
    query = sign_query(Query.Payload(get_roles=queries_pb2.GetRoles()), ledger_folder.admin_key)
    # Another's signature, or one that does not verify, cannot spoil it.
    stranger, data = AccountKey.generate(), query.payload.SerializeToString()
    for key, signature in (
        (stranger.public_key, stranger.sign(data)),
        (query.signature.public_key, "00" * 64),
    ):
        copy = Query(payload=query.payload)
        copy.signature.CopyFrom(Signature(public_key=key, signature=signature))
        assert gate.find(copy).error_response.message
    assert "holder" in gate.find(query).roles_response.roles
    query.signature.public_key = query.signature.public_key.upper()
    (answer,) = gate.raw(QUERIES + "Find", query.SerializeToString())
    assert answer == b"\x22\x00"


def test_a_refused_query_is_not_answered_again_but_a_malformed_one_is(
    gate: Gate, ledger_folder: LedgerFolder
) -> None:
    refused = sign_query(Query.Payload(get_roles=queries_pb2.GetRoles()), AccountKey.generate())
    assert gate.find(refused).error_response.error_code == 3
    assert gate.find(refused).error_response == ErrorResponse()
    payload = Query.Payload(get_account=queries_pb2.GetAccount(account_id="x"))
    malformed = sign_query(payload, ledger_folder.admin_key)
    assert gate.find(malformed) == gate.find(malformed)


def test_every_query_is_answered_whatever_it_lacks(gate: Gate, ledger_folder: LedgerFolder) -> None:
    for field in Query.Payload.DESCRIPTOR.oneofs_by_name["query"].fields:
        payload = Query.Payload()
        getattr(payload, field.name).SetInParent()
        assert gate.find(sign_query(payload, ledger_folder.admin_key)).WhichOneof("response")


def test_an_account_too_large_for_one_answer_names_the_query_in_pages(
    gate: Gate, ledger_folder: LedgerFolder
) -> None:
    """Control characters take six bytes of JSON: 24 MiB of details make more than 128."""
    owner, key = REGISTRY_ACCOUNT, ledger_folder.registry_key
    for number in range(6):
        detail = set_account_detail(owner, f"big_{number}", "\x01" * 4 * 1024 * 1024)
        transaction = signed_transaction(detail, creator=owner, key=key, created_time_ms=now_ms())
        gate.send(transaction)
        assert gate.statuses(transaction)[-1].tx_status == TxStatus.COMMITTED
    whole = queries_pb2.GetAccountDetail(account_id=owner)
    for payload in (
        Query.Payload(get_account=queries_pb2.GetAccount(account_id=owner)),
        Query.Payload(get_account_detail=whole),
    ):
        error = gate.find(sign_query(payload, key, creator=owner)).error_response
        assert (error.reason, error.error_code) == (ErrorResponse.Reason.STATEFUL_INVALID, 201)
        assert "ask with GetAccountDetail and a smaller page_size" in error.message
    whole.pagination_meta.page_size = 5
    payload = Query.Payload(get_account_detail=whole)
    page = gate.find(sign_query(payload, key, creator=owner)).account_detail_response
    assert page.total_number >= 6
    assert len(page.detail) > 4 * 6 * 4 * 1024 * 1024
    assert page.next_record_id.key == "big_5"


@pytest.mark.parametrize("height", [1_000_000, 2**63 - 1, 2**63, 2**64 - 1])
def test_a_block_above_the_top_is_not_there(
    gate: Gate, ledger_folder: LedgerFolder, height: int
) -> None:
    payload = Query.Payload(get_block=queries_pb2.GetBlock(height=height))
    answer = gate.find(sign_query(payload, ledger_folder.admin_key))
    assert answer.error_response.error_code == 3


def test_the_health_report(gate: Gate) -> None:
    health = gate.health()
    assert health.is_healthy
    assert not health.is_syncing
    assert health.last_block_height >= 1
    assert health.memory_consumption > 10_000_000


# bytes that are nothing


@pytest.mark.parametrize("method", [*UNARY, *STREAMS])
@pytest.mark.parametrize("data", [b"\xff", b"\x0a\x05abc", b"\x07" * 1000, b"\x0b" * 5000])
def test_garbage_is_an_internal_error_to_every_method_as_in_irohad(
    gate: Gate, method: str, data: bytes
) -> None:
    with pytest.raises(grpc.RpcError, match="the bytes are not a message of type") as caught:
        gate.raw(method, data)
    assert code_of(caught.value) == grpc.StatusCode.INTERNAL
    assert gate.health().is_healthy


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(method=st.sampled_from([*UNARY, *STREAMS]), data=st.binary(max_size=200))
def test_any_bytes_are_answered_or_refused(gate: Gate, method: str, data: bytes) -> None:
    try:
        gate.raw(method, data)
    except grpc.RpcError as error:
        expect_code(error, grpc.StatusCode.INTERNAL)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), min_size=1))
def test_a_transaction_with_any_bytes_changed_is_never_committed(
    gate: Gate, build: Build, changes: list[tuple[int, int]]
) -> None:
    original = build()
    data = bytearray(original.SerializeToString())
    for place, flip in changes:
        data[place % len(data)] ^= flip
    try:
        gate.raw(COMMANDS + "Torii", bytes(data))
        changed = Transaction.FromString(bytes(data))
    except grpc.RpcError as error:
        expect_code(error, grpc.StatusCode.INTERNAL)
        return
    final = gate.statuses(changed)[-1].tx_status
    same = changed.payload == original.payload
    assert (final == TxStatus.COMMITTED) <= same


def test_a_message_above_the_limit_is_refused(gate: Gate) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        gate.raw(COMMANDS + "Torii", bytes(torii_module.MAX_REQUEST_BYTES + 1))
    assert code_of(caught.value) == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert gate.health().is_healthy


def test_a_method_that_does_not_exist_is_unimplemented(gate: Gate) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        gate.channel.unary_unary(COMMANDS + "Shutdown")(b"", timeout=TIMEOUT_S)
    assert code_of(caught.value) == grpc.StatusCode.UNIMPLEMENTED


def connect(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=TIMEOUT_S)


HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@pytest.mark.parametrize(
    "data",
    [
        b"\x00" * 100_000,
        random.Random(1).randbytes(100_000),
        b"GET / HTTP/1.1\r\nHost: ledger\r\n\r\n",
        b"POST /iroha.protocol.CommandService_v1/Torii HTTP/1.1\r\nContent-Length: 9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        HTTP2 + random.Random(1).randbytes(100_000),
        HTTP2 + b"\xff\xff\xff\x04\x00\x00\x00\x00\x00",
    ],
    ids=["zeros", "noise", "http1-get", "http1-post", "tls", "http2-noise", "http2-huge-frame"],
)
def test_bytes_that_are_no_grpc_do_no_harm(
    gate: Gate, ledger_node: NodeProcess, data: bytes
) -> None:
    with connect(ledger_node.address) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65_536):
                pass
        except OSError:
            # The node hung up: so it should.
            pass
    assert gate.health().is_healthy


def test_connections_that_stay_half_open_do_no_harm(
    gate: Gate, ledger_node: NodeProcess, build: Build
) -> None:
    silent = [connect(ledger_node.address) for _ in range(300)]
    for connection in silent[::2]:
        connection.sendall(HTTP2[:10])
    transaction = build()
    gate.send(transaction)
    assert gate.statuses(transaction)[-1].tx_status == TxStatus.COMMITTED
    # A client that connects now is answered too.
    newcomer = Gate(ledger_node.address)
    assert newcomer.health().is_healthy
    newcomer.close()
    for connection in silent:
        connection.close()


# a node in this process, whose limits and files the test can reach


@pytest.fixture
def own_folder(tmp_path: Path) -> LedgerFolder:
    return make_ledger_folder(tmp_path / "node")


def test_a_full_pool_tells_the_client_to_come_back(
    own_folder: LedgerFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orderer_module, "MAX_WAITING", 3)
    with LedgerNode.in_folder(own_folder.path) as node:
        gate = Gate(node.address)
        transactions = [
            signed_transaction(
                set_account_detail(ADMIN_ACCOUNT, f"key_{n}", "1"),
                creator=ADMIN_ACCOUNT,
                key=own_folder.admin_key,
                created_time_ms=now_ms(),
            )
            for n in range(4)
        ]
        with pytest.raises(grpc.RpcError) as caught:
            gate.send_list(*transactions)
        assert code_of(caught.value) == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "send these again later" in caught.value.details()
        gate.send_list(*transactions[:3])
        assert gate.statuses(transactions[2])[-1].tx_status == TxStatus.COMMITTED
        assert gate.status(transactions[3]).tx_status == TxStatus.NOT_RECEIVED
        gate.close()


def test_a_damaged_store_is_an_internal_error_without_its_details(
    own_folder: LedgerFolder,
) -> None:
    with LedgerNode.in_folder(own_folder.path) as node, own_folder.admin(node.address) as admin:
        blocks = own_folder.path / "data" / "blocks"
        with blocks.open("r+b") as file:
            file.seek(500)
            file.write(b"\xff")
        gate = Gate(node.address)
        payload = Query.Payload(get_block=queries_pb2.GetBlock(height=1))
        with pytest.raises(grpc.RpcError) as caught:
            gate.find(sign_query(payload, own_folder.admin_key))
        assert code_of(caught.value) == grpc.StatusCode.INTERNAL
        assert str(own_folder.path) not in caught.value.details()
        # What does not need that block goes on.
        assert admin.submit(set_account_detail(ADMIN_ACCOUNT, "a", "1"))
        gate.close()


def test_an_address_in_use_is_refused(own_folder: LedgerFolder, ledger_node: NodeProcess) -> None:
    (own_folder.path / "node.toml").write_text(f'torii = "{ledger_node.address}"\n')
    with pytest.raises(ConfigError, match="is another node running there"):
        LedgerNode.in_folder(own_folder.path)
    # What was opened before is given back.
    (own_folder.path / "node.toml").write_text('torii = "127.0.0.1:0"\n')
    with LedgerNode.in_folder(own_folder.path) as node:
        assert node.address.startswith("127.0.0.1:")


def test_stopping_ends_open_streams(own_folder: LedgerFolder) -> None:
    with LedgerNode.in_folder(own_folder.path) as node:
        gate = Gate(node.address)
        stream = gate.open_stream("ab" * 32)
        assert next(stream).tx_status == TxStatus.NOT_RECEIVED
        client = LedgerClient(node.address, ADMIN_ACCOUNT, own_folder.admin_key)
        assert client.health().is_healthy
        client.close()
    assert list(stream) == []
    gate.close()
