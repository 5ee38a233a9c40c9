"""How the node is: what a health check is told, over gRPC and over HTTP alike."""

import resource
from dataclasses import dataclass

from chaincode.protocol.qry_responses_pb2 import HealthcheckData


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeHealth:
    """What the node says of itself.

    Attributes:
        height: The height of the chain.
        is_healthy: Whether it can do its work.
        is_syncing: Whether it still loads blocks from another peer.
    """

    height: int
    is_healthy: bool = True
    is_syncing: bool = False

    def message(self) -> HealthcheckData:
        """Return the answer as irohad gives it.

        irohad tells the round that it is in, which is the height of the block that comes next; here
        no round is ever rejected.
        """
        return HealthcheckData(
            memory_consumption=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            is_healthy=self.is_healthy,
            is_syncing=self.is_syncing,
            last_block_height=self.height + 1,
            last_block_reject=0,
        )
