"""Assets: every result code, the order of the checks, who may, and exact balances."""

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
    add_quantity,
    build_genesis_block,
    case,
    check_case,
    committed,
    create_asset,
    create_domain,
    create_role,
    key_of,
    set_setting,
    small_ledger,
    subtract_quantity,
    transfer,
)

from chaincode.amounts import AMOUNT_END
from chaincode.blocks import BlockContext, Verdict
from chaincode.errors import InvalidBlockError, RejectedError
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import GrantablePermission as Grantable
from chaincode.protocol.primitive_pb2 import RolePermission as P
from chaincode.rules.assets import transfer_asset
from chaincode.rules.scope import Scope
from chaincode.world_state import StateOverlay, get_balance, get_precision
from client_sdk.ledger.commands import append_role, create_account

COIN, FINE, FOREIGN = "coin#d", "fine#d", "coin#e"
COINS = (create_asset(COIN), create_asset(FINE, 255), create_asset(FOREIGN))
ALICE_HAS = (add_quantity(COIN, "9.5"), transfer(ROOT, ALICE, COIN, "9.5"))
MOST = str((AMOUNT_END - 1) // 100) + "." + f"{(AMOUNT_END - 1) % 100:02}"


def everyone_receives(*accounts: str) -> tuple[Command, ...]:
    """Return commands of root: a role that may receive, for these accounts."""
    role = create_role("receives", P.can_receive)
    return (role, *(append_role(account, "receives") for account in accounts))


READY = (*COINS, *everyone_receives(ALICE, BOB))

CREATE = [
    case("create", create_asset("x#d"), 0, held=[P.can_create_asset]),
    case("create as root, in another domain", create_asset("x#e", 255), 0, held=[P.root]),
    case("create without permission, no domain", create_asset("x#gone"), 2),
    case("create without domain", create_asset("x#gone"), 3, held=[P.can_create_asset]),
    case("create again", create_asset(COIN, 7), 4, held=[P.can_create_asset], before=COINS),
]
ADD = [
    case(
        "add, thousands of zeros first",
        add_quantity(COIN, "0" * 5000 + "1"),
        0,
        held=[P.root],
        before=COINS,
    ),
    case("add", add_quantity(COIN, "0.05"), 0, held=[P.can_add_asset_qty], before=COINS),
    case("add elsewhere", add_quantity(FOREIGN, "1"), 0, held=[P.can_add_asset_qty], before=COINS),
    case(
        "add in the domain",
        add_quantity(COIN, "1"),
        0,
        held=[P.can_add_domain_asset_qty],
        before=COINS,
    ),
    case("add as root", add_quantity(FOREIGN, "1"), 0, held=[P.root], before=COINS),
    case(
        "add beyond the domain",
        add_quantity(FOREIGN, "1"),
        2,
        held=[P.can_add_domain_asset_qty],
        before=COINS,
    ),
    case(
        "add without permission, no asset",
        add_quantity("gone#d", "1"),
        2,
        held=[P.can_subtract_asset_qty],
    ),
    case("add to no asset", add_quantity("gone#d", "1"), 3, held=[P.can_add_asset_qty]),
    case("add too fine", add_quantity(COIN, "1.000"), 3, held=[P.can_add_asset_qty], before=COINS),
    case("add the most", add_quantity(COIN, MOST), 0, held=[P.can_add_asset_qty], before=COINS),
    case(
        "add too much",
        add_quantity(COIN, str(AMOUNT_END // 100 + 1)),
        4,
        held=[P.can_add_asset_qty],
        before=COINS,
    ),
    case(
        "add too much of the finest",
        add_quantity(FINE, "1"),
        4,
        held=[P.can_add_asset_qty],
        before=COINS,
    ),
]
SUBTRACT = [
    case(
        "subtract",
        subtract_quantity(COIN, "9.50"),
        0,
        held=[P.can_subtract_asset_qty],
        before=(*READY, *ALICE_HAS),
    ),
    case(
        "subtract in the domain",
        subtract_quantity(COIN, "1"),
        0,
        held=[P.can_subtract_domain_asset_qty],
        before=(*READY, *ALICE_HAS),
    ),
    case(
        "subtract beyond the domain",
        subtract_quantity(FOREIGN, "1"),
        2,
        held=[P.can_subtract_domain_asset_qty],
        before=COINS,
    ),
    case(
        "subtract without permission, no asset",
        subtract_quantity("gone#d", "1"),
        2,
        held=[P.can_add_asset_qty],
    ),
    case(
        "subtract from no asset",
        subtract_quantity("gone#d", "1"),
        3,
        held=[P.can_subtract_asset_qty],
    ),
    case(
        "subtract too fine",
        subtract_quantity(COIN, "9.501"),
        3,
        held=[P.can_subtract_asset_qty],
        before=COINS,
    ),
    case(
        "subtract from nothing",
        subtract_quantity(COIN, "0.01"),
        4,
        held=[P.can_subtract_asset_qty],
        before=COINS,
    ),
    case(
        "subtract too much",
        subtract_quantity(COIN, "9.51"),
        4,
        held=[P.can_subtract_asset_qty],
        before=(*READY, *ALICE_HAS),
    ),
]
OWN, GRANTED = [P.can_transfer], [Grantable.can_transfer_my_assets]
BOB_HAS = (add_quantity(COIN, "9.5"), transfer(ROOT, BOB, COIN, "9.5"))
BOB_IS_FULL = (
    add_quantity(COIN, MOST),
    transfer(ROOT, BOB, COIN, MOST),
    add_quantity(COIN, "9.5"),
    transfer(ROOT, ALICE, COIN, "9.5"),
)
TRANSFER = [
    case("transfer", transfer(ALICE, BOB, COIN, "9.5"), 0, held=OWN, before=(*READY, *ALICE_HAS)),
    case(
        "transfer as root",
        transfer(BOB, ALICE, COIN, "1"),
        0,
        held=[P.root],
        before=(*READY, *BOB_HAS),
    ),
    case(
        "transfer by grant",
        transfer(BOB, ALICE, COIN, "1"),
        0,
        granted=GRANTED,
        before=(*READY, *BOB_HAS),
    ),
    case("transfer to nobody, without permission", transfer(ALICE, NOBODY, "gone#d", "1"), 4),
    case("transfer without permission", transfer(ALICE, BOB, "gone#d", "1"), 2, before=READY),
    case(
        "transfer to who may not receive",
        transfer(ALICE, CAROL, COIN, "1"),
        2,
        held=OWN,
        before=(*READY, *ALICE_HAS),
    ),
    case(
        "transfer to root, who may receive",
        transfer(ALICE, ROOT, COIN, "1"),
        0,
        held=OWN,
        before=(*READY, *ALICE_HAS),
    ),
    case(
        "transfer another's without grant",
        transfer(BOB, ROOT, COIN, "1"),
        2,
        held=OWN,
        before=(*READY, *BOB_HAS),
    ),
    case(
        "a grant is not for one's own",
        transfer(ALICE, BOB, COIN, "1"),
        2,
        granted=GRANTED,
        before=(*READY, *ALICE_HAS),
    ),
    case(
        "transfer from nobody", transfer(NOBODY, BOB, "gone#d", "1"), 3, held=[P.root], before=READY
    ),
    case("transfer of no asset", transfer(ALICE, BOB, "gone#d", "1"), 5, held=OWN, before=READY),
    case("transfer too fine", transfer(ALICE, BOB, COIN, "99.001"), 5, held=OWN, before=READY),
    case("transfer from nothing", transfer(ALICE, BOB, COIN, "0.01"), 6, held=OWN, before=READY),
    case(
        "transfer too much",
        transfer(ALICE, BOB, COIN, "9.51"),
        6,
        held=OWN,
        before=(*READY, *ALICE_HAS),
    ),
    case(
        "transfer to a full account",
        transfer(ALICE, BOB, COIN, "0.01"),
        7,
        held=OWN,
        before=(*READY, *BOB_IS_FULL),
    ),
]


@pytest.mark.parametrize(("command", "code", "setup"), [*CREATE, *ADD, *SUBTRACT, *TRANSFER])
def test_result_code(command: Command, code: int, setup: Mapping[str, Any]) -> None:
    check_case(command, code, setup)


def test_a_setting_is_for_the_genesis_block_alone() -> None:
    for creator in (ROOT, ALICE):
        receipt = small_ledger().submit(creator, set_setting("MaxDescriptionSize", "5"))
        assert (receipt.verdict, receipt.code) == (Verdict.REJECTED, 2)


@pytest.mark.parametrize(
    ("setting", "description", "code"),
    [
        (None, "x" * 100_000, 0),
        ("4", "four", 0),
        ("4", "five!", 8),
        # Bytes count, not characters.
        ("4", "éé", 0),
        ("4", "ééx", 8),
        ("0", "", 0),
        ("-1", "", 8),
        ("many", "", 1),
    ],
)
def test_the_longest_description(setting: str | None, description: str, code: int) -> None:
    settings = [] if setting is None else [set_setting("MaxDescriptionSize", setting)]
    ledger = small_ledger(*COINS, *settings, set_setting("AnyOther", "kept"))
    committed(ledger.submit(ROOT, add_quantity(COIN, "5"), *everyone_receives(BOB)))
    receipt = ledger.submit(ROOT, transfer(ROOT, BOB, COIN, "5", description))
    assert receipt.code == code


def test_code_7_comes_before_code_8() -> None:
    ledger = small_ledger(*COINS, set_setting("MaxDescriptionSize", "0"))
    committed(ledger.submit(ROOT, *everyone_receives(BOB), add_quantity(COIN, MOST)))
    committed(ledger.submit(ROOT, transfer(ROOT, BOB, COIN, MOST), add_quantity(COIN, "1")))
    assert ledger.submit(ROOT, transfer(ROOT, BOB, COIN, "1", "too long")).code == 7
    assert ledger.submit(ROOT, transfer(ROOT, BOB, COIN, "2", "too long")).code == 6


def test_balances_move_and_show_their_decimals() -> None:
    ledger = small_ledger(*COINS)
    committed(ledger.submit(ROOT, *everyone_receives(BOB), add_quantity(COIN, "1000.50")))
    committed(ledger.submit(ROOT, add_quantity(COIN, "200"), subtract_quantity(COIN, "0.5")))
    committed(ledger.submit(ROOT, transfer(ROOT, BOB, COIN, "300")))
    assert str(get_balance(ledger, ROOT, COIN)) == "900.00"
    assert str(get_balance(ledger, BOB, COIN)) == "300"
    committed(ledger.submit(ROOT, transfer(BOB, ROOT, COIN, "300.00")))
    assert str(get_balance(ledger, BOB, COIN)) == "0.00"
    assert str(get_balance(ledger, ROOT, COIN)) == "1200.00"
    assert get_precision(ledger, FINE) == 255


def test_a_transfer_to_oneself_makes_nothing() -> None:
    """The form of the command refuses it before; a contract might call the rule itself."""
    ledger = small_ledger(*COINS)
    scope = Scope(
        state=StateOverlay(ledger),
        block=BlockContext(height=2, time_ms=1),
        creator=ROOT,
        validated=True,
        tx_hash=bytes(32),
    )
    with pytest.raises(RejectedError) as caught:
        transfer_asset(scope, transfer(ROOT, ROOT, COIN, "1").transfer_asset)
    assert caught.value.code == 1


def test_the_genesis_acts_as_the_creator_of_its_transaction() -> None:
    block = build_genesis_block(
        *everyone_receives(),
        create_domain("d", "receives"),
        create_asset(COIN),
        create_account(ALICE, key_of(ALICE)),
        create_account(BOB, key_of(BOB)),
        add_quantity(COIN, "5"),
        transfer(BOB, ALICE, COIN, "1.50"),
    )
    # Without a creator there is no account to add to, as in irohad.
    with pytest.raises(InvalidBlockError, match="AddAssetQuantity: there is no account genesis"):
        MemoryLedger(block)
    reduced = block.block_v1.payload.transactions[0].payload.reduced_payload
    reduced.creator_account_id = BOB
    ledger = MemoryLedger(block)
    assert str(get_balance(ledger, BOB, COIN)) == "3.50"
    assert str(get_balance(ledger, ALICE, COIN)) == "1.50"
