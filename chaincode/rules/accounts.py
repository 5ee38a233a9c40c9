"""Accounts and domains: creating them, their signatories and quorum."""

from typing import Final

from chaincode.errors import RejectedError
from chaincode.protocol.commands_pb2 import (
    AddSignatory,
    CreateAccount,
    CreateDomain,
    RemoveSignatory,
    SetAccountQuorum,
)
from chaincode.protocol.primitive_pb2 import GrantablePermission, RolePermission
from chaincode.rules.scope import INTERNAL, Scope, reject_no_permission
from chaincode.world_state import get_account, get_default_role, get_role, put_account, put_domain

MAX_DOMAIN_LENGTH: Final = 255
"""What irohad's column holds; the form of a name has no limit."""
MAX_SIGNATORIES: Final = 256
"""Twice the highest quorum. Each change of an account writes all of them: 10,000 in one transaction
would keep the ledger busy for a minute. irohad has no limit."""


def create_domain(scope: Scope, command: CreateDomain) -> None:
    """Apply `CreateDomain`.

    Codes: 1 the name is too long, 2 no permission, 3 it exists, 4 no such default role.
    """
    # READ
    existing = get_default_role(scope.state, command.domain_id)
    role = get_role(scope.state, command.default_role)
    # CHECK
    if not scope.has_permission(RolePermission.can_create_domain):
        reject_no_permission("create a domain")
    if len(command.domain_id) > MAX_DOMAIN_LENGTH:
        raise RejectedError(INTERNAL, f"the name is longer than {MAX_DOMAIN_LENGTH} characters")
    if existing is not None:
        raise RejectedError(3, f"domain {command.domain_id} exists")
    if role is None:
        raise RejectedError(4, f"there is no role {command.default_role}")
    # WRITE
    put_domain(scope.state, command.domain_id, command.default_role)


def create_account(scope: Scope, command: CreateAccount) -> None:
    """Apply `CreateAccount`. Codes: 2 no permission, 3 no such domain, 4 it exists.

    Nobody can make an account that may do more than its maker: the domain's default role must be
    covered by the creator's own permissions.
    """
    # READ
    account_id = f"{command.account_name}@{command.domain_id}"
    default_role = get_default_role(scope.state, command.domain_id)
    # CHECK
    if default_role is None:
        raise RejectedError(3, f"there is no domain {command.domain_id}")
    role = get_role(scope.state, default_role) or frozenset()
    if not scope.has_permission(RolePermission.can_create_account) or not scope.covers(role):
        reject_no_permission(f"create an account in domain {command.domain_id}")
    if get_account(scope.state, account_id) is not None:
        raise RejectedError(4, f"account {account_id} exists")
    # WRITE
    put_account(
        scope.state,
        account_id,
        quorum=1,
        signatories=[command.public_key.lower()],
        roles=[default_role],
    )


def add_signatory(scope: Scope, command: AddSignatory) -> None:
    """Apply `AddSignatory`.

    Codes: 1 the account has as many keys as it may, 2 no permission, 3 no such account, 4 the key
    is there.
    """
    # CHECK
    if not scope.may_act_on(
        command.account_id,
        RolePermission.can_add_signatory,
        GrantablePermission.can_add_my_signatory,
    ):
        reject_no_permission(f"add a signatory to {command.account_id}")
    account = scope.require_account(command.account_id, 3)
    key = command.public_key.lower()
    if key in account.signatories:
        raise RejectedError(4, f"account {command.account_id} has this signatory")
    if scope.validated and len(account.signatories) >= MAX_SIGNATORIES:
        raise RejectedError(INTERNAL, f"an account has at most {MAX_SIGNATORIES} signatories")
    # WRITE
    put_account(
        scope.state,
        command.account_id,
        quorum=account.quorum,
        signatories=[*account.signatories, key],
        roles=account.roles,
    )


def remove_signatory(scope: Scope, command: RemoveSignatory) -> None:
    """Apply `RemoveSignatory`.

    Codes: 2 no permission, 3 no such account, 4 no such key, 5 too few keys for the quorum would
    stay.
    """
    # READ
    account = scope.require_account(command.account_id, 3)
    key = command.public_key.lower()
    # CHECK
    if not scope.may_act_on(
        command.account_id,
        RolePermission.can_remove_signatory,
        GrantablePermission.can_remove_my_signatory,
    ):
        reject_no_permission(f"remove a signatory of {command.account_id}")
    if key not in account.signatories:
        raise RejectedError(4, f"account {command.account_id} has no such signatory")
    if len(account.signatories) <= account.quorum:
        raise RejectedError(5, f"account {command.account_id} needs {account.quorum} signatories")
    # WRITE
    put_account(
        scope.state,
        command.account_id,
        quorum=account.quorum,
        signatories=[held for held in account.signatories if held != key],
        roles=account.roles,
    )


def set_account_quorum(scope: Scope, command: SetAccountQuorum) -> None:
    """Apply `SetAccountQuorum`.

    Codes: 2 no permission, 4 no such account, 5 more than the account has signatories.
    """
    # CHECK
    if not scope.may_act_on(
        command.account_id, RolePermission.can_set_quorum, GrantablePermission.can_set_my_quorum
    ):
        reject_no_permission(f"set the quorum of {command.account_id}")
    account = scope.require_account(command.account_id, 4)
    if command.quorum > len(account.signatories):
        raise RejectedError(
            5, f"account {command.account_id} has {len(account.signatories)} signatories"
        )
    # WRITE
    put_account(
        scope.state,
        command.account_id,
        quorum=command.quorum,
        signatories=account.signatories,
        roles=account.roles,
    )
