"""Account details: every result code of both commands, the order of the checks, and the writer."""

from collections.abc import Mapping
from typing import Any

import pytest
from support.memory_ledger import MemoryLedger
from support.small_ledger import (
    ALICE,
    BOB,
    CAROL,
    NOBODY,
    ROOT,
    build_genesis_block,
    case,
    check_case,
    committed,
    create_domain,
    create_role,
    give_permissions,
    key_of,
    small_ledger,
)

from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import GrantablePermission as Grantable
from chaincode.protocol.primitive_pb2 import RolePermission as P
from chaincode.world_state import get_detail
from client_sdk.ledger.commands import (
    compare_and_set_account_detail,
    create_account,
    set_account_detail,
)

WRITE = Grantable.can_set_my_account_detail
OWN, DOMAIN, EVERYBODY = (
    P.can_get_my_acc_detail,
    P.can_get_domain_acc_detail,
    P.can_get_all_acc_detail,
)


def set_detail(account_id: str) -> Command:
    return set_account_detail(account_id, "k", "v")


def compare(account_id: str, old: str | None = None, *, check_empty: bool = True) -> Command:
    return compare_and_set_account_detail(
        account_id, "k", "v", old_value=old, check_empty=check_empty
    )


CASES = [
    case("own", set_detail(ALICE), 0),
    case("another's", set_detail(BOB), 2),
    case("nobody's", set_detail(NOBODY), 3),
    case("another's by role", set_detail(CAROL), 0, held=[P.can_set_detail]),
    case("another's by grant", set_detail(BOB), 0, granted=[WRITE]),
    case("another's by the wrong grant", set_detail(BOB), 2, granted=[Grantable.can_set_my_quorum]),
    case("another's as root", set_detail(CAROL), 0, held=[P.root]),
    case("compare nobody's", compare(NOBODY), 3),
    case("compare own", compare(ALICE), 0, held=[OWN]),
    case("compare own, readable by all", compare(ALICE), 0, held=[EVERYBODY]),
    case("compare own, readable by the domain", compare(ALICE), 0, held=[DOMAIN]),
    case("compare own as root", compare(ALICE), 0, held=[P.root]),
    case("compare own that it may not read", compare(ALICE), 2),
    case("compare another's that it may not read", compare(BOB), 2, granted=[WRITE], held=[OWN]),
    case("compare another's that it may not write", compare(BOB), 2, held=[EVERYBODY]),
    case("compare another's by grant", compare(BOB), 0, granted=[WRITE], held=[DOMAIN]),
    case("compare in another domain", compare(CAROL), 2, held=[P.can_set_detail, DOMAIN]),
    case("compare in any domain", compare(CAROL), 0, held=[P.can_set_detail, EVERYBODY]),
    case("compare before the permission", compare(ALICE, "old"), 4),
    case("an absent value where one is expected", compare(ALICE, "old"), 4, held=[OWN]),
    case("an absent value, not checked", compare(ALICE, "old", check_empty=False), 0, held=[OWN]),
    case("an absent value, none expected", compare(ALICE, check_empty=False), 0, held=[OWN]),
]


@pytest.mark.parametrize(("command", "code", "setup"), CASES)
def test_result_code(command: Command, code: int, setup: Mapping[str, Any]) -> None:
    check_case(command, code, setup)


@pytest.mark.parametrize("check_empty", [True, False])
@pytest.mark.parametrize(("old", "code"), [("v1", 0), ("v2", 4), ("", 4), (None, 4)])
def test_a_value_that_is_there_must_be_the_old_value(
    old: str | None, code: int, *, check_empty: bool
) -> None:
    ledger = small_ledger()
    give_permissions(ledger, ALICE, OWN)
    committed(ledger.submit(ALICE, set_account_detail(ALICE, "k", "v1")))
    assert ledger.submit(ALICE, compare(ALICE, old, check_empty=check_empty)).code == code
    assert get_detail(ledger, ALICE, ALICE, "k") == ("v" if code == 0 else "v1")


def test_each_writer_has_values_of_its_own() -> None:
    ledger = small_ledger()
    committed(ledger.submit(ALICE, set_account_detail(ALICE, "k", "by alice")))
    committed(ledger.submit(ROOT, compare(ALICE)))
    assert get_detail(ledger, ALICE, ALICE, "k") == "by alice"
    assert get_detail(ledger, ALICE, ROOT, "k") == "v"
    assert get_detail(ledger, ALICE, BOB, "k") is None


def test_the_genesis_block_writes_details_without_any_permission() -> None:
    ledger = MemoryLedger(
        build_genesis_block(
            create_role("nothing"),
            create_domain("d"),
            create_account(ALICE, key_of(ALICE)),
            set_account_detail(ALICE, "plain", "1"),
            compare_and_set_account_detail(ALICE, "compared", "2", old_value=None),
            set_account_detail(ALICE, "tg_reserved", "not checked, and by no account"),
        )
    )
    assert get_detail(ledger, ALICE, "genesis", "plain") == "1"
    assert get_detail(ledger, ALICE, "genesis", "compared") == "2"
    assert get_detail(ledger, ALICE, "genesis", "tg_reserved")
