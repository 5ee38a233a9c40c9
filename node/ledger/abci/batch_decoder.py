"""Transactions of CometBFT as batches: each is the `TxList` of one whole batch.

CometBFT hands the same bytes over up to four times (CheckTx, PrepareProposal, ProcessProposal,
FinalizeBlock): what was found well formed and signed is remembered, and is not checked again.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from google.protobuf.message import DecodeError

from chaincode.batches import Batch, validate_batches
from chaincode.errors import InvalidTransactionError
from chaincode.protocol.endpoint_pb2 import TxList
from chaincode.replication import MAX_BATCH_BYTES
from chaincode.stateless import Verdicts, verify_together
from chaincode.transactions import transaction_hash
from node.ledger.engine import MAX_BLOCK_TRANSACTIONS
from node.ledger.quarantine import OF_THE_MACHINE, log_fault

_REMEMBERED_BYTES: Final = 32 * 1024 * 1024


class BatchDecoder:
    """Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, Batch] = OrderedDict()
        self._size_bytes = 0

    def remember(self, data: bytes, batch: Batch) -> None:
        """Remember a batch that was checked before it was encoded."""
        self._remember(hashlib.sha256(data).digest(), batch)

    def decode(self, data: bytes) -> Batch:
        """Return the batch that the bytes are.

        Raises:
            InvalidTransactionError: They are none, or it is not well formed or not signed.
        """
        (outcome,) = self.decode_all([data])
        if isinstance(outcome, InvalidTransactionError):
            raise outcome
        return outcome

    def decode_all(self, datas: Sequence[bytes]) -> list[Batch | InvalidTransactionError]:
        """Return for each the batch, or what is wrong; all signatures are verified together.

        When it was made is not asked: that is for the gates of those who take it in.
        """
        keys = [hashlib.sha256(data).digest() for data in datas]
        with self._lock:
            found: list[Batch | InvalidTransactionError | None] = [
                self._known.get(key) for key in keys
            ]
        lists = {
            place: parse_batch(data) for place, data in enumerate(datas) if found[place] is None
        }
        parsed = [each for each in lists.values() if isinstance(each, TxList)]
        verdicts = verify_together(message for each in parsed for message in each.transactions)
        outcomes: list[Batch | InvalidTransactionError] = []
        for place, known in enumerate(found):
            outcome = known or _validate(lists[place], verdicts)
            if known is None and isinstance(outcome, Batch):
                self._remember(keys[place], outcome)
            outcomes.append(outcome)
        return outcomes

    def _remember(self, key: bytes, batch: Batch) -> None:
        with self._lock:
            if key in self._known:
                return
            self._known[key] = batch
            self._size_bytes += batch.size_bytes
            while self._size_bytes > _REMEMBERED_BYTES and len(self._known) > 1:
                _, oldest = self._known.popitem(last=False)
                self._size_bytes -= oldest.size_bytes


def parse_batch(data: bytes) -> TxList | InvalidTransactionError:
    """Return the list of transactions that the bytes are, or what is wrong with them."""
    if len(data) > MAX_BATCH_BYTES:
        return InvalidTransactionError(
            f"a batch of {len(data)} bytes, {MAX_BATCH_BYTES} are allowed"
        )
    try:
        batch = TxList.FromString(data)
    except DecodeError:
        return InvalidTransactionError("the bytes are no list of transactions")
    if not batch.transactions:
        return InvalidTransactionError("a batch without a transaction")
    if len(batch.transactions) > MAX_BLOCK_TRANSACTIONS:
        # Millions of empty ones fit in, and each would be looked at.
        return InvalidTransactionError(
            f"a batch of {len(batch.transactions)} transactions, {MAX_BLOCK_TRANSACTIONS} are "
            "allowed"
        )
    return batch


def _validate(
    parsed: TxList | InvalidTransactionError, verdicts: Verdicts
) -> Batch | InvalidTransactionError:
    if isinstance(parsed, InvalidTransactionError):
        return parsed
    try:
        batches = validate_batches(parsed.transactions, None, MAX_BLOCK_TRANSACTIONS, verdicts)
    except InvalidTransactionError as error:
        return error
    except OF_THE_MACHINE:
        raise
    except Exception as fault:  # noqa: BLE001 - who sends it must not stop the peers
        log_fault("batch: it is refused", transaction_hash(parsed.transactions[0]), fault)
        return InvalidTransactionError(f"the rules failed: {type(fault).__name__}")
    if len(batches) != 1:
        return InvalidTransactionError(f"{len(batches)} batches where one is expected")
    return batches[0]
