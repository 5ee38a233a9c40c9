"""Builders of the commands of guard and recovery (docs/recovery.md)."""

from typing import Final

from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import GrantablePermission
from chaincode.records import NO_ID
from chaincode.records.recovery import (
    ApprovalRecord,
    ChangeRecord,
    ChangeState,
    GuardRecord,
    RecoverRecord,
    VetoRecord,
    approval_digest,
    change_id,
    encode_command,
)
from client_sdk.ledger.commands import (
    add_signatory,
    grant_permission,
    remove_signatory,
    set_record,
)

ESCROW_PERMISSIONS: Final = (
    GrantablePermission.can_add_my_signatory,
    GrantablePermission.can_remove_my_signatory,
    GrantablePermission.can_set_my_account_detail,
)
"""What a guard's escrow account needs of the holder's account."""


def grant_escrow_permissions(escrow: str) -> list[Command]:
    """Give an escrow account what it needs to recover the creator's account."""
    return [grant_permission(escrow, permission) for permission in ESCROW_PERMISSIONS]


def set_guard(account_id: str, guard: GuardRecord) -> Command:
    """Guard an account. Where a guard stands, this must have been announced."""
    return set_record(account_id, NO_ID, guard)


def open_recovery(account_id: str, record_id: str, *, new_key: str, lost_key: str) -> Command:
    """Open a recovery, as the escrow account."""
    return set_record(account_id, record_id, RecoverRecord(new_key=new_key, lost_key=lost_key))


def finish_recovery(account_id: str, *, new_key: str, lost_key: str) -> list[Command]:
    """Carry a recovery out, as the escrow account: both commands go into one transaction."""
    return [add_signatory(account_id, new_key), remove_signatory(account_id, lost_key)]


def veto_recovery(account_id: str, record_id: str) -> Command:
    """Stop a recovery, as the holder."""
    return set_record(account_id, record_id, VetoRecord())


def announce_change(
    account_id: str, command: Command, *, state: ChangeState = "pending"
) -> Command:
    """Announce a command that the guard holds back, or take the announcement back."""
    encoded = encode_command(command)
    return set_record(account_id, change_id(encoded), ChangeRecord(command=encoded, state=state))


def approve_recovery(
    issuer: str, account_id: str, record_id: str, *, new_key: str, lost_key: str
) -> Command:
    """Approve exactly this recovery, as the issuer that the account's guard names."""
    recovery = RecoverRecord(new_key=new_key, lost_key=lost_key)
    return _approve(issuer, account_id, record_id, recovery)


def approve_change(issuer: str, account_id: str, command: Command) -> Command:
    """Approve exactly this change, as the issuer that the account's guard names."""
    encoded = encode_command(command)
    change = ChangeRecord(command=encoded, state="pending")
    return _approve(issuer, account_id, change_id(encoded), change)


def _approve(
    issuer: str, account_id: str, record_id: str, record: RecoverRecord | ChangeRecord
) -> Command:
    digest = approval_digest(account_id, record.key(record_id), record)
    return set_record(issuer, record_id, ApprovalRecord(account=account_id, digest=digest))
