"""What an agent tells a holder of a handle, under its own signature."""

from client_sdk.credentials.jose import Key
from client_sdk.escrow.access_log import sign_head
from node.escrow.deposit_forms import HolderStatus, KeptDeposit
from node.escrow.errors import UnknownHandleError
from node.escrow.policy import NO_ATTEMPTS, Attempts, GuessPolicy, next_attempt_at
from node.escrow.store import HolderTransaction, StoredHolder


class StatusTeller:
    """Tells of handles, within the transaction that reads or changes them."""

    def __init__(self, signing_key: Key, policy: GuessPolicy) -> None:
        """Take over the agent's private key, and how often a password may be tried."""
        self._signing_key = signing_key
        self._policy = policy

    def status(self, transaction: HolderTransaction) -> HolderStatus:
        """Return what is kept of a handle."""
        holder = holder_of(transaction)
        attempts = attempts_of(holder)
        return HolderStatus(
            handle=holder.handle,
            deposits=tuple(
                KeptDeposit(
                    epoch=deposit.epoch,
                    is_active=deposit.is_active,
                    is_usable=deposit.sealed_share is not None,
                    statement=deposit.statement,
                    backup_version=deposit.backup_version,
                )
                for deposit in transaction.deposits()
            ),
            attempts_used=attempts.used,
            attempts_left=max(self._policy.budget - attempts.used, 0),
            next_attempt_ms=next_attempt_at(self._policy, attempts),
            withdraw_at_ms=holder.withdraw_at_ms,
            log_head=self.head(transaction),
        )

    def head(self, transaction: HolderTransaction) -> str:
        """Return the end of the handle's log, signed."""
        holder = holder_of(transaction)
        return sign_head(
            self._signing_key,
            handle=holder.handle,
            sequence=holder.log_sequence,
            entry_hash=holder.log_hash,
        )


def attempts_of(holder: StoredHolder) -> Attempts:
    """Return a handle's attempts in the policy's form."""
    if holder.attempts == 0:
        return NO_ATTEMPTS
    return Attempts(used=holder.attempts, last_ms=holder.last_attempt_ms)


def holder_of(transaction: HolderTransaction) -> StoredHolder:
    """Return the row of a handle.

    Raises:
        UnknownHandleError: There is none.
    """
    if transaction.holder is None:
        raise UnknownHandleError
    return transaction.holder
