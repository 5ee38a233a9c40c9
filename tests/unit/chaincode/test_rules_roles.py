"""Roles and grants: every result code, the order of the checks, and no way to gain permissions."""

from collections.abc import Mapping
from typing import Any

import pytest
from support.small_ledger import (
    ALICE,
    BOB,
    NOBODY,
    ROOT,
    case,
    check_case,
    committed,
    create_role,
    detach_role,
    give_permissions,
    small_ledger,
)

from chaincode.permissions import ALL_ROLE_PERMISSIONS, GRANTED_BY
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import GrantablePermission as Grantable
from chaincode.protocol.primitive_pb2 import RolePermission as P
from chaincode.rules.scope import role_permissions
from chaincode.world_state import get_account, get_grants, get_role
from client_sdk.ledger.commands import append_role, grant_permission, revoke_permission

QUORUM = Grantable.can_set_my_quorum
MAY_GRANT_QUORUM = P.can_grant_can_set_my_quorum
READER = (create_role("reader", P.can_get_roles),)

CASES = [
    case("role", create_role("x", P.can_create_role), 0, held=[P.can_create_role]),
    case("role of nothing", create_role("x"), 0, held=[P.can_create_role]),
    case("role without permission", create_role("x"), 2),
    case("role without permission, it exists", create_role("nothing"), 2),
    case("role that says more", create_role("x", P.can_get_roles), 2, held=[P.can_create_role]),
    case("role of root", create_role("x", P.root), 2, held=[P.can_create_role, P.can_get_roles]),
    case("role as root", create_role("x", *ALL_ROLE_PERMISSIONS), 0, held=[P.root]),
    case("role exists", create_role("nothing"), 3, held=[P.can_create_role]),
    case("append", append_role(BOB, "nothing"), 1, held=[P.can_append_role]),
    case("append no such role", append_role(NOBODY, "gone"), 4),
    case("append without permission", append_role(NOBODY, "nothing"), 2),
    case("append to nobody", append_role(NOBODY, "nothing"), 3, held=[P.can_append_role]),
    case(
        "append more than held",
        append_role(BOB, "reader"),
        2,
        held=[P.can_append_role],
        before=READER,
    ),
    case("append root to oneself", append_role(ALICE, "root"), 2, held=[P.can_append_role]),
    case(
        "append what is covered",
        append_role(BOB, "reader"),
        0,
        held=[P.can_append_role, P.can_get_roles],
        before=READER,
    ),
    case("append as root", append_role(BOB, "root"), 0, held=[P.root]),
    case("detach from nobody", detach_role(NOBODY, "gone"), 3),
    case("detach no such role", detach_role(BOB, "gone"), 5),
    case("detach what is not held", detach_role(BOB, "root"), 4),
    case("detach without permission", detach_role(BOB, "nothing"), 2),
    case("detach", detach_role(BOB, "nothing"), 0, held=[P.can_detach_role]),
    case("detach as root", detach_role(ROOT, "root"), 0, held=[P.root]),
    case("grant", grant_permission(BOB, QUORUM), 0, held=[MAY_GRANT_QUORUM]),
    case("grant to oneself", grant_permission(ALICE, QUORUM), 0, held=[MAY_GRANT_QUORUM]),
    case("grant without permission", grant_permission(NOBODY, QUORUM), 2),
    case("grant with another's", grant_permission(BOB, QUORUM), 2, held=[P.can_set_quorum]),
    case("grant to nobody", grant_permission(NOBODY, QUORUM), 3, held=[MAY_GRANT_QUORUM]),
    case("revoke what was not granted", revoke_permission(BOB, QUORUM), 2, held=[P.root]),
    case("revoke from nobody", revoke_permission(NOBODY, QUORUM), 2, held=[P.root]),
    case("revoke what another granted", revoke_permission(ALICE, QUORUM), 2, granted=[QUORUM]),
]


@pytest.mark.parametrize(("command", "code", "setup"), CASES)
def test_result_code(command: Command, code: int, setup: Mapping[str, Any]) -> None:
    check_case(command, code, setup)


@pytest.mark.parametrize("permission", Grantable.values(), ids=Grantable.keys())
def test_each_grant_needs_its_own_role_permission(permission: Grantable) -> None:
    others = ALL_ROLE_PERMISSIONS - {GRANTED_BY[permission], P.root}
    command = grant_permission(BOB, permission)
    check_case(command, 0, {"held": [GRANTED_BY[permission]]})
    check_case(command, 2, {"held": sorted(others)})


def test_every_grantable_permission_has_its_role_permission() -> None:
    expected = {number: P.Value(f"can_grant_{name}") for name, number in Grantable.items()}
    assert dict(GRANTED_BY) == expected


def test_a_grant_is_given_once_and_taken_back() -> None:
    ledger = small_ledger()
    give_permissions(ledger, ALICE, P.root)
    transfer = Grantable.can_transfer_my_assets
    for permission in (QUORUM, transfer):
        committed(ledger.submit(ALICE, grant_permission(BOB, permission)))
    assert get_grants(ledger, ALICE, BOB) == {QUORUM, transfer}
    assert get_grants(ledger, BOB, ALICE) == frozenset()
    assert ledger.submit(ALICE, grant_permission(BOB, QUORUM)).code == 1
    committed(ledger.submit(ALICE, revoke_permission(BOB, QUORUM)))
    assert get_grants(ledger, ALICE, BOB) == {transfer}
    assert ledger.submit(ALICE, revoke_permission(BOB, QUORUM)).code == 2
    entries = len(ledger.state)
    committed(ledger.submit(ALICE, revoke_permission(BOB, transfer)))
    assert get_grants(ledger, ALICE, BOB) == frozenset()
    assert len(ledger.state) == entries - 1


def test_a_role_is_kept_whole_and_acts_through_the_account() -> None:
    ledger = small_ledger()
    permissions = frozenset[int](
        {P.can_get_roles, P.can_get_all_engine_receipts, P.can_append_role}
    )
    committed(ledger.submit(ROOT, create_role("x", *permissions), append_role(BOB, "x")))
    assert get_role(ledger, "x") == permissions
    account = get_account(ledger, BOB)
    assert account is not None
    assert account.roles == ["nothing", "x"]
    assert role_permissions(ledger, BOB) == permissions
    committed(ledger.submit(ROOT, detach_role(BOB, "x")))
    assert role_permissions(ledger, BOB) == frozenset()
    assert role_permissions(ledger, NOBODY) == frozenset()
