"""Torii over real gRPC, for tests: every method, with the bytes that the test gives."""

import grpc
from google.protobuf.empty_pb2 import Empty

from chaincode.protocol.endpoint_pb2 import ToriiResponse, TxList, TxStatus, TxStatusRequest
from chaincode.protocol.primitive_pb2 import Signature
from chaincode.protocol.qry_responses_pb2 import HealthcheckData, QueryResponse
from chaincode.protocol.queries_pb2 import Query
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.transactions import transaction_hash
from client_sdk.ledger.account_key import AccountKey
from node.ledger.daemon import now_ms
from node.ledger.genesis import ADMIN_ACCOUNT

COMMANDS = "/iroha.protocol.CommandService_v1/"
QUERIES = "/iroha.protocol.QueryService_v1/"
UNARY = [
    COMMANDS + "Torii",
    COMMANDS + "ListTorii",
    COMMANDS + "Status",
    QUERIES + "Find",
    QUERIES + "Healthcheck",
]
SUBMIT = "/tegata.ledger.SubmitService/Submit"
STREAMS = [COMMANDS + "StatusStream", QUERIES + "FetchCommits", SUBMIT]
TIMEOUT_S = 120
"""Of a machine that is busy with other tests: nothing takes longer where it works."""


class Gate:
    """A client of every method that sends and receives as it is told."""

    def __init__(self, address: str) -> None:
        self.address = address
        limits = [
            ("grpc.max_send_message_length", -1),
            ("grpc.max_receive_message_length", -1),
            # A channel of its own: no connection is shared with other clients of the process.
            ("grpc.use_local_subchannel_pool", 1),
        ]
        self.channel = grpc.insecure_channel(address, options=limits)

    def raw(self, method: str, data: bytes) -> list[bytes]:
        """Send bytes to a method; return the bytes of its answers."""
        if method in STREAMS:
            return list(self.channel.unary_stream(method)(data, timeout=TIMEOUT_S))
        return [self.channel.unary_unary(method)(data, timeout=TIMEOUT_S)]

    def send(self, *transactions: Transaction) -> None:
        for transaction in transactions:
            self.raw(COMMANDS + "Torii", transaction.SerializeToString())

    def send_list(self, *transactions: Transaction) -> None:
        message = TxList(transactions=transactions)
        self.raw(COMMANDS + "ListTorii", message.SerializeToString())

    def status(self, transaction: Transaction) -> ToriiResponse:
        request = TxStatusRequest(tx_hash=transaction_hash(transaction).hex())
        (answer,) = self.raw(COMMANDS + "Status", request.SerializeToString())
        return ToriiResponse.FromString(answer)

    def open_stream(self, tx_hash: str) -> "grpc.CallIterator[ToriiResponse]":
        call = self.channel.unary_stream(
            COMMANDS + "StatusStream",
            TxStatusRequest.SerializeToString,
            ToriiResponse.FromString,
        )
        return call(TxStatusRequest(tx_hash=tx_hash), timeout=TIMEOUT_S)

    def statuses(self, transaction: Transaction) -> list[ToriiResponse]:
        """Follow a transaction to its end."""
        return list(self.open_stream(transaction_hash(transaction).hex()))

    def wait_for_status(self, transaction: Transaction, status: TxStatus) -> None:
        """Follow a transaction until the node says this of it."""
        stream = self.open_stream(transaction_hash(transaction).hex())
        while next(stream).tx_status != status:
            pass
        stream.cancel()

    def find(self, query: Query) -> QueryResponse:
        (answer,) = self.raw(QUERIES + "Find", query.SerializeToString())
        return QueryResponse.FromString(answer)

    def health(self) -> HealthcheckData:
        (answer,) = self.raw(QUERIES + "Healthcheck", Empty().SerializeToString())
        return HealthcheckData.FromString(answer)

    def height(self) -> int:
        return self.health().last_block_height - 1

    def close(self) -> None:
        self.channel.close()


def names_of(responses: list[ToriiResponse]) -> list[str]:
    return [TxStatus.Name(response.tx_status) for response in responses]


def sign_query(payload: Query.Payload, key: AccountKey, *, creator: str = ADMIN_ACCOUNT) -> Query:
    payload.meta.creator_account_id = creator
    payload.meta.created_time = now_ms()
    payload.meta.query_counter = 1
    signature = key.sign(payload.SerializeToString())
    return Query(
        payload=payload, signature=Signature(public_key=key.public_key, signature=signature)
    )


def code_of(error: grpc.RpcError) -> grpc.StatusCode:
    assert isinstance(error, grpc.Call)
    return error.code()
