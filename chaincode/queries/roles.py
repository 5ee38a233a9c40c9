"""Roles and what they permit."""

from chaincode.protocol.primitive_pb2 import RolePermission
from chaincode.protocol.qry_responses_pb2 import (
    ErrorResponse,
    QueryResponse,
    RolePermissionsResponse,
    RolesResponse,
)
from chaincode.protocol.queries_pb2 import GetRolePermissions, GetRoles
from chaincode.queries.asker import Asker, refuse_missing
from chaincode.world_state import get_role, scan_roles


def answer_roles(asker: Asker, _query: GetRoles) -> QueryResponse:
    """Answer `GetRoles`, in the order in which the roles were created."""
    asker.require(RolePermission.can_get_roles)
    return QueryResponse(roles_response=RolesResponse(roles=scan_roles(asker.view)))


def answer_role_permissions(asker: Asker, query: GetRolePermissions) -> QueryResponse:
    """Answer `GetRolePermissions`, in the order of their numbers."""
    asker.require(RolePermission.can_get_roles)
    permissions = get_role(asker.view, query.role_id)
    if permissions is None:
        refuse_missing(
            ErrorResponse.NO_ROLES,
            "no role with such name in account with such id: "
            f"{{{query.role_id}, {asker.account_id}}}",
        )
    names = [RolePermission.Name(number) for number in sorted(permissions)]
    body = RolePermissionsResponse(permissions=names)
    return QueryResponse(role_permissions_response=body)
