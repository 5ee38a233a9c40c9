"""Properties of assets: nothing is made or lost by a transfer, no balance leaves its bounds."""

from decimal import Decimal, localcontext

from hypothesis import given, settings
from hypothesis import strategies as st
from support.small_ledger import (
    ALICE,
    BOB,
    CAROL,
    ROOT,
    add_quantity,
    append_role,
    committed,
    create_asset,
    create_role,
    small_ledger,
    subtract_quantity,
    transfer,
)

from chaincode.amounts import AMOUNT_END
from chaincode.blocks import Verdict
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import RolePermission
from chaincode.world_state import get_balance

ACCOUNTS = (ROOT, ALICE, BOB, CAROL)
PRECISION = 3
ASSET = "coin#d"


def _text(units_and_decimals: tuple[int, int]) -> str:
    units, decimals = units_and_decimals
    digits = str(units).rjust(decimals + 1, "0")
    return f"{digits[: len(digits) - decimals]}.{digits[len(digits) - decimals :]}"


AMOUNTS = st.tuples(
    st.integers(1, 2000) | st.integers(1, AMOUNT_END - 1), st.integers(0, PRECISION + 1)
).map(_text)
COMMANDS = st.one_of(
    st.builds(add_quantity, st.just(ASSET), AMOUNTS),
    st.builds(subtract_quantity, st.just(ASSET), AMOUNTS),
    st.tuples(st.permutations(ACCOUNTS), AMOUNTS).map(
        lambda drawn: transfer(drawn[0][0], drawn[0][1], ASSET, drawn[1])
    ),
)


@settings(max_examples=100, deadline=None)
@given(commands=st.lists(COMMANDS, min_size=1, max_size=30))
def test_the_ledger_keeps_the_books_of_a_simple_model(commands: list[Command]) -> None:
    """The model: a Decimal for each account, and what each command may do to it."""
    ledger = small_ledger(
        create_asset(ASSET, PRECISION), create_role("r", RolePermission.can_receive)
    )
    committed(ledger.submit(ROOT, *(append_role(account, "r") for account in ACCOUNTS[1:])))
    transactions = [ledger.build_signed(ROOT, command) for command in commands]
    receipts = ledger.apply(*transactions)
    with localcontext(prec=400):
        end = Decimal(AMOUNT_END) / 10**PRECISION
        balances = dict.fromkeys(ACCOUNTS, Decimal(0))
        supply = Decimal(0)
        for command, receipt in zip(commands, receipts, strict=True):
            body = getattr(command, command.WhichOneof("command") or "")
            amount = Decimal(body.amount)
            fine = len(body.amount.partition(".")[2]) > PRECISION
            if command.HasField("transfer_asset"):
                source, destination = body.src_account_id, body.dest_account_id
            elif command.HasField("add_asset_quantity"):
                source, destination = "", ROOT
            else:
                source, destination = ROOT, ""
            possible = (
                not fine
                and (not source or balances[source] >= amount)
                and (not destination or balances[destination] + amount < end)
            )
            assert (receipt.verdict is Verdict.COMMITTED) == possible, receipt
            if possible and source:
                balances[source] -= amount
            if possible and destination:
                balances[destination] += amount
            supply += amount * possible * (bool(destination) - bool(source))
        for account, balance in balances.items():
            assert Decimal(str(get_balance(ledger, account, ASSET))) == balance
            assert 0 <= balance < end
        assert sum(balances.values()) == supply
