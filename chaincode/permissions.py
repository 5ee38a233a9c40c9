"""Which role permission lets an account grant which grantable permission (Iroha 1)."""

from types import MappingProxyType
from typing import Final

from chaincode.protocol.primitive_pb2 import GrantablePermission, RolePermission

GRANTED_BY: Final = MappingProxyType(
    {
        GrantablePermission.can_add_my_signatory: RolePermission.can_grant_can_add_my_signatory,
        GrantablePermission.can_remove_my_signatory: (
            RolePermission.can_grant_can_remove_my_signatory
        ),
        GrantablePermission.can_set_my_quorum: RolePermission.can_grant_can_set_my_quorum,
        GrantablePermission.can_set_my_account_detail: (
            RolePermission.can_grant_can_set_my_account_detail
        ),
        GrantablePermission.can_transfer_my_assets: RolePermission.can_grant_can_transfer_my_assets,
        GrantablePermission.can_call_engine_on_my_behalf: (
            RolePermission.can_grant_can_call_engine_on_my_behalf
        ),
    }
)
ALL_ROLE_PERMISSIONS: Final = frozenset(RolePermission.values())
ALL_GRANTABLE_PERMISSIONS: Final = frozenset(GrantablePermission.values())


def encode_permissions(permissions: frozenset[int]) -> bytes:
    """Return a permission set as sorted bytes, one a permission: no number passes 255."""
    return bytes(sorted(permissions))


def decode_permissions(data: bytes) -> frozenset[int]:
    """Return the permission set that `encode_permissions` wrote."""
    return frozenset(data)
