"""Receipts of engine calls: who may read whose, in irohad's words."""

import pytest
from support.contracts import VAULT, call_engine, deploy, engine_ledger
from support.queries import ask, refusal
from support.small_ledger import (
    ALICE,
    BOB,
    CAROL,
    NOBODY,
    ROOT,
    committed,
    give_permissions,
    small_ledger,
)

from chaincode.protocol.primitive_pb2 import RolePermission as P
from client_sdk.ledger.commands import set_account_detail

UNKNOWN = "0" * 64
OWN, DOMAIN, EVERYBODY = (
    P.can_get_my_engine_receipts,
    P.can_get_domain_engine_receipts,
    P.can_get_all_engine_receipts,
)
NAMES = "can_get_my_engine_receipts, can_get_all_engine_receipts, can_get_domain_engine_receipts, "
NO_PERMISSION = (
    "STATEFUL_INVALID",
    2,
    f"failed to execute query: user must have at least one of the permissions: {NAMES}",
)


@pytest.mark.parametrize(
    ("permission", "readable"),
    [
        pytest.param(P.can_get_peers, (), id="another permission"),
        pytest.param(OWN, (ALICE,), id="own"),
        pytest.param(DOMAIN, (ALICE, BOB), id="domain"),
        pytest.param(EVERYBODY, (ALICE, BOB, CAROL, NOBODY), id="everybody's"),
        pytest.param(P.root, (ALICE, BOB, CAROL, NOBODY), id="root"),
    ],
)
def test_who_may_read_whose_receipts(permission: int, readable: tuple[str, ...]) -> None:
    """Nobody's are those of a transaction that is not there: only who reads all is answered."""
    ledger = engine_ledger()
    hashes = {NOBODY: UNKNOWN}
    for account_id in (BOB, CAROL):
        give_permissions(ledger, account_id, P.can_call_engine)
    give_permissions(ledger, ALICE, P.can_call_engine, permission)
    for account_id in (ALICE, BOB, CAROL):
        command = call_engine(VAULT.bytecode, caller=account_id)
        hashes[account_id] = committed(ledger.submit(account_id, command)).tx_hash.hex()
    for account_id, tx_hash in hashes.items():
        response = ask(ledger, "get_engine_receipts", tx_hash=tx_hash)
        if account_id in readable:
            receipts = response.engine_receipts_response.engine_receipts
            assert [each.caller for each in receipts] == [account_id] * (account_id != NOBODY)
        else:
            assert refusal(response) == NO_PERMISSION


def test_the_receipt_is_the_creators_whoever_was_called_for() -> None:
    ledger = engine_ledger()
    give_permissions(ledger, ALICE, P.can_call_engine, OWN)
    receipt = committed(ledger.submit(ROOT, call_engine(VAULT.bytecode, caller=ALICE)))
    response = ask(ledger, "get_engine_receipts", tx_hash=receipt.tx_hash.hex())
    assert refusal(response) == NO_PERMISSION


def test_receipts_of_a_transaction_with_and_without_calls() -> None:
    vault = deploy(engine_ledger(), VAULT)
    ledger = vault.ledger
    store = vault.command("store", bytes(32), 1)
    with_calls = committed(ledger.submit(ROOT, set_account_detail(ROOT, "k", "v"), store, store))
    without = committed(ledger.submit(ROOT, set_account_detail(ROOT, "k", "w")))
    failed = ledger.submit(ROOT, store, vault.command("fail"))
    found = {
        receipt: ask(
            ledger, "get_engine_receipts", creator=ROOT, tx_hash=receipt.tx_hash.hex().upper()
        ).engine_receipts_response.engine_receipts
        for receipt in (with_calls, without, failed)
    }
    assert [each.command_index for each in found[with_calls]] == [1, 2]
    assert [len(each.logs) for each in found[with_calls]] == [2, 2]
    assert not found[without]
    assert not found[failed]


def test_a_ledger_without_an_engine_has_no_receipts() -> None:
    response = ask(small_ledger(), "get_engine_receipts", creator=ROOT, tx_hash=UNKNOWN)
    assert response.HasField("engine_receipts_response")
    assert not response.engine_receipts_response.engine_receipts
