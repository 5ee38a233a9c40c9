"""Calls of contracts: every result code, in whose name they run, and what is kept of them."""

from collections.abc import Mapping
from typing import Any

import pytest
from support.batches import lone
from support.contracts import (
    VAULT,
    call_engine,
    deploy,
    engine_ledger,
    evm_address,
    set_engine,
)
from support.memory_ledger import START_MS
from support.small_ledger import (
    ALICE,
    BOB,
    NOBODY,
    ROOT,
    committed,
    give_grants,
    give_permissions,
    small_ledger,
)

from chaincode.blocks import BlockContext, Verdict
from chaincode.errors import EvmMissingError
from chaincode.evm import TRANSACTION_GAS, get_engine_receipts
from chaincode.protocol.primitive_pb2 import GrantablePermission as Grantable
from chaincode.protocol.primitive_pb2 import RolePermission as P
from chaincode.transition import apply_block

CALL, ON_BEHALF = P.can_call_engine, Grantable.can_call_engine_on_my_behalf
STOP = "00"


@pytest.mark.parametrize(
    ("caller", "code", "setup"),
    [
        pytest.param(ALICE, 0, {"held": [CALL]}, id="own name by role"),
        pytest.param(ALICE, 2, {}, id="own name without role"),
        pytest.param(BOB, 2, {"held": [CALL]}, id="another's name by role"),
        pytest.param(BOB, 0, {"granted": [ON_BEHALF]}, id="another's name by grant"),
        pytest.param(BOB, 2, {"granted": [Grantable.can_set_my_quorum]}, id="by another grant"),
        pytest.param(BOB, 0, {"held": [P.root]}, id="another's name as root"),
        pytest.param(NOBODY, 0, {"held": [P.root]}, id="nobody's name as root"),
    ],
)
def test_who_may_call_in_whose_name(caller: str, code: int, setup: Mapping[str, Any]) -> None:
    ledger = engine_ledger()
    give_permissions(ledger, ALICE, *setup.get("held", ()))
    give_grants(ledger, BOB, ALICE, setup.get("granted", ()))
    receipt = ledger.submit(ALICE, call_engine(STOP, caller=caller))
    assert receipt.code == code, receipt.reason
    assert (receipt.verdict is Verdict.COMMITTED) == (code == 0)
    if code:
        assert receipt.command_name == "CallEngine"
        assert receipt.reason == "Not enough permissions."


def test_a_ledger_without_an_engine_says_so_before_it_asks_for_permissions() -> None:
    ledger = small_ledger()
    for account_id in (ROOT, ALICE):
        receipt = ledger.submit(account_id, call_engine(STOP, caller=account_id))
        assert (receipt.code, receipt.reason) == (1, "Engine is not configured.")
        assert receipt.command_name == "CallEngine"


def test_what_the_engine_gives_up_is_code_3_and_changes_nothing() -> None:
    vault = deploy(engine_ledger(), VAULT)
    before = dict(vault.ledger.state)
    receipt = vault.try_call("storeThenRefuse", bytes(32), 5)
    assert (receipt.verdict, receipt.code) == (Verdict.REJECTED, 3)
    assert receipt.reason == (
        f"Engine error: Error calling smart contract at address {vault.address}: "
        "execution reverted: refused."
    )
    assert vault.ledger.state == before


def test_a_later_command_that_fails_undoes_the_call_before_it() -> None:
    vault = deploy(engine_ledger(), VAULT)
    before = dict(vault.ledger.state)
    store = vault.command("store", bytes(32), 5)
    receipt = vault.ledger.submit(ROOT, store, vault.command("fail"))
    assert (receipt.code, receipt.command_index) == (3, 1)
    assert vault.ledger.state == before


def test_a_contract_runs_in_the_name_of_the_caller_and_the_receipt_names_the_creator() -> None:
    ledger = engine_ledger()
    vault = deploy(ledger, VAULT)
    give_grants(ledger, BOB, ALICE, [ON_BEHALF])
    receipt = committed(ledger.submit(ALICE, vault.command("whoCalls", caller=BOB)))
    (found,) = get_engine_receipts(ledger, receipt.tx_hash).receipts
    seen = VAULT.decode_output("whoCalls", found.call_result.result_data)
    assert seen == (f"0x{evm_address(BOB)}",) * 2
    assert found.caller == ALICE


def test_receipts_name_the_command_the_contract_the_result_and_the_logs() -> None:
    ledger = engine_ledger()
    vault = deploy(ledger, VAULT)
    store = vault.command("store", b"a" * 32, 7)
    receipt = committed(
        ledger.submit(ROOT, store, call_engine(VAULT.bytecode), vault.command("owner"))
    )
    stored, made, asked = get_engine_receipts(ledger, receipt.tx_hash).receipts
    assert [each.command_index for each in (stored, made, asked)] == [0, 1, 2]
    assert stored.call_result.callee == vault.address
    assert stored.call_result.result_data == ""
    event, note = stored.logs
    assert event.address == note.address == vault.address.lower()
    assert event.topics[1:] == [(b"a" * 32).hex(), f"{7:064x}"]
    assert event.data == evm_address(ROOT).rjust(64, "0")
    assert bytes.fromhex(note.data).rstrip(b"\x00").endswith(b"stored")
    assert made.WhichOneof("result_or_contract_address") == "contract_address"
    assert made.contract_address not in {"", vault.address}
    assert VAULT.decode_output("owner", asked.call_result.result_data) == (
        f"0x{evm_address(ROOT)}",
    )


def test_all_calls_of_a_transaction_burn_from_one_supply() -> None:
    ledger = engine_ledger()
    vault = deploy(ledger, VAULT)
    fill = vault.command("fill", 200)
    once = committed(ledger.submit(ROOT, fill))
    gas_used = get_engine_receipts(ledger, once.tx_hash).gas_used
    assert TRANSACTION_GAS // 3 < gas_used < TRANSACTION_GAS // 2
    others = [deploy(ledger, VAULT) for _ in range(5)]
    fills = [each.command("fill", 200) for each in others]
    committed(ledger.submit(ROOT, *fills[:2]))
    receipt = ledger.submit(ROOT, *fills[2:])
    assert (receipt.code, receipt.command_index) == (3, 2)
    assert "Out of gas" in receipt.reason


def test_a_genesis_block_may_deploy_contracts() -> None:
    ledger = engine_ledger(call_engine(VAULT.bytecode, caller=ALICE))
    codes = [key for key in ledger.state if key.startswith(b"evm_code")]
    assert len(codes) == 1


@pytest.mark.parametrize("rules", ["prague-9", "cancun-1"])
def test_a_node_that_lacks_the_ledgers_engine_decides_nothing(rules: str) -> None:
    ledger = small_ledger(set_engine(rules))
    transaction = ledger.build_signed(ROOT, call_engine(STOP))
    context = BlockContext(height=2, time_ms=START_MS)
    with pytest.raises(EvmMissingError, match=rules):
        apply_block(ledger, context, lone(transaction))
