"""Where the embedded node collects signatures: the pure rules, the state they ask, and a file."""

import threading
from collections.abc import Iterable
from typing import Final

from chaincode.batches import Batch
from chaincode.multisignature import PendingBatches, PendingLimits, keep_signatories
from node.ledger.pending_store import PendingStore
from node.ledger.state_snapshot import StateSnapshot
from node.ledger.state_store import StateStore

LIMITS: Final = PendingLimits()


class SignatureCollector:
    """The batches that wait for signatures. Any thread may use it.

    Attributes:
        recovered: What was ready for a block when the node stopped, but was not decided.
    """

    def __init__(self, state: StateStore, store: PendingStore, expiration_ms: int) -> None:
        """Go on with what waited when the node stopped.

        Args:
            state: Says who the signatories are, and what was decided.
            store: Keeps what waits.
            expiration_ms: How long after its oldest creation time a batch expires.

        Raises:
            StorageError: A store is damaged.
        """
        self._state = state
        self._store = store
        self._lock = threading.Lock()
        self._pending = PendingBatches(expiration_ms, LIMITS)
        batches = store.load()
        with state.snapshot() as view:
            decided = [batch.hash for batch in batches if _is_decided(view, batch)]
        store.delete(decided)
        undecided = [batch for batch in batches if batch.hash not in decided]
        # What is ready stays in the file until it is decided: a crash must not lose it.
        self._stored = {batch.hash for batch in undecided}
        self.recovered = [batch for batch in undecided if batch.has_all_signatures]
        for batch in undecided:
            if not batch.has_all_signatures:
                self._pending.restore(batch)

    @property
    def next_expiry_ms(self) -> int | None:
        """When the next batch expires, milliseconds since 1970; None where none waits."""
        with self._lock:
            return self._pending.next_expiry_ms

    def waiting(self) -> list[Batch]:
        """Return all batches that wait, in the order of their arrival."""
        with self._lock:
            return list(self._pending)

    def of_creator(self, account_id: str) -> list[Batch]:
        """Return the batches with a transaction of this creator, in the order of their arrival."""
        with self._lock:
            return self._pending.of_creator(account_id)

    def counts(self) -> tuple[int, int]:
        """Return how many batches wait, and how many transactions are in them."""
        with self._lock:
            return len(self._pending), self._pending.transaction_count

    def add(self, batch: Batch, *, is_strict: bool) -> Batch | None:
        """Add the signatures that a batch brings to those that were collected before.

        Return the batch as it now stands; where it has all signatures it waits no more. Return None
        where it was decided before.

        Args:
            batch: Any well-formed batch.
            is_strict: Refuse it also where strangers alone have signed all of it.

        Raises:
            UnknownSignatoryError: None of its signatures is by a signatory; nothing has changed.
            PendingFullError: Too much waits; nothing has changed.
            StorageError: The disk refused.
        """
        with self._lock:
            is_complete = batch.has_all_signatures and batch.hash not in self._pending
            if is_complete and not is_strict:
                return batch
            with self._state.snapshot() as view:
                if _is_decided(view, batch):
                    return None
                if is_complete:
                    keep_signatories(batch, view)
                    return batch
                now = self._pending.add(batch, view)
            self._store.save(now)
            self._stored.add(now.hash)
            return now

    def expire(self, now_ms: int) -> list[Batch]:
        """Remove and return the batches whose time is over.

        Raises:
            StorageError: The disk refused.
        """
        with self._lock:
            expired = self._pending.expire(now_ms)
            self._delete(batch.hash for batch in expired)
            return expired

    def forget(self, hashes: Iterable[bytes]) -> None:
        """Drop from the file what was decided.

        Raises:
            StorageError: The disk refused.
        """
        with self._lock:
            self._delete(hashes)

    def _delete(self, hashes: Iterable[bytes]) -> None:
        stored = self._stored.intersection(hashes)
        if stored:
            self._store.delete(stored)
            self._stored -= stored


def _is_decided(view: StateSnapshot, batch: Batch) -> bool:
    return any(view.has_transaction(transaction.hash) for transaction in batch.transactions)
