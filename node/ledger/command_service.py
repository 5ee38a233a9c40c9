"""`CommandService_v1`: takes transactions, and tells what becomes of them."""

from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from queue import Empty as NothingCame
from typing import Final

import grpc
import structlog
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from chaincode.batches import Batch, group_transactions
from chaincode.errors import InvalidTransactionError
from chaincode.ids import HASH_BYTES, hex_or_nothing
from chaincode.protocol.endpoint_pb2 import ToriiResponse, TxList, TxStatus, TxStatusRequest
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.transactions import transaction_hash
from node.errors import BatchRefusedError, NodeError, PeerUnreachableError, StoppingError
from node.ledger.calls import CallContext, CallEndedError, abort, decode, own_errors
from node.ledger.statuses import FINAL, Status, StatusStream
from node.ledger.stream_places import StreamPlaces
from node.ledger.torii_parts import ToriiParts

MAX_LIST_TRANSACTIONS: Final = 50_000
"""A list is refused whole before its first signature is checked; two bytes can be a transaction."""
STALE_STREAM_SECONDS: Final = 300.0
"""How long a status stream stays open without news."""
PENDING_STREAM_SECONDS: Final = 5.0
"""The same where the next news is a signature: it may come in days. Scripts that were written for
irohad, which ends such a stream after seconds, go on behind its end."""
UNKNOWN_STREAM_SECONDS: Final = 30.0
"""The same where the node has not received the transaction: anyone can ask for such a hash."""
_LOGGED_HASHES: Final = 10

_log = structlog.get_logger(__name__)


class CommandService:
    """`iroha.protocol.CommandService_v1`."""

    name: Final = "iroha.protocol.CommandService_v1"

    def __init__(self, parts: ToriiParts, places: StreamPlaces) -> None:
        self._parts = parts
        self._places = places

    def torii(self, data: bytes, context: CallContext) -> Empty:
        """Take one transaction; what becomes of it is told by its status."""
        return self._take([decode(data, Transaction, context)], context)

    def torii_together(
        self, calls: Sequence[tuple[bytes, CallContext]]
    ) -> Sequence[Message | None]:
        """Take one transaction of each call, as `torii` does; all are checked together."""
        answers: list[Message | None] = [None] * len(calls)
        lists: dict[int, Sequence[Transaction]] = {}
        for number, (data, context) in enumerate(calls):
            with suppress(CallEndedError):
                lists[number] = [decode(data, Transaction, context)]
        window = self._parts.window()
        undecided = self._undecided(list(lists.values()))
        checked = self._parts.engine.check_each(undecided, window)
        batches: dict[int, list[Batch]] = {}
        for number, messages, outcome in zip(lists, undecided, checked, strict=True):
            answers[number] = Empty()
            if isinstance(outcome, InvalidTransactionError):
                self._refuse(messages, outcome)
            else:
                batches[number] = outcome
        try:
            self._parts.orderer.submit(list(chain.from_iterable(batches.values())))
        except NodeError:
            # What waits is passed over: each call is told what became of its own.
            for number, own in batches.items():
                context = calls[number][1]
                try:
                    with own_errors(context):
                        self._submit(own, context)
                except CallEndedError:
                    answers[number] = None
        return answers

    def take_each(self, messages: Sequence[Transaction], context: CallContext) -> None:
        """Take transactions, each for itself, whatever becomes of the others."""
        window = self._parts.window()
        undecided = self._undecided([[message] for message in messages])
        batches: list[Batch] = []
        for own, outcome in zip(
            undecided, self._parts.engine.check_each(undecided, window), strict=True
        ):
            if isinstance(outcome, InvalidTransactionError):
                self._refuse(own, outcome)
            else:
                batches += outcome
        self._submit(batches, context)

    def open_stream(
        self, tx_hash: bytes, context: CallContext, *, wanted: Container[int] | None = None
    ) -> StatusStream:
        """Return a transaction's statuses; whoever reads them is woken when the client leaves.

        Args:
            tx_hash: The transaction.
            context: The call that reads them.
            wanted: Which statuses are told; all where it is left out.
        """
        stream = self._parts.statuses.open_stream(self._newest_status(tx_hash), wanted=wanted)
        if not context.add_callback(lambda: stream.put(None)):
            stream.put(None)
        return stream

    def list_torii(self, data: bytes, context: CallContext) -> Empty:
        """Take a list of transactions. One that is invalid makes the whole list invalid."""
        transactions = decode(data, TxList, context).transactions
        if len(transactions) > MAX_LIST_TRANSACTIONS:
            abort(
                context,
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"a list of {len(transactions)} transactions, {MAX_LIST_TRANSACTIONS} are allowed",
            )
        return self._take(transactions, context)

    def status(self, data: bytes, context: CallContext) -> ToriiResponse:
        """Return the newest status of a transaction."""
        tx_hash = _status_hash(data, context)
        return self._newest_status(tx_hash).response()

    def status_stream(self, data: bytes, context: CallContext) -> Iterator[ToriiResponse]:
        """Yield a transaction's status and all that follow, until a final one."""
        tx_hash = _status_hash(data, context)
        with self._places.hold(context):
            yield from self._follow(tx_hash, context)

    def _follow(self, tx_hash: bytes, context: CallContext) -> Iterator[ToriiResponse]:
        stream = self.open_stream(tx_hash, context)
        patience_s = 0.0 if len(tx_hash) != HASH_BYTES else UNKNOWN_STREAM_SECONDS
        try:
            while (status := stream.get(patience_s)) is not None:
                yield status.response()
                if status.status in FINAL:
                    return
                if status.status != TxStatus.NOT_RECEIVED:
                    is_pending = status.status == TxStatus.MST_PENDING
                    patience_s = PENDING_STREAM_SECONDS if is_pending else STALE_STREAM_SECONDS
        except NothingCame:
            return
        finally:
            self._parts.statuses.close_stream(stream)

    def _take(self, messages: Sequence[Transaction], context: CallContext) -> Empty:
        window = self._parts.window()
        (undecided,) = self._undecided([messages])
        try:
            batches = self._parts.engine.check(undecided, window)
        except InvalidTransactionError as error:
            self._refuse(undecided, error)
            return Empty()
        self._submit(batches, context)
        return Empty()

    def _submit(self, batches: Sequence[Batch], context: CallContext) -> None:
        try:
            self._parts.orderer.submit(batches)
        except BatchRefusedError as error:
            abort(context, grpc.StatusCode.PERMISSION_DENIED, str(error))
        except (StoppingError, PeerUnreachableError) as error:
            abort(context, grpc.StatusCode.UNAVAILABLE, str(error))

    def _refuse(self, messages: Sequence[Transaction], refusal: InvalidTransactionError) -> None:
        hashes = [transaction_hash(message) for message in messages]
        _log.info(
            "transactions refused",
            count=len(hashes),
            # Of two bytes each there are thousands in a list: they must not fill the log.
            tx_hashes=[tx_hash.hex() for tx_hash in hashes[:_LOGGED_HASHES]],
            place=refusal.place,
        )
        reason = str(refusal)
        self._parts.statuses.publish(
            Status(tx_hash, TxStatus.STATELESS_VALIDATION_FAILED, reason) for tx_hash in hashes
        )

    def _undecided(self, lists: Sequence[Sequence[Transaction]]) -> Sequence[Sequence[Transaction]]:
        """Leave out the batches that were decided before: their statuses are told again."""
        hashes = map(transaction_hash, chain.from_iterable(lists))
        with self._parts.state.snapshot() as view:
            decided = view.decided_among(hashes)
        if not decided:
            return lists
        return [
            [
                message
                for group in group_transactions(messages)
                if decided.isdisjoint(map(transaction_hash, group))
                for message in group
            ]
            for messages in lists
        ]

    def _newest_status(self, tx_hash: bytes) -> Status:
        if (remembered := self._parts.statuses.newest(tx_hash)) is not None:
            return remembered
        with self._parts.state.snapshot() as view:
            committed = view.decision(tx_hash)
        status = {
            True: TxStatus.COMMITTED,
            False: TxStatus.REJECTED,
            None: TxStatus.NOT_RECEIVED,
        }[committed]
        return Status(tx_hash, status)


def _status_hash(data: bytes, context: CallContext) -> bytes:
    """Return the hash that is asked for; as in irohad, text that is no hex is the empty hash."""
    return bytes.fromhex(hex_or_nothing(decode(data, TxStatusRequest, context).tx_hash))
