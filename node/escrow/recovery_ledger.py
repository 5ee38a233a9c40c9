"""What an agent reads on the ledger before it signs: an account's keys, guard and recovery."""

from typing import Protocol, TypeVar

from chaincode.errors import DecodeError
from chaincode.records import NO_ID, IdentityRecord, decode_record
from chaincode.records.recovery import (
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


def read_guard_details(
    ledger: RecoveryLedger, account: str, *, escrow_account: str
) -> dict[str, dict[str, str]]:
    """Return the account's records of guard and recovery as they stand, by writer and key.

    Raises:
        QueryFailedError: The client may not read them.
        TransportError: The node cannot be reached.
    """
    status = _read(ledger, account, account, RecoveryStatus, NO_ID)
    wanted = [(account, GuardRecord.key(NO_ID)), (account, RecoveryStatus.key(NO_ID))]
    if status is not None and status.item.startswith(RecoverRecord.prefix):
        wanted.append((escrow_account, status.item))
    details: dict[str, dict[str, str]] = {}
    for writer, key in wanted:
        value = _read_detail(ledger, account, key, writer=writer)
        if value is not None:
            details.setdefault(writer, {})[key] = value
    return details


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
    value = _read_detail(ledger, account, kind.key(record_id), writer=writer)
    try:
        return None if value is None else decode_record(value, kind)
    except DecodeError:
        # Only history that was made without the ledger's rules can hold such a value.
        return None


def _read_detail(ledger: RecoveryLedger, account: str, key: str, *, writer: str) -> str | None:
    try:
        return ledger.account_detail(account, key, writer=writer)
    except QueryFailedError as error:
        if error.is_absence:
            return None
        raise
