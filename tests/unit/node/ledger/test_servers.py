"""Torii through the server of `native/grpc` where it is built, and through that of grpcio."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from opentelemetry.trace import SpanKind
from support.processes import LedgerFolder, make_ledger_folder
from support.torii_gate import COMMANDS, QUERIES, STREAMS, TIMEOUT_S, UNARY, Gate, code_of
from support.watching import watching

from chaincode.protocol.endpoint_pb2 import ToriiResponse, TxStatus, TxStatusRequest
from client_sdk import tracing
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import set_account_detail
from node.errors import ConfigError
from node.ledger import native_server
from node.ledger import orderer as orderer_module
from node.ledger import torii as torii_module
from node.ledger.call_tracing import traced_services
from node.ledger.calls import CallContext, Method
from node.ledger.daemon import LedgerNode
from node.ledger.genesis import ADMIN_ACCOUNT
from node.ledger.query_service import may_be_long

SERVERS = [
    pytest.param(
        "native",
        marks=pytest.mark.skipif(not native_server.is_built(), reason="native/grpc is not built"),
    ),
    "grpcio",
]


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "grpcio":
            patch.setattr(native_server, "_native", None)
        yield request.param


@pytest.fixture(scope="module")
def folder(server: str, tmp_path_factory: pytest.TempPathFactory) -> LedgerFolder:
    return make_ledger_folder(tmp_path_factory.mktemp(server) / "node")


@pytest.fixture(scope="module")
def node(folder: LedgerFolder) -> Iterator[LedgerNode]:
    with LedgerNode.in_folder(folder.path) as node:
        yield node


@pytest.fixture(scope="module")
def admin(folder: LedgerFolder, node: LedgerNode) -> Iterator[LedgerClient]:
    with folder.admin(node.address) as client:
        yield client


@pytest.fixture
def gate(node: LedgerNode) -> Iterator[Gate]:
    gate = Gate(node.address)
    yield gate
    gate.close()


def test_transactions_are_taken_followed_and_asked_for(gate: Gate, admin: LedgerClient) -> None:
    hashes = [admin.submit(set_account_detail(ADMIN_ACCOUNT, "k", text)).tx_hash for text in "ab"]
    for tx_hash in hashes:
        assert [each.tx_status for each in gate.open_stream(tx_hash)] == [TxStatus.COMMITTED]
    assert admin.account_detail(ADMIN_ACCOUNT, "k", writer=ADMIN_ACCOUNT) == "b"


def test_many_calls_at_once_are_all_answered(gate: Gate, admin: LedgerClient) -> None:
    transactions = []
    for number in range(100):
        command = set_account_detail(ADMIN_ACCOUNT, f"many_{number}", "x")
        transactions.append(admin.build_transaction(command))
        admin.sign_transaction(transactions[-1])
    send = gate.channel.unary_unary(COMMANDS + "Torii")
    calls = [
        send.future(transaction.SerializeToString(), timeout=TIMEOUT_S)
        for transaction in transactions
    ]
    # Among them one that is no message: the others are taken all the same.
    broken = send.future(b"\xff", timeout=TIMEOUT_S)
    assert [call.result() for call in calls] == [b""] * len(calls)
    assert code_of(broken.exception()) == grpc.StatusCode.INTERNAL
    for transaction in transactions:
        assert gate.statuses(transaction)[-1].tx_status == TxStatus.COMMITTED


@pytest.mark.parametrize("method", [*UNARY, *STREAMS])
def test_bytes_that_are_no_message_are_refused(gate: Gate, method: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        gate.raw(method, b"\xff\xff\xff")
    assert code_of(caught.value) == grpc.StatusCode.INTERNAL


def test_a_method_that_is_not_there_is_refused(gate: Gate) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        gate.raw(QUERIES + "Nothing", b"")
    assert code_of(caught.value) == grpc.StatusCode.UNIMPLEMENTED


def test_a_request_above_the_limit_is_refused(gate: Gate) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        gate.raw(COMMANDS + "Torii", bytes(torii_module.MAX_REQUEST_BYTES + 1))
    assert code_of(caught.value) == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_large_requests_are_answered(gate: Gate) -> None:
    gate.raw(COMMANDS + "Status", TxStatusRequest(tx_hash="a" * 1_000_000).SerializeToString())


def test_an_open_stream_ends_when_the_node_stops(server: str, tmp_path: Path) -> None:
    folder = make_ledger_folder(tmp_path / server)
    with LedgerNode.in_folder(folder.path) as node:
        gate = Gate(node.address)
        stream = gate.open_stream("ab" * 32)
        first: ToriiResponse = next(stream)
        assert first.tx_status == TxStatus.NOT_RECEIVED
    assert list(stream) == []
    gate.close()


def test_an_address_in_use_is_refused(node: LedgerNode, server: str, tmp_path: Path) -> None:
    folder = make_ledger_folder(tmp_path / server)
    (folder.path / "node.toml").write_text(f'torii = "{node.address}"\n')
    with pytest.raises(ConfigError, match="is another node running there"):
        LedgerNode.in_folder(folder.path)


def test_each_call_is_told_what_became_of_its_own(
    gate: Gate, admin: LedgerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orderer_module, "MAX_WAITING", 0)
    transaction = admin.build_transaction(set_account_detail(ADMIN_ACCOUNT, "full", "x"))
    admin.sign_transaction(transaction)
    with pytest.raises(grpc.RpcError) as caught:
        gate.send(transaction)
    assert code_of(caught.value) == grpc.StatusCode.RESOURCE_EXHAUSTED
    monkeypatch.undo()
    gate.send(transaction)
    assert gate.statuses(transaction)[-1].tx_status == TxStatus.COMMITTED


def test_a_clients_trace_goes_on_and_a_client_without_one_is_answered(
    server: str, tmp_path: Path
) -> None:
    folder = make_ledger_folder(tmp_path / server)
    with (
        watching() as watched,
        LedgerNode.in_folder(folder.path) as node,
        folder.admin(node.address) as admin,
    ):
        admin.submit(set_account_detail(ADMIN_ACCOUNT, "k", "v"))
        assert admin.account_detail(ADMIN_ACCOUNT, "k", writer=ADMIN_ACCOUNT) == "v"
        bare = Gate(node.address)
        bare.raw(COMMANDS + "Status", TxStatusRequest(tx_hash="ab" * 32).SerializeToString())
        transaction = admin.build_transaction(set_account_detail(ADMIN_ACCOUNT, "k", "w"))
        admin.sign_transaction(transaction)
        bare.send(transaction)
        with pytest.raises(grpc.RpcError):
            bare.raw(QUERIES + "Find", b"\xff")
        bare.close()
    asked = {span.name: span.context for span in watched.finished if span.kind is SpanKind.CLIENT}
    answered = {span.name: span for span in watched.finished if span.kind is SpanKind.SERVER}
    for name in ("tegata.ledger.SubmitService/Submit", "iroha.protocol.QueryService_v1/Find"):
        assert asked[name] is not None
    parent = answered["tegata.ledger.SubmitService/Submit"].parent
    assert parent is not None
    assert parent.is_remote
    assert parent.span_id == asked["tegata.ledger.SubmitService/Submit"].span_id
    for name in ("Status", "Torii"):
        assert answered[f"iroha.protocol.CommandService_v1/{name}"].parent is None
    broken = answered["iroha.protocol.QueryService_v1/Find"]
    assert not broken.status.is_ok


def test_long_queries_have_their_own_threads_also_where_calls_are_traced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def find(_data: bytes, _context: CallContext) -> ToriiResponse:
        return ToriiResponse()

    monkeypatch.setattr(tracing, "is_on", lambda: True)
    services = traced_services({"Query": {"Find": Method(unary=find, may_be_long=may_be_long)}})
    assert services["Query"]["Find"].may_be_long is may_be_long
