"""The records of guard and recovery: who opens, announces, stops and approves what.

The ledger adds the block's time to a record of these when it takes it in.
"""

from dataclasses import replace
from typing import Final, assert_never

from chaincode.errors import RecordCode, RejectedError
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import GrantablePermission
from chaincode.records.recovery import (
    FINISH_WITHIN_MS,
    ApprovalRecord,
    ChangeRecord,
    GuardRecord,
    RecoverRecord,
    RecoveryRecord,
    RecoveryStatus,
    VetoRecord,
    Window,
    approval_digest,
    change_id,
)
from chaincode.rules.identity.guard import (
    GUARD_KEY,
    end_status,
    get_status,
    guarded_account,
    put_status,
    read_record,
    standing_guard,
)
from chaincode.rules.scope import Scope
from chaincode.world_state import get_account, get_grants

ESCROW_PERMISSIONS: Final = frozenset(
    {
        GrantablePermission.can_add_my_signatory,
        GrantablePermission.can_remove_my_signatory,
        GrantablePermission.can_set_my_account_detail,
    }
)


def apply_recovery_record(
    scope: Scope, account_id: str, key: str, record: RecoveryRecord
) -> RecoveryRecord:
    """Check one of these records, write what goes with it, and return the record as it is kept.

    Raises:
        RejectedError: A rule is broken; the code says which.
    """
    match record:
        case GuardRecord():
            return _apply_guard(scope, record)
        case RecoverRecord():
            return _apply_recover(scope, account_id, key, record)
        case ChangeRecord():
            return _apply_change(scope, key, record)
        case VetoRecord():
            return _apply_veto(scope, key.removeprefix(VetoRecord.prefix), record)
        case ApprovalRecord():
            return _apply_approval(scope, record)
        case RecoveryStatus():
            raise RejectedError(
                RecordCode.NOT_THE_OWNER, f"{key}: only the ledger itself writes this record"
            )
        case _ as unknown:
            assert_never(unknown)


def _apply_guard(scope: Scope, guard: GuardRecord) -> GuardRecord:
    """Take a guard. Where one stands, `check_guard` has let this exact record pass."""
    # READ
    granted = get_grants(scope.state, scope.creator, guard.escrow)
    # CHECK
    if guard.state == "standing":
        if len({scope.creator, guard.escrow, guard.issuer}) < 3:
            raise RejectedError(
                RecordCode.MALFORMED, "holder, escrow and issuer are three accounts"
            )
        scope.require_account(guard.issuer, RecordCode.NOT_GRANTED)
        if not granted >= ESCROW_PERMISSIONS:
            raise RejectedError(
                RecordCode.NOT_GRANTED, f"{guard.escrow} lacks the permissions that it needs"
            )
    # WRITE
    begun = RecoveryStatus(item=GUARD_KEY, state="finished", until_ms=scope.block.time_ms)
    put_status(scope, scope.creator, begun)
    return guard


def _apply_recover(
    scope: Scope, account_id: str, key: str, recovery: RecoverRecord
) -> RecoverRecord:
    """Open a recovery: all see it from now on, and the changes announced before it are over.

    One that is approved takes the place of whatever is open.
    """
    # READ
    guard = standing_guard(scope.state, account_id)
    account = get_account(scope.state, account_id)
    status = get_status(scope.state, account_id)
    # CHECK
    if guard is None or account is None or guard.escrow != scope.creator:
        raise RejectedError(
            RecordCode.NOT_THE_OWNER, f"{scope.creator} is not the escrow account of {account_id}"
        )
    _check_sent_without_times(recovery.window)
    if read_record(scope.state, account_id, scope.creator, key, RecoverRecord) is not None:
        raise RejectedError(RecordCode.FIELD_CHANGED, f"{key} is there: use a new id")
    if recovery.lost_key not in account.signatories or recovery.new_key in account.signatories:
        raise RejectedError(
            RecordCode.STATE_REFUSED, "a recovery replaces a signatory by a key that is none"
        )
    approved_at_ms = _approved_at_ms(scope, guard, account_id, key, recovery)
    approved = approved_at_ms is not None and _is_recent(scope, guard, approved_at_ms)
    if status.is_open(scope.block.time_ms) and not approved:
        raise RejectedError(RecordCode.RECOVERY_OPEN, f"{status.item} of {account_id} is open")
    # WRITE
    # A thief who holds the phone vetoes too: the second try is not hers to stop.
    comes_again = status.state == "vetoed" and _is_recent(scope, guard, status.until_ms)
    window = _open_window(scope, guard)
    _put_open(scope, account_id, key, window, firm=approved or comes_again)
    return replace(recovery, window=window)


def _apply_change(scope: Scope, key: str, change: ChangeRecord) -> ChangeRecord:
    """Announce a change, or take one back. An approved one takes the place of whatever is open."""
    # READ
    guard = standing_guard(scope.state, scope.creator)
    previous = read_record(scope.state, scope.creator, scope.creator, key, ChangeRecord)
    # CHECK
    if guard is None:
        raise RejectedError(RecordCode.NO_GUARD, "no guard stands: nothing has to be announced")
    _check_sent_without_times(change.window)
    if key != ChangeRecord.key(change_id(change.command)):
        raise RejectedError(RecordCode.MALFORMED, f"{key}: the id is not that of the command")
    if guarded_account(scope.creator, Command.FromString(change.command)) != scope.creator:
        raise RejectedError(RecordCode.NO_GUARD, "the account's guard does not hold this command")
    # WRITE
    match change.state:
        case "pending":
            return _announce(scope, guard, key, change, previous)
        case "withdrawn" if previous is not None and previous.state == "pending":
            return _withdraw(scope, key, previous)
        case _:
            raise RejectedError(
                RecordCode.STATE_REFUSED, "a change is announced, and taken back while it pends"
            )


def _apply_veto(scope: Scope, record_id: str, veto: VetoRecord) -> VetoRecord:
    """Stop the open recovery of this id, unless it was approved or comes again after a veto."""
    # READ
    guard = standing_guard(scope.state, scope.creator)
    status = get_status(scope.state, scope.creator)
    key = RecoverRecord.key(record_id)
    # CHECK
    _check_sent_without_times(veto.vetoed_at_ms)
    if guard is None or status.item != key or not status.is_open(scope.block.time_ms):
        raise RejectedError(RecordCode.LAPSED, f"{key} is not open")
    recovery = read_record(scope.state, scope.creator, guard.escrow, key, RecoverRecord)
    if status.firm:
        raise RejectedError(RecordCode.VETO_REFUSED, f"{key} was approved or follows a veto")
    if recovery is not None and _approved_at_ms(scope, guard, scope.creator, key, recovery):
        raise RejectedError(RecordCode.VETO_REFUSED, f"{guard.issuer} approved {key} in person")
    # WRITE
    end_status(scope, scope.creator, replace(status, state="vetoed"))
    return VetoRecord(vetoed_at_ms=scope.block.time_ms)


def _apply_approval(scope: Scope, approval: ApprovalRecord) -> ApprovalRecord:
    """Take an approval. It counts where the guard of the account names its writer."""
    # CHECK
    _check_sent_without_times(approval.approved_at_ms)
    # WRITE
    return replace(approval, approved_at_ms=scope.block.time_ms)


def _announce(
    scope: Scope, guard: GuardRecord, key: str, change: ChangeRecord, previous: ChangeRecord | None
) -> ChangeRecord:
    window = _open_window(scope, guard)
    approved_at_ms = _approved_at_ms(scope, guard, scope.creator, key, change)
    if approved_at_ms is not None and _is_recent(scope, guard, approved_at_ms):
        # The same change can be announced again, so its approval is good for one announcement.
        used = (
            previous is not None
            and previous.window is not None
            and (previous.window.opened_at_ms >= approved_at_ms)
        )
        if not used:
            _put_open(scope, scope.creator, key, window, firm=True)
    return replace(change, window=window)


def _withdraw(scope: Scope, key: str, previous: ChangeRecord) -> ChangeRecord:
    status = get_status(scope.state, scope.creator)
    if status.item == key and status.is_open(scope.block.time_ms):
        end_status(scope, scope.creator, replace(status, state="withdrawn"))
    return replace(previous, state="withdrawn")


def _approved_at_ms(
    scope: Scope,
    guard: GuardRecord,
    account_id: str,
    key: str,
    record: RecoverRecord | ChangeRecord,
) -> int | None:
    """Return when the guard's issuer approved exactly this, or None."""
    record_id = key.removeprefix(record.prefix)
    approval = read_record(
        scope.state, guard.issuer, guard.issuer, ApprovalRecord.key(record_id), ApprovalRecord
    )
    if approval is None or approval.account != account_id:
        return None
    if approval.digest != approval_digest(account_id, key, record):
        return None
    return approval.approved_at_ms


def _is_recent(scope: Scope, guard: GuardRecord, time_ms: int) -> bool:
    return scope.block.time_ms < time_ms + guard.delay_ms + FINISH_WITHIN_MS


def _open_window(scope: Scope, guard: GuardRecord) -> Window:
    now_ms = scope.block.time_ms
    return Window(opened_at_ms=now_ms, matures_at_ms=now_ms + guard.delay_ms)


def _put_open(scope: Scope, account_id: str, key: str, window: Window, *, firm: bool) -> None:
    opened = RecoveryStatus(item=key, state="open", until_ms=window.lapses_at_ms, firm=firm)
    put_status(scope, account_id, opened)


def _check_sent_without_times(times: Window | int | None) -> None:
    if times is not None:
        raise RejectedError(RecordCode.MALFORMED, "the ledger adds the times; leave them out")
