"""What the operator's page keeps of a block: counts, times, and what accounts it tells of."""

import statistics
from dataclasses import dataclass
from typing import Final

from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.commands_pb2 import Command
from chaincode.records import GrantRecord, SeenRecord
from chaincode.transactions import block_hash, transaction_hash

CREATED: Final = "created"
GRANTED: Final = "granted"
DISCLOSED: Final = "disclosed"
RECOVERED: Final = "recovered"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockFacts:
    """A block, as the page remembers it.

    Attributes:
        height: Counted from 1.
        hash: 64 hex digits.
        time_ms: When it was made; milliseconds since 1970, UTC.
        size: Of its message, in bytes.
        transactions: The hashes of those that were committed.
        rejected: How many were rejected.
        latency_ms: The median time from a transaction's creation, by its sender's clock, to the
            block; None where it has none.
        slowest_ms: The longest of them.
        events: What happened to accounts: the account and one of the words of this module.
    """

    height: int
    hash: str
    time_ms: int
    size: int
    transactions: tuple[bytes, ...]
    rejected: int
    latency_ms: int | None
    slowest_ms: int | None
    events: tuple[tuple[str, str], ...]


def read_block(block: Block) -> BlockFacts:
    """Return what the page keeps of a block."""
    payload = block.block_v1.payload
    # The transactions of the genesis block were written long before it, or at no time at all.
    is_genesis = payload.height == 1
    latencies = [
        max(0, payload.created_time - transaction.payload.reduced_payload.created_time)
        for transaction in payload.transactions
        if not is_genesis
    ]
    return BlockFacts(
        height=payload.height,
        hash=block_hash(block).hex(),
        time_ms=payload.created_time,
        size=block.ByteSize(),
        transactions=tuple(map(transaction_hash, payload.transactions)),
        rejected=len(payload.rejected_transactions_hashes),
        latency_ms=round(statistics.median(latencies)) if latencies else None,
        slowest_ms=max(latencies, default=None),
        events=tuple(
            event
            for transaction in payload.transactions
            for command in transaction.payload.reduced_payload.commands
            if (event := _event(command, transaction.payload.reduced_payload.creator_account_id))
        ),
    )


def _event(command: Command, creator: str) -> tuple[str, str] | None:
    match command.WhichOneof("command"):
        case "create_account":
            made = command.create_account
            return f"{made.account_name}@{made.domain_id}", CREATED
        case "set_account_detail":
            return _written(command.set_account_detail.account_id, command.set_account_detail.key)
        case "compare_and_set_account_detail":
            detail = command.compare_and_set_account_detail
            return _written(detail.account_id, detail.key)
        case "add_signatory" if command.add_signatory.account_id != creator:
            # Nobody else adds a key to a holder's account but those who recover it.
            return command.add_signatory.account_id, RECOVERED
        case _:
            return None


def _written(account_id: str, key: str) -> tuple[str, str] | None:
    if key.startswith(SeenRecord.prefix):
        return account_id, DISCLOSED
    return (account_id, GRANTED) if key.startswith(GrantRecord.prefix) else None
