"""What a peer asks before a batch is in its pool, by its own clock: the peers may differ in it.

Torii has asked the same of what it took. Here it is asked of what came by CometBFT's RPC, or of
another peer that lets everything through.
"""

import threading
from collections.abc import Callable

from chaincode.batches import Batch
from chaincode.stateless import TimeWindow
from node.ledger.abci.replicated_ledger import ReplicatedLedger
from node.ledger.stranger_guard import StrangerGuard


class PoolGate:
    """Stands before CometBFT's pool. Any thread may use it."""

    def __init__(self, ledger: ReplicatedLedger, window: Callable[[], TimeWindow]) -> None:
        """Take the ledger, and what tells when a transaction may have been made."""
        self._ledger = ledger
        self._window = window
        self._strangers = StrangerGuard()
        self._foreign = 0
        self._counting = threading.Lock()

    def is_strict(self) -> bool:
        """Tell whether strangers have made the chain grow too fast in this hour."""
        now_ms = self._window().now_ms
        with self._counting:
            foreign, self._foreign = self._ledger.foreign - self._foreign, self._ledger.foreign
            self._strangers.count(foreign, now_ms)
        return self._strangers.is_strict(now_ms)

    def refusal(self, batch: Batch) -> str | None:
        """Return why a batch may not be in the pool; None where it may."""
        window = self._window()
        if any(window.findings(each.created_time_ms) for each in batch.transactions):
            return "made too long ago, or in the future"
        return self._ledger.refusal(batch, is_strict=self.is_strict())
