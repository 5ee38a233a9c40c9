"""The guard of an account: while it stands, nobody changes the account's keys unannounced.

`check_guard` sees every command before its rule does. What it holds back needs a recovery by the
escrow account, or a change by the holder, that was announced for as long as the guard's delay.
"""

from dataclasses import replace
from typing import Final, TypeVar

from chaincode.errors import DecodeError, RecordCode, RejectedError
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import GrantablePermission
from chaincode.records import NO_ID, IdentityRecord, decode_record, encode_record
from chaincode.records.recovery import (
    ChangeRecord,
    GuardRecord,
    RecoverRecord,
    RecoveryStatus,
    Window,
    change_id,
    encode_command,
)
from chaincode.rules.scope import Scope
from chaincode.world_state import ReadableState, get_account, get_detail, put_detail

GUARD_KEY: Final = GuardRecord.key(NO_ID)
_STATUS_KEY: Final = RecoveryStatus.key(NO_ID)
_UNTOUCHED: Final = RecoveryStatus(item=GUARD_KEY, state="finished", until_ms=1)
_Record = TypeVar("_Record", bound=IdentityRecord)


def check_guard(scope: Scope, command: Command) -> None:
    """Check that the guard of the account that a command would change lets it pass.

    A recovery or change that lets it pass is used up by it.

    Raises:
        RejectedError: It was not announced, or may not be carried out now; the code says which.
    """
    account_id = guarded_account(scope.creator, command)
    guard = None if account_id is None else standing_guard(scope.state, account_id)
    if account_id is None or guard is None or not scope.validated:
        return
    replaces_key = command.HasField("add_signatory") or command.HasField("remove_signatory")
    if scope.creator == guard.escrow and replaces_key:
        _carry_out_recovery(scope, account_id, command)
    elif not _takes_from_another(command, guard.escrow):
        _carry_out_change(scope, account_id, command)


def guarded_account(creator: str, command: Command) -> str | None:
    """Return the account whose guard a command of `creator` must pass, or None."""
    name = command.WhichOneof("command") or ""
    match name:
        case "add_signatory" | "remove_signatory" | "set_account_quorum":
            account_id: str = getattr(command, name).account_id
            return account_id
        case "set_account_detail" | "compare_and_set_account_detail":
            body = getattr(command, name)
            return body.account_id if body.key == GUARD_KEY else None
        case "grant_permission":
            # This one is for receipts, and opens no reserved key but theirs. Every other would
            # outlive a recovery: a thief would act on through another account.
            harmless = GrantablePermission.can_set_my_account_detail
            return None if command.grant_permission.permission == harmless else creator
        case "revoke_permission":
            return creator
        case _:
            return None


def standing_guard(state: ReadableState, account_id: str) -> GuardRecord | None:
    """Return the guard of an account, or None where none stands."""
    guard = read_record(state, account_id, account_id, GUARD_KEY, GuardRecord)
    return guard if guard is not None and guard.state == "standing" else None


def get_status(state: ReadableState, account_id: str) -> RecoveryStatus:
    """Return what is, or was last, under way on an account."""
    found = read_record(state, account_id, account_id, _STATUS_KEY, RecoveryStatus)
    return _UNTOUCHED if found is None else found


def put_status(scope: Scope, account_id: str, status: RecoveryStatus) -> None:
    """Write what is under way on an account."""
    put_detail(scope.state, account_id, account_id, _STATUS_KEY, encode_record(status))


def end_status(scope: Scope, account_id: str, status: RecoveryStatus) -> None:
    """Write that what was under way on an account ends with this block, in the state given."""
    put_status(scope, account_id, replace(status, until_ms=scope.block.time_ms))


def read_record(
    state: ReadableState, account_id: str, writer: str, key: str, kind: type[_Record]
) -> _Record | None:
    """Return the record that `writer` wrote under a key, or None where there is no valid one."""
    value = get_detail(state, account_id, writer, key)
    try:
        return None if value is None else decode_record(value, kind)
    except DecodeError:
        # Only history that was made without these rules can hold such a value.
        return None


def _takes_from_another(command: Command, escrow: str) -> bool:
    return command.HasField("revoke_permission") and command.revoke_permission.account_id != escrow


def _carry_out_recovery(scope: Scope, account_id: str, command: Command) -> None:
    """Let the escrow account add the new key of the open recovery, then remove the lost one."""
    # READ
    status = get_status(scope.state, account_id)
    recovery = read_record(scope.state, account_id, scope.creator, status.item, RecoverRecord)
    account = get_account(scope.state, account_id)
    adds = command.HasField("add_signatory")
    key = (command.add_signatory if adds else command.remove_signatory).public_key.lower()
    # CHECK
    if recovery is None or recovery.window is None or account is None:
        raise RejectedError(RecordCode.GUARDED, f"no recovery of {account_id} is open")
    if not status.is_open(scope.block.time_ms):
        raise RejectedError(RecordCode.LAPSED, f"the recovery of {account_id} is over")
    if key != (recovery.new_key if adds else recovery.lost_key):
        raise RejectedError(RecordCode.GUARDED, f"the recovery of {account_id} names another key")
    if not adds and recovery.new_key not in account.signatories:
        raise RejectedError(RecordCode.GUARDED, "the new key comes before the lost one goes")
    _check_matured(scope, recovery.window)
    # WRITE
    if not adds:
        end_status(scope, account_id, replace(status, state="finished"))


def _carry_out_change(scope: Scope, account_id: str, command: Command) -> None:
    """Let the command pass that a matured change names, once."""
    # READ
    encoded = encode_command(command)
    key = ChangeRecord.key(change_id(encoded))
    change = read_record(scope.state, account_id, account_id, key, ChangeRecord)
    status = get_status(scope.state, account_id)
    now_ms = scope.block.time_ms
    # CHECK
    if change is None or change.window is None or change.command != encoded:
        raise RejectedError(
            RecordCode.GUARDED, f"the guard of {account_id} stands: announce it as {key} first"
        )
    if change.state != "pending" or now_ms >= change.window.lapses_at_ms:
        raise RejectedError(RecordCode.LAPSED, f"{key} is over: announce it anew")
    approved = status.is_open(now_ms) and status.item == key
    if status.is_open(now_ms) and not approved:
        raise RejectedError(RecordCode.RECOVERY_OPEN, f"{status.item} of {account_id} is open")
    if not approved and _was_ended(change.window, status):
        raise RejectedError(RecordCode.LAPSED, f"{status.item} has ended {key}: announce it anew")
    _check_matured(scope, change.window)
    # WRITE
    if approved:
        end_status(scope, account_id, replace(status, state="finished"))
    done = encode_record(replace(change, state="done"))
    put_detail(scope.state, account_id, account_id, key, done)


def _was_ended(window: Window, status: RecoveryStatus) -> bool:
    """Tell whether a change was announced before the end of what was open last."""
    return window.opened_at_ms < status.until_ms


def _check_matured(scope: Scope, window: Window) -> None:
    if scope.block.time_ms < window.matures_at_ms:
        raise RejectedError(
            RecordCode.WINDOW_OPEN, f"it may be carried out from {window.matures_at_ms} on"
        )
