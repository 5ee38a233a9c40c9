"""What one command's rule may see, and the permission questions that many rules ask."""

from dataclasses import dataclass
from typing import Final, NoReturn

from chaincode.blocks import BlockContext
from chaincode.errors import RejectedError
from chaincode.ids import domain_of
from chaincode.protocol.primitive_pb2 import GrantablePermission, RolePermission
from chaincode.protocol.world_state_pb2 import AccountRecord
from chaincode.world_state import ReadableState, StateOverlay, get_account, get_grants, get_role

INTERNAL: Final = 1
NO_PERMISSION: Final = 2
_ROOT: Final = RolePermission.root
"""Protobuf looks a name up each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The world as one command sees it.

    Attributes:
        state: Where the command reads and writes.
        block: The height and time of the block.
        creator: The account that made the transaction; `genesis` in the genesis block.
        validated: False where permissions are not asked, as in the genesis block.
        tx_hash: The hash of the transaction.
        command_index: The place of the command in it, where that matters.
    """

    state: StateOverlay
    block: BlockContext
    creator: str
    validated: bool
    tx_hash: bytes
    command_index: int = 0

    def has_permission(self, *permissions: RolePermission) -> bool:
        """Tell whether the creator has one of these role permissions, or `root`."""
        if not self.validated:
            return True
        held = role_permissions(self.state, self.creator)
        return _ROOT in held or any(permission in held for permission in permissions)

    def may_act_on(
        self, account_id: str, own: RolePermission | None, granted: GrantablePermission
    ) -> bool:
        """Tell whether the creator may change an account.

        It may as `root`, on its own account with the role permission `own` (None asks for none), or
        on another's account where that account granted it.
        """
        if not self.validated:
            return True
        if account_id == self.creator and (own is None or self.has_permission(own)):
            return True
        if self.has_permission(_ROOT):
            return True
        return granted in get_grants(self.state, account_id, self.creator)

    def covers(self, permissions: frozenset[int]) -> bool:
        """Tell whether the creator holds all these role permissions, or `root`."""
        if not self.validated:
            return True
        held = role_permissions(self.state, self.creator)
        return _ROOT in held or permissions <= held

    def require_account(self, account_id: str, code: int) -> AccountRecord:
        """Return an account, or reject the command with this code."""
        account = get_account(self.state, account_id)
        if account is None:
            raise RejectedError(code, f"there is no account {account_id}")
        return account


def role_permissions(state: ReadableState, account_id: str) -> frozenset[int]:
    """Return the union of the permissions of an account's roles (numbers of `RolePermission`)."""
    account = get_account(state, account_id)
    if account is None:
        return frozenset()
    return frozenset().union(*(get_role(state, role) or frozenset() for role in account.roles))


def may_read(
    held: frozenset[int],
    creator: str,
    account_id: str,
    permissions: tuple[RolePermission, RolePermission, RolePermission],
) -> bool:
    """Tell whether a creator with these permissions may read of an account.

    Args:
        held: The creator's role permissions.
        creator: The account that asks.
        account_id: The account that is asked about.
        permissions: What lets it read its own, its domain's and everybody's.
    """
    own, domain, everybody = permissions
    if _ROOT in held or everybody in held:
        return True
    if creator == account_id and own in held:
        return True
    return domain_of(creator) == domain_of(account_id) and domain in held


def reject_no_permission(what: str) -> NoReturn:
    """Reject a command for want of permission."""
    raise RejectedError(NO_PERMISSION, f"no permission to {what}")
