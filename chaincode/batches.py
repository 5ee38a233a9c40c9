"""Batches: transactions that are sent, collected and decided together.

A transaction without batch meta is a batch of one. Those that follow each other in a list or in a
block and have equal meta make one batch, as in irohad's `TransactionBatchParserImpl`.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, groupby, zip_longest
from typing import Final, TypeAlias

from google.protobuf.message import DecodeError as ProtobufDecodeError

from chaincode.broken_rules import BrokenRule, Finding, gather
from chaincode.errors import DecodeError, InvalidTransactionError
from chaincode.ids import hex_or_nothing
from chaincode.protocol.endpoint_pb2 import TxList
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.stateless import TimeWindow, Verdicts, validate_transactions
from chaincode.transactions import ValidTransaction, hash_payload

ATOMIC: Final = Transaction.Payload.BatchMeta.ATOMIC


@dataclass(frozen=True)
class Batch:
    """Transactions of one batch; only the functions of this module and of `multisignature` make it.

    Attributes:
        transactions: In their order, at least one.
    """

    transactions: tuple[ValidTransaction, ...]

    @property
    def is_atomic(self) -> bool:
        """Whether all of it is applied or nothing; else each transaction is decided by itself."""
        payload = self.transactions[0].message.payload
        return payload.HasField("batch") and payload.batch.type == ATOMIC

    @cached_property
    def hash(self) -> bytes:
        """SHA3-256 of the hashes of its transactions, 32 bytes. Signatures are not part of it."""
        digest = hashlib.sha3_256()
        for transaction in self.transactions:
            digest.update(transaction.hash)
        return digest.digest()

    @cached_property
    def size_bytes(self) -> int:
        """How long its transactions are, signatures included."""
        return sum(transaction.message.ByteSize() for transaction in self.transactions)

    @property
    def has_all_signatures(self) -> bool:
        """Whether each transaction is signed by as many keys as its own quorum asks."""
        return all(
            len(transaction.signatories) >= transaction.quorum for transaction in self.transactions
        )

    def encode(self) -> bytes:
        """Return the batch as a serialised `TxList`."""
        return TxList(
            transactions=[transaction.message for transaction in self.transactions]
        ).SerializeToString()


_Meta: TypeAlias = tuple[int, tuple[str, ...]]


def group_transactions(messages: Iterable[Transaction]) -> list[list[Transaction]]:
    """Return the transactions of each batch of a list; each list has at least one."""
    groups: list[list[Transaction]] = []
    for meta, run in groupby(messages, _meta):
        group = list(run)
        groups += [group] if meta else [[message] for message in group]
    return groups


def validate_batches(
    messages: Sequence[Transaction],
    window: TimeWindow | None,
    max_batch_transactions: int,
    verdicts: Verdicts | None = None,
) -> list[Batch]:
    """Return the batches of a list as clients send it. One that is invalid makes all invalid.

    Args:
        messages: The decoded transactions.
        window: When they may have been made; None where that was settled before.
        max_batch_transactions: How many transactions a batch may have.
        verdicts: Of their signatures, where these were verified before.

    Raises:
        InvalidTransactionError: A rule is broken; the text says which, in irohad's words.
    """
    transactions = iter(validate_transactions(messages, window, verdicts))
    batches = []
    for group in group_transactions(messages):
        batch = Batch(tuple(next(transactions) for _ in group))
        if problem := gather("Batch transactions", _findings(batch, max_batch_transactions)):
            raise InvalidTransactionError(f"Batch deserialization failed: {problem}", problem.place)
        batches.append(batch)
    return batches


def restore_batches(messages: Iterable[Transaction]) -> list[Batch]:
    """Return the batches of a block, or of bytes that were accepted before.

    Their time and size were settled then. An ordered batch may lack what was rejected.

    Raises:
        InvalidTransactionError: A transaction is malformed, or an atomic batch is not whole.
    """
    messages = list(messages)
    transactions = iter(validate_transactions(messages, None))
    batches = []
    for group in chain.from_iterable(map(_whole_batches, group_transactions(messages))):
        batch = Batch(tuple(next(transactions) for _ in group))
        if batch.is_atomic and _meta(group[0]) != (ATOMIC, _reduced_hashes(batch)):
            raise InvalidTransactionError(
                f"transaction {batch.transactions[0].hash.hex()}: its atomic batch is not whole"
            )
        batches.append(batch)
    return batches


def decode_batch(data: bytes) -> Batch:
    """Return the batch that `Batch.encode` wrote.

    Raises:
        DecodeError: The bytes are no batch of well-formed transactions.
    """
    try:
        batches = restore_batches(TxList.FromString(data).transactions)
    except (InvalidTransactionError, ProtobufDecodeError) as error:
        raise DecodeError(f"a stored batch: {error}") from None
    if len(batches) != 1:
        raise DecodeError(f"a stored batch: {len(batches)} batches")
    return batches[0]


def _whole_batches(group: list[Transaction]) -> Iterator[list[Transaction]]:
    """Yield the batches of a block's transactions with equal meta.

    There may be several atomic ones: payloads whose hashes differ may still have equal meta, as it
    may be written in upper case, or stand beside fields that nobody knows.
    """
    meta = _meta(group[0])
    if meta is None or meta[0] != ATOMIC:
        yield group
        return
    size = max(1, len(meta[1]))
    for start in range(0, len(group), size):
        yield group[start : start + size]


def _meta(message: Transaction) -> _Meta | None:
    if not message.payload.HasField("batch"):
        return None
    meta = message.payload.batch
    return meta.type, tuple(map(hex_or_nothing, meta.reduced_hashes))


def _reduced_hashes(batch: Batch) -> tuple[str, ...]:
    return tuple(
        hash_payload(transaction.message.payload.reduced_payload).hex()
        for transaction in batch.transactions
    )


def _findings(batch: Batch, max_transactions: int) -> Iterator[Finding]:
    """Yield what is wrong with a batch, in the words of irohad's `BatchOrderValidator`."""
    count = len(batch.transactions)
    if not any(transaction.signatories for transaction in batch.transactions):
        yield "Transaction batch has no signatures."
    if count > max_transactions:
        yield (
            "Batch contains too many transactions. Maximum allowed number of transactions in a "
            f"batch is {max_transactions}."
        )
    if meta := _meta(batch.transactions[0].message):
        _, listed = meta
        if len(listed) != count:
            end = (
                " in an atomic batch."
                if batch.is_atomic
                else ", but partial ordered batches are not allowed."
            )
            yield f"Sizes of batch_meta and provided transactions are different{end}"
        yield from _mismatches(batch, listed)
        yield from _duplicates(listed)


def _mismatches(batch: Batch, listed: Sequence[str]) -> Iterator[Finding]:
    pairs = zip_longest(_reduced_hashes(batch), listed[: len(batch.transactions)])
    for number, (reduced, expected) in enumerate(pairs, start=1):
        if reduced == expected:
            continue
        reason = "Does not match corresponding hash."
        if expected is None:
            reason = "Does not have corresponding hash."
        tx_hash = batch.transactions[number - 1].hash.hex()
        yield BrokenRule(f"Transaction #{number} with hash {tx_hash}", (reason,))


def _duplicates(listed: Sequence[str]) -> Iterator[Finding]:
    first_numbers: dict[str, int] = {}
    for number, reduced in enumerate(listed, start=1):
        first = first_numbers.setdefault(reduced, number)
        if first != number:
            name = f"Reduced transaction hash #{number} {reduced}"
            yield BrokenRule(name, (f"Duplicates hash #{first}",))
