"""What a block is decided on: a snapshot of which most entries are read before."""

from collections.abc import Iterable, Iterator

from chaincode.batches import Batch
from chaincode.expected_reads import expected_reads
from node.ledger.state_snapshot import StateSnapshot


class BlockView:
    """A snapshot of which entries were read ahead: a `chaincode.world_state.StateView`.

    It lives as long as one block is decided. What was not read ahead is for the snapshot to
    remember, which knows how much it may.
    """

    def __init__(self, snapshot: StateSnapshot, batches: Iterable[Batch]) -> None:
        """Read what the batches are expected to read, and which of them were decided before."""
        self._snapshot = snapshot
        transactions = [each for batch in batches for each in batch.transactions]
        self._hashes = frozenset(transaction.hash for transaction in transactions)
        self._decided = snapshot.decided_among(self._hashes)
        keys = dict.fromkeys(key for each in transactions for key in expected_reads(each.message))
        self._read = snapshot.get_many(list(keys))

    def get(self, key: bytes) -> bytes | None:
        """Return the value at a key, or None."""
        try:
            return self._read[key]
        except KeyError:
            return self._snapshot.get(key)

    def get_page(self, prefix: str) -> bytes | None:
        """Return a page of the authenticated map, or None."""
        return self._snapshot.get_page(prefix)

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries whose keys begin with `prefix`, ascending, from `start` on."""
        return self._snapshot.scan(prefix, start)

    def has_transaction(self, tx_hash: bytes) -> bool:
        """Tell whether a block has already committed or rejected this transaction."""
        if tx_hash in self._hashes:
            return tx_hash in self._decided
        return self._snapshot.has_transaction(tx_hash)
