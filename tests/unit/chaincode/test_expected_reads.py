"""What a transaction is expected to read, beside what the rules do read."""

from collections.abc import Iterator

import pytest
from support.memory_ledger import MemoryLedger
from support.small_ledger import (
    ALICE,
    ROOT,
    add_quantity,
    create_asset,
    create_role,
    key_of,
    small_ledger,
    transfer,
)

from chaincode.batches import Batch
from chaincode.blocks import BlockContext, Verdict
from chaincode.expected_reads import expected_reads
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import RolePermission
from chaincode.transition import apply_block
from client_sdk.ledger.commands import append_role, create_account, set_account_detail

COIN = "coin#d"


class WatchedLedger:
    """A view that keeps which keys are read."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger = ledger
        self.read: set[bytes] = set()

    def get(self, key: bytes) -> bytes | None:
        self.read.add(key)
        return self._ledger.get(key)

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        return self._ledger.scan(prefix, start)

    def has_transaction(self, tx_hash: bytes) -> bool:
        return self._ledger.has_transaction(tx_hash)


@pytest.mark.parametrize(
    "command",
    [
        set_account_detail(ROOT, "k", "v"),
        transfer(ROOT, ALICE, COIN, "1"),
        create_account("new@d", key_of("new")),
        create_asset("gold#d"),
    ],
    ids=lambda command: command.WhichOneof("command"),
)
def test_all_that_is_expected_is_read(command: Command) -> None:
    ledger = small_ledger(
        create_asset(COIN), create_role("r", RolePermission.can_receive), append_role(ALICE, "r")
    )
    ledger.submit(ROOT, add_quantity(COIN, "5"))
    transaction = ledger.build_signed(ROOT, command)
    watched = WatchedLedger(ledger)
    context = BlockContext(height=9, time_ms=9)
    (receipt,) = apply_block(watched, context, [Batch((transaction,))]).receipts
    assert receipt.verdict is Verdict.COMMITTED
    expected = set(expected_reads(transaction.message))
    assert expected
    assert expected <= watched.read
