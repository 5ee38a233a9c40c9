"""A client of Torii, the gRPC gate of a ledger node: sends transactions, asks queries."""

import itertools
import json
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self, TypeVar

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from grpc.experimental import ChannelOptions

from chaincode.errors import DecodeError
from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.endpoint_pb2 import ToriiResponse, TxList, TxStatus, TxStatusRequest
from chaincode.protocol.primitive_pb2 import Signature
from chaincode.protocol.proofs_pb2 import (
    CheckpointRequest,
    CheckpointResponse,
    ProofRequest,
    ProofResponse,
)
from chaincode.protocol.qry_responses_pb2 import ErrorResponse, HealthcheckData, QueryResponse
from chaincode.protocol.queries_pb2 import (
    GetAccountDetail,
    GetBlock,
    GetSignatories,
    Query,
    QueryPayloadMeta,
)
from chaincode.protocol.submission_pb2 import SubmitResponse
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.records import IdentityRecord, decode_record
from chaincode.transactions import block_hash, transaction_hash
from client_sdk.errors import QueryFailedError, TransactionFailedError, TransportError
from client_sdk.gathering import Gathering
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.call_tracing import traced_channel

MAX_MESSAGE_BYTES: Final = 128 * 1024 * 1024
"""The largest gRPC message, as in irohad: one detail may be 4 MiB long."""

_FINAL: Final = frozenset(
    {TxStatus.STATELESS_VALIDATION_FAILED, TxStatus.REJECTED, TxStatus.COMMITTED}
)
_DECIDED: Final = _FINAL | {TxStatus.STATEFUL_VALIDATION_FAILED}
_MOST_TOGETHER: Final = 64
"""How many transactions of several threads are sent by one call."""
_RESEND_PAUSE_S: Final = 0.1
_POLL_PAUSE_S: Final = 0.05
_MAX_POLL_PAUSE_S: Final = 1.0
# A node that stops cancels the calls that it has not answered.
_NODE_STOPPED: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})
_NO_ANSWER: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})
# A node that restarts is waited for: the channel tries again by itself within the deadline.
_SERVICE_CONFIG: Final = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{}],
                "waitForReady": True,
                "retryPolicy": {
                    "maxAttempts": 5,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "1s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    }
)
_Record = TypeVar("_Record", bound=IdentityRecord)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommittedTransaction:
    """A transaction that the ledger has written for good.

    Attributes:
        tx_hash: SHA3-256 of the payload, 64 lower-case hex digits.
    """

    tx_hash: str


class LedgerClient:
    """One account's connection to one ledger node. Safe to share between threads."""

    def __init__(
        self,
        address: str,
        account_id: str,
        key: AccountKey,
        *,
        timeout_s: float = 30,
        root_certificates: bytes | None = None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """Prepare a connection; the first call opens it.

        Args:
            address: `host:port` of the node's Torii.
            account_id: The account that signs transactions and queries.
            key: A signatory of that account.
            timeout_s: How long one call may last, in seconds.
            root_certificates: The certificates, PEM, that the node's own must lead to; it is spoken
                to over TLS then, else in plain.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self.account_id = account_id
        self._address = address
        self._key = key
        self._timeout_s = timeout_s
        self._now_ms = now_ms
        # A query that was seen before is refused: the counter makes each one new, also beside other
        # clients of the account.
        self._query_counter = itertools.count(1 + secrets.randbelow(2**62))
        options = [
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.service_config", _SERVICE_CONFIG),
            # Else a thread is started for each stream.
            (ChannelOptions.SingleThreadedUnaryStream, 1),
        ]
        if root_certificates is None:
            channel = grpc.insecure_channel(address, options)
        else:
            credentials = grpc.ssl_channel_credentials(root_certificates)
            channel = grpc.secure_channel(address, credentials, options)
        self._channel = traced_channel(channel, address)
        command_service = "/iroha.protocol.CommandService_v1/"
        query_service = "/iroha.protocol.QueryService_v1/"
        self._torii = self._channel.unary_unary(
            command_service + "Torii", Transaction.SerializeToString, Empty.FromString
        )
        self._status_stream = self._channel.unary_stream(
            command_service + "StatusStream",
            TxStatusRequest.SerializeToString,
            ToriiResponse.FromString,
        )
        self._status = self._channel.unary_unary(
            command_service + "Status", TxStatusRequest.SerializeToString, ToriiResponse.FromString
        )
        self._find = self._channel.unary_unary(
            query_service + "Find", Query.SerializeToString, QueryResponse.FromString
        )
        proof_service = "/tegata.ledger.ProofService/"
        self._prove = self._channel.unary_unary(
            proof_service + "Prove", ProofRequest.SerializeToString, ProofResponse.FromString
        )
        self._checkpoint = self._channel.unary_unary(
            proof_service + "Checkpoint",
            CheckpointRequest.SerializeToString,
            CheckpointResponse.FromString,
        )
        self._submit = self._channel.unary_stream(
            "/tegata.ledger.SubmitService/Submit",
            TxList.SerializeToString,
            SubmitResponse.FromString,
        )
        self._can_submit = True
        self._submissions = Gathering(self._submit_all, most=_MOST_TOGETHER)
        self._healthcheck = self._channel.unary_unary(
            query_service + "Healthcheck", Empty.SerializeToString, HealthcheckData.FromString
        )

    def submit(self, *commands: Command, quorum: int = 1) -> CommittedTransaction:
        """Sign the commands as one transaction, send it, and wait until it is committed.

        Raises:
            TransactionFailedError: The ledger refused it; nothing was changed.
            TransportError: The node cannot be reached, or did not decide in time.
        """
        transaction = self.build_transaction(*commands, quorum=quorum)
        self.sign_transaction(transaction)
        return self.send(transaction)

    def build_transaction(
        self, *commands: Command, quorum: int = 1, creator: str | None = None
    ) -> Transaction:
        """Return an unsigned transaction, created now, of this account or of another `creator`."""
        transaction = Transaction()
        reduced = transaction.payload.reduced_payload
        reduced.commands.extend(commands)
        reduced.creator_account_id = creator or self.account_id
        reduced.created_time = self._now_ms()
        reduced.quorum = quorum
        return transaction

    def sign_transaction(self, transaction: Transaction) -> None:
        """Add this account's signature to a transaction."""
        transaction.signatures.append(self._sign(transaction.payload))

    def send(self, transaction: Transaction) -> CommittedTransaction:
        """Send a signed transaction and follow its statuses until the last one.

        Raises:
            TransactionFailedError: The ledger refused it; nothing was changed.
            TransportError: The node cannot be reached, or did not decide in time.
        """
        tx_hash = transaction_hash(transaction).hex()
        deadline = time.monotonic() + self._timeout_s
        with _transport_errors(self._address):
            while time.monotonic() < deadline:
                try:
                    decision = self._decide(transaction, tx_hash, deadline)
                except grpc.RpcError as error:
                    if _status_code(error) not in _NODE_STOPPED:
                        raise
                    decision = None
                if decision is None:
                    # The node stopped. It may have lost the transaction, so it is sent again:
                    # the ledger takes none twice.
                    time.sleep(_RESEND_PAUSE_S)
                    continue
                if decision.tx_status == TxStatus.COMMITTED:
                    return CommittedTransaction(tx_hash=tx_hash)
                raise _transaction_failed(tx_hash, decision)
        raise TransportError(
            f"ledger node {self._address}: transaction {tx_hash} was not decided within "
            f"{self._timeout_s} s; send it again"
        )

    def account_detail(self, account_id: str, key: str, *, writer: str) -> str | None:
        """Return one detail's value, or None where it does not exist.

        Raises:
            QueryFailedError: This account may not read it.
            TransportError: The node cannot be reached.
        """
        query = GetAccountDetail(account_id=account_id, key=key, writer=writer)
        return self._read_details(query).get(key)

    def details(self, account_id: str, *, writer: str) -> dict[str, str]:
        """Return all details of an account that `writer` wrote, by key.

        Raises:
            QueryFailedError: This account may not read them.
            TransportError: The node cannot be reached.
        """
        return self._read_details(GetAccountDetail(account_id=account_id, writer=writer))

    def details_by_writer(self, account_id: str) -> dict[str, dict[str, str]]:
        """Return all details of an account: by who wrote them, then by key.

        Raises:
            QueryFailedError: This account may not read them.
            TransportError: The node cannot be reached.
        """
        return self._find_details(GetAccountDetail(account_id=account_id))

    def record(
        self, account_id: str, record_id: str, kind: type[_Record], *, writer: str | None = None
    ) -> _Record | None:
        """Return an identity record, or None where there is no valid one.

        Args:
            account_id: The account that holds it.
            record_id: Its id, or `NO_ID`.
            kind: The kind of record.
            writer: Who must have written it; by default the account itself.

        Raises:
            QueryFailedError: This account may not read it.
            TransportError: The node cannot be reached.
        """
        value = self.account_detail(account_id, kind.key(record_id), writer=writer or account_id)
        if value is None:
            return None
        try:
            return decode_record(value, kind)
        except DecodeError:
            return None

    def signatories(self, account_id: str) -> frozenset[str]:
        """Return the public keys of an account, in the form that Iroha writes.

        Raises:
            QueryFailedError: There is no such account, or this account may not read its keys.
            TransportError: The node cannot be reached.
        """
        query = GetSignatories(account_id=account_id)
        response = self.find(Query.Payload(get_signatories=query))
        return frozenset(key.lower() for key in response.signatories_response.keys)

    def block(self, height: int) -> Block:
        """Return the block at a height, counted from 1.

        Raises:
            QueryFailedError: There is no such block, or this account may not read blocks.
            TransportError: The node cannot be reached.
        """
        response = self.find(Query.Payload(get_block=GetBlock(height=height)))
        return response.block_response.block

    def ledger_id(self) -> str:
        """Return the ledger's name: the hash of its genesis block, 64 hex digits.

        Raises:
            QueryFailedError: This account may not read blocks.
            TransportError: The node cannot be reached.
        """
        return block_hash(self.block(1)).hex()

    def health(self) -> HealthcheckData:
        """Return the node's report on itself.

        Raises:
            TransportError: The node cannot be reached.
        """
        with _transport_errors(self._address):
            return self._healthcheck(Empty(), timeout=self._timeout_s)

    def height(self) -> int:
        """Return the height of the chain.

        A health check tells the round that the node is in, as irohad's does: the height of the
        block that comes next.

        Raises:
            TransportError: The node cannot be reached.
        """
        return self.health().last_block_height - 1

    def find(self, payload: Query.Payload) -> QueryResponse:
        """Sign and ask one query.

        Raises:
            QueryFailedError: The ledger refused it.
            TransportError: The node cannot be reached.
        """
        payload.meta.CopyFrom(self._query_meta())
        query = Query(payload=payload, signature=self._sign(payload))
        with _transport_errors(self._address):
            response = self._find(query, timeout=self._timeout_s)
        if response.HasField("error_response"):
            name = f"query {payload.WhichOneof('query')}"
            raise _query_failed(name, response.error_response)
        return response

    def prove(self, payload: ProofRequest.Payload) -> ProofResponse:
        """Sign and ask for proofs of entries; nothing of the answer is checked.

        Raises:
            QueryFailedError: The ledger refused it.
            TransportError: The node cannot be reached.
        """
        payload.meta.CopyFrom(self._query_meta())
        request = ProofRequest(payload=payload, signature=self._sign(payload))
        with _transport_errors(self._address):
            response = self._prove(request, timeout=self._timeout_s)
        if response.HasField("error_response"):
            raise _query_failed("proof", response.error_response)
        return response

    def checkpoint(self, known_size: int = 0) -> CheckpointResponse:
        """Ask for the checkpoint of the chain's top; nothing of the answer is checked.

        Args:
            known_size: The size of a checkpoint that is known, for a proof that the log has only
                grown since.

        Raises:
            TransportError: The node cannot be reached.
        """
        with _transport_errors(self._address):
            return self._checkpoint(
                CheckpointRequest(known_size=known_size), timeout=self._timeout_s
            )

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _read_details(self, query: GetAccountDetail) -> dict[str, str]:
        return self._find_details(query).get(query.writer, {})

    def _find_details(self, query: GetAccountDetail) -> dict[str, dict[str, str]]:
        response = self.find(Query.Payload(get_account_detail=query))
        try:
            details = json.loads(response.account_detail_response.detail or "{}")
            return {
                writer: {key: value for key, value in written.items() if isinstance(value, str)}
                for writer, written in details.items()
            }
        except (ValueError, AttributeError, RecursionError):
            raise TransportError(
                f"ledger node {self._address}: an account detail answer is not a JSON object"
            ) from None

    def _decide(
        self, transaction: Transaction, tx_hash: str, deadline: float
    ) -> ToriiResponse | None:
        """Send a transaction; return what decides it, or None where it has to be sent again."""
        if self._can_submit:
            try:
                response = self._submissions.ask(transaction, patience_s=self._timeout_s / 2)
            except TimeoutError:
                raise TransportError(
                    f"ledger node {self._address}: it does not answer what was sent before"
                ) from None
            except grpc.RpcError as error:
                code = _status_code(error)
                if code in _NODE_STOPPED or code in _NO_ANSWER:
                    raise
                # A node of Iroha 1; or one that takes no more streams, or not one of the others.
                self._can_submit = code != grpc.StatusCode.UNIMPLEMENTED
            else:
                if response is not None and response.tx_status in _DECIDED:
                    return response
        self._torii(transaction, timeout=deadline - time.monotonic())
        return self._follow(tx_hash, deadline)

    def _submit_all(self, transactions: Sequence[Transaction]) -> list[ToriiResponse | None]:
        """Send transactions of several threads by one call, and return what became of each.

        It is None where the node did not say: it stopped meanwhile.
        """
        request = TxList(transactions=transactions)
        answers: list[ToriiResponse | None] = [None] * len(transactions)
        for response in self._submit(request, timeout=self._timeout_s):
            if len(response.statuses) == len(transactions):
                answers = list(response.statuses)
        return answers

    def _follow(self, tx_hash: str, deadline: float) -> ToriiResponse | None:
        """Return the status that decides a transaction, or None where it has to be sent again."""
        try:
            return self._read_stream(tx_hash, deadline - time.monotonic())
        except grpc.RpcError as error:
            if _status_code(error) != grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise
        # The node has no stream to spare, but the transaction is on its way.
        return self._poll(tx_hash, deadline)

    def _poll(self, tx_hash: str, deadline: float) -> ToriiResponse | None:
        """Ask for a transaction's status until it is final; None as in `_follow`."""
        pause_s = _POLL_PAUSE_S
        while (left_s := deadline - time.monotonic()) > 0:
            try:
                response = self._status(TxStatusRequest(tx_hash=tx_hash), timeout=left_s)
            except grpc.RpcError as error:
                if _status_code(error) != grpc.StatusCode.RESOURCE_EXHAUSTED:
                    raise
            else:
                if response.tx_status in _FINAL:
                    return response
                if response.tx_status == TxStatus.NOT_RECEIVED:
                    return None
            time.sleep(min(pause_s, left_s))
            pause_s = min(2 * pause_s, _MAX_POLL_PAUSE_S)
        return None

    def _read_stream(self, tx_hash: str, timeout_s: float) -> ToriiResponse | None:
        """Return the status that decides a transaction, or None where the stream ends before it.

        Of a rejection it is the status before the final one: that says why.
        """
        refusal: ToriiResponse | None = None
        for response in self._status_stream(TxStatusRequest(tx_hash=tx_hash), timeout=timeout_s):
            if response.tx_status == TxStatus.NOT_RECEIVED:
                # The node came back between the two calls and does not know the transaction.
                return None
            if response.tx_status == TxStatus.STATEFUL_VALIDATION_FAILED:
                refusal = response
            elif response.tx_status in _FINAL:
                return refusal or response
        return None

    def _query_meta(self) -> QueryPayloadMeta:
        return QueryPayloadMeta(
            created_time=self._now_ms(),
            creator_account_id=self.account_id,
            query_counter=next(self._query_counter),
        )

    def _sign(self, payload: Message) -> Signature:
        return Signature(
            public_key=self._key.public_key,
            signature=self._key.sign(payload.SerializeToString()),
        )


@contextmanager
def _transport_errors(address: str) -> Iterator[None]:
    try:
        yield
    except ValueError:
        # gRPC's word for a channel that was closed.
        raise TransportError(f"ledger node {address}: this client was closed") from None
    except grpc.RpcError as error:
        code = _status_code(error)
        name = code.name if code is not None else type(error).__name__
        if isinstance(error, grpc.Call) and code not in _NO_ANSWER:
            raise TransportError(f"ledger node {address}: {name}: {error.details()}") from None
        raise TransportError(
            f"ledger node {address}: {name}; is the node running, and is the address right?"
        ) from None


def _status_code(error: grpc.RpcError) -> grpc.StatusCode | None:
    return error.code() if isinstance(error, grpc.Call) else None


def _query_failed(name: str, error: ErrorResponse) -> QueryFailedError:
    reason = ErrorResponse.Reason.DESCRIPTOR.values_by_number.get(error.reason)
    return QueryFailedError(
        f"ledger {name}: {error.message}",
        reason=reason.name if reason is not None else str(error.reason),
        code=error.error_code,
    )


def _transaction_failed(tx_hash: str, response: ToriiResponse) -> TransactionFailedError:
    status = TxStatus.Name(response.tx_status)
    where = response.err_or_cmd_name or "no command named"
    return TransactionFailedError(
        f"transaction {tx_hash}: {status}, {where} (command {response.failed_cmd_index}, "
        f"code {response.error_code})",
        tx_hash=tx_hash,
        status=status,
        code=response.error_code,
        command_index=response.failed_cmd_index,
    )
