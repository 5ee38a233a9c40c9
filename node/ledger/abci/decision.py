"""What a block of CometBFT does, in the words that the peers agree on."""

from collections.abc import Sequence
from dataclasses import dataclass

from chaincode.blocks import Receipt, Verdict
from chaincode.protocol.replication_pb2 import BatchResult
from chaincode.replication import BatchCode
from node.ledger.block_statuses import final_status, validation_status
from node.ledger.candidate import Candidate
from node.ledger.replication_rows import Position, ReplicationChange
from node.ledger.statuses import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a block of CometBFT did with one of its transactions.

    Attributes:
        code: The code of its result.
        statuses: What is told of the batch's transactions; nothing where the bytes are no batch.
        text: Words for a log; the peers need not agree on them.
    """

    code: BatchCode
    statuses: Sequence[Status] = ()
    text: str = ""

    def data(self) -> bytes:
        """Return what the next header commits to: a serialised `BatchResult`."""
        return BatchResult(
            statuses=[status.response() for status in self.statuses]
        ).SerializeToString()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a block of CometBFT does.

    Attributes:
        outcomes: Of its transactions, in their order.
        validators: The new power of each validator that comes or goes, by its 32-byte key.
        position: How far CometBFT has come then.
        change: What is written beside the state.
        candidate: The block that it makes, or None.
        told: What is told of transactions once it is written.
        has_new_rules: Whether the blocks below were decided by rules of another version.
    """

    outcomes: Sequence[Outcome]
    validators: Sequence[tuple[bytes, int]]
    position: Position
    change: ReplicationChange
    candidate: Candidate | None
    told: Sequence[Status]
    has_new_rules: bool


def outcome_of(receipts: Sequence[Receipt]) -> Outcome:
    """Return what became of a batch, from the receipts of its transactions."""
    if receipts[0].verdict is Verdict.REPLAYED:
        return Outcome(code=BatchCode.REPLAYED, text="decided before")
    statuses = [
        validation_status(receipt) if receipt.verdict is Verdict.REJECTED else final_status(receipt)
        for receipt in receipts
    ]
    failure = next((each for each in receipts if each.verdict is Verdict.REJECTED), None)
    if failure is None:
        return Outcome(code=BatchCode.COMMITTED, statuses=statuses)
    return Outcome(code=BatchCode.REJECTED, statuses=statuses, text=failure.reason)
