"""Transactions and what becomes of them in one call, over real gRPC."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from support.processes import LedgerFolder, NodeProcess
from support.torii_gate import SUBMIT, TIMEOUT_S, Gate, code_of

from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.endpoint_pb2 import TxList, TxStatus
from chaincode.protocol.submission_pb2 import SubmitResponse
from chaincode.protocol.transaction_pb2 import Transaction
from client_sdk.errors import TransactionFailedError
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import append_role, create_account, set_account_detail
from node.ledger.genesis import ADMIN_ACCOUNT
from node.ledger.submit_service import MAX_TRANSACTIONS


@pytest.fixture(scope="module")
def gate(ledger_node: NodeProcess) -> Iterator[Gate]:
    gate = Gate(ledger_node.address)
    yield gate
    gate.close()


def submit(gate: Gate, *transactions: Transaction) -> SubmitResponse:
    call = gate.channel.unary_stream(SUBMIT, TxList.SerializeToString, SubmitResponse.FromString)
    (answer,) = call(TxList(transactions=transactions), timeout=TIMEOUT_S)
    return answer


def signed(admin: LedgerClient, *commands: Command) -> Transaction:
    transaction = admin.build_transaction(*commands)
    admin.sign_transaction(transaction)
    return transaction


def detail(key: str) -> Command:
    return set_account_detail(ADMIN_ACCOUNT, key, "x")


def test_each_transaction_is_decided_for_itself(gate: Gate, admin: LedgerClient) -> None:
    unsigned = admin.build_transaction(detail("unsigned"))
    good, refused = signed(admin, detail("good")), signed(admin, append_role("a@b", "nothing"))
    last = signed(admin, detail("last"))
    statuses = submit(gate, good, unsigned, refused, last).statuses
    assert [TxStatus.Name(status.tx_status) for status in statuses] == [
        "COMMITTED",
        "STATELESS_VALIDATION_FAILED",
        "STATEFUL_VALIDATION_FAILED",
        "COMMITTED",
    ]
    assert statuses[2].err_or_cmd_name == "AppendRole"
    assert admin.account_detail(ADMIN_ACCOUNT, "last", writer=ADMIN_ACCOUNT) == "x"


def test_what_was_decided_before_is_told_again(gate: Gate, admin: LedgerClient) -> None:
    transaction = signed(admin, detail("again"))
    for _ in range(2):
        (status,) = submit(gate, transaction, transaction).statuses[:1]
        assert status.tx_status == TxStatus.COMMITTED


def test_nobody_waits_for_signatures(gate: Gate, admin: LedgerClient) -> None:
    transaction = admin.build_transaction(detail("pending"), quorum=2)
    admin.sign_transaction(transaction)
    (status,) = submit(gate, transaction).statuses
    assert status.tx_status == TxStatus.MST_PENDING


def test_a_call_of_too_many_is_refused_whole(gate: Gate) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        submit(gate, *[Transaction()] * (MAX_TRANSACTIONS + 1))
    assert code_of(caught.value) == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert not submit(gate).statuses


def test_threads_of_one_client_are_each_told_of_their_own(
    ledger_folder: LedgerFolder, ledger_node: NodeProcess
) -> None:
    def send(number: int) -> str:
        name = f"submit_{number}" if number % 3 else "No Name"
        command = create_account(f"{name}@holder", AccountKey.generate().public_key)
        try:
            return client.submit(command).tx_hash
        except TransactionFailedError as error:
            return error.status

    with ledger_folder.admin(ledger_node.address) as client, ThreadPoolExecutor(12) as pool:
        ends = list(pool.map(send, range(36)))
    assert ends.count("STATELESS_VALIDATION_FAILED") == 12
    assert len(set(ends)) == 25
