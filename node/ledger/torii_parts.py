"""What Torii stands before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from chaincode.batches import Batch
from chaincode.checkpoints import CheckpointSigner
from chaincode.multisignature import PendingView
from chaincode.stateless import TimeWindow
from node.ledger.commit_notices import CommitNotices
from node.ledger.engine import Engine
from node.ledger.health import NodeHealth
from node.ledger.state_store import StateStore
from node.ledger.statuses import StatusBoard


class Orderer(Protocol):
    """Where checked batches go."""

    def submit(self, batches: Sequence[Batch]) -> None:
        """Let batches wait for a block.

        Raises:
            PoolFullError: Too many wait.
            BatchRefusedError: One may not wait for signatures; the others were taken.
            StoppingError: The node stops; none of these was taken.
            PeerUnreachableError: The peer that orders cannot be reached.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ToriiParts:
    """What the gate stands before.

    Attributes:
        engine: Checks transactions.
        orderer: Takes them in.
        state: Answers queries.
        statuses: Says what became of transactions.
        commits: Says that there is a new block.
        pending: Knows what waits for signatures.
        window: Returns the span of creation times that is accepted at this moment.
        health: Tells how the node is.
        signer: The peer's key, which signs checkpoints.
    """

    engine: Engine
    orderer: Orderer
    state: StateStore
    statuses: StatusBoard
    commits: CommitNotices
    pending: PendingView
    window: Callable[[], TimeWindow]
    health: Callable[[], NodeHealth]
    signer: CheckpointSigner
