"""A client of Torii, the gRPC gate of a ledger node: sends transactions, asks queries."""

import itertools
import json
import secrets
import time
from collections.abc import Callable
from typing import Self, TypeVar

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from chaincode.errors import DecodeError
from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.commands_pb2 import Command
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
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.records import IdentityRecord, decode_record
from chaincode.transactions import block_hash
from client_sdk.errors import QueryFailedError, TransportError
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.torii_channel import ToriiChannel
from client_sdk.ledger.transaction_sender import CommittedTransaction, TransactionSender

_Record = TypeVar("_Record", bound=IdentityRecord)


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
        channel: ToriiChannel | None = None,
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
            channel: The connection, where there is one already; the client closes it.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self.account_id = account_id
        self._channel = channel or ToriiChannel(address, root_certificates=root_certificates)
        self._sender = TransactionSender(self._channel, timeout_s=timeout_s)
        self._key = key
        self._timeout_s = timeout_s
        self._now_ms = now_ms
        # A query that was seen before is refused: the counter makes each one new, also beside other
        # clients of the account.
        self._query_counter = itertools.count(1 + secrets.randbelow(2**62))

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
        return self._sender.send(transaction)

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
        with self._channel.transport_errors():
            return self._channel.healthcheck(Empty(), timeout=self._timeout_s)

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
        with self._channel.transport_errors():
            response = self._channel.find(query, timeout=self._timeout_s)
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
        with self._channel.transport_errors():
            response = self._channel.prove(request, timeout=self._timeout_s)
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
        with self._channel.transport_errors():
            return self._channel.checkpoint(
                CheckpointRequest(known_size=known_size), timeout=self._timeout_s
            )

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
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
                f"ledger node {self._channel.address}: an account detail is not a JSON object"
            ) from None

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


def _query_failed(name: str, error: ErrorResponse) -> QueryFailedError:
    reason = ErrorResponse.Reason.DESCRIPTOR.values_by_number.get(error.reason)
    return QueryFailedError(
        f"ledger {name}: {error.message}",
        reason=reason.name if reason is not None else str(error.reason),
        code=error.error_code,
    )
