"""Account details, the identity records among them."""

from typing import Final

from chaincode.errors import RejectedError
from chaincode.protocol.commands_pb2 import CompareAndSetAccountDetail, SetAccountDetail
from chaincode.protocol.primitive_pb2 import GrantablePermission, RolePermission
from chaincode.records import RESERVED_PREFIX
from chaincode.rules.identity.apply import apply_record
from chaincode.rules.scope import Scope, may_read, reject_no_permission, role_permissions
from chaincode.world_state import get_detail, put_detail

READ_DETAIL = (
    RolePermission.can_get_my_acc_detail,
    RolePermission.can_get_domain_acc_detail,
    RolePermission.can_get_all_acc_detail,
)
# Protobuf looks names up each time, and these are asked for in most transactions.
_SET_DETAIL: Final = RolePermission.can_set_detail
_GRANTED: Final = GrantablePermission.can_set_my_account_detail


def set_account_detail(scope: Scope, command: SetAccountDetail) -> None:
    """Apply `SetAccountDetail`.

    Codes: 2 no permission, 3 no such account, above 100 a rule of the identity records.
    """
    # CHECK
    scope.require_account(command.account_id, 3)
    if not _may_write(scope, command.account_id):
        reject_no_permission(f"set a detail of {command.account_id}")
    # WRITE
    _write(scope, command)


def compare_and_set_account_detail(scope: Scope, command: CompareAndSetAccountDetail) -> None:
    """Apply `CompareAndSetAccountDetail`.

    Codes: 2 no permission, 3 no such account, 4 another value is there, above 100 a rule of the
    identity records. A detail that is not there equals any old value, unless `check_empty` is set.
    """
    # READ
    scope.require_account(command.account_id, 3)
    present = get_detail(scope.state, command.account_id, scope.creator, command.key)
    expected = command.old_value if command.HasField("old_value") else None
    # CHECK
    if present is None:
        matches = expected is None or not command.check_empty
    else:
        matches = present == expected
    if not matches:
        raise RejectedError(4, f"detail {command.key} of {command.account_id} has another value")
    held = role_permissions(scope.state, scope.creator)
    readable = may_read(held, scope.creator, command.account_id, READ_DETAIL)
    if not _may_write(scope, command.account_id) or (scope.validated and not readable):
        reject_no_permission(f"compare and set a detail of {command.account_id}")
    # WRITE
    _write(scope, command)


def _may_write(scope: Scope, account_id: str) -> bool:
    # Mostly it is the creator's own account: that is asked first, as it needs no role.
    return scope.may_act_on(account_id, None, _GRANTED) or scope.has_permission(_SET_DETAIL)


def _write(scope: Scope, command: SetAccountDetail | CompareAndSetAccountDetail) -> None:
    if scope.validated and command.key.startswith(RESERVED_PREFIX):
        apply_record(scope, command.account_id, command.key, command.value)
    else:
        put_detail(scope.state, command.account_id, scope.creator, command.key, command.value)
