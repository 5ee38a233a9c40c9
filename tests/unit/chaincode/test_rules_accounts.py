"""Accounts and domains: every result code, the order of the checks, and what is written."""

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
    create_domain,
    create_role,
    key_of,
    small_ledger,
)

from chaincode.blocks import Verdict
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import GrantablePermission as Grantable
from chaincode.protocol.primitive_pb2 import RolePermission as P
from chaincode.rules.accounts import MAX_SIGNATORIES
from chaincode.world_state import get_account, get_default_role
from client_sdk.ledger.commands import (
    add_signatory,
    create_account,
    remove_signatory,
    set_account_quorum,
)

NEW_KEY = key_of("new")
ADD, REMOVE, QUORUM = (
    Grantable.can_add_my_signatory,
    Grantable.can_remove_my_signatory,
    Grantable.can_set_my_quorum,
)
RICH_DOMAIN = (create_role("rich", P.can_get_roles, P.can_get_peers), create_domain("r", "rich"))
TWO_KEYS = (add_signatory(ALICE, NEW_KEY), add_signatory(BOB, NEW_KEY))
LONGEST = ".".join(["a" * 63] * 4)
TOO_LONG = LONGEST[:-1] + ".a"

CASES = [
    case("domain", create_domain("x"), 0, held=[P.can_create_domain]),
    case("domain as root", create_domain("x"), 0, held=[P.root]),
    case("domain without permission", create_domain("x"), 2),
    case("domain without permission, both exist not", create_domain("d", "gone"), 2),
    case("domain, a name of 255", create_domain(LONGEST), 0, held=[P.can_create_domain]),
    case("domain, a name of 256", create_domain(TOO_LONG, "gone"), 1, held=[P.root]),
    case("domain, a name of 256 without permission", create_domain(TOO_LONG), 2),
    case("domain exists", create_domain("d"), 3, held=[P.can_create_domain]),
    case("domain exists, no role", create_domain("d", "gone"), 3, held=[P.can_create_domain]),
    case("domain, no such role", create_domain("x", "gone"), 4, held=[P.can_create_domain]),
    case("account", create_account("new@d", NEW_KEY), 0, held=[P.can_create_account]),
    case("account, no such domain, no permission", create_account("new@gone", NEW_KEY), 3),
    case("account without permission, it exists", create_account(BOB, NEW_KEY), 2),
    case("account exists", create_account(BOB, NEW_KEY), 4, held=[P.can_create_account]),
    case(
        "account whose default role says more than its maker may",
        create_account("new@r", NEW_KEY),
        2,
        held=[P.can_create_account, P.can_get_roles],
        before=RICH_DOMAIN,
    ),
    case(
        "account whose default role its maker covers",
        create_account("new@r", NEW_KEY),
        0,
        held=[P.can_create_account, P.can_get_roles, P.can_get_peers],
        before=RICH_DOMAIN,
    ),
    case(
        "account as root",
        create_account("new@r", NEW_KEY),
        0,
        held=[P.root],
        before=RICH_DOMAIN,
    ),
    case("own signatory", add_signatory(ALICE, NEW_KEY), 0, held=[P.can_add_signatory]),
    case("own signatory without permission", add_signatory(ALICE, NEW_KEY), 2),
    case("signatory by grant", add_signatory(BOB, NEW_KEY), 0, granted=[ADD]),
    case("signatory by the wrong grant", add_signatory(BOB, NEW_KEY), 2, granted=[REMOVE, QUORUM]),
    case("signatory of another", add_signatory(BOB, NEW_KEY), 2, held=[P.can_add_signatory]),
    case("signatory of nobody", add_signatory(NOBODY, NEW_KEY), 2, held=[P.can_add_signatory]),
    case("signatory of nobody as root", add_signatory(NOBODY, NEW_KEY), 3, held=[P.root]),
    case("signatory as root", add_signatory(BOB, NEW_KEY), 0, held=[P.root]),
    case("signatory is there", add_signatory(ALICE, key_of(ALICE)), 4, held=[P.root]),
    case(
        "signatory is there, upper case", add_signatory(BOB, key_of(BOB).upper()), 4, held=[P.root]
    ),
    case("no signatory of nobody", remove_signatory(NOBODY, NEW_KEY), 3),
    case("remove without permission", remove_signatory(ALICE, key_of(ALICE)), 2),
    case(
        "remove own",
        remove_signatory(ALICE, key_of(ALICE).upper()),
        0,
        held=[P.can_remove_signatory],
        before=TWO_KEYS,
    ),
    case("remove by grant", remove_signatory(BOB, NEW_KEY), 0, granted=[REMOVE], before=TWO_KEYS),
    case("remove by the wrong grant", remove_signatory(BOB, NEW_KEY), 2, granted=[ADD]),
    case("remove another's", remove_signatory(BOB, NEW_KEY), 2, held=[P.can_remove_signatory]),
    case("remove as root", remove_signatory(BOB, NEW_KEY), 0, held=[P.root], before=TWO_KEYS),
    case("remove what is not there", remove_signatory(BOB, NEW_KEY), 4, held=[P.root]),
    case("remove the last", remove_signatory(BOB, key_of(BOB)), 5, held=[P.root]),
    case(
        "remove below the quorum",
        remove_signatory(BOB, NEW_KEY),
        5,
        held=[P.root],
        before=[*TWO_KEYS, set_account_quorum(BOB, 2)],
    ),
    case("own quorum", set_account_quorum(ALICE, 1), 0, held=[P.can_set_quorum]),
    case("own quorum of two keys", set_account_quorum(ALICE, 2), 0, held=[P.root], before=TWO_KEYS),
    case("own quorum without permission", set_account_quorum(ALICE, 1), 2),
    case("quorum by grant", set_account_quorum(BOB, 1), 0, granted=[QUORUM]),
    case("quorum by the wrong grant", set_account_quorum(BOB, 1), 2, granted=[ADD, REMOVE]),
    case("quorum of nobody", set_account_quorum(NOBODY, 1), 2, held=[P.can_set_quorum]),
    # The documents of Iroha say 3; irohad answers 4.
    case("quorum of nobody as root", set_account_quorum(NOBODY, 1), 4, held=[P.root]),
    case("quorum above the keys", set_account_quorum(ALICE, 2), 5, held=[P.can_set_quorum]),
]


@pytest.mark.parametrize(("command", "code", "setup"), CASES)
def test_result_code(command: Command, code: int, setup: Mapping[str, Any]) -> None:
    check_case(command, code, setup)


def test_an_account_begins_with_one_lower_case_key_quorum_one_and_the_default_role() -> None:
    ledger = small_ledger()
    committed(ledger.submit(ROOT, create_account("new@d", NEW_KEY.upper())))
    account = get_account(ledger, "new@d")
    assert account is not None
    assert account.signatories == [NEW_KEY]
    assert account.quorum == 1
    assert account.roles == ["nothing"]


def test_each_change_of_an_account_keeps_the_rest_of_it() -> None:
    ledger = small_ledger()
    steps: list[tuple[Command, list[str], int]] = [
        (add_signatory(BOB, NEW_KEY), sorted([key_of(BOB), NEW_KEY]), 1),
        (set_account_quorum(BOB, 2), sorted([key_of(BOB), NEW_KEY]), 2),
        (set_account_quorum(BOB, 1), sorted([key_of(BOB), NEW_KEY]), 1),
        (remove_signatory(BOB, key_of(BOB)), [NEW_KEY], 1),
    ]
    for command, signatories, quorum in steps:
        committed(ledger.submit(ROOT, command))
        account = get_account(ledger, BOB)
        assert account is not None
        assert (list(account.signatories), account.quorum) == (signatories, quorum)
        assert account.roles == ["nothing"]


def test_an_account_has_only_so_many_signatories() -> None:
    ledger = small_ledger()
    keys = [f"{number:064x}" for number in range(MAX_SIGNATORIES)]
    committed(ledger.submit(ROOT, *(add_signatory(BOB, key) for key in keys[1:])))
    for command, code in ((add_signatory(BOB, keys[0]), 1), (add_signatory(BOB, keys[1]), 4)):
        receipt = ledger.submit(ROOT, command)
        assert (receipt.verdict, receipt.code) == (Verdict.REJECTED, code)
    swap = (remove_signatory(BOB, keys[1]), add_signatory(BOB, keys[0]))
    committed(ledger.submit(ROOT, *swap))


def test_history_and_genesis_may_have_more_signatories() -> None:
    keys = [f"{number:064x}" for number in range(MAX_SIGNATORIES + 1)]
    account = get_account(small_ledger(*(add_signatory(BOB, key) for key in keys)), BOB)
    assert account is not None
    assert len(account.signatories) == len(keys) + 1


def test_a_domain_keeps_its_default_role() -> None:
    ledger = small_ledger()
    committed(ledger.submit(ROOT, create_domain("x", "granter")))
    assert get_default_role(ledger, "x") == "granter"
    assert get_default_role(ledger, "y") is None


def test_a_signatory_that_was_removed_signs_no_more() -> None:
    ledger = small_ledger()
    committed(ledger.submit(ROOT, add_signatory(BOB, NEW_KEY)))
    committed(ledger.submit(ROOT, remove_signatory(BOB, key_of(BOB))))
    receipt = ledger.submit(BOB, set_account_quorum(BOB, 1))
    assert (receipt.command_name, receipt.code) == ("signatures validation", 2)
