"""Multisignature: batches that wait until each transaction is signed by as many keys as it asks.

Signatures arrive with later sends of the same payloads. Only those by signatories of a
transaction's creator count and are kept, so that a stranger who knows a payload can neither
complete its batch nor spoil it; a participant of a batch can decline it (ADR 0018).
"""

import hashlib
import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Protocol

from chaincode.batches import Batch
from chaincode.errors import PendingFullError, UnknownSignatoryError
from chaincode.protocol.primitive_pb2 import Signature
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.stateless import MAX_SIGNATURES
from chaincode.transactions import ValidTransaction
from chaincode.world_state import ReadableState, get_account

_MIN_EXPIRIES: Final = 1_000


class PendingView(Protocol):
    """The batches that wait, for those who only read."""

    def of_creator(self, account_id: str) -> Sequence[Batch]:
        """Return the batches with a transaction of this creator, in the order of their arrival."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingLimits:
    """How much may wait, in all and for one account. Signatures to what waits are always taken.

    A batch counts for the creator of its first signed transaction: to be named in a batch of
    another costs nothing.
    """

    batches: int = 10_000
    size_bytes: int = 64 * 1024 * 1024
    batches_of_account: int = 1_000
    size_bytes_of_account: int = 16 * 1024 * 1024


@dataclass(frozen=True)
class PendingEntry:
    """A batch that waits.

    Attributes:
        arrival: Grows with each batch that comes; it says nothing but the order.
        payer: The account that it counts for.
        since_ms: When its time began to run, milliseconds since 1970.
        batch: The batch with the signatures that were collected so far.
    """

    arrival: int
    payer: str
    since_ms: int
    batch: Batch

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of time (8 bytes, big-endian), payer, NUL and batch, 32 bytes."""
        hasher = hashlib.sha256(self.since_ms.to_bytes(8, "big"))
        hasher.update(self.payer.encode() + b"\x00" + self.batch.encode())
        return hasher.digest()


class PendingBatches:
    """The batches that wait, in the order of their arrival. Its owner sees to locks.

    The same calls in the same order give the same content, on every machine.
    """

    def __init__(self, expiration_ms: int, limits: PendingLimits = PendingLimits()) -> None:
        """Begin empty.

        Args:
            expiration_ms: How long after the oldest creation time of its transactions a batch
                expires.
            limits: How much may wait.
        """
        self._expiration_ms = expiration_ms
        self._limits = limits
        self._entries: dict[bytes, PendingEntry] = {}
        self._next_arrival = 0
        self._by_creator: dict[str, dict[bytes, None]] = {}
        self._expiries: list[tuple[int, bytes]] = []
        self._size_bytes = 0
        self._paid: dict[str, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Batch]:
        return (entry.batch for entry in self._entries.values())

    def __contains__(self, batch_hash: bytes) -> bool:
        return batch_hash in self._entries

    @property
    def transaction_count(self) -> int:
        """How many transactions are in the batches that wait."""
        return sum(len(batch.transactions) for batch in self)

    @property
    def next_expiry_ms(self) -> int | None:
        """When the next batch expires, or None where none waits."""
        while self._expiries and self._expiries[0][1] not in self._entries:
            heapq.heappop(self._expiries)
        return self._expiries[0][0] if self._expiries else None

    def of_creator(self, account_id: str) -> list[Batch]:
        """Return the batches with a transaction of this creator, in the order of their arrival."""
        return [self._entries[key].batch for key in self._by_creator.get(account_id, ())]

    def entry(self, batch_hash: bytes) -> PendingEntry | None:
        """Return a batch that waits as `put_back` takes it, or None."""
        return self._entries.get(batch_hash)

    def digest(self) -> bytes:
        """Return what commits to all that waits, its order and how long it may, 32 bytes."""
        hasher = hashlib.sha256(self._expiration_ms.to_bytes(8, "big"))
        for entry in self._entries.values():
            hasher.update(entry.digest)
        return hasher.digest()

    def join(self, arriving: Batch, state: ReadableState) -> Batch:
        """Return the batch as `add` would make it stand; nothing changes.

        Args:
            arriving: Any well-formed batch.
            state: Says who the signatories of the creators are now.

        Raises:
            UnknownSignatoryError: None of its signatures is by a signatory.
            PendingFullError: Too much waits.
        """
        known = self._entries.get(arriving.hash)
        if known is None and arriving.has_all_signatures:
            return arriving
        if known and _is_declined(arriving, state):
            batch = _merge(known.batch, arriving)
            if batch.has_all_signatures:
                return batch
        brought = keep_signatories(arriving, state)
        if known is None:
            self._check_room(brought)
            return brought
        return _merge(_without_strangers(known.batch, state), brought)

    def add(self, arriving: Batch, state: ReadableState, now_ms: int | None = None) -> Batch:
        """Take a batch in, or add its signatures to those of the same batch that waits.

        Return the batch as it now stands. Where it has all signatures it is ready for a block, and
        waits no more. One that is complete as it arrives, while no other part of it waits, is
        returned as it is: a block decides about its signatures. So is one that is declined: a
        participant has signed another's transaction, and the block will reject it.

        Args:
            arriving: Any well-formed batch.
            state: Says who the signatories of the creators are now.
            now_ms: The latest moment at which its time begins to run, where nobody has made sure
                that it was not created in the future.

        Raises:
            UnknownSignatoryError: None of its signatures is by a signatory; nothing has changed.
            PendingFullError: Too much waits; nothing has changed.
        """
        batch = self.join(arriving, state)
        self.place(batch, now_ms)
        return batch

    def place(self, batch: Batch, now_ms: int | None = None) -> None:
        """Let a batch wait that `join` returned; one that has all signatures waits no more.

        Args:
            batch: The batch.
            now_ms: As of `add`.
        """
        if batch.has_all_signatures:
            self.remove(batch.hash)
        else:
            self.restore(batch, now_ms)

    def restore(self, batch: Batch, now_ms: int | None = None) -> None:
        """Put a batch in that was iterated out of another such object, or replace it.

        Its place is that of the batch of the same hash, or the last.
        """
        known = self._entries.get(batch.hash)
        if known:
            self.put_back(replace(known, batch=batch))
            return
        since_ms = min(transaction.created_time_ms for transaction in batch.transactions)
        if now_ms is not None:
            since_ms = min(since_ms, now_ms)
        self.put_back(PendingEntry(self._next_arrival, _payer(batch), since_ms, batch))

    def put_back(self, entry: PendingEntry) -> None:
        """Put in what `entry` returned of another such object, in the order of arrival."""
        batch = entry.batch
        if known := self._entries.get(batch.hash):
            self._count(known, -1)
        else:
            heapq.heappush(self._expiries, (self._expiry_ms(entry), batch.hash))
            for creator in _creators(batch):
                self._by_creator.setdefault(creator, {})[batch.hash] = None
        self._entries[batch.hash] = entry
        self._next_arrival = max(self._next_arrival, entry.arrival + 1)
        self._count(entry, 1)

    def _expiry_ms(self, entry: PendingEntry) -> int:
        return entry.since_ms + self._expiration_ms

    def remove(self, batch_hash: bytes) -> None:
        """Let a batch wait no more; nothing happens where none of this hash does."""
        entry = self._entries.pop(batch_hash, None)
        if entry is None:
            return
        self._count(entry, -1)
        for creator in _creators(entry.batch):
            hashes = self._by_creator[creator]
            del hashes[batch_hash]
            if not hashes:
                del self._by_creator[creator]
        self._forget_expiries()

    def _forget_expiries(self) -> None:
        """Drop the times of what waits no more, once they are the most of all."""
        if len(self._expiries) > 2 * len(self._entries) + _MIN_EXPIRIES:
            self._expiries = [
                (self._expiry_ms(entry), batch_hash) for batch_hash, entry in self._entries.items()
            ]
            heapq.heapify(self._expiries)

    def expire(self, now_ms: int) -> list[Batch]:
        """Remove and return the batches whose time is over."""
        expired = []
        while (expires_at_ms := self.next_expiry_ms) is not None and expires_at_ms <= now_ms:
            _, batch_hash = heapq.heappop(self._expiries)
            expired.append(self._entries[batch_hash].batch)
            self.remove(batch_hash)
        return expired

    def _check_room(self, batch: Batch) -> None:
        payer = _payer(batch)
        if (
            len(self._entries) >= self._limits.batches
            or self._size_bytes + batch.size_bytes > self._limits.size_bytes
        ):
            raise PendingFullError("too many batches wait for signatures; send it again later")
        count, size_bytes = self._paid.get(payer, (0, 0))
        if (
            count >= self._limits.batches_of_account
            or size_bytes + batch.size_bytes > self._limits.size_bytes_of_account
        ):
            raise PendingFullError(f"too many batches of {payer} wait for signatures")

    def _count(self, entry: PendingEntry, sign: int) -> None:
        """Count an entry in (1) or out (-1)."""
        change_bytes = sign * entry.batch.size_bytes
        self._size_bytes += change_bytes
        count, size_bytes = self._paid.pop(entry.payer, (0, 0))
        if count + sign:
            self._paid[entry.payer] = (count + sign, size_bytes + change_bytes)


def _is_declined(arriving: Batch, state: ReadableState) -> bool:
    """Tell whether one creator's signatory has signed the transaction of another of the batch."""
    accounts = {creator: get_account(state, creator) for creator in _creators(arriving)}
    signatories = {
        creator: frozenset(account.signatories if account else ())
        for creator, account in accounts.items()
    }
    participants = frozenset[str]().union(*signatories.values())
    return any(
        (transaction.signatories - signatories[transaction.creator]) & participants
        for transaction in arriving.transactions
    )


def _creators(batch: Batch) -> list[str]:
    return list(dict.fromkeys(transaction.creator for transaction in batch.transactions))


def _payer(batch: Batch) -> str:
    return next(
        transaction.creator for transaction in batch.transactions if transaction.signatories
    )


def keep_signatories(batch: Batch, state: ReadableState) -> Batch:
    """Return the batch with those signatures only that are by signatories of the creators.

    Raises:
        UnknownSignatoryError: There is none.
    """
    kept = _without_strangers(batch, state)
    if not any(transaction.signatories for transaction in kept.transactions):
        raise UnknownSignatoryError("no signature is by a signatory of the transaction's creator")
    return kept


def _without_strangers(batch: Batch, state: ReadableState) -> Batch:
    return Batch(tuple(_keep(transaction, state) for transaction in batch.transactions))


def _keep(transaction: ValidTransaction, state: ReadableState) -> ValidTransaction:
    account = get_account(state, transaction.creator)
    wanted = transaction.signatories & frozenset(account.signatories if account else ())
    signatures = transaction.message.signatures
    if wanted == transaction.signatories and len(wanted) == len(signatures):
        return transaction
    return _with_signatures(transaction, signatures, wanted)


def _merge(waiting: Batch, brought: Batch) -> Batch:
    """Return the batch with the signatures of both; those that came first stand first."""
    return Batch(
        tuple(
            one
            if other.signatories <= one.signatories
            else _with_signatures(
                one,
                [*one.message.signatures, *other.message.signatures],
                one.signatories | other.signatories,
            )
            for one, other in zip(waiting.transactions, brought.transactions, strict=True)
        )
    )


def _with_signatures(
    transaction: ValidTransaction, signatures: Iterable[Signature], wanted: frozenset[str]
) -> ValidTransaction:
    """Return the transaction with one signature of each wanted key; all of them verify."""
    by_key: dict[str, Signature] = {}
    for signature in signatures:
        key = signature.public_key.lower()
        if key in wanted and len(by_key) < MAX_SIGNATURES:
            by_key.setdefault(key, signature)
    message = Transaction(payload=transaction.message.payload, signatures=by_key.values())
    return ValidTransaction(message, transaction.hash, frozenset(by_key))
