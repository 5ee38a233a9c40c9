"""How long the stages of a transaction take: what the node is busy with, for its operator."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum


class Stage(StrEnum):
    """A stage, in the order of a transaction's way."""

    CHECK = "check"
    """Form and signatures."""
    TAKE = "take"
    """Before the orderer, which may collect more signatures."""
    DECIDE = "decide"
    """Rules, block and root."""
    APPEND = "append"
    """The block file, until the disk has it."""
    APPLY = "apply"
    """The world state and its indexes."""


class Stages:
    """Adds up the time of each stage, and the transactions that went through. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._nanoseconds: Counter[Stage] = Counter()
        self._transactions: Counter[Stage] = Counter()

    @contextmanager
    def measure(self, stage: Stage, transactions: int) -> Iterator[None]:
        """Count the time of the `with` body, by the clock on the wall, whatever it raises."""
        began = time.perf_counter_ns()
        try:
            yield
        finally:
            taken = time.perf_counter_ns() - began
            with self._lock:
                self._nanoseconds[stage] += taken
                self._transactions[stage] += transactions

    def totals(self) -> list[tuple[Stage, float, int]]:
        """Return of each stage the seconds and the transactions, since the start."""
        with self._lock:
            return [
                (stage, self._nanoseconds[stage] / 1e9, self._transactions[stage])
                for stage in Stage
            ]
