"""Transactions on which the rules themselves failed: kept for whoever mends the rules.

No transaction may stop the ledger. One that meets a fault of ours is rejected in its block, so that
it cannot come back; what it was is kept here, since a block names a rejected transaction by its
hash alone.
"""

import sqlite3
import traceback
from pathlib import Path
from typing import Final

import structlog

from chaincode.errors import EvmMissingError
from chaincode.transactions import ValidTransaction
from node.errors import StorageError

QUARANTINE_NAME: Final = "quarantine"
_MAX_KEPT: Final = 1_000
OF_THE_MACHINE: Final = (StorageError, sqlite3.Error, OSError, MemoryError, EvmMissingError)
"""What says nothing about the transaction: the node cannot go on, whatever is ordered."""

_log = structlog.get_logger(__name__)


def fault_place(fault: BaseException) -> str:
    """Return where in the code a fault was raised; what it says may be of a transaction."""
    place = traceback.extract_tb(fault.__traceback__)[-1]
    return f"{Path(place.filename).name}:{place.lineno} {place.name}"


def log_fault(what: str, tx_hash: bytes, fault: BaseException, **more: object) -> None:
    """Log a fault of ours that a transaction met, without what the transaction says."""
    _log.critical(
        f"the rules failed on a {what}; report this fault",
        tx_hash=tx_hash.hex(),
        fault=type(fault).__name__,
        place=fault_place(fault),
        **more,
    )


class Quarantine:
    """A folder with one file for each such transaction, named after its hash."""

    def __init__(self, folder: Path | None = None) -> None:
        """Keep files in a folder, which is made when it is needed; None keeps nothing."""
        self._folder = folder

    def note(self, transaction: ValidTransaction, fault: Exception) -> None:
        """Log a fault, without what the transaction says, and keep the transaction.

        Raises:
            Exception: The fault itself, where it is one of the machine and not of the rules.
        """
        if isinstance(fault, OF_THE_MACHINE):
            raise fault
        kept = self._keep(transaction)
        log_fault("transaction: it is rejected", transaction.hash, fault, kept=kept)

    def _keep(self, transaction: ValidTransaction) -> str | None:
        """Write the transaction to a file; return its path, or None where it is not kept."""
        if self._folder is None:
            return None
        file = self._folder / f"{transaction.hash.hex()}.transaction"
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            if len(list(self._folder.iterdir())) >= _MAX_KEPT:
                return None
            file.write_bytes(transaction.message.SerializeToString())
        except OSError:
            return None
        return str(file)
