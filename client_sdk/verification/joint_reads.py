"""What one answer needs of the ledger, read by one proof where the ledger proves what it says."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from chaincode.protocol.proofs_pb2 import StateEntry
from chaincode.records import IdentityRecord
from chaincode.state_root import entry_key
from client_sdk.errors import QueryFailedError
from client_sdk.ledger.proofs import ProvenState, record_entry
from client_sdk.ledger.proven_ledger import ProvenLedger

_Record = TypeVar("_Record", bound=IdentityRecord)


class Ledger(Protocol):
    """What a verifier reads: `client_sdk.ledger.client.LedgerClient` has it."""

    def record(self, account_id: str, record_id: str, kind: type[_Record]) -> _Record | None:
        """Return an account's own identity record, or None where there is no valid one."""

    def signatories(self, account_id: str) -> frozenset[str]:
        """Return the public keys of an account."""


@dataclass(slots=True)
class JointReads:
    """A ledger for one answer. What is expected is proven at one height, all by one proof.

    What was not expected is read by itself: expecting changes how much is asked, never what a
    check is told.

    Attributes:
        ledger: Where records and keys are read.
    """

    ledger: Ledger
    _state: ProvenState | None = field(default=None, init=False)
    _forgotten: set[bytes] = field(default_factory=set, init=False)

    def expect(self, entries: Sequence[StateEntry]) -> None:
        """Read entries that will be asked for, where one proof of all is cheaper.

        Args:
            entries: They may be guesses: also of what does not exist, or may not be read.

        Raises:
            ProofError: The node's answer is not proven, or older than is accepted.
            LedgerForkError: The ledger's history was changed since it was last read.
            TransportError: The node cannot be reached.
        """
        if not isinstance(self.ledger, ProvenLedger):
            return
        try:
            self._state = self.ledger.read(entries)[1]
        except QueryFailedError:
            # One of them may not be read. Whoever asks for that one is told so.
            self._state = None

    def forget(self, entry: StateEntry) -> None:
        """Read an entry anew when it is asked for again."""
        self._forgotten.add(entry_key(entry))

    def record(self, account_id: str, record_id: str, kind: type[_Record]) -> _Record | None:
        """Return an account's own identity record, or None where there is no valid one."""
        state = self._proven(record_entry(account_id, record_id, kind))
        if state is not None:
            return state.record(account_id, record_id, kind)
        return self.ledger.record(account_id, record_id, kind)

    def signatories(self, account_id: str) -> frozenset[str]:
        """Return the public keys of an account."""
        state = self._proven(StateEntry(account_id=account_id))
        if state is not None:
            return state.signatories(account_id)
        return self.ledger.signatories(account_id)

    def _proven(self, entry: StateEntry) -> ProvenState | None:
        """Return the state that was read ahead, where it has an entry that still counts."""
        state = self._state
        if state is None or not state.has(entry) or entry_key(entry) in self._forgotten:
            return None
        return state
