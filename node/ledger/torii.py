"""Torii, the gRPC gate: Iroha 1's command and query services over one ledger.

gRPC itself answers OK even to invalid transactions and queries: their errors are in the messages.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty as NothingCame
from typing import Final, Protocol

import grpc
import structlog
from google.protobuf.empty_pb2 import Empty

from chaincode.batches import Batch, group_transactions
from chaincode.errors import InvalidQueryError, InvalidTransactionError
from chaincode.ids import HASH
from chaincode.protocol.endpoint_pb2 import ToriiResponse, TxList, TxStatus, TxStatusRequest
from chaincode.protocol.qry_responses_pb2 import (
    BlockErrorResponse,
    BlockQueryResponse,
    ErrorResponse,
    HealthcheckData,
    QueryResponse,
)
from chaincode.protocol.queries_pb2 import BlocksQuery, Query
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.queries import MAX_RESPONSE_BYTES, answer_query, error_response
from chaincode.stateless import TimeWindow, validate_query
from chaincode.transactions import hash_payload, transaction_hash
from node.errors import PoolFullError, StoppingError
from node.ledger.config import TlsPort
from node.ledger.engine import Engine
from node.ledger.grpc_server import abort, bind, bind_tls, decode, stream_handler, unary_handler
from node.ledger.health import NodeHealth
from node.ledger.state_store import StateStore
from node.ledger.statuses import FINAL, StatusBoard

MAX_REQUEST_BYTES: Final = 16 * 1024 * 1024
"""A detail may be 4 MiB long. irohad takes 128 MiB; decoded, a message of many empty entries takes
thirty times its size."""
MAX_CALLS: Final = 512
"""Calls that are open at once; further ones are told RESOURCE_EXHAUSTED."""
MAX_LIST_TRANSACTIONS: Final = 50_000
"""A list is refused whole before its first signature is checked; two bytes can be a transaction."""
_WORKERS: Final = 256
MAX_STREAMS: Final = _WORKERS - 64
"""Each open status stream holds a worker; the others are left for the calls that are short."""
MAX_HOST_STREAMS: Final = 64
"""Status streams of one host, so that no single one can take all places."""
STALE_STREAM_SECONDS: Final = 300.0
"""How long a status stream stays open without news."""
UNKNOWN_STREAM_SECONDS: Final = 30.0
"""The same where the node has not received the transaction: anyone can ask for such a hash."""

_log = structlog.get_logger(__name__)


class Orderer(Protocol):
    """Where checked batches go."""

    def submit(self, batches: Sequence[Batch]) -> None:
        """Let batches wait for a block.

        Raises:
            PoolFullError: Too many wait; none of these was taken.
            StoppingError: The node stops; none of these was taken.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ToriiParts:
    """What the gate stands before.

    Attributes:
        engine: Checks transactions.
        orderer: Takes them in.
        state: Answers queries.
        statuses: Says what became of transactions.
        window: Returns the span of creation times that is accepted at this moment.
        health: Tells how the node is.
    """

    engine: Engine
    orderer: Orderer
    state: StateStore
    statuses: StatusBoard
    window: Callable[[], TimeWindow]
    health: Callable[[], NodeHealth]


class CommandService:
    """`iroha.protocol.CommandService_v1`."""

    name: Final = "iroha.protocol.CommandService_v1"

    def __init__(self, parts: ToriiParts) -> None:
        self._parts = parts
        self._places = _StreamPlaces()

    def torii(self, data: bytes, context: grpc.ServicerContext) -> Empty:
        """Take one transaction; what becomes of it is told by its status."""
        return self._take([decode(data, Transaction, context)], context)

    def list_torii(self, data: bytes, context: grpc.ServicerContext) -> Empty:
        """Take a list of transactions. One that is invalid makes the whole list invalid."""
        transactions = decode(data, TxList, context).transactions
        if len(transactions) > MAX_LIST_TRANSACTIONS:
            abort(
                context,
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"a list of {len(transactions)} transactions, {MAX_LIST_TRANSACTIONS} are allowed",
            )
        return self._take(transactions, context)

    def status(self, data: bytes, context: grpc.ServicerContext) -> ToriiResponse:
        """Return the newest status of a transaction."""
        tx_hash = _status_hash(data, context)
        return self._parts.statuses.newest(tx_hash) or self._stored_status(tx_hash)

    def status_stream(self, data: bytes, context: grpc.ServicerContext) -> Iterator[ToriiResponse]:
        """Yield a transaction's status and all that follow, until a final one."""
        tx_hash = _status_hash(data, context)
        host = context.peer().rpartition(":")[0]
        if refusal := self._places.take(host):
            abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, refusal)
        try:
            yield from self._follow(tx_hash, context)
        finally:
            self._places.give_back(host)

    def _follow(self, tx_hash: str, context: grpc.ServicerContext) -> Iterator[ToriiResponse]:
        stream = self._parts.statuses.open_stream(self._stored_status(tx_hash))
        # When the client leaves, the waiting thread is woken and ends.
        if not context.add_callback(lambda: stream.put(None)):
            stream.put(None)
        patience_s = UNKNOWN_STREAM_SECONDS
        try:
            while (response := stream.get(patience_s)) is not None:
                yield response
                if response.tx_status in FINAL:
                    return
                if response.tx_status != TxStatus.NOT_RECEIVED:
                    patience_s = STALE_STREAM_SECONDS
        except NothingCame:
            return
        finally:
            self._parts.statuses.close_stream(stream)

    def _take(self, messages: Sequence[Transaction], context: grpc.ServicerContext) -> Empty:
        window = self._parts.window()
        undecided = self._undecided(messages)
        try:
            batches = self._parts.engine.check(undecided, window)
        except InvalidTransactionError as error:
            self._refuse(undecided, error)
            return Empty()
        try:
            self._parts.orderer.submit(batches)
        except PoolFullError as error:
            abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
        except StoppingError as error:
            abort(context, grpc.StatusCode.UNAVAILABLE, str(error))
        return Empty()

    def _refuse(self, messages: list[Transaction], refusal: InvalidTransactionError) -> None:
        hashes = [transaction_hash(message).hex() for message in messages]
        _log.info("transactions refused", tx_hashes=hashes, place=refusal.place)
        self._parts.statuses.publish(
            *(
                ToriiResponse(
                    tx_status=TxStatus.STATELESS_VALIDATION_FAILED,
                    tx_hash=tx_hash,
                    err_or_cmd_name=str(refusal),
                )
                for tx_hash in hashes
            )
        )

    def _undecided(self, messages: Sequence[Transaction]) -> list[Transaction]:
        """Leave out the batches that were decided before: their statuses are told again."""
        with self._parts.state.snapshot() as view:
            return [
                message
                for group in group_transactions(messages)
                if not any(view.has_transaction(transaction_hash(each)) for each in group)
                for message in group
            ]

    def _stored_status(self, tx_hash: str) -> ToriiResponse:
        with self._parts.state.snapshot() as view:
            committed = view.decision(bytes.fromhex(tx_hash))
        status = {
            True: TxStatus.COMMITTED,
            False: TxStatus.REJECTED,
            None: TxStatus.NOT_RECEIVED,
        }[committed]
        return ToriiResponse(tx_status=status, tx_hash=tx_hash)


class _StreamPlaces:
    """Counts the open status streams, in all and of each host."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    def take(self, host: str) -> str | None:
        """Take a place for a host; return None, or why there is none."""
        with self._lock:
            if self._taken.total() >= MAX_STREAMS:
                return f"{MAX_STREAMS} status streams are open; ask for the status instead"
            if self._taken[host] >= MAX_HOST_STREAMS:
                return (
                    f"{MAX_HOST_STREAMS} status streams of this host are open; ask for the status "
                    "instead"
                )
            self._taken[host] += 1
            return None

    def give_back(self, host: str) -> None:
        """Give a taken place back; a host without any is forgotten."""
        with self._lock:
            self._taken[host] -= 1
            if not self._taken[host]:
                del self._taken[host]


class QueryService:
    """`iroha.protocol.QueryService_v1`."""

    name: Final = "iroha.protocol.QueryService_v1"

    def __init__(self, parts: ToriiParts) -> None:
        self._parts = parts

    def find(self, data: bytes, context: grpc.ServicerContext) -> QueryResponse:
        """Answer one query."""
        query = decode(data, Query, context)
        try:
            signatory = validate_query(query, self._parts.window())
        except InvalidQueryError as error:
            response = error_response(ErrorResponse.Reason.STATELESS_INVALID, 0, str(error))
            response.query_hash = hash_payload(query.payload).hex()
            return response
        with self._parts.state.snapshot() as view:
            return answer_query(view, query, signatory)

    def fetch_commits(
        self, data: bytes, context: grpc.ServicerContext
    ) -> Iterator[BlockQueryResponse]:
        """Say that the block stream is not supported by this node yet."""
        decode(data, BlocksQuery, context)
        error = BlockErrorResponse(message="FetchCommits is not supported by this node yet")
        yield BlockQueryResponse(block_error_response=error)

    def healthcheck(self, data: bytes, context: grpc.ServicerContext) -> HealthcheckData:
        """Report on the node."""
        decode(data, Empty, context)
        return self._parts.health().message()


class ToriiServer:
    """The gRPC server of both services.

    Attributes:
        address: `host:port` where clients connect.
        tls_address: The same over TLS; None where there is none.
    """

    def __init__(self, parts: ToriiParts, address: str, tls: TlsPort | None = None) -> None:
        """Bind the addresses; `start` answers on them.

        Args:
            parts: What the gate stands before.
            address: `host:port`; port 0 lets the system choose.
            tls: The port that is spoken to over TLS, beside the plain one.

        Raises:
            ConfigError: An address cannot be bound, or the certificate or its key cannot be used.
        """
        commands = CommandService(parts)
        queries = QueryService(parts)
        self._statuses = parts.statuses
        self._pool = ThreadPoolExecutor(max_workers=_WORKERS, thread_name_prefix="torii")
        self._server = grpc.server(
            self._pool,
            maximum_concurrent_rpcs=MAX_CALLS,
            options=[
                ("grpc.max_send_message_length", MAX_RESPONSE_BYTES),
                ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
                # Two nodes on one port would each see half of the transactions.
                ("grpc.so_reuseport", 0),
            ],
        )
        self._server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(
                    commands.name,
                    {
                        "Torii": unary_handler(commands.torii),
                        "ListTorii": unary_handler(commands.list_torii),
                        "Status": unary_handler(commands.status),
                        "StatusStream": stream_handler(commands.status_stream),
                    },
                ),
                grpc.method_handlers_generic_handler(
                    queries.name,
                    {
                        "Find": unary_handler(queries.find),
                        "FetchCommits": stream_handler(queries.fetch_commits),
                        "Healthcheck": unary_handler(queries.healthcheck),
                    },
                ),
            )
        )
        self.address = bind("Torii", self._server, address)
        self.tls_address = None if tls is None else bind_tls("Torii", self._server, tls)

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    def stop(self, grace_s: float = 5) -> None:
        """Take nothing new, end the streams, and return when the open calls are answered."""
        stopped = self._server.stop(grace_s)
        self._statuses.end_streams()
        stopped.wait()
        self._pool.shutdown()


def _status_hash(data: bytes, context: grpc.ServicerContext) -> str:
    tx_hash = decode(data, TxStatusRequest, context).tx_hash
    if not HASH.fullmatch(tx_hash):
        abort(context, grpc.StatusCode.INVALID_ARGUMENT, "tx_hash: 64 hex digits are expected")
    return tx_hash.lower()
