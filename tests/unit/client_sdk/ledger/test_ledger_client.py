"""The ledger client: against a real node, and against servers that answer badly."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.processes import LedgerFolder, NodeProcess, make_ledger_folder

from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.protocol.endpoint_pb2 import ToriiResponse, TxStatus
from chaincode.protocol.primitive_pb2 import GrantablePermission
from chaincode.protocol.qry_responses_pb2 import (
    AccountDetailResponse,
    ErrorResponse,
    QueryResponse,
)
from chaincode.protocol.queries_pb2 import GetRoles, Query
from chaincode.records import GrantRecord, IssuerRecord
from chaincode.signatures import KeyAlgorithm
from chaincode.transactions import block_hash, transaction_hash
from client_sdk.errors import (
    ClientError,
    QueryFailedError,
    TransactionFailedError,
    TransportError,
)
from client_sdk.ledger import commands
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from node.ledger.genesis import ADMIN_ACCOUNT, load_genesis

RECORD_ID = "0123456789abcdef" * 2


# against a real node


def test_a_detail_that_was_written_is_read(admin: LedgerClient) -> None:
    committed = admin.submit(commands.set_account_detail(ADMIN_ACCOUNT, "colour", "青"))
    assert len(bytes.fromhex(committed.tx_hash)) == 32
    assert admin.account_detail(ADMIN_ACCOUNT, "colour", writer=ADMIN_ACCOUNT) == "青"
    assert admin.account_detail(ADMIN_ACCOUNT, "colour", writer=REGISTRY_ACCOUNT) is None
    assert admin.account_detail(ADMIN_ACCOUNT, "missing", writer=ADMIN_ACCOUNT) is None


@given(value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\\")))
def test_every_value_without_backslashes_comes_back(admin: LedgerClient, value: str) -> None:
    admin.submit(commands.set_account_detail(ADMIN_ACCOUNT, "any_value", value))
    assert admin.account_detail(ADMIN_ACCOUNT, "any_value", writer=ADMIN_ACCOUNT) == value


def test_a_value_that_is_escaped_as_irohads_clients_do_is_read_unescaped(
    admin: LedgerClient,
) -> None:
    admin.submit(commands.set_account_detail(ADMIN_ACCOUNT, "escaped", '{\\"a\\": 1}'))
    assert admin.account_detail(ADMIN_ACCOUNT, "escaped", writer=ADMIN_ACCOUNT) == '{"a": 1}'


def test_several_commands_are_one_transaction(admin: LedgerClient) -> None:
    key = AccountKey.generate()
    with pytest.raises(TransactionFailedError) as caught:
        admin.submit(
            commands.create_account("half@holder", key.public_key),
            commands.append_role("half@holder", "no_such_role"),
        )
    failure = caught.value
    assert (failure.status, failure.code, failure.command_index) == (
        "STATEFUL_VALIDATION_FAILED",
        4,
        1,
    )
    assert failure.tx_hash in str(failure)
    assert "AppendRole (command 1, code 4)" in str(failure)
    with pytest.raises(QueryFailedError) as refused:
        admin.signatories("half@holder")
    assert (refused.value.reason, refused.value.code) == ("NO_SIGNATORIES", 0)


def test_a_malformed_transaction_says_which_field(admin: LedgerClient) -> None:
    with pytest.raises(TransactionFailedError, match=r"SetAccountDetail: .*DetailKey") as caught:
        admin.submit(commands.set_account_detail(ADMIN_ACCOUNT, "not a key", "secret value"))
    assert caught.value.status == "STATELESS_VALIDATION_FAILED"
    assert "secret value" not in str(caught.value)


def test_a_transaction_can_be_built_signed_and_sent_apart(admin: LedgerClient) -> None:
    transaction = admin.build_transaction(
        commands.set_account_detail(ADMIN_ACCOUNT, "apart", "1"), quorum=1
    )
    admin.sign_transaction(transaction)
    expected = transaction_hash(transaction).hex()
    assert admin.send(transaction).tx_hash == expected
    # Sent again, it is what it was.
    assert admin.send(transaction).tx_hash == expected


def test_a_wrong_clock_is_refused(ledger_node: NodeProcess, ledger_folder: LedgerFolder) -> None:
    with LedgerClient(
        ledger_node.address, ADMIN_ACCOUNT, ledger_folder.admin_key, now_ms=lambda: 1
    ) as client:
        with pytest.raises(TransactionFailedError, match="too old, timestamp: 1"):
            client.submit(commands.set_account_detail(ADMIN_ACCOUNT, "a", "1"))
        with pytest.raises(QueryFailedError, match="too old, timestamp: 1"):
            client.signatories(ADMIN_ACCOUNT)


@pytest.mark.parametrize("algorithm", list(KeyAlgorithm))
def test_an_account_acts_with_both_kinds_of_keys(
    admin: LedgerClient, ledger_node: NodeProcess, algorithm: KeyAlgorithm
) -> None:
    account_id = f"client_{algorithm.value}@holder"
    key, second = AccountKey.generate(algorithm), AccountKey.generate(algorithm)
    admin.submit(commands.create_account(account_id, key.public_key))
    assert admin.signatories(account_id) == {key.public_key}
    with LedgerClient(ledger_node.address, account_id, key) as holder:
        holder.submit(commands.add_signatory(account_id, second.public_key))
        assert holder.signatories(account_id) == {key.public_key, second.public_key}
        with pytest.raises(TransactionFailedError) as caught:
            holder.submit(commands.set_account_detail(ADMIN_ACCOUNT, "a", "1"))
        assert caught.value.code == 2
        with pytest.raises(QueryFailedError) as refused:
            holder.signatories(ADMIN_ACCOUNT)
        assert (refused.value.reason, refused.value.code) == ("STATEFUL_INVALID", 2)


def test_a_record_is_read_as_it_was_written(admin: LedgerClient, registry: LedgerClient) -> None:
    assert registry.record(REGISTRY_ACCOUNT, RECORD_ID, IssuerRecord) is None
    record = GrantRecord(
        commitment=bytes(32),
        gateway="desk@gateway",
        expires_at_ms=4_000_000_000_000,
        uses=1,
        state="live",
    )
    registry.submit(commands.set_record(REGISTRY_ACCOUNT, RECORD_ID, record))
    assert admin.record(REGISTRY_ACCOUNT, RECORD_ID, GrantRecord) == record
    assert admin.record(REGISTRY_ACCOUNT, RECORD_ID, IssuerRecord) is None


def test_the_ledgers_id_is_the_hash_of_its_genesis_block(
    admin: LedgerClient, ledger_folder: LedgerFolder, ledger_node: NodeProcess
) -> None:
    genesis = load_genesis(ledger_folder.path / "genesis.block")
    assert admin.ledger_id() == block_hash(genesis).hex()
    assert ledger_node.wait_for_log("ledger node ready")["ledger_id"] == admin.ledger_id()
    assert admin.block(1) == genesis


def test_a_block_that_is_not_there_is_a_failed_query(admin: LedgerClient) -> None:
    words = r"requested height \(1000000\) is greater than the ledger's one"
    with pytest.raises(QueryFailedError, match=words) as caught:
        admin.block(1_000_000)
    assert caught.value.code == 3


def test_the_health_report_counts_blocks(admin: LedgerClient) -> None:
    before = admin.height()
    admin.submit(commands.set_account_detail(ADMIN_ACCOUNT, "health", "1"))
    assert admin.height() == before + 1


def test_threads_share_one_client(admin: LedgerClient) -> None:
    def write_and_read(number: int) -> str | None:
        key = f"thread_{number}"
        admin.submit(commands.set_account_detail(ADMIN_ACCOUNT, key, str(number)))
        return admin.account_detail(ADMIN_ACCOUNT, key, writer=ADMIN_ACCOUNT)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(write_and_read, range(40))) == [str(n) for n in range(40)]


def test_compare_and_set(admin: LedgerClient) -> None:
    def swap(value: str, old_value: str | None) -> None:
        admin.submit(
            commands.compare_and_set_account_detail(
                ADMIN_ACCOUNT, "swapped", value, old_value=old_value
            )
        )

    swap("1", None)
    swap("2", "1")
    for old_value in (None, "1"):
        with pytest.raises(TransactionFailedError) as caught:
            swap("3", old_value)
        assert caught.value.code == 4
    assert admin.account_detail(ADMIN_ACCOUNT, "swapped", writer=ADMIN_ACCOUNT) == "2"


def test_keys_quorum_and_grants(admin: LedgerClient, ledger_node: NodeProcess) -> None:
    keys = [AccountKey.generate() for _ in range(2)]
    names = ["granting@holder", "granted@holder"]
    for name, key in zip(names, keys, strict=True):
        admin.submit(commands.create_account(name, key.public_key))
    spare = AccountKey.generate().public_key
    with (
        LedgerClient(ledger_node.address, names[0], keys[0]) as granting,
        LedgerClient(ledger_node.address, names[1], keys[1]) as granted,
    ):
        detail = commands.set_account_detail(names[0], "a", "1")
        granting.submit(
            commands.grant_permission(names[1], GrantablePermission.can_set_my_account_detail)
        )
        granted.submit(detail)
        assert admin.account_detail(names[0], "a", writer=names[1]) == "1"
        granting.submit(
            commands.revoke_permission(names[1], GrantablePermission.can_set_my_account_detail)
        )
        with pytest.raises(TransactionFailedError):
            granted.submit(detail)

        granting.submit(commands.add_signatory(names[0], spare))
        granting.submit(commands.set_account_quorum(names[0], 2))
        with pytest.raises(TransactionFailedError) as caught:
            granting.submit(detail)
        assert caught.value.code == 2
    with LedgerClient(ledger_node.address, names[1], keys[1]) as granted:
        granted.submit(commands.add_signatory(names[1], spare))
        granted.submit(commands.remove_signatory(names[1], spare))
        assert granted.signatories(names[1]) == {keys[1].public_key}


# a node that is not there, or goes and comes back


def test_a_node_that_is_not_there_is_said_so_in_time() -> None:
    with LedgerClient("127.0.0.1:9", "a@b", AccountKey.generate(), timeout_s=0.3) as client:
        calls: list[Callable[[], object]] = [
            client.health,
            client.ledger_id,
            lambda: client.submit(commands.set_account_detail("a@b", "a", "1")),
        ]
        for call in calls:
            with pytest.raises(TransportError, match=r"ledger node 127\.0\.0\.1:9: "):
                call()


def test_a_closed_client_says_so(ledger_node: NodeProcess) -> None:
    client = LedgerClient(ledger_node.address, "a@b", AccountKey.generate())
    client.close()
    client.close()
    for call in (client.health, lambda: client.signatories("a@b"), client.submit):
        with pytest.raises(TransportError, match="this client was closed"):
            call()


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_a_transaction_outlives_a_restart_of_the_node(tmp_path: Path, how: str) -> None:
    """Whoever waits for a decision gets it from the node that comes back."""
    folder = make_ledger_folder(tmp_path / "node")
    failures: list[ClientError] = []
    committed: list[int] = []
    some = threading.Event()
    down = threading.Event()

    def write(client: LedgerClient, number: int) -> None:
        while not down.is_set():
            try:
                key = f"writer_{number}"
                client.submit(commands.set_account_detail(ADMIN_ACCOUNT, key, str(number)))
            except ClientError as error:
                failures.append(error)
                return
            committed.append(number)
            some.set()

    with NodeProcess(folder.path) as process:
        address = process.address
        (folder.path / "node.toml").write_text(f'torii = "{address}"\n')
        clients = [folder.admin(address) for _ in range(3)]
        writers = [
            threading.Thread(target=write, args=(client, number))
            for number, client in enumerate(clients)
        ]
        for writer in writers:
            writer.start()
        assert some.wait(60)
        if how == "killed":
            process.kill()
        else:
            process.stop()
    down.set()
    with NodeProcess(folder.path) as process:
        process.wait_for_log("ledger node ready")
        for writer in writers:
            writer.join()
        for client in clients:
            client.close()
    # A node that is being stopped may refuse, but says that it does.
    assert [error for error in failures if "the node is stopping" not in str(error)] == []


# servers that answer badly


class Handlers(grpc.GenericRpcHandler):
    """Answers every call with the bytes that the test gives for its method."""

    def __init__(self, answers: dict[str, list[bytes]]) -> None:
        self._answers = answers

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[bytes, bytes]":
        name = handler_call_details.method.rpartition("/")[2]
        answers = self._answers[name]
        if name == "StatusStream":
            return grpc.unary_stream_rpc_method_handler(lambda _data, _context: iter(answers))
        return grpc.unary_unary_rpc_method_handler(lambda _data, _context: answers[0])


@contextmanager
def client_of(answers: dict[str, list[bytes]], *, timeout_s: float = 5) -> Iterator[LedgerClient]:
    """Give a client of a server that answers so."""
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool)
        server.add_generic_rpc_handlers((Handlers(answers),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        key = AccountKey.generate()
        with LedgerClient(f"127.0.0.1:{port}", "a@b", key, timeout_s=timeout_s) as client:
            yield client
        server.stop(None).wait()


def detail_answer(text: str) -> bytes:
    body = AccountDetailResponse(detail=text)
    return QueryResponse(account_detail_response=body).SerializeToString()


@pytest.mark.parametrize(
    "answer",
    [
        b"\xff\xff",
        detail_answer("{"),
        detail_answer("[]"),
        detail_answer("NaN"),
        detail_answer('{"a@b": []}'),
        detail_answer('{"a@b": 3}'),
        detail_answer("[" * 1_000_000),
        detail_answer('{"a":' * 1_000_000),
    ],
    ids=["no message", "half", "list", "nan", "inner list", "inner number", "deep", "deeper"],
)
def test_an_answer_of_wrong_form_is_a_transport_error(answer: bytes) -> None:
    with client_of({"Find": [answer]}) as client, pytest.raises(TransportError):
        client.account_detail("a@b", "key", writer="a@b")


@pytest.mark.parametrize("value", ["3", "null", "true", "[]", "{}"])
def test_a_value_that_is_no_text_is_no_value(value: str) -> None:
    with client_of({"Find": [detail_answer(f'{{"a@b": {{"key": {value}}}}}')]}) as client:
        assert client.account_detail("a@b", "key", writer="a@b") is None


def test_a_record_that_is_not_valid_is_no_record() -> None:
    key = GrantRecord.key(RECORD_ID)
    for value in ("", "e30", "!!", "A" * 20_000):
        answer = detail_answer(json.dumps({"a@b": {key: value}}))
        with client_of({"Find": [answer]}) as client:
            assert client.record("a@b", RECORD_ID, GrantRecord) is None


def test_an_error_with_an_unknown_reason_is_still_a_failed_query() -> None:
    error = ErrorResponse(reason=77, message="why", error_code=5)  # type: ignore[arg-type]
    answer = QueryResponse(error_response=error).SerializeToString()
    with client_of({"Find": [answer]}) as client, pytest.raises(QueryFailedError) as caught:
        client.find(Query.Payload(get_roles=GetRoles()))
    assert (caught.value.reason, caught.value.code) == ("77", 5)


def test_an_undecided_transaction_is_a_transport_error_in_time() -> None:
    """The stream ends again and again without a decision."""
    waiting = ToriiResponse(tx_status=TxStatus.ENOUGH_SIGNATURES_COLLECTED).SerializeToString()
    for stream in ([], [waiting], [waiting] * 3):
        answers = {"Torii": [b""], "StatusStream": stream}
        with (
            client_of(answers, timeout_s=0.5) as client,
            pytest.raises(TransportError, match=r"was not decided within|DEADLINE_EXCEEDED"),
        ):
            client.submit(commands.set_account_detail("a@b", "a", "1"))


def test_a_refusal_of_the_server_is_told_in_its_words() -> None:
    class Full(grpc.GenericRpcHandler):
        def service(
            self,
            handler_call_details: grpc.HandlerCallDetails,  # noqa: ARG002
        ) -> "grpc.RpcMethodHandler[bytes, bytes]":
            def refuse(_data: bytes, context: grpc.ServicerContext) -> bytes:
                context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "7 wait; send again later")

            return grpc.unary_unary_rpc_method_handler(refuse)

    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        server.add_generic_rpc_handlers((Full(),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        with (
            LedgerClient(f"127.0.0.1:{port}", "a@b", AccountKey.generate()) as client,
            pytest.raises(TransportError, match="RESOURCE_EXHAUSTED: 7 wait; send again later"),
        ):
            client.submit(commands.set_account_detail("a@b", "a", "1"))
        server.stop(None).wait()


@pytest.mark.parametrize("final", [TxStatus.COMMITTED, TxStatus.REJECTED])
def test_without_a_stream_the_status_is_asked_for(final: TxStatus.ValueType) -> None:
    """Calls that are refused for lack of room say nothing of the transaction."""
    asked: list[TxStatus.ValueType | None] = [None, TxStatus.STATEFUL_VALIDATION_SUCCESS, final]

    def refuse(_data: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no room")
        raise AssertionError

    def status(data: bytes, context: grpc.ServicerContext) -> bytes:
        answer = asked.pop(0)
        if answer is None:
            return refuse(data, context)
        return ToriiResponse(tx_status=answer).SerializeToString()

    class NoStreams(grpc.GenericRpcHandler):
        def service(
            self, handler_call_details: grpc.HandlerCallDetails
        ) -> "grpc.RpcMethodHandler[bytes, bytes]":
            name = handler_call_details.method.rpartition("/")[2]
            if name == "StatusStream":
                return grpc.unary_stream_rpc_method_handler(
                    lambda data, context: iter([refuse(data, context)])
                )
            answer = status if name == "Status" else lambda _data, _context: b""
            return grpc.unary_unary_rpc_method_handler(answer)

    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        server.add_generic_rpc_handlers((NoStreams(),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        with LedgerClient(f"127.0.0.1:{port}", "a@b", AccountKey.generate()) as client:
            if final == TxStatus.COMMITTED:
                assert client.submit(commands.set_account_detail("a@b", "a", "1"))
            else:
                with pytest.raises(TransactionFailedError, match="REJECTED"):
                    client.submit(commands.set_account_detail("a@b", "a", "1"))
        server.stop(None).wait()
    assert asked == []


def test_no_error_shows_a_key(admin: LedgerClient, ledger_folder: LedgerFolder) -> None:
    secret = ledger_folder.admin_key.seed.hex()
    assert secret not in repr(admin)
    with pytest.raises(TransactionFailedError) as caught:
        admin.submit(commands.create_account("bad name@holder", "zz"))
    assert secret not in repr(caught.value)
