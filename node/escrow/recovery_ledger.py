"""What an agent reads on the ledger before it signs: an account's keys, guard and recovery."""

from typing import Protocol, TypeVar

from chaincode.errors import DecodeError
from chaincode.records import NO_ID, IdentityRecord, decode_record
from chaincode.recovery_records import (
    ApprovalRecord,
    GuardRecord,
    RecoverRecord,
    RecoveryStatus,
)
from client_sdk.errors import QueryFailedError
from node.escrow.recovery_policy import AccountView

_Record = TypeVar("_Record", bound=IdentityRecord)


class RecoveryLedger(Protocol):
    """What is needed of a ledger: `client_sdk.ledger.client.LedgerClient` has it."""

    def signatories(self, account_id: str) -> frozenset[str]:
        """Return the public keys of an account."""

    def account_detail(self, account_id: str, key: str, *, writer: str) -> str | None:
        """Return one detail's value, or None where it does not exist."""


def read_account_view(ledger: RecoveryLedger, account: str, *, escrow_account: str) -> AccountView:
    """Return what the ledger says of an account now.

    Raises:
        QueryFailedError: The client may not read it.
        TransportError: The node cannot be reached.
    """
    status = _read(ledger, account, account, RecoveryStatus, NO_ID)
    recovery = None
    if status is not None and status.item.startswith(RecoverRecord.prefix):
        record_id = status.item.removeprefix(RecoverRecord.prefix)
        recovery = _read(ledger, account, escrow_account, RecoverRecord, record_id)
    return AccountView(
        signatories=read_signatories(ledger, account),
        guard=_read(ledger, account, account, GuardRecord, NO_ID),
        status=status,
        recovery=recovery,
    )


def read_approval(
    ledger: RecoveryLedger, record_id: str, guard: GuardRecord | None
) -> ApprovalRecord | None:
    """Return what the guard's issuer approved under the id of a recovery, or None.

    Raises:
        QueryFailedError: The client may not read it.
        TransportError: The node cannot be reached.
    """
    if guard is None:
        return None
    return _read(ledger, guard.issuer, guard.issuer, ApprovalRecord, record_id)


def read_signatories(ledger: RecoveryLedger, account: str) -> frozenset[str]:
    """Return an account's keys; none where there is no such account.

    Raises:
        QueryFailedError: The client may not read them.
        TransportError: The node cannot be reached.
    """
    try:
        return ledger.signatories(account)
    except QueryFailedError as error:
        if error.is_absence:
            return frozenset()
        raise


def _read(
    ledger: RecoveryLedger, account: str, writer: str, kind: type[_Record], record_id: str
) -> _Record | None:
    try:
        value = ledger.account_detail(account, kind.key(record_id), writer=writer)
        return None if value is None else decode_record(value, kind)
    except DecodeError:
        return None
    except QueryFailedError as error:
        if error.is_absence:
            return None
        raise
