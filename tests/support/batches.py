"""Batches for tests: lone transactions, and lists with batch meta as Iroha's clients make them."""

from collections.abc import Iterable

from chaincode.batches import Batch
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.stateless import validate_transaction
from chaincode.transactions import ValidTransaction, hash_payload

BatchMeta = Transaction.Payload.BatchMeta
ATOMIC, ORDERED = BatchMeta.ATOMIC, BatchMeta.ORDERED


def lone(*transactions: ValidTransaction) -> list[Batch]:
    """Return transactions as batches of one."""
    return [Batch((transaction,)) for transaction in transactions]


def set_meta(*messages: Transaction, kind: int = ATOMIC) -> None:
    """Bind transactions to one batch. Sign them after that, not before."""
    hashes = [hash_payload(message.payload.reduced_payload).hex() for message in messages]
    for message in messages:
        message.payload.batch.CopyFrom(BatchMeta(type=BatchMeta.BatchType.Name(kind)))
        message.payload.batch.reduced_hashes.extend(hashes)


def batch_of(messages: Iterable[Transaction]) -> Batch:
    """Return signed transactions as one batch, whatever its meta says."""
    return Batch(tuple(validate_transaction(message, None) for message in messages))
