"""`tegata.ledger.SubmitService`: takes transactions and answers when they are decided."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from queue import Empty as NothingCame
from typing import Final

import grpc

from chaincode.protocol.endpoint_pb2 import TxList, TxStatus
from chaincode.protocol.submission_pb2 import SubmitResponse
from chaincode.transactions import transaction_hash
from node.ledger.calls import CallContext, abort, decode
from node.ledger.command_service import CommandService
from node.ledger.statuses import FINAL, Status, StatusStream
from node.ledger.stream_places import StreamPlaces
from node.ledger.torii_parts import ToriiParts

MAX_TRANSACTIONS: Final = 256
"""How many transactions one call may have."""
PATIENCE_SECONDS: Final = 60.0
"""How long a call waits for its transactions."""
_DECIDED: Final = FINAL | {TxStatus.MST_PENDING}
"""What waits for signatures may wait for days."""


class SubmitService:
    """`tegata.ledger.SubmitService`."""

    name: Final = "tegata.ledger.SubmitService"

    def __init__(self, parts: ToriiParts, commands: CommandService, places: StreamPlaces) -> None:
        self._parts = parts
        self._commands = commands
        self._places = places

    def submit(self, data: bytes, context: CallContext) -> Iterator[SubmitResponse]:
        """Take transactions, each for itself; yield one answer when all are decided."""
        transactions = decode(data, TxList, context).transactions
        if len(transactions) > MAX_TRANSACTIONS:
            abort(
                context,
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"a call of {len(transactions)} transactions, {MAX_TRANSACTIONS} are allowed",
            )
        with self._places.hold(context):
            self._commands.take_each(transactions, context)
            # What was told of them meanwhile is remembered: nothing is lost on the way.
            streams = [
                self._commands.open_stream(transaction_hash(each), context, wanted=_DECIDED)
                for each in transactions
            ]
            try:
                yield SubmitResponse(
                    statuses=[status.response() for status in self._decisions(streams)]
                )
            finally:
                for stream in streams:
                    self._parts.statuses.close_stream(stream)

    def _decisions(self, streams: Sequence[StatusStream]) -> Iterator[Status]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        for stream in streams:
            newest = Status(stream.tx_hash, TxStatus.NOT_RECEIVED)
            with suppress(NothingCame):
                newest = stream.get(max(0.0, deadline - time.monotonic())) or newest
            is_rejected = newest.status == TxStatus.REJECTED
            reason = self._parts.statuses.failure(stream.tx_hash) if is_rejected else None
            yield reason or newest
