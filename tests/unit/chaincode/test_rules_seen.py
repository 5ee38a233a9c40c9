"""The rule of access receipts: who writes them, and how they count a grant's uses."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from support.memory_ledger import START_MS, MemoryLedger

from chaincode.blocks import Verdict
from chaincode.errors import RecordCode
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import GrantablePermission
from chaincode.records import NO_ID, GrantRecord, SeenRecord, encode_record, seen_id
from chaincode.records.recovery import RecoveryStatus
from chaincode.world_state import detail_key, get_detail
from client_sdk.ledger.commands import (
    compare_and_set_account_detail,
    grant_permission,
    revoke_permission,
    set_account_detail,
    set_record,
)

HOLDER, GATEWAY, OTHER = "h1@holder", "desk@gateway", "other@gateway"
GRANT_ID = "0123456789abcdef" * 2
UNTIL_MS = START_MS + 1_000_000
GRANT = GrantRecord(
    commitment=b"c" * 32, gateway=GATEWAY, expires_at_ms=UNTIL_MS, uses=2, state="live"
)
RECEIPT = SeenRecord(salted_hash=b"s" * 32, sealed=b"sealed")
MAY_WRITE = GrantablePermission.can_set_my_account_detail


@pytest.fixture
def ledger() -> MemoryLedger:
    """A holder with a grant of two uses, who lets both gateways write on her account."""
    made = MemoryLedger.tegata()
    for account in (HOLDER, GATEWAY, OTHER):
        made.add_account(account)
    for gateway in (GATEWAY, OTHER):
        assert code(made, HOLDER, grant_permission(gateway, MAY_WRITE)) == 0
    made.write_record(HOLDER, GRANT_ID, GRANT)
    return made


def receipt(use: int, grant_id: str = GRANT_ID) -> Command:
    return set_record(HOLDER, seen_id(grant_id, use), RECEIPT)


def revocation() -> Command:
    return set_record(HOLDER, GRANT_ID, replace(GRANT, state="revoked"))


def code(ledger: MemoryLedger, creator: str, *commands: Command) -> int:
    found = ledger.submit(creator, *commands)
    assert (found.verdict is Verdict.COMMITTED) == (found.code == 0)
    return found.code


def uses_of(ledger: MemoryLedger) -> list[int]:
    keys = {use: SeenRecord.key(seen_id(GRANT_ID, use)) for use in range(1, 9)}
    return [use for use in keys if get_detail(ledger, HOLDER, GATEWAY, keys[use]) is not None]


def test_uses_are_counted_and_end(ledger: MemoryLedger) -> None:
    assert [code(ledger, GATEWAY, receipt(use)) for use in (1, 2, 3)] == [0, 0, RecordCode.USED_UP]
    assert uses_of(ledger) == [1, 2]


@pytest.mark.parametrize("use", [2, 999_999])
def test_no_use_is_left_out(ledger: MemoryLedger, use: int) -> None:
    expected = RecordCode.OUT_OF_TURN if use <= GRANT.uses else RecordCode.USED_UP
    assert code(ledger, GATEWAY, receipt(use)) == expected


def test_a_receipt_is_written_once(ledger: MemoryLedger) -> None:
    assert code(ledger, GATEWAY, receipt(1)) == 0
    other = replace(RECEIPT, salted_hash=b"t" * 32)
    again = set_record(HOLDER, seen_id(GRANT_ID, 1), other)
    assert code(ledger, GATEWAY, again) == RecordCode.OUT_OF_TURN
    key, old = SeenRecord.key(seen_id(GRANT_ID, 1)), encode_record(RECEIPT)
    swap = compare_and_set_account_detail(HOLDER, key, encode_record(other), old_value=old)
    assert code(ledger, GATEWAY, swap) == RecordCode.OUT_OF_TURN
    assert get_detail(ledger, HOLDER, GATEWAY, key) == old


def test_compare_and_set_writes_one_too(ledger: MemoryLedger) -> None:
    key = SeenRecord.key(seen_id(GRANT_ID, 1))
    command = compare_and_set_account_detail(HOLDER, key, encode_record(RECEIPT), old_value=None)
    assert code(ledger, GATEWAY, command) == 0


def test_one_transaction_may_count_two_uses(ledger: MemoryLedger) -> None:
    assert code(ledger, GATEWAY, receipt(1), receipt(2)) == 0
    assert uses_of(ledger) == [1, 2]


@pytest.mark.parametrize("creator", [OTHER, HOLDER])
def test_only_the_gateway_of_the_grant_writes(ledger: MemoryLedger, creator: str) -> None:
    assert code(ledger, creator, receipt(1)) == RecordCode.NOT_THE_OWNER


def test_it_needs_the_holders_permission(ledger: MemoryLedger) -> None:
    assert code(ledger, HOLDER, revoke_permission(GATEWAY, MAY_WRITE)) == 0
    assert code(ledger, GATEWAY, receipt(1)) == 2


def test_it_stands_on_the_holders_account_only(ledger: MemoryLedger) -> None:
    on_its_own = set_record(GATEWAY, seen_id(GRANT_ID, 1), RECEIPT)
    assert code(ledger, GATEWAY, on_its_own) == RecordCode.NO_GRANT


def test_there_must_be_a_grant(ledger: MemoryLedger) -> None:
    assert code(ledger, GATEWAY, receipt(1, "f" * 32)) == RecordCode.NO_GRANT


def test_a_broken_grant_counts_for_nothing(ledger: MemoryLedger) -> None:
    ledger.state[detail_key(HOLDER, HOLDER, GrantRecord.key(GRANT_ID))] = b"broken"
    assert code(ledger, GATEWAY, receipt(1)) == RecordCode.MALFORMED


def test_a_revoked_grant_is_not_used(ledger: MemoryLedger) -> None:
    assert code(ledger, HOLDER, revocation()) == 0
    assert code(ledger, GATEWAY, receipt(1)) == RecordCode.STATE_REFUSED


def test_an_expired_grant_is_not_used() -> None:
    now_ms = START_MS
    ledger = MemoryLedger.tegata(clock=lambda: now_ms)
    for account in (HOLDER, GATEWAY):
        ledger.add_account(account)
    assert code(ledger, HOLDER, grant_permission(GATEWAY, MAY_WRITE)) == 0
    ledger.write_record(HOLDER, GRANT_ID, GRANT)
    now_ms = UNTIL_MS - 10
    assert code(ledger, GATEWAY, receipt(1)) == 0
    now_ms = UNTIL_MS
    assert code(ledger, GATEWAY, receipt(2)) == RecordCode.EXPIRED


def test_no_grant_is_used_while_a_recovery_is_open(ledger: MemoryLedger) -> None:
    status = RecoveryStatus(
        item="tg_recover_" + GRANT_ID, state="open", until_ms=UNTIL_MS, firm=False
    )
    key = detail_key(HOLDER, HOLDER, RecoveryStatus.key(NO_ID))
    ledger.state[key] = encode_record(status).encode()
    assert code(ledger, GATEWAY, receipt(1)) == RecordCode.RECOVERY_OPEN
    ledger.state[key] = encode_record(replace(status, state="vetoed")).encode()
    assert code(ledger, GATEWAY, receipt(1)) == 0


Sender = tuple[str, Callable[[], Command]]
FIRST: Sender = (GATEWAY, lambda: receipt(1))
SECOND: Sender = (GATEWAY, lambda: receipt(2))
REVOKE: Sender = (HOLDER, revocation)


@pytest.mark.parametrize(
    ("senders", "codes"),
    [
        ([FIRST, FIRST], [0, RecordCode.OUT_OF_TURN]),
        ([FIRST, SECOND], [0, 0]),
        ([SECOND, FIRST], [RecordCode.OUT_OF_TURN, 0]),
        ([REVOKE, FIRST], [0, RecordCode.STATE_REFUSED]),
        ([FIRST, REVOKE, SECOND], [0, 0, RecordCode.STATE_REFUSED]),
    ],
)
def test_within_one_block_the_order_decides(
    ledger: MemoryLedger, senders: list[Sender], codes: list[int]
) -> None:
    messages = [ledger.build_signed(creator, command()) for creator, command in senders]
    assert [found.code for found in ledger.apply(*messages)] == codes


@pytest.mark.parametrize("number", ["", "_", "_0", "_01", "_1_1", "_12345678", "_a", "1"])
def test_the_number_has_one_form(ledger: MemoryLedger, number: str) -> None:
    key = f"tg_seen_{GRANT_ID}{number}"
    command = set_account_detail(HOLDER, key, encode_record(RECEIPT))
    assert code(ledger, GATEWAY, command) == RecordCode.UNKNOWN_KIND
