"""A read replica: it follows the chain of another peer, and passes transactions on to it.

Every block is checked as in a replay: its signatures under the peers of the replica's own state,
each transaction under all rules. A peer that serves anything else is left alone.
"""

import itertools
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import structlog

from chaincode.batches import Batch
from chaincode.errors import InvalidBlockError, QueryRejectedError
from chaincode.protocol.block_feed_pb2 import ChainNews
from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.endpoint_pb2 import ToriiResponse, TxStatus
from chaincode.protocol.qry_responses_pb2 import ErrorResponse
from chaincode.transactions import transaction_hash
from node.errors import PeerUnreachableError
from node.ledger.commit_notices import CommitNotices
from node.ledger.health import NodeHealth
from node.ledger.peer_client import PeerClient
from node.ledger.statuses import Status, StatusBoard
from node.ledger.stores import LedgerStores

_PAUSE_S: Final = 1.0
_INTERNAL: Final = 1
_log = structlog.get_logger(__name__)


class PendingElsewhere:
    """Stands where a node that orders collects signatures: they are collected by the peer."""

    def of_creator(self, account_id: str) -> Sequence[Batch]:
        """Refuse the question."""
        raise QueryRejectedError(
            ErrorResponse.Reason.STATEFUL_INVALID,
            _INTERNAL,
            f"transactions of {account_id} wait for signatures at the peer that orders: ask it",
        )

    def counts(self) -> tuple[int, int]:
        """Return how many batches and transactions wait here: none."""
        return 0, 0


class Follower:
    """Stands where an orderer stands: the peer that is followed orders."""

    def __init__(
        self,
        stores: LedgerStores,
        statuses: StatusBoard,
        commits: CommitNotices,
        addresses: Sequence[str],
        *,
        on_failure: Callable[[Exception], None],
    ) -> None:
        """Prepare the thread; `start` runs it.

        Args:
            stores: The ledger; from now on only this follower writes it.
            statuses: Where it says what became of each transaction.
            commits: Where it says that there is a new block.
            addresses: The peers that may be followed; one at a time is.
            on_failure: Called once with what went wrong when the disk refused a block.
        """
        self._stores = stores
        self._statuses = statuses
        self._commits = commits
        self._addresses = addresses
        self._on_failure = on_failure
        self._lock = threading.Lock()
        self._peer: PeerClient | None = None
        self._stopping = threading.Event()
        self._is_connected = False
        self._peer_height = 0
        self._thread = threading.Thread(target=self._run, name="follower")

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; a block that is being written is written whole."""
        self._stopping.set()
        with self._lock:
            if self._peer is not None:
                self._peer.close()
        self._thread.join()

    def submit(self, batches: Sequence[Batch]) -> None:
        """Pass batches on to the peer that is followed.

        Raises:
            PeerUnreachableError: No peer can be reached.
            PoolFullError: Too many wait there.
            BatchRefusedError: One may not wait for signatures there.
        """
        with self._lock:
            peer = self._peer
        if peer is None or not self._is_connected:
            raise PeerUnreachableError("no peer that orders can be reached; send again later")
        peer.send(batches)
        self._statuses.publish(
            Status(transaction.hash, status)
            for batch in batches
            for transaction in batch.transactions
            for status in (
                TxStatus.STATELESS_VALIDATION_SUCCESS,
                TxStatus.ENOUGH_SIGNATURES_COLLECTED
                if batch.has_all_signatures
                else TxStatus.MST_PENDING,
            )
        )

    def count_waiting(self) -> int:
        """Return how many transactions wait here: none, they are passed on."""
        return 0

    def health(self, height: int) -> NodeHealth:
        """Return how the node is: healthy while it follows a peer, syncing while it lags behind.

        Args:
            height: Of the chain.
        """
        return NodeHealth(
            height=height,
            is_healthy=self._is_connected,
            is_syncing=height < self._peer_height,
        )

    def _run(self) -> None:
        try:
            for address in itertools.cycle(self._addresses):
                self._follow(address)
                if self._stopping.wait(_PAUSE_S):
                    return
        except Exception as error:  # noqa: BLE001 - a replica that follows no more must not go on
            _log.critical("the ledger cannot be written", error=f"{type(error).__name__}: {error}")
            self._on_failure(error)

    def _follow(self, address: str) -> None:
        """Follow one peer until it is gone or found wrong."""
        peer = PeerClient(address)
        with self._lock:
            if self._stopping.is_set():
                return
            self._peer = peer
        try:
            for news in peer.follow(self._stores.tip().height + 1):
                self._take(news, address)
        except PeerUnreachableError as error:
            if not self._stopping.is_set():
                _log.warning("peer lost", peer=address, reason=str(error))
        except InvalidBlockError as error:
            _log.error("peer serves an invalid block", peer=address, reason=str(error))
        finally:
            self._is_connected = False
            peer.close()

    def _take(self, news: ChainNews, address: str) -> None:
        self._peer_height = news.top_height
        if not self._is_connected:
            self._is_connected = True
            _log.info("following", peer=address, peer_height=news.top_height)
        if news.HasField("block"):
            self._append(news.block, news.failures)

    def _append(self, block: Block, failures: Iterable[ToriiResponse]) -> None:
        self._stores.append(block)
        payload = block.block_v1.payload
        reasons = {failure.tx_hash: failure for failure in failures}
        statuses = [
            Status(transaction_hash(message), TxStatus.COMMITTED)
            for message in payload.transactions
        ]
        for tx_hash in payload.rejected_transactions_hashes:
            statuses += _rejection(tx_hash, reasons.get(tx_hash, ToriiResponse()))
        self._statuses.publish(statuses)
        self._commits.announce(payload.height)


def _rejection(tx_hash: str, failure: ToriiResponse) -> list[Status]:
    """Return what is said of a rejected transaction: why, as far as the peer knows it, and that."""
    hash_bytes = bytes.fromhex(tx_hash)
    return [
        Status(
            hash_bytes,
            TxStatus.STATEFUL_VALIDATION_FAILED,
            reason=failure.err_or_cmd_name,
            command_index=failure.failed_cmd_index,
            code=failure.error_code,
        ),
        Status(hash_bytes, TxStatus.REJECTED),
    ]
