"""The holder's side of the guard: set it, watch it, veto a recovery, announce changes.

On a second device of the same account it is the same: each signs with its own key.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from chaincode.errors import RecordCode
from chaincode.protocol.commands_pb2 import Command
from chaincode.records.recovery import GuardRecord
from client_sdk.errors import GuardRefusedError, TransactionFailedError
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import revoke_permission
from client_sdk.ledger.guard_commands import (
    ESCROW_PERMISSIONS,
    announce_change,
    grant_escrow_permissions,
    set_guard,
    veto_recovery,
)
from client_sdk.ledger.guard_state import GuardState, read_guard_state

REFUSALS: Final = {
    RecordCode.GUARDED: "nothing that was announced names exactly this; announce it first",
    RecordCode.WINDOW_OPEN: "the guard's delay has not passed yet",
    RecordCode.RECOVERY_OPEN: "a recovery or an approved change of the account is open",
    RecordCode.LAPSED: "it is over: carried out, stopped, taken back, or ended by a recovery",
    RecordCode.VETO_REFUSED: (
        "the recovery was approved in person, or comes again after a veto; if it is not yours, go "
        "to the issuer's counter now"
    ),
    RecordCode.NO_GUARD: "no guard stands on the account, or it does not hold this back",
    RecordCode.NOT_GRANTED: "the escrow account lacks permissions, or the issuer does not exist",
}
"""What the codes of the guard's rules mean for a person."""


class AccountGuard:
    """The guard of one account, by one of the account's keys.

    Every method may raise TransportError where the node cannot be reached.
    """

    def __init__(self, ledger: LedgerClient, *, now_ms: Callable[[], int]) -> None:
        """Act through a ledger client of the account.

        Args:
            ledger: Signs with one of the account's keys.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._ledger = ledger
        self._account_id = ledger.account_id
        self._now_ms = now_ms

    def state(self) -> GuardState:
        """Return the guard, the last recovery and the announced changes."""
        return read_guard_state(self._ledger, self._account_id, now_ms=self._now_ms())

    def stand(self, *, escrow: str, issuer: str, delay_ms: int) -> None:
        """Let the escrow account recover this account, and guard it from now on.

        Args:
            escrow: The escrow agents' account.
            issuer: Who can approve a recovery in person.
            delay_ms: How long everything can be seen before it takes effect, at most 30 days.

        Raises:
            GuardRefusedError: A guard stands already, or the accounts cannot serve.
            TransactionFailedError: The ledger refused for another reason.
        """
        guard = GuardRecord(escrow=escrow, issuer=issuer, delay_ms=delay_ms, state="standing")
        self._submit(*grant_escrow_permissions(escrow), set_guard(self._account_id, guard))

    def lift_command(self) -> Command:
        """Return the command that lifts the guard: what to announce, and what `lift` sends.

        Raises:
            GuardRefusedError: No guard stands.
        """
        return set_guard(self._account_id, replace(self._standing(), state="lifted"))

    def lift(self) -> None:
        """Lift the guard and take back the escrow account's permissions, in one transaction.

        Raises:
            GuardRefusedError: It was not announced, or not for long enough.
        """
        guard = self._standing()
        revocations = [
            revoke_permission(guard.escrow, permission) for permission in ESCROW_PERMISSIONS
        ]
        self._submit(set_guard(self._account_id, replace(guard, state="lifted")), *revocations)

    def announce(self, command: Command) -> None:
        """Announce a command that the guard holds back; it can be sent after the delay.

        Raises:
            GuardRefusedError: No guard stands, or it does not hold this command back.
        """
        self._submit(announce_change(self._account_id, command))

    def withdraw(self, command: Command) -> None:
        """Take an announcement back, at once.

        Raises:
            GuardRefusedError: No guard stands.
            TransactionFailedError: It is not announced.
        """
        self._submit(announce_change(self._account_id, command, state="withdrawn"))

    def carry_out(self, command: Command) -> None:
        """Send a command that was announced.

        Raises:
            GuardRefusedError: It was not announced, not for long enough, or a recovery ended it.
            TransactionFailedError: The ledger refused for another reason.
        """
        self._submit(command)

    def veto(self, record_id: str) -> None:
        """Stop a recovery.

        Raises:
            GuardRefusedError: It is not open, or no veto stops it.
        """
        self._submit(veto_recovery(self._account_id, record_id))

    def _standing(self) -> GuardRecord:
        guard = self.state().guard
        if guard is None:
            raise GuardRefusedError(
                f"account {self._account_id}: no guard stands", tx_hash="", status="NOT_SENT"
            )
        return guard

    def _submit(self, *commands: Command) -> None:
        try:
            self._ledger.submit(*commands)
        except TransactionFailedError as error:
            raise explain_refusal(error) from None


def explain_refusal(error: TransactionFailedError) -> TransactionFailedError:
    """Return the error in words that a holder can act on, where a guard's rule refused."""
    reason = next((words for code, words in REFUSALS.items() if code == error.code), None)
    if reason is None:
        return error
    return GuardRefusedError(
        f"the ledger refused: {reason}",
        tx_hash=error.tx_hash,
        status=error.status,
        code=error.code,
        command_index=error.command_index,
    )
