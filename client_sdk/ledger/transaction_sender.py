"""Sending a transaction, and following it until the ledger has decided it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import grpc

from chaincode.protocol.endpoint_pb2 import ToriiResponse, TxList, TxStatus, TxStatusRequest
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.transactions import transaction_hash
from client_sdk.errors import TransactionFailedError, TransportError
from client_sdk.gathering import Gathering
from client_sdk.ledger.torii_channel import NO_ANSWER, NODE_STOPPED, ToriiChannel, status_code

_FINAL: Final = frozenset(
    {TxStatus.STATELESS_VALIDATION_FAILED, TxStatus.REJECTED, TxStatus.COMMITTED}
)
_DECIDED: Final = _FINAL | {TxStatus.STATEFUL_VALIDATION_FAILED}
_MOST_TOGETHER: Final = 64
"""How many transactions of several threads are sent by one call."""
_RESEND_PAUSE_S: Final = 0.1
_POLL_PAUSE_S: Final = 0.05
_MAX_POLL_PAUSE_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CommittedTransaction:
    """A transaction that the ledger has written for good.

    Attributes:
        tx_hash: SHA3-256 of the payload, 64 lower-case hex digits.
    """

    tx_hash: str


class TransactionSender:
    """Sends the transactions of one node's clients. Safe to share between threads."""

    def __init__(self, channel: ToriiChannel, *, timeout_s: float) -> None:
        """Work on a connection.

        Args:
            channel: The node's.
            timeout_s: How long a transaction may take until it is decided, in seconds.
        """
        self._channel = channel
        self._timeout_s = timeout_s
        self._can_submit = True
        self._submissions = Gathering(self._submit_all, most=_MOST_TOGETHER)

    def send(self, transaction: Transaction) -> CommittedTransaction:
        """Send a signed transaction and follow its statuses until the last one.

        Raises:
            TransactionFailedError: The ledger refused it; nothing was changed.
            TransportError: The node cannot be reached, or did not decide in time.
        """
        tx_hash = transaction_hash(transaction).hex()
        deadline = time.monotonic() + self._timeout_s
        with self._channel.transport_errors():
            while time.monotonic() < deadline:
                try:
                    decision = self._decide(transaction, tx_hash, deadline)
                except grpc.RpcError as error:
                    if status_code(error) not in NODE_STOPPED:
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
            f"ledger node {self._channel.address}: transaction {tx_hash} was not decided within "
            f"{self._timeout_s} s; send it again"
        )

    def _decide(
        self, transaction: Transaction, tx_hash: str, deadline: float
    ) -> ToriiResponse | None:
        """Send a transaction; return what decides it, or None where it has to be sent again."""
        if self._can_submit:
            try:
                response = self._submissions.ask(transaction, patience_s=self._timeout_s / 2)
            except TimeoutError:
                raise TransportError(
                    f"ledger node {self._channel.address}: it does not answer what was sent before"
                ) from None
            except grpc.RpcError as error:
                code = status_code(error)
                if code in NODE_STOPPED or code in NO_ANSWER:
                    raise
                # A node of Iroha 1; or one that takes no more streams, or not one of the others.
                self._can_submit = code != grpc.StatusCode.UNIMPLEMENTED
            else:
                if response is not None and response.tx_status in _DECIDED:
                    return response
        self._channel.torii(transaction, timeout=deadline - time.monotonic())
        return self._follow(tx_hash, deadline)

    def _submit_all(self, transactions: Sequence[Transaction]) -> list[ToriiResponse | None]:
        """Send transactions of several threads by one call, and return what became of each.

        It is None where the node did not say: it stopped meanwhile.
        """
        request = TxList(transactions=transactions)
        answers: list[ToriiResponse | None] = [None] * len(transactions)
        for response in self._channel.submit(request, timeout=self._timeout_s):
            if len(response.statuses) == len(transactions):
                answers = list(response.statuses)
        return answers

    def _follow(self, tx_hash: str, deadline: float) -> ToriiResponse | None:
        """Return the status that decides a transaction, or None where it has to be sent again."""
        try:
            return self._read_stream(tx_hash, deadline - time.monotonic())
        except grpc.RpcError as error:
            if status_code(error) != grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise
        # The node has no stream to spare, but the transaction is on its way.
        return self._poll(tx_hash, deadline)

    def _poll(self, tx_hash: str, deadline: float) -> ToriiResponse | None:
        """Ask for a transaction's status until it is final; None as in `_follow`."""
        pause_s = _POLL_PAUSE_S
        while (left_s := deadline - time.monotonic()) > 0:
            try:
                response = self._channel.status(TxStatusRequest(tx_hash=tx_hash), timeout=left_s)
            except grpc.RpcError as error:
                if status_code(error) != grpc.StatusCode.RESOURCE_EXHAUSTED:
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
        for response in self._channel.status_stream(
            TxStatusRequest(tx_hash=tx_hash), timeout=timeout_s
        ):
            if response.tx_status == TxStatus.NOT_RECEIVED:
                # The node came back between the two calls and does not know the transaction.
                return None
            if response.tx_status == TxStatus.STATEFUL_VALIDATION_FAILED:
                refusal = response
            elif response.tx_status in _FINAL:
                return refusal or response
        return None


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
