"""Roles, and permissions that one account grants to another."""

from chaincode.errors import RejectedError
from chaincode.permissions import GRANTED_BY
from chaincode.protocol.commands_pb2 import (
    AppendRole,
    CreateRole,
    DetachRole,
    GrantPermission,
    RevokePermission,
)
from chaincode.protocol.primitive_pb2 import RolePermission
from chaincode.rules.scope import INTERNAL, NO_PERMISSION, Scope, reject_no_permission
from chaincode.world_state import get_grants, get_role, put_account, put_grants, put_role


def create_role(scope: Scope, command: CreateRole) -> None:
    """Apply `CreateRole`. Codes: 2 no permission, 3 it exists.

    A role never holds more than its maker does.
    """
    # READ
    permissions = frozenset[int](command.permissions)
    # CHECK
    if not scope.has_permission(RolePermission.can_create_role) or not scope.covers(permissions):
        reject_no_permission(f"create role {command.role_name}")
    if get_role(scope.state, command.role_name) is not None:
        raise RejectedError(3, f"role {command.role_name} exists")
    # WRITE
    put_role(scope.state, command.role_name, permissions)


def append_role(scope: Scope, command: AppendRole) -> None:
    """Apply `AppendRole`.

    Codes: 1 the account has it, 2 no permission, 3 no such account, 4 no such role.
    """
    # READ
    permissions = get_role(scope.state, command.role_name)
    # CHECK
    if permissions is None:
        raise RejectedError(4, f"there is no role {command.role_name}")
    if not scope.has_permission(RolePermission.can_append_role) or not scope.covers(permissions):
        reject_no_permission(f"append role {command.role_name}")
    account = scope.require_account(command.account_id, 3)
    if command.role_name in account.roles:
        raise RejectedError(INTERNAL, f"account {command.account_id} has this role")
    # WRITE
    put_account(
        scope.state,
        command.account_id,
        quorum=account.quorum,
        signatories=account.signatories,
        roles=[*account.roles, command.role_name],
    )


def detach_role(scope: Scope, command: DetachRole) -> None:
    """Apply `DetachRole`.

    Codes: 2 no permission, 3 no such account, 4 the account has not this role, 5 no such role.
    """
    # READ
    account = scope.require_account(command.account_id, 3)
    # CHECK
    if get_role(scope.state, command.role_name) is None:
        raise RejectedError(5, f"there is no role {command.role_name}")
    if command.role_name not in account.roles:
        raise RejectedError(4, f"account {command.account_id} has not role {command.role_name}")
    if not scope.has_permission(RolePermission.can_detach_role):
        reject_no_permission(f"detach role {command.role_name}")
    # WRITE
    put_account(
        scope.state,
        command.account_id,
        quorum=account.quorum,
        signatories=account.signatories,
        roles=[role for role in account.roles if role != command.role_name],
    )


def grant_permission(scope: Scope, command: GrantPermission) -> None:
    """Apply `GrantPermission`. Codes: 1 granted already, 2 no permission, 3 no such account."""
    # READ
    granted = get_grants(scope.state, scope.creator, command.account_id)
    # CHECK
    if not scope.has_permission(GRANTED_BY[command.permission]):
        reject_no_permission("grant this permission")
    scope.require_account(command.account_id, 3)
    if command.permission in granted:
        raise RejectedError(INTERNAL, f"{command.account_id} was granted this permission already")
    # WRITE
    put_grants(scope.state, scope.creator, command.account_id, granted | {command.permission})


def revoke_permission(scope: Scope, command: RevokePermission) -> None:
    """Apply `RevokePermission`. Code: 2 it was not granted."""
    # READ
    granted = get_grants(scope.state, scope.creator, command.account_id)
    # CHECK
    if command.permission not in granted:
        raise RejectedError(NO_PERMISSION, f"{command.account_id} was not granted this permission")
    # WRITE
    put_grants(scope.state, scope.creator, command.account_id, granted - {command.permission})
