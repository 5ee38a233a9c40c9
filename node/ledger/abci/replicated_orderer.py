"""Stands where an orderer stands: CometBFT orders, on all peers alike."""

from collections.abc import Callable, Sequence
from typing import Final

from chaincode.batches import Batch
from chaincode.errors import PendingFullError, UnknownSignatoryError
from chaincode.replication import MAX_BATCH_BYTES
from node.errors import BatchRefusedError, NodeError, PeerUnreachableError, PoolFullError
from node.ledger.abci.application import Application, taken_statuses
from node.ledger.abci.broadcaster import Broadcaster
from node.ledger.abci.comet_process import CometProcess
from node.ledger.abci.comet_rpc import CometRpc
from node.ledger.abci.config import CometBftConfig
from node.ledger.abci.pool_gate import PoolGate
from node.ledger.abci.replicated_ledger import ReplicatedLedger
from node.ledger.abci.server import AbciServer
from node.ledger.abci.state_sync import StateSync
from node.ledger.health import NodeHealth
from node.ledger.statuses import StatusBoard

_PATIENCE_S: Final = 2.0


class ReplicatedOrderer:
    """The node's end of CometBFT: it serves ABCI, and hands what Torii takes to the pool."""

    def __init__(
        self,
        ledger: ReplicatedLedger,
        application: Application,
        state_sync: StateSync,
        statuses: StatusBoard,
        config: CometBftConfig,
        *,
        gate: PoolGate,
        on_failure: Callable[[Exception], None],
    ) -> None:
        """Bind the address of ABCI; `start` serves it, and starts CometBFT.

        Args:
            ledger: The ledger; from now on only CometBFT drives it.
            application: Answers CometBFT.
            state_sync: Its snapshots.
            statuses: Where it says what became of each transaction.
            config: Where CometBFT is.
            gate: Stands before CometBFT's pool.
            on_failure: Told what went wrong when nothing more can be ordered.

        Raises:
            ConfigError: The address cannot be bound.
        """
        self._ledger = ledger
        self._state_sync = state_sync
        self._statuses = statuses
        self._gate = gate
        self._rpc = config.rpc
        self._server = AbciServer(application.answer, on_failure, config.abci or config.socket)
        self._broadcaster = Broadcaster(CometRpc(config.rpc))
        self._process = None
        if config.abci is None:
            self._process = CometProcess(
                config.program,
                config.home,
                proxy_app=self._server.address,
                rpc=config.rpc,
                on_failure=on_failure,
            )

    def start(self) -> None:
        """Begin to serve CometBFT.

        Raises:
            ConfigError: CometBFT cannot be started.
        """
        self._server.start()
        self._broadcaster.start()
        if self._process is not None:
            self._process.start()

    def stop(self) -> None:
        """Hand on what was taken, then stop CometBFT; a block that is being written is written."""
        self._broadcaster.stop()
        if self._process is not None:
            self._process.stop()
        self._server.stop()
        self._state_sync.stop()

    def submit(self, batches: Sequence[Batch]) -> None:
        """Let batches wait in CometBFT's pool, on all peers.

        Raises:
            PoolFullError: Too many wait for a block or for signatures.
            BatchRefusedError: One is signed by no signatory, or too long; the others were taken.
            PeerUnreachableError: CometBFT does not answer.
            StoppingError: The node stops.
        """
        fit: list[Batch] = []
        refusals: list[NodeError] = []
        is_strict = self._gate.is_strict()
        for batch in batches:
            try:
                self._ledger.check(batch, is_strict=is_strict)
            except PendingFullError as error:
                refusals.append(PoolFullError(str(error)))
            except UnknownSignatoryError as error:
                refusals.append(BatchRefusedError(str(error)))
            else:
                fit.append(batch)
        encoded = [batch.encode() for batch in fit]
        for data in encoded:
            if len(data) > MAX_BATCH_BYTES:
                raise BatchRefusedError(
                    f"a batch of {len(data)} bytes, {MAX_BATCH_BYTES} are allowed"
                )
        for data, batch in zip(encoded, fit, strict=True):
            self._ledger.decoder.remember(data, batch)
        self._broadcaster.send(encoded)
        for batch in fit:
            self._statuses.publish(taken_statuses(batch))
        if refusals:
            raise refusals[0]

    def count_waiting(self) -> int:
        """Return how many batches are in CometBFT's pool; 0 where it does not answer."""
        try:
            with CometRpc(self._rpc, timeout_s=_PATIENCE_S) as rpc:
                return rpc.count_waiting()
        except PeerUnreachableError:
            return 0

    def health(self, height: int) -> NodeHealth:
        """Return how the node is: healthy while CometBFT answers, syncing while that catches up.

        Args:
            height: Of the chain.
        """
        try:
            with CometRpc(self._rpc, timeout_s=_PATIENCE_S) as rpc:
                is_syncing = bool(rpc.status()["sync_info"]["catching_up"])
        except PeerUnreachableError:
            return NodeHealth(height=height, is_healthy=False)
        return NodeHealth(height=height, is_syncing=is_syncing)
