"""What is said of transactions when a block has decided them, whoever ordered it."""

from collections.abc import Sequence
from typing import Final

import structlog

from chaincode.batches import Batch
from chaincode.blocks import Receipt, Verdict
from chaincode.protocol.endpoint_pb2 import TxStatus
from node.ledger.statuses import Status

# Protobuf looks names up each time, and these are asked for with each transaction.
_VALID: Final = TxStatus.STATEFUL_VALIDATION_SUCCESS
_COMMITTED: Final = TxStatus.COMMITTED
_REJECTED: Final = TxStatus.REJECTED

_log = structlog.get_logger(__name__)


def told(batch: Batch, *statuses: TxStatus) -> list[Status]:
    """Return what is said of all transactions of a batch."""
    return [
        Status(transaction.hash, status)
        for transaction in batch.transactions
        for status in statuses
    ]


def log_block(height: int, receipts: Sequence[Receipt]) -> None:
    """Log a block that is written, and why it rejects what it rejects."""
    for receipt in receipts:
        if receipt.verdict is Verdict.REJECTED:
            _log.info(
                "transaction rejected",
                tx_hash=receipt.tx_hash.hex(),
                command=receipt.command_name,
                code=receipt.code,
                reason=receipt.reason,
            )
    _log.debug("block committed", height=height, transactions=len(receipts))


def validation_status(receipt: Receipt) -> Status:
    """Return what a receipt says before its block is written."""
    if receipt.verdict is Verdict.COMMITTED:
        return Status(receipt.tx_hash, _VALID)
    return Status(
        receipt.tx_hash,
        TxStatus.STATEFUL_VALIDATION_FAILED,
        reason=receipt.command_name,
        command_index=receipt.command_index,
        code=receipt.code,
    )


def final_status(receipt: Receipt) -> Status:
    """Return what a receipt says once its block is written."""
    committed = receipt.verdict is Verdict.COMMITTED
    return Status(receipt.tx_hash, _COMMITTED if committed else _REJECTED)
